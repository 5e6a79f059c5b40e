//! Which clients a table shows, and in which order.

use jiff::Timestamp;

use super::{SortOrder, TableRow, state_label};
use crate::client::Labels;
use crate::glob::Glob;
use crate::outcome::{ClientState, Outcome, ProbedClient};
use crate::sanitize::sanitized;

/// The filters and the order of a table.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Selection {
    /// Which clients are shown.
    pub(crate) filter: ClientFilter,
    /// Their order.
    pub(crate) order: SortOrder,
}

/// Selects clients. Those that pass every filter are shown; an empty filter lets every client pass.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct ClientFilter {
    /// Only clients whose alias or client ID matches one of these.
    pub(crate) names: Vec<Glob>,
    /// Only clients with this text in one of their names or labels.
    pub(crate) words: String,
    /// Only clients in one of these states.
    pub(crate) states: Vec<ClientState>,
    /// Only clients that are away for longer than their `offline_after`.
    pub(crate) overdue: bool,
}

impl Selection {
    /// Returns the selected clients of all brokers in this order.
    pub(crate) fn rows<'a>(&self, outcomes: &'a [Outcome], now: Timestamp) -> Vec<TableRow<'a>> {
        let rows = outcomes.iter().flat_map(|outcome| {
            let selected = outcome.clients.iter().filter(|client| self.filter.matches(client, now));
            selected.map(|client| TableRow { client, broker: &outcome.broker })
        });
        let mut rows: Vec<_> = rows.collect();
        self.order.sort(&mut rows);
        rows
    }
}

impl ClientFilter {
    /// Whether every client passes.
    #[must_use]
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a client with these names passes the patterns.
    #[must_use]
    pub(crate) fn matches_name(&self, alias: &str, client_id: &str) -> bool {
        let mut patterns = self.names.iter();
        self.names.is_empty() || patterns.any(|pattern| pattern.matches(alias) || pattern.matches(client_id))
    }

    /// Whether the client passes every filter.
    #[must_use]
    fn matches(&self, probed: &ProbedClient, now: Timestamp) -> bool {
        (self.states.is_empty() || self.states.contains(&probed.status.state()))
            && (!self.overdue || probed.is_overdue(now))
            && self.matches_name(probed.alias(), probed.client_id())
            && self.matches_words(probed)
    }

    fn matches_words(&self, probed: &ProbedClient) -> bool {
        if self.words.is_empty() {
            return true;
        }
        let words = self.words.to_lowercase();
        let client = probed.status.client();
        let names = [
            Some(probed.alias()),
            Some(probed.client_id()),
            client.and_then(|client| client.username.as_deref()),
            client.and_then(|client| client.node.as_deref()),
        ];
        // Names are compared as they are shown, so that text copied from the page is found.
        let has_words = |name: &str| sanitized(name).to_lowercase().contains(&words);
        names.into_iter().flatten().any(has_words)
            || probed.labels().into_iter().flat_map(Labels::texts).any(|label| has_words(&label))
    }
}

/// Returns the state with this name, or with this label in a table.
#[must_use]
pub(crate) fn state_named(name: &str) -> Option<ClientState> {
    ClientState::ALL.into_iter().find(|state| state.name() == name || state_label(*state) == name)
}
