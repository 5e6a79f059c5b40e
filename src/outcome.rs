//! The result of a probe: the status of each requested client, why it is unknown for some, and what the requests cost.
//!
//! It does not change once the probe has ended. The probe series, the debug view, the logs and the table of `--check` are
//! all derived from it.

mod memory;
mod overdue;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::client::{BanEnd, Client, Group, Groups, Labels, WatchedClient};
use crate::closed_set::closed_set;
use crate::connection_stats::ConnectionStats;
use crate::fleet::FleetResult;

pub use self::memory::{ExpectedSubscription, Memory, Remembered};

/// Maximum number of distinct failures that keep their text. The reasons of the others are still reported.
const MAX_FAILURE_TEXTS: usize = 8;

/// The result of a probe of one broker.
#[derive(Debug)]
pub struct Outcome {
    /// Alias of the broker.
    pub broker: String,
    /// The metric groups that were requested.
    pub groups: Groups,
    /// Every requested client, in the order of the configuration, or of its ID where all were requested.
    pub clients: Vec<ProbedClient>,
    /// The requested fleets; `None` where single clients were requested, and otherwise `clients` is empty.
    pub fleets: Option<Vec<FleetResult>>,
    /// Whether `clients` are all that were requested. They are not when all clients of the broker were, and its list could
    /// not be read to the end.
    pub is_complete: bool,
    /// Which of the requested groups of [`Group::REMEMBERED`] had something to ask, and whether all of it was answered.
    pub group_results: Vec<(Group, bool)>,
    /// Why the probe did not succeed.
    pub failures: Failures,
    /// The requests to the broker.
    pub requests: RequestStats,
    /// The connections to the broker.
    pub connections: ConnectionStats,
    /// When the probe began, by this machine's clock.
    pub started_at: Timestamp,
    /// How long the probe might take.
    pub timeout: Duration,
    /// How long it took.
    pub duration: Duration,
}

impl Outcome {
    /// Returns the outcome of a probe that found these clients, in no time and with nothing else to tell.
    #[must_use]
    pub fn new(broker: &str, groups: Groups, clients: Vec<ProbedClient>) -> Self {
        Self {
            broker: broker.to_owned(),
            groups,
            clients,
            fleets: None,
            is_complete: true,
            group_results: Vec::new(),
            failures: Failures::default(),
            requests: RequestStats::default(),
            connections: ConnectionStats::default(),
            started_at: Timestamp::UNIX_EPOCH,
            timeout: Duration::ZERO,
            duration: Duration::ZERO,
        }
    }

    /// Returns whether every request was answered.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.failures.is_empty()
    }

    /// Returns whether everything was answered that belongs to a group of [`Group::REMEMBERED`]; `None` where it had nothing
    /// to ask.
    #[must_use]
    pub fn group_result(&self, group: Group) -> Option<bool> {
        self.group_results.iter().find(|(asked, _)| *asked == group).map(|(_, is_success)| *is_success)
    }

    /// Adds the fleets of another probe of the same broker, and why it did not succeed.
    pub fn add_fleets(&mut self, other: Self) {
        self.fleets = other.fleets;
        self.failures.add_all(other.failures);
    }

    /// Returns how many of the requested clients are in `state`.
    #[must_use]
    pub fn count(&self, state: ClientState) -> usize {
        self.clients.iter().filter(|client| client.status.state() == state).count()
    }

    /// Returns how many of the requested clients are in each state.
    #[must_use]
    pub fn by_state(&self) -> [(ClientState, usize); ClientState::ALL.len()] {
        let mut counts = [0; ClientState::ALL.len()];
        for client in &self.clients {
            counts[client.status.state() as usize] += 1;
        }
        ClientState::ALL.map(|state| (state, counts[state as usize]))
    }
}

/// A requested client and its status.
#[derive(Debug)]
pub struct ProbedClient {
    /// Which client it is.
    pub identity: ClientIdentity,
    /// Its status on the broker.
    pub status: ClientStatus,
    /// What the broker remembers of it, whatever its status; `None` where nothing was asked.
    pub memory: Option<Box<Memory>>,
}

