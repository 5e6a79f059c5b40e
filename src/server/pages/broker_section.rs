//! A broker on the page: the result of its probe, its failures, and its clients.

use askama::Template;
use jiff::Timestamp;

use super::client_table::ClientTable;
use super::fleet_table::FleetTable;
use super::format::{severity_class, state_symbol};
use super::links::Links;
use super::probe_summary::ProbeSummary;
use crate::humanize::thousands;
use crate::outcome::{ClientState, Outcome};
use crate::table::{Column, Severity, TableRow, state_label};

/// The section of a broker.
#[derive(Template)]
#[template(path = "broker_section.html")]
pub(super) struct BrokerSection<'a> {
    links: Links<'a>,
    /// `None` if too many probes were running.
    probe: Option<ProbedBroker<'a>>,
}

/// The result of a probe, and its clients.
struct ProbedBroker<'a> {
    summary: ProbeSummary,
    /// The number of clients in each state, and of overdue ones if there are any.
    counts: Vec<ClientCount>,
    /// Number of watched clients.
    watched: usize,
    fleets: FleetTable,
    clients: ClientTable<'a>,
}

/// The number of clients in a state, or of overdue clients.
struct ClientCount {
    count: String,
    label: &'static str,
    /// CSS classes.
    class: String,
    symbol: &'static str,
    /// URL of the view of these clients, or of all if that is the current view.
    link: String,
    is_selected: bool,
}

impl<'a> BrokerSection<'a> {
    /// Prepares the section from the outcome of the probe.
    pub(super) fn new(links: Links<'a>, outcome: Option<&'a Outcome>, now: Timestamp) -> Self {
        let probe = outcome.map(|outcome| ProbedBroker {
            summary: outcome.into(),
            counts: counts(outcome, &links, now),
            watched: outcome.clients.len(),
            fleets: FleetTable::new(outcome),
            clients: ClientTable::new(outcome, &links, now),
        });
        Self { links, probe }
    }
}

fn counts(outcome: &Outcome, links: &Links<'_>, now: Timestamp) -> Vec<ClientCount> {
    let severities = severities(outcome, now);
    let by_state = outcome.by_state().map(|(state, count)| {
        let is_selected = links.view.state() == Some(state);
        let view = links.view.with_state((!is_selected).then_some(state));
        ClientCount {
            count: thousands(count as u64),
            label: state_label(state),
            class: format!("{} {}", state.name(), severity_class(severities[state as usize])),
            symbol: state_symbol(state),
            link: links.to(&view),
            is_selected,
        }
    });
    let is_selected = links.view.filter().overdue;
    let count = outcome.overdue_count(now);
    let overdue = (count > 0 || is_selected).then(|| ClientCount {
        count: thousands(count as u64),
        label: "overdue",
        class: severity_class(if count > 0 { Severity::Critical } else { Severity::Normal }).to_owned(),
        symbol: "!",
        link: links.to(&links.view.with_overdue(!is_selected)),
        is_selected,
    });
    by_state.into_iter().chain(overdue).collect()
}

/// Returns the highest severity of the clients in each state, which is that of their rows.
fn severities(outcome: &Outcome, now: Timestamp) -> [Severity; ClientState::ALL.len()] {
    let mut severities = [Severity::Normal; ClientState::ALL.len()];
    for client in &outcome.clients {
        let severity = Column::STATE.cell(TableRow { client, broker: &outcome.broker }, now).severity;
        let highest = &mut severities[client.status.state() as usize];
        *highest = severity.max(*highest);
    }
    severities
}
