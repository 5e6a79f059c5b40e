//! The query parameters of the page: broker, filters and order.

use std::sync::Arc;

use super::links;
use super::refresh;

use crate::config::{Broker, Config};
use crate::outcome::ClientState;
use crate::sanitize::sanitized;
use crate::server::query::excerpt;
use crate::table::{ClientFilter, Column, Selection, SortOrder, UnknownColumn, state_label, state_named};

/// Maximum number of characters of a filter.
const MAX_FILTER_CHARACTERS: usize = 200;

/// The parameters of the page.
const PARAMETERS: &str = "broker, filter, state, overdue, sort, refresh";

/// What the page shows.
#[derive(Debug, Clone)]
pub(super) struct View {
    /// Show only this broker.
    pub(super) broker: Option<String>,
    /// Which clients are shown, in which order.
    pub(super) selection: Selection,
    /// Interval of the automatic refresh, in seconds.
    pub(super) refresh: Option<u32>,
}

/// Errors in the query parameters.
#[derive(Debug, thiserror::Error)]
pub(super) enum ViewError {
    /// The broker is not configured.
    #[error("unknown broker {0:?}; configured brokers: {1}")]
    UnknownBroker(String, String),
    /// The broker does not watch the client.
    #[error("unknown client {0:?} of broker {1:?}")]
    UnknownClient(String, String),
    /// A parameter is missing.
    #[error("missing parameter {0:?}")]
    MissingParameter(&'static str),
    /// The interval of the refresh is not one.
    #[error("`refresh` must be a number of seconds from {0} to {1}")]
    InvalidRefresh(u32, u32),
    /// The state does not exist.
    #[error("unknown state {0:?}; known states: {states}", states = ClientState::ALL.map(ClientState::name).join(", "))]
    UnknownState(String),
    /// The value of `overdue` is not a truth value.
    #[error("`overdue` must be true or false")]
    InvalidOverdue,
    /// The column does not exist.
    #[error(transparent)]
    UnknownColumn(#[from] UnknownColumn),
    /// The filter is too long.
    #[error("`filter` is longer than {MAX_FILTER_CHARACTERS} characters")]
    LongFilter,
    /// The parameter does not exist.
    #[error("unknown parameter {0:?}; known parameters: {1}")]
    UnknownParameter(String, &'static str),
}

impl View {
    /// Parses a query string. The last value of a repeated parameter counts, and an empty one is ignored, because forms
    /// send empty fields.
    ///
    /// # Errors
    /// An unknown parameter or value.
    pub(super) fn parse(query: &str, config: &Config) -> Result<Self, ViewError> {
        let (mut broker, mut refresh) = (None, None);
        let mut selection = Selection { filter: ClientFilter::default(), order: by_state() };
        let filter = &mut selection.filter;
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let is_given = !value.is_empty();
            match name.as_ref() {
                "broker" => broker = is_given.then(|| value.into_owned()),
                "filter" => filter.words = sanitized(value.trim()),
                "state" if is_given => filter.states = vec![state(&value)?],
                "overdue" if is_given => {
                    filter.overdue = value.parse().map_err(|_| ViewError::InvalidOverdue)?;
                }
                "sort" if is_given => selection.order = SortOrder::parse(&value, Column::is_on_page)?,
                "refresh" if is_given => refresh = Some(refresh::parse(&value)?),
                "state" | "overdue" | "sort" | "refresh" => {}
                unknown => return Err(ViewError::UnknownParameter(excerpt(unknown), PARAMETERS)),
            }
        }
        if filter.words.chars().count() > MAX_FILTER_CHARACTERS {
            return Err(ViewError::LongFilter);
        }
        match &broker {
            Some(alias) if config.broker(alias).is_none() => {
                Err(ViewError::UnknownBroker(excerpt(alias), config.broker_aliases()))
            }
            _ => Ok(Self { broker, selection, refresh }),
        }
    }

    /// Returns the brokers to show.
    pub(super) fn brokers(&self, config: &Config) -> Vec<Arc<Broker>> {
        let is_shown = |broker: &&Arc<Broker>| self.broker.as_ref().is_none_or(|alias| *alias == broker.alias);
        config.brokers.iter().filter(is_shown).cloned().collect()
    }

    /// Whether clients are filtered.
    pub(super) fn is_filtered(&self) -> bool {
        !self.filter().is_empty()
    }

    /// Returns the filter.
    pub(super) fn filter(&self) -> &ClientFilter {
        &self.selection.filter
    }

    /// Returns the state whose clients are shown; `None` for any.
    pub(super) fn state(&self) -> Option<ClientState> {
        self.filter().states.first().copied()
    }

    /// Returns name and label of each state for the form, and whether it is selected.
    pub(super) fn states(&self) -> [(&'static str, &'static str, bool); ClientState::ALL.len()] {
        ClientState::ALL.map(|state| (state.name(), state_label(state), self.state() == Some(state)))
    }

    /// Returns the view of one broker.
    pub(super) fn with_broker(&self, alias: &str) -> Self {
        Self { broker: Some(alias.to_owned()), ..self.clone() }
    }

    /// Returns the view of every broker.
    pub(super) fn all_brokers(&self) -> Self {
        Self { broker: None, ..self.clone() }
    }

    /// Returns the view with this refresh.
    pub(super) fn with_refresh(&self, refresh: Option<u32>) -> Self {
        Self { refresh, ..self.clone() }
    }

    /// Returns the view of clients in this state, or in any.
    pub(super) fn with_state(&self, state: Option<ClientState>) -> Self {
        self.with_filter(ClientFilter { states: state.into_iter().collect(), ..self.filter().clone() })
    }

    /// Returns the view of overdue clients, or of all.
    pub(super) fn with_overdue(&self, overdue: bool) -> Self {
        self.with_filter(ClientFilter { overdue, ..self.filter().clone() })
    }

    /// Returns the view of all clients.
    pub(super) fn without_filters(&self) -> Self {
        self.with_filter(ClientFilter::default())
    }

    fn with_filter(&self, filter: ClientFilter) -> Self {
        Self { selection: Selection { filter, order: self.selection.order }, ..self.clone() }
    }

    /// Returns the view sorted by a column: counts in descending order first, and in the other direction if it is sorted
    /// by this column already.
    pub(super) fn sorted_by(&self, column: &'static Column) -> Self {
        let order = self.selection.order;
        let descending = if self.is_sorted_by(column) { !order.descending } else { column.is_count() };
        let selection = Selection { order: SortOrder { column, descending }, ..self.selection.clone() };
        Self { selection, ..self.clone() }
    }

    /// Whether it is sorted by this column.
    pub(super) fn is_sorted_by(&self, column: &Column) -> bool {
        self.selection.order.column.name == column.name
    }

    /// Returns the URL of this view.
    pub(super) fn link(&self) -> String {
        let state = self.state().map_or("", ClientState::name);
        let fields = [("state", state.to_owned()), ("filter", self.filter().words.clone())];
        links::overview(&[self.hidden_parameters(), given(fields).collect()].concat())
    }

    /// Returns the parameters that the form has no field for.
    pub(super) fn hidden_parameters(&self) -> Vec<(&'static str, String)> {
        let order = self.selection.order;
        let sort = if order == by_state() { String::new() } else { order.to_string() };
        let overdue = if self.filter().overdue { "true".to_owned() } else { String::new() };
        let refresh = self.refresh.map_or(String::new(), |seconds| seconds.to_string());
        let broker = self.broker.clone().unwrap_or_default();
        given([("broker", broker), ("overdue", overdue), ("sort", sort), ("refresh", refresh)]).collect()
    }
}

/// Returns the parameters that have a value.
fn given<const N: usize>(
    parameters: [(&'static str, String); N],
) -> impl Iterator<Item = (&'static str, String)> {
    parameters.into_iter().filter(|(_, value)| !value.is_empty())
}

/// The default order: the most severe state first.
fn by_state() -> SortOrder {
    SortOrder { column: &Column::STATE, descending: false }
}

fn state(name: &str) -> Result<ClientState, ViewError> {
    state_named(name).ok_or_else(|| ViewError::UnknownState(excerpt(name)))
}