/// Which client a status belongs to.
#[derive(Debug, Clone)]
pub enum ClientIdentity {
    /// A client of the configuration.
    Watched(Arc<WatchedClient>),
    /// A client of the broker, by its ID, because all of them were requested.
    Listed(Arc<str>),
}

impl ProbedClient {
    /// Returns a client of whose memory nothing was asked.
    #[must_use]
    pub fn new(identity: ClientIdentity, status: ClientStatus) -> Self {
        Self { identity, status, memory: None }
    }

    /// Returns the alias of the client; its ID where the configuration has none.
    #[must_use]
    pub fn alias(&self) -> &str {
        match &self.identity {
            ClientIdentity::Watched(watched) => &watched.alias,
            ClientIdentity::Listed(client_id) => client_id,
        }
    }

    /// Returns the MQTT client ID.
    #[must_use]
    pub fn client_id(&self) -> &str {
        match &self.identity {
            ClientIdentity::Watched(watched) => &watched.client_id,
            ClientIdentity::Listed(client_id) => client_id,
        }
    }

    /// Returns the labels of the client, if it is configured.
    #[must_use]
    pub fn labels(&self) -> Option<&Labels> {
        match &self.identity {
            ClientIdentity::Watched(watched) => Some(&watched.labels),
            ClientIdentity::Listed(_) => None,
        }
    }

    /// Returns how long the client may be away, if it is configured.
    #[must_use]
    pub fn offline_after(&self) -> Option<Duration> {
        match &self.identity {
            ClientIdentity::Watched(watched) => Some(watched.offline_after),
            ClientIdentity::Listed(_) => None,
        }
    }

    /// Returns when the newest of the client's signs of life was published, by the clock of the broker.
    #[must_use]
    pub fn last_seen(&self) -> Option<Timestamp> {
        self.memory.as_ref()?.seen.fact()
    }

    /// Returns whether its client ID is banned; `None` where that is not known.
    #[must_use]
    pub fn is_banned(&self) -> Option<bool> {
        self.memory.as_ref()?.ban.is_there()
    }

    /// Returns when the ban on its client ID ends, if there is one.
    #[must_use]
    pub fn ban_end(&self) -> Option<BanEnd> {
        self.memory.as_ref()?.ban.fact()
    }

    /// Returns the subscriptions that it must have, and whether it has them; none where that is not known.
    #[must_use]
    pub fn expected_subscriptions(&self) -> &[ExpectedSubscription] {
        self.memory.as_deref().map_or(&[], |memory| &memory.subscriptions)
    }
}

/// The status of a client on its broker.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientStatus {
    /// It is connected, or the broker holds its session.
    Known(Client),
    /// The broker does not know it.
    Absent,
    /// The query failed, so its state is unknown.
    Unknown,
}

impl ClientStatus {
    /// Returns the state of the client.
    #[must_use]
    pub fn state(&self) -> ClientState {
        match self {
            Self::Known(client) if client.connected => ClientState::Connected,
            Self::Known(_) => ClientState::Disconnected,
            Self::Absent => ClientState::Absent,
            Self::Unknown => ClientState::Unknown,
        }
    }

    /// Returns the broker's description of the client, if there is one.
    #[must_use]
    pub fn client(&self) -> Option<&Client> {
        match self {
            Self::Known(client) => Some(client),
            Self::Absent | Self::Unknown => None,
        }
    }
}

closed_set! {
    /// What is known about whether a client is connected.
    pub enum ClientState {
        /// The client is connected.
        Connected = "connected",
        /// The client is away, and the broker holds its session.
        Disconnected = "disconnected",
        /// The broker does not know the client.
        Absent = "absent",
        /// The query for the client failed.
        Unknown = "unknown",
    }
}

