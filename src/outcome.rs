//! What a probe found out: the state of each client it asked for, why it does not know the others, and what the
//! asking cost. The series of the probe, the logs and the table of `--check` are all told from it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::client::{Client, Groups, WatchedClient};

/// How many requests are told one by one.
const MAX_REQUESTS_TOLD: usize = 200;

/// How many decisions are told.
const MAX_DECISIONS_TOLD: usize = 20;

/// How many failures keep their text. The reasons of the others are still counted.
const MAX_FAILURES_TOLD: usize = 8;

/// What a probe of one broker found out.
#[derive(Debug)]
pub struct Outcome {
    /// Alias of the broker.
    pub broker: String,
    /// What was asked of each client.
    pub groups: Groups,
    /// What was found out about each asked-for client, in the order of the configuration.
    pub clients: Vec<ProbedClient>,
    /// Whether `clients` are all that were asked for. They are not when the broker's whole list was, and could not
    /// be read to its end.
    pub is_complete: bool,
    /// Why something could not be found out.
    pub failures: Failures,
    /// What the asking cost.
    pub requests: RequestStats,
    /// How long the probe was allowed to take.
    pub timeout: Duration,
    /// How long it took.
    pub duration: Duration,
}

impl Outcome {
    /// Whether every question was answered.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.failures.is_empty()
    }

    /// How many of the asked-for clients are in `state`.
    #[must_use]
    pub fn count(&self, state: ClientState) -> usize {
        self.clients.iter().filter(|told| told.status.state() == state).count()
    }

    /// How many of the asked-for clients are in each state.
    #[must_use]
    pub fn by_state(&self) -> [(ClientState, usize); ClientState::ALL.len()] {
        let mut counts = [0; ClientState::ALL.len()];
        for told in &self.clients {
            counts[told.status.state() as usize] += 1;
        }
        ClientState::ALL.map(|state| (state, counts[state as usize]))
    }
}

/// What was found out about one client.
#[derive(Debug)]
pub struct ProbedClient {
    /// Whom it is about.
    pub identity: ClientIdentity,
    /// What was found out.
    pub status: ClientStatus,
}

/// Whom something was found out about.
#[derive(Debug, Clone)]
pub enum ClientIdentity {
    /// A client of the configuration.
    Watched(Arc<WatchedClient>),
    /// A client, by its ID, that the broker told of because all of its clients were asked for.
    Listed(Arc<str>),
}

impl ProbedClient {
    /// What people call the client; its ID where the configuration has no name for it.
    #[must_use]
    pub fn alias(&self) -> &str {
        match &self.identity {
            ClientIdentity::Watched(watched) => &watched.alias,
            ClientIdentity::Listed(client_id) => client_id,
        }
    }

    /// The MQTT client ID.
    #[must_use]
    pub fn client_id(&self) -> &str {
        match &self.identity {
            ClientIdentity::Watched(watched) => &watched.client_id,
            ClientIdentity::Listed(client_id) => client_id,
        }
    }

    /// How long the client may be away, if the configuration knows it.
    #[must_use]
    pub fn offline_after(&self) -> Option<Duration> {
        match &self.identity {
            ClientIdentity::Watched(watched) => Some(watched.offline_after),
            ClientIdentity::Listed(_) => None,
        }
    }
}

/// What was found out about a client.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientStatus {
    /// The broker knows it: it is connected, or its session is held.
    Known(Client),
    /// The broker does not know it.
    Absent,
    /// It could not be asked. Nothing may be claimed about it.
    Unknown,
}

impl ClientStatus {
    /// The state this amounts to.
    #[must_use]
    pub fn state(&self) -> ClientState {
        match self {
            Self::Known(client) if client.connected => ClientState::Connected,
            Self::Known(_) => ClientState::Disconnected,
            Self::Absent => ClientState::Absent,
            Self::Unknown => ClientState::Unknown,
        }
    }

    /// The broker's description of the client, if it gave one.
    #[must_use]
    pub fn client(&self) -> Option<&Client> {
        match self {
            Self::Known(client) => Some(client),
            Self::Absent | Self::Unknown => None,
        }
    }
}

/// The four honest states of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientState {
    /// It is connected.
    Connected,
    /// It is away and the broker holds its session.
    Disconnected,
    /// The broker does not know it.
    Absent,
    /// It could not be asked.
    Unknown,
}

impl ClientState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Connected, Self::Disconnected, Self::Absent, Self::Unknown];

    /// Its name as a label value.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Disconnected => "disconnected",
            Self::Absent => "absent",
            Self::Unknown => "unknown",
        }
    }
}

/// Why something could not be found out: a closed set, which is the metric's label, the log's field and the word
/// people read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailureReason {
    /// A secret or a TLS file could not be read.
    Config,
    /// The broker's name could not be resolved.
    Dns,
    /// No connection could be made.
    Connect,
    /// TLS could not be agreed on.
    Tls,
    /// No answer came in time.
    Timeout,
    /// The broker does not accept the credentials (401).
    Unauthorized,
    /// The broker does not allow these credentials to ask (403).
    Forbidden,
    /// Any other HTTP status that is no answer.
    HttpStatus,
    /// Broken HTTP, or a connection that was lost.
    Protocol,
    /// A whole answer that is not what EMQX says.
    Decode,
    /// An answer larger than any EMQX gives.
    TooLarge,
}

