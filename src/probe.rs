//! Probes one broker: requests every client within a deadline, and returns the result as an [`Outcome`].
//!
//! The only place that knows deadlines. The handler of `/probe`, the pages and `--check` differ in what they do with the
//! outcome, not in how it comes about.

mod combined;
mod fleets;
mod list_pager;
mod listing;
mod memory;
mod progress;
mod recorder;
mod request;
mod scheduler;
mod watching;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::ClientConfig;
use tokio::time::{Instant, timeout_at};

use crate::client::{Group, Groups, WatchedClient};
use crate::config::Broker;
use crate::connection_stats::ConnectionStats;
use crate::emqx::{Access, EmqxApi, ProxyAccess, RequestError};
use crate::error_chain::chain;
use crate::fleet::{Fleet, FleetResult};
use crate::outcome::{ClientStatus, FailureReason, Failures, Outcome, ProbedClient};
use crate::tls::BrokerTls;
use combined::Combined;
use fleets::Fleets;
use listing::Listing;
pub use progress::Progress;
use recorder::Recorder;
use request::Request;
use scheduler::{Bounds, Ended, MAX_STALLED, Pace, Plan, run};

/// Maximum duration of a probe, whatever Prometheus or the configuration allows.
pub const MAX_TIMEOUT: Duration = Duration::from_secs(120);

/// Maximum number of brokers probed at once by a caller that probes several.
pub const BROKERS_AT_ONCE: usize = 8;

/// The broker, the clients and the groups of a probe.
#[derive(Debug)]
pub struct ProbeSpec {
    /// The broker.
    pub broker: Arc<Broker>,
    /// The requested clients.
    pub targets: Targets,
    /// The requested metric groups.
    pub groups: Groups,
    /// How long the probe may take.
    pub timeout: Duration,
}

/// The requested clients of a probe.
#[derive(Debug)]
pub enum Targets {
    /// These clients of the configuration.
    Watched(Vec<Arc<WatchedClient>>),
    /// Every client of the broker.
    All,
    /// Every client of the broker that belongs to one of these fleets.
    ClientsOf(Vec<Arc<Fleet>>),
    /// The counts of these fleets, and no single client.
    Fleets(Vec<Arc<Fleet>>),
}

/// Probes a broker. Whatever goes wrong on its side is part of the outcome, never an error.
pub async fn probe(spec: ProbeSpec) -> Outcome {
    probe_with_progress(spec, &Progress::default()).await
}

/// Does the same, and reports on the way how far it has come.
pub async fn probe_with_progress(spec: ProbeSpec, progress: &Progress) -> Outcome {
    let (started, started_at) = (Instant::now(), Timestamp::now());
    let ProbeSpec { broker, targets, groups, timeout } = spec;
    let mut recorder = Recorder::default();
    let deadline = started + timeout;
    let (mut findings, connections) = match prepare(&broker, deadline).await {
        Ok(api) => {
            let run = BrokerRun { api, broker: &broker, groups, timeout, deadline };
            let findings = run.find(targets, &mut recorder, progress).await;
            (findings, run.api.connection_stats())
        }
        Err(failure) => (fail_all(targets, &broker, groups, deadline, failure), ConnectionStats::default()),
    };
    number_nodes(&mut findings.clients, &broker);
    findings.decisions.into_iter().for_each(|decision| recorder.decision(decision));
    Outcome {
        broker: broker.alias.clone(),
        groups,
        clients: findings.clients,
        fleets: findings.fleets,
        is_complete: findings.is_complete,
        group_results: findings.group_results,
        failures: findings.failures,
        requests: recorder.finish(),
        connections,
        started_at,
        timeout,
        duration: started.elapsed(),
    }
}

/// What a plan found.
#[derive(Debug)]
struct Findings {
    clients: Vec<ProbedClient>,
    /// `None` where clients are requested.
    fleets: Option<Vec<FleetResult>>,
    /// Whether these are all the requested clients.
    is_complete: bool,
    /// How each group of what the broker remembers went.
    group_results: Vec<(Group, bool)>,
    failures: Failures,
    /// How the requests were chosen, and why, a sentence each.
    decisions: Vec<String>,
}

