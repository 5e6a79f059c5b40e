//! One probe: everyone who is asked for is asked, within a deadline, and what came of it is told.
//!
//! The only place that knows deadlines. The handler of `/probe` and `--check` differ in what they do with the
//! outcome, not in how it is found.

mod broker_probe;
mod list_pager;
mod progress;
mod scheduler;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};
use tracing::debug;

use crate::client::{Groups, WatchedClient};
use crate::config::Broker;
use crate::emqx::{Access, EmqxApi, Exchange, RequestError};
use crate::error_chain::chain;
use crate::outcome::{
    ClientIdentity, ClientStatus, FailureReason, Failures, Outcome, ProbedClient, RequestRecord, RequestStats,
};
use crate::tls::BrokerTls;
use broker_probe::BrokerProbe;
pub use progress::Progress;
use scheduler::MAX_SILENT;

/// The longest a probe may take, whatever Prometheus or the configuration allows.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(120);

/// How many brokers are asked at once by whoever asks several.
pub const BROKERS_AT_ONCE: usize = 8;

/// What a probe is to find out.
#[derive(Debug)]
pub struct ProbeSpec {
    /// The broker to ask.
    pub broker: Arc<Broker>,
    /// Whom to ask for.
    pub targets: Targets,
    /// What to ask of them.
    pub groups: Groups,
    /// How long it may take.
    pub timeout: Duration,
}

/// Whom a probe asks for.
#[derive(Debug)]
pub enum Targets {
    /// These clients of the configuration.
    Watched(Vec<Arc<WatchedClient>>),
    /// Every client of the broker.
    All,
}

/// Asks a broker. Whatever goes wrong on its side is part of the outcome, never an error.
pub async fn probe(question: ProbeSpec) -> Outcome {
    probe_with_progress(question, &Progress::default()).await
}

/// The same, and says on the way how far it has come.
pub async fn probe_with_progress(question: ProbeSpec, progress: &Progress) -> Outcome {
    let started = Instant::now();
    let ProbeSpec { broker, targets, groups, timeout } = question;
    let deadline = started + timeout;
    let mut outcome = Outcome {
        broker: broker.alias.clone(),
        groups,
        clients: Vec::new(),
        is_complete: true,
        failures: Failures::default(),
        requests: RequestStats::default(),
        timeout,
        duration: Duration::ZERO,
    };
    match prepare(&broker, deadline).await {
        Ok(emqx) => {
            let inquiry = BrokerProbe { emqx, broker, groups, deadline, progress };
            inquiry.ask(targets, &mut outcome).await;
        }
        Err((reason, text)) => fail_all(targets, reason, &text, &mut outcome),
    }
    outcome.duration = started.elapsed();
    outcome
}

/// Nobody can be asked.
fn fail_all(targets: Targets, reason: FailureReason, text: &str, outcome: &mut Outcome) {
    match targets {
        Targets::Watched(clients) => {
            outcome.failures.add(reason, text, clients.len());
            outcome.clients = told(clients, std::iter::repeat(ClientStatus::Unknown));
        }
        Targets::All => {
            outcome.failures.add(reason, text, 0);
            outcome.is_complete = false;
        }
    }
}

/// A TLS configuration and the server name to verify, where it is not the URL's host.
type TlsAccess = (Arc<ClientConfig>, Option<String>);

/// Reads the secrets and the files of TLS, and makes ready to ask.
async fn prepare(broker: &Arc<Broker>, deadline: Instant) -> Result<EmqxApi, (FailureReason, String)> {
    let tls = match &broker.tls {
        Some(tls) => Some(current_tls(tls, deadline).await?),
        None => None,
    };
    let access = if broker.reads_files() {
        let reading = Arc::clone(broker);
        // A file may lie on a disk that hangs: that must not hold up the other probes of this thread.
        timeout_at(deadline, spawn_blocking(move || access(&reading, tls)))
            .await
            .map_err(|_| (FailureReason::Config, "the secret files could not be read in time".into()))?
            .map_err(|error| (FailureReason::Config, chain(&error)))?
    } else {
        access(broker, tls)
    };
    let access = access.map_err(|error| (FailureReason::Config, chain(error.as_ref())))?;
    EmqxApi::new(&access).map_err(|error| (reason(&error), chain(&error)))
}

/// Returns the TLS configuration of a broker as its files are now, and the server name to verify.
async fn current_tls(tls: &BrokerTls, deadline: Instant) -> Result<TlsAccess, (FailureReason, String)> {
    match timeout_at(deadline, tls.current()).await {
        Ok(Ok(config)) => Ok((config, tls.server_name().map(ToOwned::to_owned))),
        Ok(Err(error)) => Err((FailureReason::Config, chain(error.as_ref()))),
        Err(_) => Err((FailureReason::Config, "the TLS files could not be read in time".to_owned())),
    }
}

fn access(broker: &Broker, tls: Option<TlsAccess>) -> Result<Access, Box<dyn Error + Send + Sync>> {
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
fn note(account: &mut RequestStats, exchange: Exchange, error: Option<&RequestError>) {
    let Exchange { target, status, body_bytes, duration } = exchange;
    let error_text = error.map(|error| chain(error));
    let milliseconds = duration.as_millis();
    debug!(path = target, status, milliseconds, error = error_text, "asked the broker");
    let request = RequestRecord { target, status, body_bytes, duration, error: error_text };
    account.note(request, matches!(error, Some(RequestError::Status { .. })));
}

fn told(clients: Vec<Arc<WatchedClient>>, findings: impl Iterator<Item = ClientStatus>) -> Vec<ProbedClient> {
    let subjects = clients.into_iter().map(ClientIdentity::Watched);
    subjects.zip(findings).map(|(identity, status)| ProbedClient { identity, status }).collect()
}

fn reason(error: &RequestError) -> FailureReason {
    match error {
        RequestError::Dns { .. } => FailureReason::Dns,
        RequestError::Connect { .. } => FailureReason::Connect,
        RequestError::Tls { .. } => FailureReason::Tls,
        RequestError::Timeout => FailureReason::Timeout,
        RequestError::Status { status: 401, .. } => FailureReason::Unauthorized,
        RequestError::Status { status: 403, .. } => FailureReason::Forbidden,
        RequestError::Status { .. } => FailureReason::HttpStatus,
        RequestError::Protocol { .. } => FailureReason::Protocol,
        RequestError::Decode { .. } => FailureReason::Decode,
        RequestError::TooLarge { .. } => FailureReason::TooLarge,
    }
}