impl FailureReason {
    /// Every reason.
    pub const ALL: [Self; 11] = [
        Self::Config,
        Self::Dns,
        Self::Connect,
        Self::Tls,
        Self::Timeout,
        Self::Unauthorized,
        Self::Forbidden,
        Self::HttpStatus,
        Self::Protocol,
        Self::Decode,
        Self::TooLarge,
    ];

    /// Its name as a label value.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Unauthorized => "unauthorized",
            Self::Forbidden => "forbidden",
            Self::HttpStatus => "http_status",
            Self::Protocol => "protocol",
            Self::Decode => "decode",
            Self::TooLarge => "too_large",
        }
    }
}

impl Serialize for ClientState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl Serialize for FailureReason {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl fmt::Display for FailureReason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// One thing that went wrong and could not be mended by asking again.
#[derive(Debug, Clone)]
pub struct Failure {
    /// Its kind.
    pub reason: FailureReason,
    /// The whole chain of causes in one line, without secrets.
    pub text: String,
    /// How many clients are unknown because of it; 0 when nobody was asked for.
    pub clients: usize,
}

/// All that went wrong. Failures of the same kind and text are told once.
#[derive(Debug, Default)]
pub struct Failures {
    told: Vec<Failure>,
    reasons: Vec<FailureReason>,
}

impl Failures {
    /// Adds a failure that leaves `clients` unknown.
    pub fn add(&mut self, reason: FailureReason, text: &str, clients: usize) {
        if !self.has(reason) {
            self.reasons.push(reason);
            self.reasons.sort_unstable();
        }
        let same = self.told.iter_mut().find(|failure| failure.reason == reason && failure.text == text);
        if let Some(failure) = same {
            failure.clients += clients;
        } else if self.told.len() < MAX_FAILURES_TOLD {
            self.told.push(Failure { reason, text: text.to_owned(), clients });
        }
    }

    /// Whether nothing went wrong.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.reasons.is_empty()
    }

    /// Whether something went wrong for this reason.
    #[must_use]
    pub fn has(&self, reason: FailureReason) -> bool {
        self.reasons.contains(&reason)
    }

    /// The reasons, each once.
    #[must_use]
    pub fn reasons(&self) -> &[FailureReason] {
        &self.reasons
    }

    /// The first few failures with their texts.
    #[must_use]
    pub fn told(&self) -> &[Failure] {
        &self.told
    }
}

/// What the asking cost, and how it went.
#[derive(Debug, Clone, Default)]
pub struct RequestStats {
    /// Requests sent to the broker, or tried to, repeated ones included.
    pub sent: u64,
    /// How many of these repeated an earlier one.
    pub retries: u64,
    /// Bytes of the bodies the broker answered with.
    pub response_bytes: u64,
    /// Whether the broker answered at all.
    pub answered: bool,
    /// Status of the last answer that was an error.
    pub last_error_status: Option<u16>,
    /// What was decided on the way, and why, a sentence each.
    pub decisions: Vec<String>,
    /// The first requests that came to an end, in the order they did.
    pub records: Vec<RequestRecord>,
    /// Status and duration of every request that came to an end; no status where no answer began to come.
    pub timings: Vec<(Option<u16>, Duration)>,
}

/// A request that came to an end.
#[derive(Debug, Clone)]
pub struct RequestRecord {
    /// What was asked for, below the base of the API.
    pub target: String,
    /// Status of the answer, if one began to come.
    pub status: Option<u16>,
    /// Bytes of the answer's body.
    pub body_bytes: u64,
    /// How long it took.
    pub duration: Duration,
    /// What was wrong with it.
    pub error: Option<String>,
}

impl RequestStats {
    /// Takes an ended request in.
    pub fn note(&mut self, request: RequestRecord, is_error_status: bool) {
        self.response_bytes += request.body_bytes;
        self.timings.push((request.status, request.duration));
        if let Some(status) = request.status {
            self.answered = true;
            if is_error_status {
                self.last_error_status = Some(status);
            }
        }
        if self.records.len() < MAX_REQUESTS_TOLD {
            self.records.push(request);
        }
    }

    /// Takes in what was decided, and why.
    pub fn decide(&mut self, what: impl Into<String>) {
        if self.decisions.len() < MAX_DECISIONS_TOLD {
            self.decisions.push(what.into());
        }
    }

    /// Adds what another part of the same probe cost.
    pub fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.retries += other.retries;
        self.response_bytes += other.response_bytes;
        self.answered |= other.answered;
        self.last_error_status = other.last_error_status.or(self.last_error_status);
        self.decisions.extend(other.decisions);
        self.records.extend(other.records);
        self.timings.extend(other.timings);
        self.decisions.truncate(MAX_DECISIONS_TOLD);
        self.records.truncate(MAX_REQUESTS_TOLD);
    }

    /// Status of the last answer that was an error, else 200; 0 when there was no answer.
    #[must_use]
    pub fn http_status(&self) -> u16 {
        match self.last_error_status {
            Some(status) => status,
            None if self.answered => 200,
            None => 0,
        }
    }
}
