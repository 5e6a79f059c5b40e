//! What a person wants to see: which broker, which of its clients, in which order. All of it stands in the address of
//! the page, so that it can be kept, sent on and asked again.

use std::sync::Arc;

use url::form_urlencoded;

use crate::config::{Broker, Config};
use crate::outcome::{ClientState, ProbedClient};
use crate::server::query::excerpt;
use crate::table::{Column, Order, UnknownColumn, harmless, word};

/// No name that is looked for is longer.
const MAX_FILTER_CHARACTERS: usize = 200;

/// What a person wants to see.
#[derive(Debug, Clone)]
pub(super) struct View {
    /// Only this broker.
    pub(super) broker: Option<String>,
    /// Only clients with these words in one of their names.
    pub(super) filter: String,
    /// Only clients in this state.
    pub(super) state: Option<ClientState>,
    /// In which order the clients stand.
    pub(super) order: Order,
}

/// Why a page cannot be shown.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    /// The broker is none of the configuration.
    #[error("There is no broker {0:?} in the configuration; there is {1}.")]
    UnknownBroker(String, String),
    /// There is no such state.
    #[error("There is no state {0:?}; there are connected, disconnected, absent and unknown.")]
    UnknownState(String),
    /// There is no such column.
    #[error("The clients cannot be sorted so: {0}.")]
    UnknownColumn(#[from] UnknownColumn),
    /// The filter is longer than any name.
    #[error("A filter has at most {MAX_FILTER_CHARACTERS} characters.")]
    LongFilter,
    /// There is no such parameter.
    #[error("There is no parameter {0:?}; there are broker, filter, state and sort.")]
    UnknownParameter(String),
}

impl View {
    /// Reads a query string. What is given twice counts as it was given last, and what is empty is not given: that is
    /// how a form sends what nobody filled in.
    ///
    /// # Errors
    /// Anything that is not understood.
    pub(super) fn parse(query: &str, config: &Config) -> Result<Self, Refusal> {
        let mut view = Self { broker: None, filter: String::new(), state: None, order: worst_first() };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let is_given = !value.is_empty();
            match name.as_ref() {
                "broker" => view.broker = is_given.then(|| value.into_owned()),
                "filter" => view.filter = harmless(value.trim()),
                "state" if is_given => view.state = Some(state(&value)?),
                "sort" if is_given => view.order = Order::parse(&value, Column::is_on_page)?,
                "state" | "sort" => {}
                unknown => return Err(Refusal::UnknownParameter(excerpt(unknown))),
            }
        }
        if view.filter.chars().count() > MAX_FILTER_CHARACTERS {
            return Err(Refusal::LongFilter);
        }
        match &view.broker {
            Some(alias) if config.broker(alias).is_none() => {
                Err(Refusal::UnknownBroker(excerpt(alias), config.broker_aliases()))
            }
            _ => Ok(view),
        }
    }

    /// The brokers it is about.
    pub(super) fn brokers(&self, config: &Config) -> Vec<Arc<Broker>> {
        let is_wanted = |broker: &&Arc<Broker>| self.broker.as_ref().is_none_or(|alias| *alias == broker.alias);
        config.brokers.iter().filter(is_wanted).cloned().collect()
    }

    /// Whether only some of the clients are wanted.
    pub(super) fn is_narrowed(&self) -> bool {
        self.state.is_some() || !self.filter.is_empty()
    }

    /// Whether the client is one of those that are wanted.
    pub(super) fn shows(&self, told: &ProbedClient) -> bool {
        if self.state.is_some_and(|state| state != told.status.state()) {
            return false;
        }
        if self.filter.is_empty() {
            return true;
        }
        let words = self.filter.to_lowercase();
        let client = told.status.client();
        let names = [
            Some(told.alias()),
            Some(told.client_id()),
            client.and_then(|client| client.username.as_deref()),
            client.and_then(|client| client.node.as_deref()),
        ];
        // As they are shown: what can be copied from the page can be looked for.
        names.into_iter().flatten().any(|name| harmless(name).to_lowercase().contains(&words))
    }

    /// What the form has to choose from: name and word of each state, and whether it is chosen.
    pub(super) fn states(&self) -> [(&'static str, &'static str, bool); ClientState::ALL.len()] {
        ClientState::ALL.map(|state| (state.name(), word(state), self.state == Some(state)))
    }

    /// The same for one broker.
    pub(super) fn of_broker(&self, alias: &str) -> Self {
        Self { broker: Some(alias.to_owned()), ..self.clone() }
    }

    /// The same for clients in one state.
    pub(super) fn of_state(&self, state: ClientState) -> Self {
        Self { state: Some(state), ..self.clone() }
    }

    /// The same for clients in any state.
    pub(super) fn of_any_state(&self) -> Self {
        Self { state: None, ..self.clone() }
    }

    /// The same for all clients.
    pub(super) fn of_all(&self) -> Self {
        Self { state: None, filter: String::new(), ..self.clone() }
    }

    /// The same, sorted by a column: the other way round where it is already. Of counts the largest are of interest
    /// first.
    pub(super) fn sorted_by(&self, column: &'static Column) -> Self {
        let descending = if self.is_sorted_by(column) { !self.order.descending } else { column.is_count() };
        Self { order: Order { column, descending }, ..self.clone() }
    }

    /// Whether it is sorted by this column.
    pub(super) fn is_sorted_by(&self, column: &Column) -> bool {
        self.order.column.name == column.name
    }

    /// The order as the page's form sends it on; nothing for the usual one.
    pub(super) fn sort(&self) -> String {
        if self.order == worst_first() { String::new() } else { self.order.to_string() }
    }

    /// The address of this view from any other: relative, so that it holds behind a proxy with a path of its own.
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

/// Who is gone stands before who is well.
fn worst_first() -> Order {
    Order { column: Column::of_state(), descending: false }
}

fn state(name: &str) -> Result<ClientState, Refusal> {
    let state = ClientState::ALL.into_iter().find(|state| state.name() == name);
    state.ok_or_else(|| Refusal::UnknownState(excerpt(name)))
}
