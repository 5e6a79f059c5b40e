//! The result of a probe on a page: whether it succeeded, what it cost, and its failures explained.

use super::format::truncated;
use crate::failure_help;
use crate::humanize::{self, clients_unknown, plural};
use crate::outcome::{ClientState, FailureReason, Outcome};
use crate::sanitize::sanitized;

/// Maximum number of characters of a cause.
const MAX_CAUSE_CHARACTERS: usize = 500;

/// The result of a probe.
pub(super) struct ProbeSummary {
    /// Whether it succeeded.
    pub(super) status: ProbeStatus,
    /// Number of requests and duration.
    pub(super) cost: String,
    /// What was observed on the connections, a line each.
    pub(super) connections: Vec<String>,
    /// Why it failed.
    pub(super) failures: Vec<ExplainedFailure>,
}

/// Whether a probe succeeded.
pub(super) struct ProbeStatus {
    /// Text.
    pub(super) text: &'static str,
    /// CSS class.
    pub(super) class: &'static str,
}

/// A failure reason with its explanation and causes.
pub(super) struct ExplainedFailure {
    /// Name of the reason.
    pub(super) reason: &'static str,
    /// What it means.
    pub(super) meaning: &'static str,
    /// What to check first; code is in backquotes.
    pub(super) remedy: &'static str,
    /// Error messages.
    pub(super) causes: Vec<String>,
}

impl From<&Outcome> for ProbeSummary {
    fn from(outcome: &Outcome) -> Self {
        Self {
            status: status(outcome),
            cost: cost(outcome),
            connections: humanize::connections(&outcome.connections, outcome.started_at),
            failures: failures(outcome),
        }
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