impl Default for Findings {
    fn default() -> Self {
        let (clients, group_results, decisions) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            clients,
            fleets: None,
            is_complete: true,
            group_results,
            failures: Failures::default(),
            decisions,
        }
    }
}

/// A run of requests to one broker.
struct BrokerRun<'a> {
    api: EmqxApi,
    broker: &'a Broker,
    groups: Groups,
    timeout: Duration,
    deadline: Instant,
}

impl BrokerRun<'_> {
    /// Requests these clients, each in the way that costs the broker least.
    async fn find(&self, targets: Targets, recorder: &mut Recorder, progress: &Progress) -> Findings {
        let mut findings = Findings::default();
        match targets {
            Targets::Watched(clients) => {
                let mut plan =
                    Combined::new(&clients, &self.broker.topics, self.groups, self.deadline, progress);
                let mut ended = self.run(plan.first(), &mut plan, recorder).await;
                if self.api.saw_unsolicited_bytes() {
                    let doubted = plan.doubt();
                    if ended.is_none() && !doubted.is_empty() {
                        self.api.reconnect();
                        ended = self.run(doubted, &mut plan, recorder).await;
                        if self.api.saw_unsolicited_bytes() {
                            plan.disbelieve(&RequestError::Protocol {
                                what: "unsolicited bytes came over new connections too, which makes absences doubtful"
                                    .to_owned(),
                                source: None,
                            });
                        }
                    }
                }
                plan.finish(ended, &mut findings);
            }
            Targets::All => self.list(&[], &mut findings, recorder, progress).await,
            Targets::ClientsOf(fleets) => self.list(&fleets, &mut findings, recorder, progress).await,
            Targets::Fleets(fleets) => {
                let mut plan = Fleets::new(&fleets, self.deadline, progress);
                let ended = self.run(plan.first(), &mut plan, recorder).await;
                plan.finish(ended, &mut findings);
            }
        }
        findings
    }

    /// Requests every client of these fleets, or of the broker.
    async fn list(
        &self,
        fleets: &[Arc<Fleet>],
        findings: &mut Findings,
        recorder: &mut Recorder,
        progress: &Progress,
    ) {
        let mut plan = Listing::new(self.groups, fleets, self.deadline, progress);
        let ended = self.run(plan.first(), &mut plan, recorder).await;
        plan.finish(ended, findings);
    }

    /// Runs a plan. Returns why it ended early, if it did.
    async fn run(
        &self,
        first: Vec<Request>,
        plan: &mut dyn Plan,
        recorder: &mut Recorder,
    ) -> Option<(FailureReason, String)> {
        let Broker { concurrency, attempts, timeout, .. } = *self.broker;
        let bounds = Bounds { concurrency, attempts, request_timeout: timeout, deadline: self.deadline };
        let groups = self.groups.of_rows();
        let send = |request: Request, limits| request.send(&self.api, groups, limits);
        match run(first, bounds, recorder, plan, send).await? {
            Ended::Aborted(error) => Some((reason(&error), chain(&error))),
            Ended::Deadline(pace) => Some(self.overdue(pace)),
        }
    }

    /// Says why the deadline came first. A broker that answers everything, only not fast enough, needs more `concurrency`.
    fn overdue(&self, pace: Pace) -> (FailureReason, String) {
        let Pace { answered, unsent, stalled, duration, paused } = pace;
        if answered == 0 || unsent == 0 || stalled > self.broker.concurrency {
            let error = self.api.timeout_error();
            return (reason(&error), chain(&error));
        }
        if paused > duration / 2 {
            let text = format!(
                "the broker asked for pauses (`Retry-After`) of {:.1} s: it answered {answered} requests, and {unsent} more \
                 did not fit into the deadline of {:.1} s",
                paused.as_secs_f64(),
                self.timeout.as_secs_f64(),
            );
            return (FailureReason::Timeout, text);
        }
        let text = format!(
            "`concurrency: {}` limits this probe: the broker answered {answered} requests in {:.1} s, {:.0} a second, and \
             {unsent} more did not fit into the deadline of {:.1} s",
            self.broker.concurrency,
            duration.as_secs_f64(),
            f64::from(answered) / duration.as_secs_f64(),
            self.timeout.as_secs_f64(),
        );
        (FailureReason::Timeout, text)
    }
}

