//! The answer of `--check` as JSON: one object for each broker, each in its line.

use std::io::{self, Write as _};

use serde::Serialize;
use serde_json::Value;

use crate::client::{Address, Client, Process, Queue, Session, Traffic};
use crate::outcome::{Outcome, Reason, State, Told};

#[derive(Serialize)]
struct BrokerAnswer<'a> {
    alias: &'a str,
    success: bool,
    failures: Vec<FailureAnswer<'a>>,
    clients: Vec<ClientAnswer<'a>>,
}

#[derive(Serialize)]
struct FailureAnswer<'a> {
    reason: Reason,
    text: &'a str,
    clients_unknown: usize,
}

/// A client: who it is, its state, and what the broker says of it.
#[derive(Serialize)]
struct ClientAnswer<'a> {
    alias: &'a str,
    client_id: &'a str,
    state: State,
    username: Option<&'a str>,
    node: Option<&'a str>,
    session: Option<&'a Session>,
    queue: Option<&'a Queue>,
    traffic: Option<&'a Traffic>,
    process: Option<&'a Process>,
    address: Option<&'a Address>,
}

/// Prints the outcomes to stdout, sorted by alias as the table is.
pub(super) fn print(outcomes: &[Outcome]) -> io::Result<()> {
    let mut outcomes: Vec<_> = outcomes.iter().collect();
    outcomes.sort_by_key(|outcome| &outcome.broker);
    let mut stdout = io::BufWriter::new(io::stdout().lock());
    for outcome in outcomes {
        let mut answer = serde_json::to_value(BrokerAnswer::from(outcome))?;
        remove_nulls(&mut answer);
        serde_json::to_writer(&mut stdout, &answer)?;
        writeln!(stdout)?;
    }
    stdout.flush()
}

/// What the broker did not say is not there, so that no script takes `null` for a value.
fn remove_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(remove_nulls);
        }
        Value::Array(elements) => elements.iter_mut().for_each(remove_nulls),
        _ => {}
    }
}

impl<'a> From<&'a Outcome> for BrokerAnswer<'a> {
    fn from(outcome: &'a Outcome) -> Self {
        let failures = outcome.failures.told().iter().map(|failure| FailureAnswer {
            reason: failure.reason,
            text: &failure.text,
            clients_unknown: failure.clients,
        });
        let mut clients: Vec<_> = outcome.clients.iter().map(ClientAnswer::from).collect();
        clients.sort_by_key(|client| client.alias);
        Self { alias: &outcome.broker, success: outcome.is_success(), failures: failures.collect(), clients }
    }
}

impl<'a> From<&'a Told> for ClientAnswer<'a> {
    fn from(told: &'a Told) -> Self {
        let client: Option<&Client> = told.finding.client();
        Self {
            alias: told.alias(),
            client_id: told.client_id(),
            state: told.finding.state(),
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
