//! The result of `--check` as CSV: one line per client, with the values of the JSON output.

use std::collections::BTreeSet;
use std::io::{self, BufWriter, Write};

use csv::{ErrorKind, Writer};
use jiff::Timestamp;
use serde_json::Value;

use super::json_output::JsonClient;
use crate::client::Labels;
use crate::outcome::{Outcome, ProbedClient};
use crate::sanitize::sanitized;
use crate::table::Selection;

/// The columns after `broker` and before those of labels: the path of each value in a client of the JSON output. Its
/// parts are joined by `_` in the header.
pub(super) const COLUMNS: &[&[&str]] = &[
    &["alias"],
    &["client_id"],
    &["state"],
    &["overdue"],
    &["offline_after_seconds"],
    &["last_seen"],
    &["banned"],
    &["ban_end"],
    &["expected_subscriptions"],
    &["username"],
    &["node"],
    &["session", "protocol_name"],
    &["session", "protocol_version"],
    &["session", "clean_start"],
    &["session", "created_at"],
    &["session", "connected_at"],
    &["session", "disconnected_at"],
    &["session", "keepalive_seconds"],
    &["session", "expiry_interval_seconds"],
    &["session", "expired"],
    &["queue", "subscriptions"],
    &["queue", "subscriptions_limit"],
    &["queue", "inflight"],
    &["queue", "inflight_limit"],
    &["queue", "mqueue"],
    &["queue", "mqueue_limit"],
    &["queue", "awaiting_pubrel"],
    &["queue", "awaiting_pubrel_limit"],
    &["queue", "mqueue_dropped"],
    &["traffic", "received_messages", "qos0"],
    &["traffic", "received_messages", "qos1"],
    &["traffic", "received_messages", "qos2"],
    &["traffic", "received_dropped"],
    &["traffic", "received_dropped_await_pubrel_timeout"],
    &["traffic", "received_bytes"],
    &["traffic", "received_packets"],
    &["traffic", "sent_messages", "qos0"],
    &["traffic", "sent_messages", "qos1"],
    &["traffic", "sent_messages", "qos2"],
    &["traffic", "sent_dropped"],
    &["traffic", "sent_dropped_expired"],
    &["traffic", "sent_dropped_queue_full"],
    &["traffic", "sent_dropped_too_large"],
    &["traffic", "sent_bytes"],
    &["traffic", "sent_packets"],
    &["process", "mailbox"],
    &["process", "reductions"],
    &["address", "ip"],
    &["address", "port"],
    &["address", "node_number"],
];

/// Prints the outcomes to stdout, below a header if this is the first result.
pub(super) fn print(
    outcomes: &[Outcome],
    selection: &Selection,
    now: Timestamp,
    is_first: bool,
) -> io::Result<()> {
    let stdout = BufWriter::new(io::stdout().lock());
    write(outcomes, selection, now, is_first, stdout).map_err(|error| match error.into_kind() {
        ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    })
}

fn write(
    outcomes: &[Outcome],
    selection: &Selection,
    now: Timestamp,
    is_first: bool,
    to: impl Write,
) -> csv::Result<()> {
    let mut writer = Writer::from_writer(to);
    let labels = label_names(outcomes);
    if is_first {
        writer.write_field("broker")?;
        let titles = COLUMNS.iter().map(|path| path.join("_"));
        writer.write_record(titles.chain(labels.iter().map(|name| format!("label_{name}"))))?;
    }
    for row in selection.rows(outcomes, now) {
        let client = serde_json::to_value(JsonClient::new(row, now)).map_err(io::Error::from)?;
        writer.write_field(safe(row.broker))?;
        let values = COLUMNS.iter().map(|path| field(&client, path));
        writer.write_record(values.chain(labels.iter().map(|name| field(&client, &["labels", name]))))?;
    }
    Ok(writer.flush()?)
}

/// Returns the names of the labels that the clients have, also of clients that are not shown: they may be in a later
/// result below the same header.
fn label_names(outcomes: &[Outcome]) -> BTreeSet<&str> {
    let clients = outcomes.iter().flat_map(|outcome| &outcome.clients);
    clients.filter_map(ProbedClient::labels).flat_map(Labels::iter).map(|(name, _)| name).collect()
}

/// Returns the value at this path; empty if there is none.
fn field(client: &Value, path: &[&str]) -> String {
    match path.iter().try_fold(client, |value, key| value.get(key)) {
        None => String::new(),
        Some(Value::String(text)) => safe(text),
        Some(value) => sanitized(&value.to_string()),
    }
}

/// Returns a text that neither a terminal nor a spreadsheet acts on. A spreadsheet takes a cell that begins with one of
/// these characters for a formula, and an apostrophe before it for the mark of a text.
fn safe(text: &str) -> String {
    let text = sanitized(text);
    if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text }
}