/// Returns the findings of a probe that cannot send any request.
fn fail_all(
    targets: Targets,
    broker: &Broker,
    groups: Groups,
    deadline: Instant,
    failure: (FailureReason, String),
) -> Findings {
    let mut findings = Findings::default();
    match targets {
        Targets::Watched(clients) => {
            let progress = Progress::default();
            let plan = Combined::new(&clients, &broker.topics, groups, deadline, &progress);
            plan.finish(Some(failure), &mut findings);
        }
        Targets::Fleets(fleets) => {
            let progress = Progress::default();
            Fleets::new(&fleets, deadline, &progress).finish(Some(failure), &mut findings);
        }
        Targets::All | Targets::ClientsOf(_) => {
            let (reason, text) = failure;
            findings.failures.add(reason, &text, 0);
            findings.is_complete = false;
        }
    }
    findings
}

/// A TLS configuration and the server name to verify, where it is not the URL's host.
type TlsAccess = (Arc<ClientConfig>, Option<String>);

/// Reads the secrets and the TLS files, and prepares the connections.
async fn prepare(broker: &Broker, deadline: Instant) -> Result<EmqxApi, (FailureReason, String)> {
    let access = access(broker, deadline).await.map_err(|text| (FailureReason::Config, text))?;
    EmqxApi::new(&access).map_err(|error| (reason(&error), chain(&error)))
}

async fn access(broker: &Broker, deadline: Instant) -> Result<Access, String> {
    let tls = match &broker.tls {
        Some(tls) => Some(current_tls(tls, deadline).await?),
        None => None,
    };
    Ok(Access {
        api_url: broker.api_url.clone(),
        api_key: broker.api_key.read_key(deadline).await.map_err(|error| chain(&error))?,
        api_secret: broker.api_secret.read(deadline).await.map_err(|error| chain(&error))?,
        headers: broker.headers.read(deadline).await.map_err(|error| chain(&error))?,
        proxy: proxy(broker, deadline).await?,
        tls,
        request_timeout: broker.timeout,
        max_connections: broker.concurrency + MAX_STALLED + 1,
    })
}

/// Returns what the proxy to a broker needs.
async fn proxy(broker: &Broker, deadline: Instant) -> Result<Option<ProxyAccess>, String> {
    let Some(url) = broker.proxy_url.clone() else { return Ok(None) };
    let headers = broker.proxy_connect_header.read(deadline).await.map_err(|error| chain(&error))?;
    Ok(Some(ProxyAccess { url, headers }))
}

/// Returns the TLS configuration of a broker as its files are now, and the server name to verify.
async fn current_tls(tls: &BrokerTls, deadline: Instant) -> Result<TlsAccess, String> {
    match timeout_at(deadline, tls.current()).await {
        Ok(Ok(config)) => Ok((config, tls.server_name().map(ToOwned::to_owned))),
        Ok(Err(error)) => Err(chain(error.as_ref())),
        Err(_) => Err("the TLS files could not be read in time".to_owned()),
    }
}

fn reason(error: &RequestError) -> FailureReason {
    match error {
        RequestError::Dns { .. } => FailureReason::Dns,
        RequestError::Connect { .. } | RequestError::ProxyRefused { .. } => FailureReason::Connect,
        RequestError::Tls { .. } => FailureReason::Tls,
        RequestError::Timeout => FailureReason::Timeout,
        RequestError::Status { status: 401, .. } => FailureReason::Unauthorized,
        RequestError::Status { status: 403, .. } => FailureReason::Forbidden,
        RequestError::Status { .. } => FailureReason::HttpStatus,
        RequestError::Protocol { .. } => FailureReason::Protocol,
        RequestError::Decode { .. } => FailureReason::Decode,
        RequestError::TooLarge { .. }
        | RequestError::TooManyMessages { .. }
        | RequestError::TooManyRows { .. }
        | RequestError::TooManyBadRows { .. } => FailureReason::TooLarge,
    }
}

/// Gives each client the number that the configuration has for its node.
fn number_nodes(clients: &mut [ProbedClient], broker: &Broker) {
    for client in clients {
        if let ClientStatus::Known(client) = &mut client.status
            && let (Some(address), Some(node)) = (client.address.as_deref_mut(), client.node.as_deref())
        {
            address.node_number = broker.nodes.get(node).copied();
        }
    }
}
