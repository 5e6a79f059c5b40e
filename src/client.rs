//! The facts about one MQTT client.
//!
//! EMQX's spelling of these facts stays in `emqx`, that of Prometheus in `metrics`, and that of the tables in `table`. A fact
//! that the broker did not send is `None`, never zero.

mod topic_template;
mod watched_client;

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

pub use self::topic_template::{Placeholder, TopicError, TopicListing, TopicTemplate, Topics, levels_match};
pub use self::watched_client::{Labels, Origin, WatchedClient};

use crate::closed_set::closed_set;

/// One MQTT client as its broker describes it.
///
/// The groups are boxed, so that a client with only its state stays small.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Client {
    /// The client ID the broker knows it by.
    pub client_id: Arc<str>,
    /// The user name of its CONNECT packet; `None` when it sent none.
    pub username: Option<String>,
    /// Whether it is connected now. A broker that holds the session of a client that is away says `false`.
    pub connected: bool,
    /// Name of the EMQX node that holds the connection, or held it last; of [`Group::Session`] and
    /// [`Group::Address`].
    pub node: Option<String>,
    /// [`Group::Session`]
    pub session: Option<Box<Session>>,
    /// [`Group::Queue`]
    pub queue: Option<Box<Queue>>,
    /// [`Group::Traffic`]
    pub traffic: Option<Box<Traffic>>,
    /// [`Group::Process`]
    pub process: Option<Box<Process>>,
    /// [`Group::Address`]
    pub address: Option<Box<Address>>,
}

impl Client {
    /// Returns the more current of two descriptions of one client, which a broker sends while a session moves from one
    /// connection to another: the connected one, else the one that connected later.
    #[must_use]
    pub fn preferred(self, other: Self) -> Self {
        let rank = |client: &Self| {
            (client.connected, client.session.as_ref().and_then(|session| session.connected_at))
        };
        if rank(&other) > rank(&self) { other } else { self }
    }
}

/// The session and the connection that holds it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Session {
    /// Protocol name of the CONNECT packet, `MQTT` or `MQIsdp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol_name: Option<String>,
    /// Protocol version: 3, 4 or 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol_version: Option<u64>,
    /// Clean Session (MQTT 3) or Clean Start (MQTT 5) of the CONNECT packet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clean_start: Option<bool>,
    /// When the session began; survives reconnects of a persistent session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// When the present or last connection began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connected_at: Option<Timestamp>,
    /// When the last connection ended; only of a client that is away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disconnected_at: Option<Timestamp>,
    /// Keepalive in seconds; 0 means none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keepalive_seconds: Option<u64>,
    /// How long the broker holds the session after a disconnect.
    #[serde(rename = "expiry_interval_seconds", skip_serializing_if = "Option::is_none")]
    pub expiry_interval: Option<ExpiryInterval>,
    /// Whether the session has expired and only waits to be collected (durable sessions of EMQX 5.7 to 5.10).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expired: Option<bool>,
}

/// Messages and subscriptions that the broker holds for the client, with their limits.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Queue {
    /// Subscriptions of the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscriptions: Option<u64>,
    /// Maximum number of subscriptions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscriptions_limit: Option<Limit>,
    /// `QoS` 1 and 2 messages sent and not yet acknowledged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inflight: Option<u64>,
    /// Maximum number of messages in flight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inflight_limit: Option<Limit>,
    /// Messages queued for the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mqueue: Option<u64>,
    /// Maximum number of queued messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mqueue_limit: Option<Limit>,
    /// `QoS` 2 messages received whose PUBREL is outstanding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub awaiting_pubrel: Option<u64>,
    /// Maximum number of messages awaiting their PUBREL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub awaiting_pubrel_limit: Option<Limit>,
    /// Messages the queue has dropped since the session began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mqueue_dropped: Option<u64>,
}

/// Traffic between client and broker since the connection began.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Traffic {
    /// PUBLISH packets the broker received from the client, by `QoS`.
    pub received_messages: MessagesByQos,
    /// Messages of the client that the broker dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received_dropped: Option<u64>,
    /// ... because their PUBREL did not come in time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received_dropped_await_pubrel_timeout: Option<u64>,
    /// Bytes the broker received from the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received_bytes: Option<u64>,
    /// MQTT packets the broker received from the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received_packets: Option<u64>,
    /// PUBLISH packets the broker sent to the client, by `QoS`.
    pub sent_messages: MessagesByQos,
    /// Messages for the client that the broker dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_dropped: Option<u64>,
    /// ... because they had expired.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_dropped_expired: Option<u64>,
    /// ... because the queue was full.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_dropped_queue_full: Option<u64>,
    /// ... because they were larger than the client accepts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_dropped_too_large: Option<u64>,
    /// Bytes the broker sent to the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_bytes: Option<u64>,
    /// MQTT packets the broker sent to the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_packets: Option<u64>,
}

