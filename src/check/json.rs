//! The answer of `--check` as JSON: one object for each broker, each in its line.

use std::io::{self, Write as _};

use serde::Serialize;

use crate::client::{Address, Client, Process, Queue, Session, Traffic};
use crate::outcome::{Outcome, Reason, State, Told};

#[derive(Serialize)]
struct BrokerAnswer<'a> {
    broker: &'a str,
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

/// A client: who it is, its state, and what the broker says of it. What it does not say is not there.
#[derive(Serialize)]
struct ClientAnswer<'a> {
    alias: &'a str,
    client_id: &'a str,
    state: State,
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

/// Prints the outcomes to stdout.
pub(super) fn print(outcomes: &[Outcome]) -> io::Result<()> {
    let mut stdout = io::BufWriter::new(io::stdout().lock());
    for outcome in outcomes {
        serde_json::to_writer(&mut stdout, &BrokerAnswer::from(outcome)).map_err(io::Error::from)?;
        writeln!(stdout)?;
    }
    stdout.flush()
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
        Self { broker: &outcome.broker, success: outcome.is_success(), failures: failures.collect(), clients }
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
