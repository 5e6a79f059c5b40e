//! Fleets: groups of clients by pattern, which are counted instead of reported one by one.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::client::Labels;
use crate::glob::Glob;

/// A fleet of the configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Fleet {
    /// The name of the user's choice, unique on its broker.
    pub alias: String,
    /// The pattern of the client IDs of its clients.
    pub(crate) client_id: Option<Glob>,
    /// The pattern of their user names.
    pub(crate) username: Option<Glob>,
    /// How many of them should be connected.
    pub expected_connected: Option<u64>,
    /// How many sessions they should have, connected or not.
    pub expected_sessions: Option<u64>,
    /// Labels of the user's choice.
    pub labels: Labels,
}

impl Fleet {
    /// Returns whether a client belongs to it. One without a user name matches no pattern of user names.
    #[must_use]
    pub fn matches(&self, client_id: &str, username: Option<&str>) -> bool {
        self.matches_client_id(client_id)
            && self.username.as_ref().is_none_or(|pattern| username.is_some_and(|name| pattern.matches(name)))
    }

    /// Returns whether a client with this ID may belong to it.
    #[must_use]
    pub fn matches_client_id(&self, client_id: &str) -> bool {
        self.client_id.as_ref().is_none_or(|pattern| pattern.matches(client_id))
    }
}

/// A requested fleet, and what was found of it.
#[derive(Debug)]
pub struct FleetResult {
    /// The fleet.
    pub fleet: Arc<Fleet>,
    /// Its counts; `None` if its clients could not be listed to the end.
    pub counts: Option<FleetCounts>,
}

impl FleetResult {
    /// Says how many clients are connected and how many should be.
    #[must_use]
    pub fn describe(&self) -> String {
        let Some(FleetCounts { connected, disconnected, .. }) = self.counts else {
            return "not known".to_owned();
        };
        let of = |expected: Option<u64>| expected.map_or(String::new(), |count| format!(" of {count}"));
        let sessions = self.fleet.expected_sessions.map_or(String::new(), |expected| {
            format!("; {} of {expected} sessions", connected.saturating_add(disconnected))
        });
        format!(
            "{connected}{} connected, {disconnected} disconnected{sessions}",
            of(self.fleet.expected_connected)
        )
    }

    /// Returns whether fewer clients are connected, or have a session, than expected; `None` where that is not known.
    #[must_use]
    pub fn is_short(&self) -> Option<bool> {
        let FleetCounts { connected, disconnected, .. } = self.counts.as_ref()?;
        let is_less = |count: u64, expected: Option<u64>| expected.is_some_and(|expected| count < expected);
        Some(
            is_less(*connected, self.fleet.expected_connected)
                || is_less(connected.saturating_add(*disconnected), self.fleet.expected_sessions),
        )
    }
}

/// The clients of a fleet that the broker knows, counted, and sums of their facts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FleetCounts {
    /// Clients that are connected.
    pub connected: u64,
    /// Clients that are away and whose session the broker holds.
    pub disconnected: u64,
    /// Subscriptions of their sessions.
    pub subscriptions: u64,
    /// Messages sent to them and not yet acknowledged.
    pub inflight: u64,
    /// Messages queued for them.
    pub mqueue: u64,
    /// Clients with queued messages.
    pub clients_with_mqueue: u64,
    /// Clients whose queue has dropped messages since their session began.
    pub clients_with_mqueue_drops: u64,
    /// Clients by protocol version.
    pub by_protocol: BTreeMap<u64, u64>,
    /// Clients by EMQX node.
    pub by_node: BTreeMap<Arc<str>, u64>,
}
