//! The result of `--check` as JSON: one object per broker, one per line, as `examples/check.schema.json` describes.

use std::io::{self, BufWriter, Write};

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use serde_json::ser::{CompactFormatter, Formatter};

use crate::client::{Address, BanEnd, Labels, Process, Queue, Session, Traffic};
use crate::outcome::{ClientState, ExpectedSubscription, FailureReason, Outcome};
use crate::sanitize::is_unsafe;
use crate::table::{Selection, TableRow};

/// A broker. Values that the broker did not report are left out, so that no script takes `null` for a value.
#[derive(Serialize)]
struct JsonBroker<'a> {
    alias: &'a str,
    success: bool,
    failures: Vec<JsonFailure<'a>>,
    clients: JsonClients<'a>,
}

#[derive(Serialize)]
struct JsonFailure<'a> {
    reason: FailureReason,
    text: &'a str,
    clients_unknown: usize,
}

/// The clients of a broker, converted one by one: a broker may have 100 000.
struct JsonClients<'a> {
    rows: Vec<TableRow<'a>>,
    now: Timestamp,
}

/// A client, whose values are left out likewise.
#[derive(Serialize)]
pub(super) struct JsonClient<'a> {
    alias: &'a str,
    client_id: &'a str,
    state: ClientState,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<&'a Labels>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offline_after_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    overdue: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    banned: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ban_end: Option<BanEnd>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    expected_subscriptions: &'a [ExpectedSubscription],
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a Session>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue: Option<&'a Queue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    traffic: Option<&'a Traffic>,
    #[serde(skip_serializing_if = "Option::is_none")]
    process: Option<&'a Process>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<&'a Address>,
}

/// Prints the outcomes to stdout, sorted by broker alias.
pub(super) fn print(outcomes: &[Outcome], selection: &Selection, now: Timestamp) -> io::Result<()> {
    let mut sorted: Vec<_> = outcomes.iter().collect();
    sorted.sort_by_key(|outcome| &outcome.broker);
    let mut stdout = BufWriter::new(io::stdout().lock());
    for outcome in sorted {
        write(outcome, selection, now, &mut stdout)?;
    }
    stdout.flush()
}

fn write(outcome: &Outcome, selection: &Selection, now: Timestamp, mut to: impl Write) -> io::Result<()> {
    let failures = outcome.failures.listed().iter().map(|failure| JsonFailure {
        reason: failure.reason,
        text: &failure.text,
        clients_unknown: failure.clients,
    });
    let broker = JsonBroker {
        alias: &outcome.broker,
        success: outcome.is_success(),
        failures: failures.collect(),
        clients: JsonClients { rows: selection.rows(std::slice::from_ref(outcome), now), now },
    };
    broker.serialize(&mut serde_json::Serializer::with_formatter(&mut to, SafeFormatter))?;
    writeln!(to)
}

impl Serialize for JsonClients<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.rows.iter().map(|row| JsonClient::new(*row, self.now)))
    }
}

impl<'a> JsonClient<'a> {
    /// Collects what is known of the client.
    pub(super) fn new(TableRow { client: probed, .. }: TableRow<'a>, now: Timestamp) -> Self {
        let client = probed.status.client();
        Self {
            alias: probed.alias(),
            client_id: probed.client_id(),
            state: probed.status.state(),
            labels: probed.labels().filter(|labels| !labels.is_empty()),
            offline_after_seconds: probed.offline_after().map(|duration| duration.as_secs()),
            overdue: probed.overdue(now),
            last_seen: probed.last_seen(),
            banned: probed.is_banned(),
            ban_end: probed.ban_end(),
            expected_subscriptions: probed.expected_subscriptions(),
            username: client.and_then(|client| client.username.as_deref()),
            node: client.and_then(|client| client.node.as_deref()),
            session: client.and_then(|client| client.session.as_deref()),
            queue: client.and_then(|client| client.queue.as_deref()),
            traffic: client.and_then(|client| client.traffic.as_deref()),
            process: client.and_then(|client| client.process.as_deref()),
            address: client.and_then(|client| client.address.as_deref()),
        }
    }
}

/// Compact JSON in which unsafe characters are escaped too. Those that JSON itself requires to be escaped never reach
/// it.
struct SafeFormatter;

impl Formatter for SafeFormatter {
    fn write_string_fragment<W: Write + ?Sized>(&mut self, writer: &mut W, text: &str) -> io::Result<()> {
        let mut rest = text;
        while let Some(at) = rest.find(is_unsafe) {
            let (safe, from_unsafe) = rest.split_at(at);
            let mut characters = from_unsafe.chars();
            let code_point = characters.next().map_or(0, u32::from);
            CompactFormatter.write_string_fragment(writer, safe)?;
            // All of them are in the basic plane, so four digits suffice.
            write!(writer, "\\u{code_point:04x}")?;
            rest = characters.as_str();
        }
        CompactFormatter.write_string_fragment(writer, rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_unsafe_characters_are_escaped() {
        let json = |text: &str| {
            let mut bytes = Vec::new();
            text.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, SafeFormatter))
                .expect("JSON");
            String::from_utf8(bytes).expect("UTF-8")
        };
        for plain in ["", "Pump \"1\"\\ \u{1b}[2J\n\t\u{0}", "ü 水 🌡\u{FFFD}"] {
            assert_eq!(json(plain), serde_json::to_string(plain).expect("JSON"));
        }
        let evil = "a\u{7f}\u{9b}2J\u{202E}\u{2066}b\u{85}\u{2028}";
        assert_eq!(json(evil), r#""a\u007f\u009b2J\u202e\u2066b\u0085\u2028""#);
        assert_eq!(serde_json::from_str::<String>(&json(evil)).expect("JSON"), evil);
    }
}
