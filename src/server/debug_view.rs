//! `debug=true`: the report of a probe for people, followed by its metrics.
//!
//! Its size is bounded: an outcome keeps only the first requests, decisions and failures, and the metrics are cut.

use std::fmt::{self, Write as _};

use bytes::Bytes;
use url::Url;

use crate::client::Group;
use crate::failure_help;
use crate::humanize::clients_unknown;
use crate::metrics::exposition::Exposition;
use crate::outcome::Outcome;

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
        let mut report = String::new();
        // Writing to a `String` never fails.
        let _ = write_report(api_url, &outcome, &mut report);
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
        let chunk = self.metrics.next()?;
        self.written += chunk.len();
        if self.written < MAX_METRICS_BYTES {
            return Some(chunk);
        }
        let mut last = chunk.to_vec();
        last.extend_from_slice(b"\n(remaining metrics omitted)\n");
        Some(last.into())
    }
}

fn write_report(api_url: &Url, outcome: &Outcome, text: &mut String) -> fmt::Result {
    let result = if outcome.is_success() { "succeeded" } else { "failed" };
    let [duration, timeout] = [outcome.duration, outcome.timeout].map(|duration| duration.as_secs_f64());
    writeln!(
        text,
        "Probe of {} at {api_url} {result} after {duration:.3} s (timeout {timeout} s).",
        outcome.broker
    )?;
    let groups: Vec<_> = outcome.groups.iter().map(Group::name).collect();
    writeln!(text, "Groups: {}", groups.join(", "))?;

    write_heading("Clients", text)?;
    for (state, count) in outcome.by_state() {
        writeln!(text, "{count:>8} {}", state.name())?;
    }
    if !outcome.is_complete {
        writeln!(text, "The client list is incomplete.")?;
    }

    write_heading("Decisions", text)?;
    for decision in &outcome.requests.decisions {
        writeln!(text, "- {decision}")?;
    }

    write_heading("Failures", text)?;
    if outcome.failures.is_empty() {
        writeln!(text, "None")?;
    }
    for failure in outcome.failures.told() {
        writeln!(text, "- {}: {}{}", failure.reason, failure.text, clients_unknown(failure.clients))?;
    }
    for reason in outcome.failures.reasons() {
        writeln!(text, "{reason}: {} {}", failure_help::meaning(*reason), failure_help::remedy(*reason))?;
    }

    let requests = &outcome.requests;
    write_heading("Requests", text)?;
    writeln!(
        text,
        "{} sent, of which {} retries; {} bytes received. In the order in which they ended:",
        requests.sent, requests.retries, requests.response_bytes
    )?;
    for request in &requests.records {
        let status = request.status.map_or("  -".to_owned(), |status| status.to_string());
        let milliseconds = request.duration.as_secs_f64() * 1e3;
        write!(
            text,
            "{status} {milliseconds:>9.1} ms {:>9} bytes  GET {}",
            request.body_bytes, request.target
        )?;
        match &request.error {
            Some(error) => writeln!(text, "  {error}")?,
            None => writeln!(text)?,
        }
    }
    write_heading("Metrics", text)
}

fn write_heading(name: &str, text: &mut String) -> fmt::Result {
    writeln!(text, "\n{name}\n{}", "-".repeat(name.len()))
}