closed_set! {
    /// Why a probe failed: the metric label, the log field and the word in every message.
    pub enum FailureReason {
        /// A secret or a TLS file could not be read.
        Config = "config",
        /// The broker's host name could not be resolved.
        Dns = "dns",
        /// No TCP connection could be made.
        Connect = "connect",
        /// The TLS handshake failed.
        Tls = "tls",
        /// No complete response came in time.
        Timeout = "timeout",
        /// The broker refused the credentials (401).
        Unauthorized = "unauthorized",
        /// The broker refused the request to these credentials (403).
        Forbidden = "forbidden",
        /// The broker answered with any other unexpected HTTP status.
        HttpStatus = "http_status",
        /// The HTTP was malformed, or the connection was lost.
        Protocol = "protocol",
        /// A complete response was not what EMQX sends.
        Decode = "decode",
        /// A response was larger than any that EMQX sends.
        TooLarge = "too_large",
    }
}

/// One kind of failure that no retry mended.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Its reason.
    pub reason: FailureReason,
    /// The whole chain of causes in one line, without secrets.
    pub text: String,
    /// How many clients are unknown because of it; 0 when it leaves none unknown, or the number is not known.
    pub clients: usize,
}

/// All failures of a probe. Those of the same reason and text are one.
#[derive(Debug, Default)]
pub struct Failures {
    listed: Vec<Failure>,
    reasons: Vec<FailureReason>,
}

impl Failures {
    /// Adds a failure that leaves `clients` unknown.
    pub fn add(&mut self, reason: FailureReason, text: &str, clients: usize) {
        if !self.has(reason) {
            self.reasons.push(reason);
            self.reasons.sort_unstable();
        }
        let same = self.listed.iter_mut().find(|failure| failure.reason == reason && failure.text == text);
        if let Some(failure) = same {
            failure.clients += clients;
        } else if self.listed.len() < MAX_FAILURE_TEXTS {
            self.listed.push(Failure { reason, text: text.to_owned(), clients });
        }
    }

    /// Adds the failures of another probe.
    pub fn add_all(&mut self, other: Self) {
        for failure in &other.listed {
            self.add(failure.reason, &failure.text, failure.clients);
        }
        for reason in other.reasons.into_iter().filter(|reason| !self.has(*reason)).collect::<Vec<_>>() {
            self.reasons.push(reason);
        }
        self.reasons.sort_unstable();
    }

    /// Returns whether there is no failure.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.reasons.is_empty()
    }

    /// Returns whether there is a failure with this reason.
    #[must_use]
    pub fn has(&self, reason: FailureReason) -> bool {
        self.reasons.contains(&reason)
    }

    /// Returns the reasons, each once, in the order of [`FailureReason::ALL`].
    #[must_use]
    pub fn reasons(&self) -> &[FailureReason] {
        &self.reasons
    }

    /// Returns the first few distinct failures with their texts.
    #[must_use]
    pub fn listed(&self) -> &[Failure] {
        &self.listed
    }
}

/// The requests of a probe: how many, what they cost, and why they were chosen.
#[derive(Debug, Clone, Default)]
pub struct RequestStats {
    /// Requests sent to the broker, or tried to, retries included.
    pub sent: u64,
    /// How many of these were retries.
    pub retries: u64,
    /// Bytes of the response bodies.
    pub response_bytes: u64,
    /// Whether the broker responded to any request.
    pub answered: bool,
    /// Status of the last response that was an error.
    pub last_error_status: Option<u16>,
    /// How the requests were chosen, and why, a sentence each; the first few.
    pub decisions: Vec<String>,
    /// The first few hundred requests, in the order in which they ended, and failed ones instead of others where they are
    /// more. Those that had not ended with the probe come last.
    pub records: Vec<RequestRecord>,
    /// Status and duration of every request; no status where no response began.
    pub timings: Vec<(Option<u16>, Duration)>,
}

impl RequestStats {
    /// Returns the status of the last response that was an error, else 200; 0 when there was no response.
    #[must_use]
    pub fn http_status(&self) -> u16 {
        match self.last_error_status {
            Some(status) => status,
            None if self.answered => 200,
            None => 0,
        }
    }
}

/// One request of a probe.
#[derive(Debug, Clone)]
pub struct RequestRecord {
    /// Path and query below the base of the API.
    pub target: String,
    /// Status of the response, if one began.
    pub status: Option<u16>,
    /// Bytes of the response body.
    pub body_bytes: u64,
    /// How long it took, or was waited for.
    pub duration: Duration,
    /// Why it failed.
    pub error: Option<String>,
}
