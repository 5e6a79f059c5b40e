//! `debug=true`: a readable account of a probe, for the person who wonders.
//!
//! It is bounded like everything else: an outcome keeps the first of its requests, decisions and failures, and of
//! the metrics the first megabyte is told.

use std::fmt::{self, Write as _};

use bytes::Bytes;
use url::Url;

use crate::client::Group;
use crate::failure_help;
use crate::metrics::exposition::Exposition;
use crate::outcome::Outcome;

/// How much of the metrics is told.
const MAX_METRICS_BYTES: usize = 1024 * 1024;

/// The account, in pieces.
pub(super) struct DebugView {
    account: Option<String>,
    metrics: Exposition,
    told: usize,
}

impl DebugView {
    /// Prepares the account of a probe of the broker at `api_url`.
    pub(super) fn new(api_url: &Url, outcome: Outcome) -> Self {
        let mut account = String::new();
        // Writing to memory does not fail.
        let _ = write_account(api_url, &outcome, &mut account);
        Self { account: Some(account), metrics: Exposition::new(outcome), told: 0 }
    }
}

impl Iterator for DebugView {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if let Some(account) = self.account.take() {
            return Some(account.into());
        }
        if self.told >= MAX_METRICS_BYTES {
            return None;
        }
        let piece = self.metrics.next()?;
        self.told += piece.len();
        if self.told < MAX_METRICS_BYTES {
            return Some(piece);
        }
        let mut last = piece.to_vec();
        last.extend_from_slice(b"\n(The rest of the metrics is left out.)\n");
        Some(last.into())
    }
}

fn write_account(api_url: &Url, outcome: &Outcome, text: &mut String) -> fmt::Result {
    let result = if outcome.is_success() { "succeeded" } else { "failed" };
    let [took, allowed] = [outcome.duration, outcome.timeout].map(|duration| duration.as_secs_f64());
    writeln!(text, "The probe of {} at {api_url} {result} after {took:.3} s of {allowed} s.", outcome.broker)?;
    let groups: Vec<_> = outcome.groups.iter().map(Group::name).collect();
    writeln!(text, "Groups: {}.", groups.join(", "))?;

    write_section("Clients", text)?;
    for (state, count) in outcome.by_state() {
        writeln!(text, "{count:>8} {}", state.name())?;
    }
    if !outcome.is_complete {
        writeln!(text, "The list could not be read to its end: these are not all.")?;
    }

    write_section("What was decided", text)?;
    for decision in &outcome.requests.decisions {
        writeln!(text, "- {decision}")?;
    }

    write_section("What went wrong", text)?;
    if outcome.failures.is_empty() {
        writeln!(text, "Nothing.")?;
    }
    for failure in outcome.failures.told() {
        writeln!(text, "- {} ({} clients unknown): {}", failure.reason, failure.clients, failure.text)?;
    }
    for reason in outcome.failures.reasons() {
        writeln!(text, "{reason}: {} {}", failure_help::meaning(*reason), failure_help::remedy(*reason))?;
    }

    let account = &outcome.requests;
    write_section("Requests", text)?;
    writeln!(
        text,
        "{} in all, {} of them repeated; {} bytes of answers. Those that came to an end, as they did:",
        account.sent, account.retries, account.response_bytes
    )?;
    for request in &account.records {
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
    write_section("Metrics", text)
}

fn write_section(name: &str, text: &mut String) -> fmt::Result {
    writeln!(text, "\n{name}\n{}", "-".repeat(name.len()))
}
