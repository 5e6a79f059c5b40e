//! Why a request for a probe is refused: the text of the answer, and the label value it is counted under.

use super::query::SCRAPE_TIMEOUT;
use crate::client::Group;
use crate::closed_set::closed_set;
use crate::shard::NoShard;

closed_set! {
    /// The kinds of refusals: a closed set, which is the label of a metric and a field of the log.
    #[derive(Hash)]
    pub(super) enum RefusalReason {
        /// No broker is named.
        NoBroker = "no_broker",
        /// A broker is named more than once.
        SeveralBrokers = "several_brokers",
        /// The broker is not configured.
        UnknownBroker = "unknown_broker",
        /// The client is not watched on the broker.
        UnknownClient = "unknown_client",
        /// There is no such fleet of the broker.
        UnknownFleet = "unknown_fleet",
        /// `fleets=true` or `fleet` is given together with a parameter that excludes it.
        FleetsAndOthers = "fleets_and_others",
        /// There is no such metric group.
        UnknownGroup = "unknown_group",
        /// There is no such parameter.
        UnknownParameter = "unknown_parameter",
        /// A flag is neither true nor false, or both.
        NoFlag = "no_flag",
        /// Both `client` and `all=true` are given.
        ClientAndAll = "client_and_all",
        /// The share is none, or another one is given too.
        BadShard = "bad_shard",
        /// `shard` is given together with `client` or `all=true`.
        ShardAndOthers = "shard_and_others",
        /// A group of watched clients only and `all=true` are given.
        GroupAndAll = "group_and_all",
        /// The scrape timeout is not a number of seconds, or leaves no time for the probe.
        BadTimeout = "bad_timeout",
        /// The maximum number of probes is in progress.
        Busy = "busy",
    }
}

/// Why a request for a probe is refused before its broker is queried. The texts are sent to the client.
#[derive(Debug, thiserror::Error)]
pub enum ProbeRefusal {
    /// No broker is named.
    #[error("missing parameter `broker`; configured brokers: {0}")]
    NoBroker(String),
    /// A broker is named more than once.
    #[error("`broker` (or its synonym `target`) must be given once; probe several brokers by several requests")]
    SeveralBrokers,
    /// The broker is not configured.
    #[error("unknown broker {0:?}; configured brokers: {1}")]
    UnknownBroker(String, String),
    /// The client is not watched on the broker.
    #[error("unknown client {0:?}; broker {1:?} has no watched client with this alias")]
    UnknownClient(String, String),
    /// There is no such fleet of the broker.
    #[error("unknown fleet {0:?}; broker {1:?} has no fleet with this alias")]
    UnknownFleet(String, String),
    /// `fleets=true` or `fleet` is given together with a parameter that excludes it.
    #[error(
        "`fleets=true` and `fleet` report counts of fleets only, and exclude each other, `client`, `shard` and `collect[]`; \
         `all=true` goes with `fleet`, and not with `fleets=true`"
    )]
    FleetsAndOthers,
    /// There is no such metric group.
    #[error("unknown metric group {0:?}; known groups: {known}", known = Group::ALL.map(Group::name).join(", "))]
    UnknownGroup(String),
    /// There is no such parameter.
    #[error(
        "unknown parameter {0:?}; known parameters: broker (or target), client, all, fleets, fleet, shard, collect[], debug"
    )]
    UnknownParameter(String),
    /// A flag is neither true nor false, or both.
    #[error("parameter `{0}` must be true or false, not both")]
    NoFlag(&'static str),
    /// Both `client` and `all=true` are given.
    #[error("`client` and `all=true` exclude each other")]
    ClientAndAll,
    /// The share is none.
    #[error("parameter `shard` {0}")]
    BadShard(NoShard),
    /// More than one share is given.
    #[error("`shard` must be given once; probe several shares by several requests")]
    SeveralShards,
    /// `shard` is given together with `client` or `all=true`.
    #[error("`shard` selects watched clients, and excludes `client` and `all=true`")]
    ShardAndOthers,
    /// A group of watched clients only and `all=true` are given.
    #[error("`collect[]={0}` and `all=true` exclude each other: this group is of watched clients only")]
    GroupAndAll(Group),
    /// The scrape timeout is not a number of seconds, or leaves no time for the probe.
    #[error("header {SCRAPE_TIMEOUT} must be a number of seconds greater than the timeout offset of {0} s")]
    BadTimeout(f64),
    /// The maximum number of probes is in progress.
    #[error("too many probes are in progress; --web.max-probes is {0}")]
    Busy(usize),
}

impl ProbeRefusal {
    /// Returns its kind.
    pub(super) fn reason(&self) -> RefusalReason {
        match self {
            Self::NoBroker(_) => RefusalReason::NoBroker,
            Self::SeveralBrokers => RefusalReason::SeveralBrokers,
            Self::UnknownBroker(..) => RefusalReason::UnknownBroker,
            Self::UnknownClient(..) => RefusalReason::UnknownClient,
            Self::UnknownFleet(..) => RefusalReason::UnknownFleet,
            Self::FleetsAndOthers => RefusalReason::FleetsAndOthers,
            Self::UnknownGroup(_) => RefusalReason::UnknownGroup,
            Self::UnknownParameter(_) => RefusalReason::UnknownParameter,
            Self::NoFlag(_) => RefusalReason::NoFlag,
            Self::ClientAndAll => RefusalReason::ClientAndAll,
            Self::BadShard(_) | Self::SeveralShards => RefusalReason::BadShard,
            Self::ShardAndOthers => RefusalReason::ShardAndOthers,
            Self::GroupAndAll(_) => RefusalReason::GroupAndAll,
            Self::BadTimeout(_) => RefusalReason::BadTimeout,
            Self::Busy(_) => RefusalReason::Busy,
        }
    }
}
