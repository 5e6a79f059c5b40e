//! A broker on the page: the result of its probe, its failures, and its clients.

use askama::Template;
use jiff::Timestamp;

use super::client_table::{ClientTable, MAX_NAME_CHARACTERS};
use super::format::{state_symbol, truncated};
use super::links::Links;
use crate::failure_help;
use crate::fleet::FleetResult;
use crate::humanize::{self, clients_unknown, plural};
use crate::outcome::{ClientState, FailureReason, Outcome};
use crate::sanitize::sanitized;
use crate::table::state_label;

/// Maximum number of characters of a cause.
const MAX_CAUSE_CHARACTERS: usize = 500;

/// The section of a broker.
#[derive(Template)]
#[template(path = "broker_section.html")]
pub(super) struct BrokerSection<'a> {
    links: Links<'a>,
    /// `None` if too many probes were running.
    probe: Option<ProbeSummary<'a>>,
}

/// The result of a probe.
struct ProbeSummary<'a> {
    status: ProbeStatus,
    /// Number of requests and duration.
    cost: String,
    /// What was observed on the connections, a line each.
    connections: Vec<String>,
    failures: Vec<ExplainedFailure>,
    /// The number of clients in each state, and of overdue ones if there are any.
    counts: Vec<ClientCount>,
    /// Number of watched clients.
    watched: usize,
    fleets: Vec<FleetRow>,
    clients: ClientTable<'a>,
}

/// A fleet, with a bar of its connected clients.
struct FleetRow {
    alias: String,
    labels: Vec<String>,
    text: String,
    /// CSS class.
    class: &'static str,
    /// The number of connected clients and the length of the bar; `None` if they are not known.
    bar: Option<(u64, u64)>,
}

/// Whether a probe succeeded.
struct ProbeStatus {
    text: &'static str,
    /// CSS class.
    class: &'static str,
}

/// A failure reason with its explanation and causes.
struct ExplainedFailure {
    reason: &'static str,
    meaning: &'static str,
    remedy: &'static str,
    causes: Vec<String>,
}

/// The number of clients in a state, or of overdue clients.
struct ClientCount {
    count: usize,
    label: &'static str,
    /// CSS class.
    class: &'static str,
    symbol: &'static str,
    /// URL of the view of these clients, or of all if that is the current view.
    link: String,
    is_selected: bool,
}

impl<'a> BrokerSection<'a> {
    /// Prepares the section from the outcome of the probe.
    pub(super) fn new(links: Links<'a>, outcome: Option<&'a Outcome>, now: Timestamp) -> Self {
        let probe = outcome.map(|outcome| ProbeSummary {
            status: status(outcome),
            cost: cost(outcome),
            connections: humanize::connections(&outcome.connections),
            failures: failures(outcome),
            counts: counts(outcome, &links, now),
            watched: outcome.clients.len(),
            fleets: outcome.fleets.iter().flatten().map(fleet_row).collect(),
            clients: ClientTable::new(outcome, &links, now),
        });
        Self { links, probe }
    }
}

fn fleet_row(result: &FleetResult) -> FleetRow {
    let name = |text: &str| truncated(sanitized(text), MAX_NAME_CHARACTERS);
    let expected = result.fleet.expected_connected.max(result.fleet.expected_sessions).unwrap_or_default();
    FleetRow {
        alias: name(&result.fleet.alias),
        labels: result.fleet.labels.texts().map(|label| name(&label)).collect(),
        text: result.describe(),
        class: match result.is_short() {
            Some(true) => "critical",
            Some(false) => "",
            None => "warning",
        },
        bar: result.counts.as_ref().map(|counts| {
            let known = counts.connected.saturating_add(counts.disconnected);
            (counts.connected, known.max(expected).max(1))
        }),
    }
}

fn status(outcome: &Outcome) -> ProbeStatus {
    let knows_some = outcome.count(ClientState::Unknown) < outcome.clients.len();
    match (outcome.is_success(), knows_some) {
        (true, _) => ProbeStatus { text: "probe succeeded", class: "succeeded" },
        (false, true) => ProbeStatus { text: "probe partly failed", class: "partly-failed" },
        (false, false) => ProbeStatus { text: "probe failed", class: "failed" },
    }
}

fn cost(outcome: &Outcome) -> String {
    let seconds = outcome.duration.as_secs_f64();
    let duration = if seconds < 1.0 { format!("{:.0} ms", seconds * 1e3) } else { format!("{seconds:.1} s") };
    format!("{} in {duration}", plural(outcome.requests.sent, "1 request", "requests"))
}

fn failures(outcome: &Outcome) -> Vec<ExplainedFailure> {
    let causes = |reason: FailureReason| {
        let causes = outcome.failures.listed().iter().filter(move |failure| failure.reason == reason);
        causes.map(|failure| {
            let text = truncated(sanitized(&failure.text), MAX_CAUSE_CHARACTERS);
            text + &clients_unknown(failure.clients)
        })
    };
    let explained = |reason: &FailureReason| ExplainedFailure {
        reason: reason.name(),
        meaning: failure_help::meaning(*reason),
        remedy: failure_help::remedy(*reason),
        causes: causes(*reason).collect(),
    };
    outcome.failures.reasons().iter().map(explained).collect()
}

fn counts(outcome: &Outcome, links: &Links<'_>, now: Timestamp) -> Vec<ClientCount> {
    let by_state = outcome.by_state().map(|(state, count)| {
        let is_selected = links.view.state() == Some(state);
        let view = links.view.with_state((!is_selected).then_some(state));
        let (label, class, symbol) = (state_label(state), state.name(), state_symbol(state));
        ClientCount { count, label, class, symbol, link: links.to(&view), is_selected }
    });
    let is_selected = links.view.filter().overdue;
    let count = outcome.clients.iter().filter(|client| client.overdue(now) == Some(true)).count();
    let link = links.to(&links.view.with_overdue(!is_selected));
    let overdue = ClientCount { count, label: "overdue", class: "overdue", symbol: "!", link, is_selected };
    by_state.into_iter().chain((count > 0 || is_selected).then_some(overdue)).collect()
}
