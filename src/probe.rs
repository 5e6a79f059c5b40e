//! One probe: everyone who is asked for is asked, within a deadline, and what came of it is told.
//!
//! The only place that knows deadlines. The handler of `/probe` and `--check` differ in what they do with the
//! outcome, not in how it is found.

mod asking;
mod inquiry;
mod progress;
mod walk;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};
use tracing::debug;

use crate::causes::chain;
use crate::client::{Groups, WatchedClient};
use crate::config::Broker;
use crate::emqx::{Access, AskError, Emqx, Exchange};
use crate::outcome::{Account, EndedRequest, Failures, Finding, Outcome, Reason, Subject, Told};
use asking::MAX_SILENT;
use inquiry::Inquiry;
pub use progress::Progress;

/// The longest a probe may take, whatever Prometheus or the configuration allows.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(120);

/// How many brokers are asked at once by whoever asks several.
pub const BROKERS_AT_ONCE: usize = 8;

/// What a probe is to find out.
#[derive(Debug)]
pub struct Question {
    /// The broker to ask.
    pub broker: Arc<Broker>,
    /// Whom to ask for.
    pub of: Of,
    /// What to ask of them.
    pub groups: Groups,
    /// How long it may take.
    pub timeout: Duration,
}

/// Whom a probe asks for.
#[derive(Debug)]
pub enum Of {
    /// These clients of the configuration.
    Watched(Vec<Arc<WatchedClient>>),
    /// Every client of the broker.
    Everyone,
}

/// Asks a broker. Whatever goes wrong on its side is part of the outcome, never an error.
pub async fn probe(question: Question) -> Outcome {
    probe_with_progress(question, &Progress::default()).await
}

/// The same, and says on the way how far it has come.
pub async fn probe_with_progress(question: Question, progress: &Progress) -> Outcome {
    let started = Instant::now();
    let Question { broker, of, groups, timeout } = question;
    let deadline = started + timeout;
    let mut outcome = Outcome {
        broker: broker.alias.clone(),
        groups,
        clients: Vec::new(),
        is_whole: true,
        failures: Failures::default(),
        account: Account::default(),
        timeout,
        duration: Duration::ZERO,
    };
    match prepare(&broker, deadline).await {
        Ok(emqx) => {
            let inquiry = Inquiry { emqx, broker, groups, deadline, progress };
            inquiry.ask(of, &mut outcome).await;
        }
        Err((reason, text)) => give_up(of, reason, &text, &mut outcome),
    }
    outcome.duration = started.elapsed();
    outcome
}

/// Nobody can be asked.
fn give_up(of: Of, reason: Reason, text: &str, outcome: &mut Outcome) {
    match of {
        Of::Watched(clients) => {
            outcome.failures.add(reason, text, clients.len());
            outcome.clients = told(clients, std::iter::repeat(Finding::Unknown));
        }
        Of::Everyone => {
            outcome.failures.add(reason, text, 0);
            outcome.is_whole = false;
        }
    }
}

/// Reads the secrets and the files of TLS, and makes ready to ask.
async fn prepare(broker: &Arc<Broker>, deadline: Instant) -> Result<Emqx, (Reason, String)> {
    let access = if broker.reads_files() {
        let reading = Arc::clone(broker);
        // A file may lie on a disk that hangs: that must not hold up the other probes of this thread.
        timeout_at(deadline, spawn_blocking(move || access(&reading)))
            .await
            .map_err(|_| {
                (Reason::Config, "the files of secrets and certificates could not be read in time".into())
            })?
            .map_err(|error| (Reason::Config, chain(&error)))?
    } else {
        access(broker)
    };
    let access = access.map_err(|error| (Reason::Config, chain(error.as_ref())))?;
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

/// Takes a request that came to its end into the account.
fn note(account: &mut Account, exchange: Exchange, error: Option<&AskError>) {
    let Exchange { target, status, body_bytes, duration } = exchange;
    let error_text = error.map(|error| chain(error));
    let milliseconds = duration.as_millis();
    debug!(path = target, status, milliseconds, error = error_text, "asked the broker");
    let request = EndedRequest { target, status, body_bytes, duration, error: error_text };
    account.note(request, matches!(error, Some(AskError::Status { .. })));
}

fn told(clients: Vec<Arc<WatchedClient>>, findings: impl Iterator<Item = Finding>) -> Vec<Told> {
    let subjects = clients.into_iter().map(Subject::Watched);
    subjects.zip(findings).map(|(subject, finding)| Told { subject, finding }).collect()
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
