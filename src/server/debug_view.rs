//! `debug=true`: a readable report of a probe, followed by its metrics.
//!
//! Its size is bounded: an outcome keeps only the first requests, decisions and failures, and the metrics are cut.

use bytes::Bytes;
use url::Url;

use crate::client::Group;
use crate::failure_help;
use crate::fleet::FleetResult;
use crate::humanize::{self, clients_unknown};
use crate::metrics::exposition::Exposition;
use crate::outcome::{ClientState, Outcome};
use crate::sanitize::{is_unsafe, sanitized};

/// Size at which the metrics are cut.
const MAX_METRICS_BYTES: usize = 1024 * 1024;

/// The text of the debug view, in chunks.
pub(super) struct DebugView {
    report: Option<String>,
    metrics: Exposition,
    /// Bytes of the metrics so far.
    written: usize,
}

impl DebugView {
    /// Starts the debug view of a probe of the broker at `api_url`.
    pub(super) fn new(api_url: &Url, outcome: Outcome) -> Self {
        let report = report(api_url, &outcome);
        Self { report: Some(report), metrics: Exposition::new(outcome), written: 0 }
    }
}

impl Iterator for DebugView {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if let Some(report) = self.report.take() {
            return Some(report.into());
        }
        if self.written >= MAX_METRICS_BYTES {
            return None;
        }
        let mut chunk = sanitized_metrics(&self.metrics.next()?);
        self.written += chunk.len();
        if self.written >= MAX_METRICS_BYTES {
            chunk.push_str("\n(remaining metrics omitted)\n");
        }
        Some(chunk.into())
    }
}

/// Writes the lines of the report. Unsafe characters in them, which may come from the broker, are replaced.
#[derive(Default)]
struct DebugReport(String);

impl DebugReport {
    fn line(&mut self, line: &str) {
        self.0.push_str(&sanitized(line));
        self.0.push('\n');
    }

    fn heading(&mut self, heading: &str) {
        self.line("");
        self.line(heading);
        self.line(&"-".repeat(heading.len()));
    }
}

fn report(api_url: &Url, outcome: &Outcome) -> String {
    let mut report = DebugReport::default();
    let result = if outcome.is_success() { "succeeded" } else { "failed" };
    let [duration, timeout] = [outcome.duration, outcome.timeout].map(|duration| duration.as_secs_f64());
    report.line(&format!(
        "Probe of {} at {api_url} {result} after {duration:.3} s (timeout {timeout} s).",
        outcome.broker
    ));
    let groups: Vec<_> = outcome.groups.iter().map(Group::name).collect();
    report.line(&format!("Groups: {}", groups.join(", ")));
    for (group, is_success) in &outcome.group_results {
        let result = if *is_success { "everything was answered" } else { "not everything was answered" };
        report.line(&format!("Group {group}: {result}"));
    }

    match &outcome.fleets {
        Some(fleets) => report_fleets(fleets, &mut report),
        None => report_clients(outcome, &mut report),
    }

    report.heading("Decisions");
    for decision in &outcome.requests.decisions {
        report.line(&format!("- {decision}"));
    }

    report.heading("Failures");
    if outcome.failures.is_empty() {
        report.line("None");
    }
    for failure in outcome.failures.listed() {
        report.line(&format!("- {}: {}{}", failure.reason, failure.text, clients_unknown(failure.clients)));
    }
    for reason in outcome.failures.reasons() {
        report.line(&format!("{reason}: {} {}", failure_help::meaning(*reason), failure_help::remedy(*reason)));
    }

    report.heading("Connections");
    let connections = humanize::connections(&outcome.connections, outcome.started_at);
    if connections.is_empty() {
        report.line("None");
    }
    for line in connections {
        report.line(&line);
    }

    let requests = &outcome.requests;
    report.heading("Requests");
    report.line(&format!(
        "{} sent, of which {} retries; {} bytes received. In the order in which they ended:",
        requests.sent, requests.retries, requests.response_bytes
    ));
    for request in &requests.records {
        let status = request.status.map_or("  -".to_owned(), |status| status.to_string());
        let milliseconds = request.duration.as_secs_f64() * 1e3;
        let error = request.error.as_ref().map(|error| format!("  {error}")).unwrap_or_default();
        report.line(&format!(
            "{status} {milliseconds:>9.1} ms {:>9} bytes  GET {}{error}",
            request.body_bytes, request.target
        ));
    }
    report.heading("Metrics");
    report.0
}

fn report_clients(outcome: &Outcome, report: &mut DebugReport) {
    report.heading("Clients");
    for (state, count) in outcome.by_state() {
        if outcome.is_complete || state != ClientState::Unknown {
            report.line(&format!("{count:>8} {}", state.name()));
        }
    }
    if !outcome.is_complete {
        report.line("The list is incomplete: the number of missing clients is not known.");
    }
}

fn report_fleets(fleets: &[FleetResult], report: &mut DebugReport) {
    report.heading("Fleets");
    for FleetResult { fleet, counts } in fleets {
        report.line(&match counts {
            Some(counts) => {
                format!("{}: {} connected, {} disconnected", fleet.alias, counts.connected, counts.disconnected)
            }
            None => format!("{}: not known", fleet.alias),
        });
    }
}

/// Replaces unsafe characters in a chunk of metrics, which consists of whole lines.
fn sanitized_metrics(chunk: &[u8]) -> String {
    let is_replaced = |character| character != '\n' && is_unsafe(character);
    String::from_utf8_lossy(chunk).replace(is_replaced, "\u{FFFD}")
}
