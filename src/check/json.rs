//! The answer of `--check` as JSON: one object for each broker, each in its line. `examples/check.schema.json` says
//! what is in it.

use std::io::{self, BufWriter, Write};

use serde::{Serialize, Serializer};
use serde_json::ser::{CompactFormatter, Formatter};

use super::drawing::rows;
use crate::client::{Address, Process, Queue, Session, Traffic};
use crate::outcome::{ClientState, FailureReason, Outcome};
use crate::table::{Order, Row, is_command};

/// What a broker said. What it did not say is not there, so that no script takes `null` for a value.
#[derive(Serialize)]
struct BrokerAnswer<'a> {
    alias: &'a str,
    success: bool,
    failures: Vec<FailureAnswer<'a>>,
    #[serde(serialize_with = "clients")]
    clients: &'a [Row<'a>],
}

#[derive(Serialize)]
struct FailureAnswer<'a> {
    reason: FailureReason,
    text: &'a str,
    clients_unknown: usize,
}

/// A client: who it is, its state, and what the broker says of it.
#[derive(Serialize)]
struct ClientAnswer<'a> {
    alias: &'a str,
    client_id: &'a str,
    state: ClientState,
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

/// Prints the outcomes to stdout, the brokers sorted by alias.
pub(super) fn print(outcomes: &[Outcome], order: Order) -> io::Result<()> {
    let mut sorted: Vec<_> = outcomes.iter().collect();
    sorted.sort_by_key(|outcome| &outcome.broker);
    let mut stdout = BufWriter::new(io::stdout().lock());
    for outcome in sorted {
        tell(outcome, order, &mut stdout)?;
    }
    stdout.flush()
}

fn tell(outcome: &Outcome, order: Order, mut to: impl Write) -> io::Result<()> {
    let failures = outcome.failures.told().iter().map(|failure| FailureAnswer {
        reason: failure.reason,
        text: &failure.text,
        clients_unknown: failure.clients,
    });
    let answer = BrokerAnswer {
        alias: &outcome.broker,
        success: outcome.is_success(),
        failures: failures.collect(),
        clients: &rows(std::slice::from_ref(outcome), order),
    };
    answer.serialize(&mut serde_json::Serializer::with_formatter(&mut to, Harmless))?;
    writeln!(to)
}

fn clients<S: Serializer>(rows: &&[Row<'_>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(rows.iter().map(|row| ClientAnswer::from(*row)))
}

impl<'a> From<Row<'a>> for ClientAnswer<'a> {
    fn from(Row { told, .. }: Row<'a>) -> Self {
        let client = told.status.client();
        Self {
            alias: told.alias(),
            client_id: told.client_id(),
            state: told.status.state(),
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

/// JSON that no terminal obeys. What JSON itself wants escaped does not reach this; some commands of terminals do.
struct Harmless;

impl Formatter for Harmless {
    fn write_string_fragment<W: Write + ?Sized>(&mut self, writer: &mut W, text: &str) -> io::Result<()> {
        let mut rest = text;
        while let Some(at) = rest.find(is_command) {
            let (readable, from_command) = rest.split_at(at);
            let mut characters = from_command.chars();
            let command = characters.next().map_or(0, u32::from);
            CompactFormatter.write_string_fragment(writer, readable)?;
            // All of them are of the basic plane, which takes four digits.
            write!(writer, "\\u{command:04x}")?;
            rest = characters.as_str();
        }
        CompactFormatter.write_string_fragment(writer, rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_of_terminals_are_escaped_and_all_else_is_not() {
        let told = |text: &str| {
            let mut json = Vec::new();
            text.serialize(&mut serde_json::Serializer::with_formatter(&mut json, Harmless)).expect("JSON");
            String::from_utf8(json).expect("UTF-8")
        };
        for plain in ["", "Pump \"1\"\\ \u{1b}[2J\n\t\u{0}", "ü 水 🌡\u{FFFD}"] {
            assert_eq!(told(plain), serde_json::to_string(plain).expect("JSON"));
        }
        let evil = "a\u{7f}\u{9b}2J\u{202E}\u{2066}b\u{85}";
        assert_eq!(told(evil), r#""a\u007f\u009b2J\u202e\u2066b\u0085""#);
        assert_eq!(serde_json::from_str::<String>(&told(evil)).expect("JSON"), evil);
    }
}
