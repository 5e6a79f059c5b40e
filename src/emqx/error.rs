//! Why a request to EMQX failed.

use std::error::Error;
use std::time::Duration;

type Source = Box<dyn Error + Send + Sync>;

/// Why a request failed. One sentence each, which never holds a secret or text of the broker's own: a confused server
/// may echo what it was sent.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The host name has no address.
    #[error("cannot resolve {host}")]
    Dns {
        /// Host of the broker's URL.
        host: String,
        /// Error of the resolver.
        source: Source,
    },
    /// No TCP connection could be made.
    #[error("cannot connect to {address}")]
    Connect {
        /// Host and port of the broker's URL.
        address: String,
        /// Error of the operating system.
        source: Source,
    },
    /// The proxy to the broker refuses to open a connection.
    #[error("cannot connect to {address}")]
    ProxyRefused {
        /// Host and port of the broker's URL, and the proxy.
        address: String,
        /// What the proxy answered.
        source: Source,
    },
    /// The TCP connection was made, but the TLS handshake over it failed.
    #[error("TLS handshake with {address} failed")]
    Tls {
        /// Host and port of the broker's URL.
        address: String,
        /// Error of the TLS library.
        source: Source,
    },
    /// The request was sent, and no complete response came within its time limit.
    #[error("timed out waiting for the response")]
    Timeout,
    /// The response has an unexpected status.
    #[error(
        "HTTP status {status}{}{}",
        code.as_deref().map(|code| format!(" ({code})")).unwrap_or_default(),
        redirect.as_deref().map(redirect_hint).unwrap_or_default()
    )]
    Status {
        /// HTTP status.
        status: u16,
        /// EMQX's name of the error, such as `BAD_API_KEY_OR_SECRET`.
        code: Option<String>,
        /// Time to wait before the next attempt, where a 429 or 503 names one in seconds.
        retry_after: Option<Duration>,
        /// Address that a redirect leads to, in place of `api_url` where that is known.
        redirect: Option<String>,
    },
    /// The connection broke, or the response is not HTTP.
    #[error("{what}")]
    Protocol {
        /// What happened.
        what: String,
        /// Error of the HTTP library.
        source: Option<Source>,
    },
    /// The response is complete, but not one of EMQX's.
    #[error("unexpected response from EMQX: {what}")]
    Decode {
        /// What is wrong with it.
        what: String,
    },
    /// The list has more rows than were requested.
    #[error("unexpected response from EMQX: a page of more than the {limit} requested rows")]
    TooManyRows {
        /// Number of rows requested.
        limit: usize,
    },
    /// The list has more rows that are not clients than EMQX ever sends.
    #[error("unexpected response from EMQX: a list with more than {limit} rows that are no clients")]
    TooManyBadRows {
        /// Maximum number of such rows.
        limit: usize,
    },
    /// More retained messages match a topic filter than are read.
    #[error("more than {limit} retained messages match {filter}; no more are read")]
    TooManyMessages {
        /// The topic filter.
        filter: String,
        /// Maximum number of messages.
        limit: usize,
    },
    /// The response is larger than any of EMQX's.
    #[error("response exceeds {limit} bytes")]
    TooLarge {
        /// Maximum size in bytes.
        limit: usize,
    },
}

fn redirect_hint(address: &str) -> String {
    format!(": redirected to {address}; write the new address into `api_url`")
}

/// What may be retried after an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The same request may succeed when it is repeated.
    SameRequest,
    /// The same request would fail again.
    Never,
    /// No request reaches the broker at the moment.
    Broker,
    /// No request can succeed with these credentials.
    Abort,
}

impl RequestError {
    /// Returns the error for a response that is not one of EMQX's.
    pub(crate) fn decode(what: impl Into<String>) -> Self {
        Self::Decode { what: what.into() }
    }

    /// Returns how long the broker asks to wait before the next attempt, if it does.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Returns what may be retried after this error.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Dns { .. } | Self::Connect { .. } | Self::Tls { .. } => Retry::Broker,
            Self::Status { status: 401 | 403, .. } | Self::ProxyRefused { .. } => Retry::Abort,
            Self::Status { status: 408 | 429 | 500..=599, .. } | Self::Timeout | Self::Protocol { .. } => {
                Retry::SameRequest
            }
            Self::Status { .. }
            | Self::Decode { .. }
            | Self::TooManyRows { .. }
            | Self::TooManyBadRows { .. }
            | Self::TooManyMessages { .. }
            | Self::TooLarge { .. } => Retry::Never,
        }
    }
}
