//! The query parameters of the page: broker, filters and order.

use std::sync::Arc;

use url::form_urlencoded;

use super::format::label_texts;
use crate::config::{Broker, Config};
use crate::outcome::{ClientState, ProbedClient};
use crate::sanitize::sanitized;
use crate::server::query::excerpt;
use crate::table::{Column, SortOrder, UnknownColumn, state_label};

/// Maximum number of characters of a filter.
const MAX_FILTER_CHARACTERS: usize = 200;

/// What the page shows.
#[derive(Debug, Clone)]
pub(super) struct View {
    /// Show only this broker.
    pub(super) broker: Option<String>,
    /// Show only clients with this text in one of their names.
    pub(super) filter: String,
    /// Show only clients in this state.
    pub(super) state: Option<ClientState>,
    /// Order of the clients.
    pub(super) order: SortOrder,
}

/// Errors in the query parameters.
#[derive(Debug, thiserror::Error)]
pub(super) enum ViewError {
    /// The broker is not configured.
    #[error("unknown broker {0:?}; configured brokers: {1}")]
    UnknownBroker(String, String),
    /// The state does not exist.
    #[error("unknown state {0:?}; known states: {states}", states = ClientState::ALL.map(ClientState::name).join(", "))]
    UnknownState(String),
    /// The column does not exist.
    #[error(transparent)]
    UnknownColumn(#[from] UnknownColumn),
    /// The filter is too long.
    #[error("`filter` is longer than {MAX_FILTER_CHARACTERS} characters")]
    LongFilter,
    /// The parameter does not exist.
    #[error("unknown parameter {0:?}; known parameters: broker, filter, state, sort")]
    UnknownParameter(String),
}

impl View {
    /// Parses a query string. The last value of a repeated parameter counts, and an empty one is ignored, because forms
    /// send empty fields.
    ///
    /// # Errors
    /// An unknown parameter or value.
    pub(super) fn parse(query: &str, config: &Config) -> Result<Self, ViewError> {
        let mut view = Self { broker: None, filter: String::new(), state: None, order: by_state() };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let is_given = !value.is_empty();
            match name.as_ref() {
                "broker" => view.broker = is_given.then(|| value.into_owned()),
                "filter" => view.filter = sanitized(value.trim()),
                "state" if is_given => view.state = Some(state(&value)?),
                "sort" if is_given => view.order = SortOrder::parse(&value, Column::is_on_page)?,
                "state" | "sort" => {}
                unknown => return Err(ViewError::UnknownParameter(excerpt(unknown))),
            }
        }
        if view.filter.chars().count() > MAX_FILTER_CHARACTERS {
            return Err(ViewError::LongFilter);
        }
        match &view.broker {
            Some(alias) if config.broker(alias).is_none() => {
                Err(ViewError::UnknownBroker(excerpt(alias), config.broker_aliases()))
            }
            _ => Ok(view),
        }
    }

    /// Returns the brokers to show.
    pub(super) fn brokers(&self, config: &Config) -> Vec<Arc<Broker>> {
        let is_shown = |broker: &&Arc<Broker>| self.broker.as_ref().is_none_or(|alias| *alias == broker.alias);
        config.brokers.iter().filter(is_shown).cloned().collect()
    }

    /// Whether clients are filtered.
    pub(super) fn is_filtered(&self) -> bool {
        self.state.is_some() || !self.filter.is_empty()
    }

    /// Whether the client passes the filters.
    pub(super) fn matches(&self, probed: &ProbedClient) -> bool {
        if self.state.is_some_and(|state| state != probed.status.state()) {
            return false;
        }
        if self.filter.is_empty() {
            return true;
        }
        let filter = self.filter.to_lowercase();
        let client = probed.status.client();
        let names = [
            Some(probed.alias()),
            Some(probed.client_id()),
            client.and_then(|client| client.username.as_deref()),
            client.and_then(|client| client.node.as_deref()),
        ];
        // Names are compared as they are shown, so that text copied from the page is found.
        let contains_filter = |name: &str| sanitized(name).to_lowercase().contains(&filter);
        names.into_iter().flatten().any(contains_filter)
            || label_texts(probed).any(|label| contains_filter(&label))
    }

    /// Returns name and label of each state for the form, and whether it is selected.
    pub(super) fn states(&self) -> [(&'static str, &'static str, bool); ClientState::ALL.len()] {
        ClientState::ALL.map(|state| (state.name(), state_label(state), self.state == Some(state)))
    }

    /// Returns the view of one broker.
    pub(super) fn with_broker(&self, alias: &str) -> Self {
        Self { broker: Some(alias.to_owned()), ..self.clone() }
    }

    /// Returns the view of clients in this state, or in any.
    pub(super) fn with_state(&self, state: Option<ClientState>) -> Self {
        Self { state, ..self.clone() }
    }

    /// Returns the view of all clients.
    pub(super) fn without_filters(&self) -> Self {
        Self { state: None, filter: String::new(), ..self.clone() }
    }

    /// Returns the view sorted by a column: counts in descending order first, and in the other direction if it is sorted
    /// by this column already.
    pub(super) fn sorted_by(&self, column: &'static Column) -> Self {
        let descending = if self.is_sorted_by(column) { !self.order.descending } else { column.is_count() };
        Self { order: SortOrder { column, descending }, ..self.clone() }
    }

    /// Whether it is sorted by this column.
    pub(super) fn is_sorted_by(&self, column: &Column) -> bool {
        self.order.column.name == column.name
    }

    /// Returns the value of `sort`; empty for the default order.
    pub(super) fn sort(&self) -> String {
        if self.order == by_state() { String::new() } else { self.order.to_string() }
    }

    /// Returns the URL of this view, relative so that it works behind a proxy with a path prefix.
    pub(super) fn link(&self) -> String {
        let state = self.state.map_or("", ClientState::name);
        let sort = self.sort();
        let broker = self.broker.as_deref().unwrap_or_default();
        let parameters = [("broker", broker), ("state", state), ("filter", &self.filter), ("sort", &sort)];
        let given = parameters.into_iter().filter(|(_, value)| !value.is_empty());
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(given).finish();
        if query.is_empty() { "./".to_owned() } else { format!("./?{query}") }
    }
}

/// The default order: the most severe state first.
fn by_state() -> SortOrder {
    SortOrder { column: &Column::STATE, descending: false }
}

fn state(name: &str) -> Result<ClientState, ViewError> {
    let state = ClientState::ALL.into_iter().find(|state| state.name() == name);
    state.ok_or_else(|| ViewError::UnknownState(excerpt(name)))
}
