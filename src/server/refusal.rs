//! Why a request for a probe is refused: the text of the answer, and the label value it is counted under.

use strum::{EnumDiscriminants, IntoStaticStr, VariantArray};

use super::query::SCRAPE_TIMEOUT;
use crate::client::Group;

/// Why a request for a probe is refused before its broker is queried. The texts are sent to the client.
#[derive(Debug, thiserror::Error, EnumDiscriminants)]
#[strum_discriminants(
    name(RefusalReason),
    derive(Hash, IntoStaticStr, VariantArray),
    strum(serialize_all = "snake_case"),
    doc = "The kinds of refusals: a closed set, which is the label of a metric and a field of the log."
)]
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
    /// There is no such metric group.
    #[error("unknown metric group {0:?}; known groups: {known}", known = Group::ALL.map(Group::name).join(", "))]
    UnknownGroup(String),
    /// There is no such parameter.
    #[error("unknown parameter {0:?}; known parameters: broker (or target), client, all, collect[], debug")]
    UnknownParameter(String),
    /// A flag is neither true nor false, or both.
    #[error("parameter `{0}` must be true or false, not both")]
    NoFlag(&'static str),
    /// Both `client` and `all=true` are given.
    #[error("`client` and `all=true` exclude each other")]
    ClientAndAll,
    /// The scrape timeout is not a number of seconds, or leaves no time for the probe.
    #[error("header {SCRAPE_TIMEOUT} must be a number of seconds greater than the timeout offset of {0} s")]
    BadTimeout(f64),
    /// The maximum number of probes is in progress.
    #[error("too many probes are in progress; --web.max-probes is {0}")]
    Busy(usize),
}

impl ProbeRefusal {
    /// Its kind.
    pub(super) fn reason(&self) -> RefusalReason {
        self.into()
    }
}

impl RefusalReason {
    /// Its name as a label value.
    pub(super) fn name(self) -> &'static str {
        self.into()
    }
}
