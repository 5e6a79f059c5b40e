//! One probe: everyone who is asked for is asked, within a deadline, and what came of it is told.
//!
//! The only place that knows deadlines. The handler of `/probe` and `--check` differ in what they do with the
//! outcome, not in how it is found.

mod asking;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};

use crate::client::{Client, Groups, WatchedClient};
use crate::config::Broker;
use crate::emqx::{Access, AskError, Emqx};
use crate::outcome::{Account, Failures, Finding, Outcome, Reason, Told};
use asking::{Asking, Bounds, Ended, MAX_SILENT, ask_all};

/// The longest a probe may take, whatever Prometheus or the configuration allows.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(120);

/// What a probe is to find out.
#[derive(Debug)]
pub struct Question {
    /// The broker to ask.
    pub broker: Arc<Broker>,
    /// Whom to ask for.
    pub clients: Vec<Arc<WatchedClient>>,
    /// What to ask of them.
    pub groups: Groups,
    /// How long it may take.
    pub timeout: Duration,
}

/// Asks a broker. Whatever goes wrong on its side is part of the outcome, never an error.
pub async fn probe(question: Question) -> Outcome {
    let started = Instant::now();
    let mut outcome = Outcome {
        broker: question.broker.alias.clone(),
        groups: question.groups,
        clients: Vec::new(),
        failures: Failures::default(),
        account: Account::default(),
        timeout: question.timeout,
        duration: Duration::ZERO,
    };
    let deadline = started + question.timeout;
    match prepare(&question.broker, deadline).await {
        Ok(emqx) => ask(&emqx, &question, deadline, &mut outcome).await,
        Err((reason, text)) => {
            outcome.failures.add(reason, &text, question.clients.len());
            outcome.clients = told(&question.clients, std::iter::repeat(Finding::Unknown));
        }
    }
    outcome.duration = started.elapsed();
    outcome
}

/// Reads the secrets and the files of TLS, and makes ready to ask.
async fn prepare(broker: &Arc<Broker>, deadline: Instant) -> Result<Emqx, (Reason, String)> {
    let reading = Arc::clone(broker);
    // A file may lie on a disk that hangs: that must not hold up the other probes of this thread.
    let access = timeout_at(deadline, spawn_blocking(move || access(&reading)))
        .await
        .map_err(|_| {
            (Reason::Config, "the files of secrets and certificates could not be read in time".into())
        })?
        .map_err(|error| (Reason::Config, chain(&error)))?
        .map_err(|error| (Reason::Config, chain(error.as_ref())))?;
    Emqx::new(&access).map_err(|error| (reason(&error), chain(&error)))
}

fn access(broker: &Broker) -> Result<Access, Box<dyn Error + Send + Sync>> {
    let tls = match &broker.tls {
        Some(tls) => Some((tls.current()?, tls.server_name().map(ToOwned::to_owned))),
        None => None,
    };
    Ok(Access {
        api_url: broker.api_url.clone(),
        api_key: broker.api_key.read_key()?,
        api_secret: broker.api_secret.read()?,
        tls,
        request_timeout: broker.timeout,
        max_connections: broker.concurrency + MAX_SILENT + 1,
    })
}

async fn ask(emqx: &Emqx, question: &Question, deadline: Instant, outcome: &mut Outcome) {
    let broker = &question.broker;
    let bounds = Bounds { concurrency: broker.concurrency, attempts: broker.attempts, deadline };
    if question.clients.is_empty() {
        // Success is never given for no question.
        let asking = ask_all(1, bounds, |_| emqx.check()).await;
        settle(asking, emqx, outcome);
        return;
    }
    let asking = ask_all(question.clients.len(), bounds, |index| {
        emqx.lookup(&question.clients[index].client_id, question.groups)
    })
    .await;
    let findings = settle(asking, emqx, outcome).into_iter().map(|answer| match answer {
        Some(Some(client)) => Finding::Known(numbered(client, broker)),
        Some(None) => Finding::Absent,
        None => Finding::Unknown,
    });
    outcome.clients = told(&question.clients, findings);
}

/// Takes the answers apart: what was said, and why the rest was not.
fn settle<T>(asking: Asking<T>, emqx: &Emqx, outcome: &mut Outcome) -> Vec<Option<T>> {
    let Asking { answers, ended_by, account } = asking;
    outcome.account = account;
    let unanswered = answers.iter().filter(|answer| answer.is_none()).count();
    let ended_by = match ended_by {
        Some(Ended::Nobody(error)) => Some(error),
        Some(Ended::Deadline) => Some(emqx.overdue()),
        None => None,
    };
    if let Some(error) = ended_by {
        outcome.failures.add(reason(&error), &chain(&error), unanswered);
    }
    answers
        .into_iter()
        .map(|answer| match answer? {
            Ok(answer) => Some(answer),
            Err(error) => {
                outcome.failures.add(reason(&error), &chain(&error), 1);
                None
            }
        })
        .collect()
}

fn told(clients: &[Arc<WatchedClient>], findings: impl Iterator<Item = Finding>) -> Vec<Told> {
    clients
        .iter()
        .zip(findings)
        .map(|(watched, finding)| Told { watched: Arc::clone(watched), finding })
        .collect()
}

/// Gives the client the number that the configuration has for its node.
fn numbered(mut client: Client, broker: &Broker) -> Client {
    if let (Some(address), Some(node)) = (client.address.as_deref_mut(), client.node.as_deref()) {
        address.node_number = broker.nodes.get(node).copied();
    }
    client
}

fn reason(error: &AskError) -> Reason {
    match error {
        AskError::Dns { .. } => Reason::Dns,
        AskError::Connect { .. } => Reason::Connect,
        AskError::Tls { .. } => Reason::Tls,
        AskError::Timeout => Reason::Timeout,
        AskError::Status { status: 401, .. } => Reason::Unauthorized,
        AskError::Status { status: 403, .. } => Reason::Forbidden,
        AskError::Status { .. } => Reason::HttpStatus,
        AskError::Protocol { .. } => Reason::Protocol,
        AskError::Decode { .. } => Reason::Decode,
        AskError::TooLarge { .. } => Reason::TooLarge,
    }
}

/// An error and its causes in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