/// Messages by quality of service.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct MessagesByQos {
    /// At most once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qos0: Option<u64>,
    /// At least once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qos1: Option<u64>,
    /// Exactly once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub qos2: Option<u64>,
}

impl MessagesByQos {
    /// Returns the sum; `None` when one of the counts is missing.
    #[must_use]
    pub fn total(&self) -> Option<u64> {
        Some(self.qos0?.saturating_add(self.qos1?).saturating_add(self.qos2?))
    }
}

/// The broker's Erlang process of the connection.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Process {
    /// Messages in its mailbox.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mailbox: Option<u64>,
    /// Reductions, Erlang's measure of work, since the process began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reductions: Option<u64>,
}

/// Addresses of the client's connection.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Address {
    /// The client's address as the broker sees it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip: Option<IpAddr>,
    /// The client's port as the broker sees it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u64>,
    /// The number the configuration gives the client's node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_number: Option<u64>,
}

/// An upper bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// At most this many.
    AtMost(u64),
    /// No bound.
    Unlimited,
}

impl Serialize for Limit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::AtMost(most) => serializer.serialize_u64(*most),
            Self::Unlimited => serializer.serialize_str("unlimited"),
        }
    }
}

/// When a ban ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BanEnd {
    /// At this time of the broker's clock.
    At(Timestamp),
    /// Never.
    Never,
}

impl Serialize for BanEnd {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::At(time) => time.serialize(serializer),
            Self::Never => serializer.serialize_str("never"),
        }
    }
}

/// How long a session outlives its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpiryInterval {
    /// In seconds; 0 means that it ends with the connection.
    Seconds(u64),
    /// The session never expires.
    Never,
}

impl Serialize for ExpiryInterval {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Seconds(seconds) => serializer.serialize_u64(*seconds),
            Self::Never => serializer.serialize_str("never"),
        }
    }
}

closed_set! {
    /// A metric group: facts about a client that are requested and reported together. People write its name in
    /// `collect` of the configuration and in `collect[]=`.
    pub enum Group {
        /// Whether the client is connected, and known at all. Always reported.
        State = "state",
        /// See [`Session`].
        Session = "session",
        /// See [`Queue`].
        Queue = "queue",
        /// See [`Traffic`].
        Traffic = "traffic",
        /// See [`Process`].
        Process = "process",
        /// See [`Address`].
        Address = "address",
        /// Signs of life: retained messages of the client.
        Seen = "seen",
        /// Whether its client ID is banned.
        Banned = "banned",
        /// Whether it is subscribed to what it must be.
        Subscriptions = "subscriptions",
    }
}

impl Group {
    /// The groups that are not facts of a client's row, but what the broker remembers of a watched client.
    pub const REMEMBERED: [Self; 3] = [Self::Seen, Self::Banned, Self::Subscriptions];

    /// Returns whether it is one of [`Group::REMEMBERED`].
    #[must_use]
    pub fn is_remembered(self) -> bool {
        Self::REMEMBERED.contains(&self)
    }
}

/// Not the name of a [`Group`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown metric group; known groups: {}", Group::ALL.map(Group::name).join(", "))]
pub struct UnknownGroup;

impl FromStr for Group {
    type Err = UnknownGroup;

    fn from_str(name: &str) -> Result<Self, UnknownGroup> {
        Self::ALL.into_iter().find(|group| group.name() == name).ok_or(UnknownGroup)
    }
}

/// A set of metric groups, which always has [`Group::State`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Groups(u16);

impl Groups {
    /// [`Group::State`] alone.
    pub const STATE: Self = Self(1);

    /// Returns the set with `group` added.
    #[must_use]
    pub fn with(self, group: Group) -> Self {
        Self(self.0 | 1 << group as u8)
    }

    /// Returns the groups that are in either set.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns the groups that are facts of a client's row.
    #[must_use]
    pub fn of_rows(self) -> Self {
        self.iter().filter(|group| !group.is_remembered()).collect()
    }

    /// Returns whether `group` is in the set.
    #[must_use]
    pub fn contains(self, group: Group) -> bool {
        self.0 & (1 << group as u8) != 0
    }

    /// Returns the groups in the order in which they are reported.
    pub fn iter(self) -> impl Iterator<Item = Group> {
        Group::ALL.into_iter().filter(move |group| self.contains(*group))
    }
}

impl FromIterator<Group> for Groups {
    fn from_iter<I: IntoIterator<Item = Group>>(groups: I) -> Self {
        groups.into_iter().fold(Self::STATE, Self::with)
    }
}

impl fmt::Debug for Groups {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.iter().map(Group::name)).finish()
    }
}
