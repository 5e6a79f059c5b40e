//! Why a request to EMQX brought no answer.

use std::error::Error;

type Source = Box<dyn Error + Send + Sync>;

/// Why a request brought no answer. One sentence each, which never holds a secret or text of the broker's own:
/// a confused server may echo what it was sent.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// The host name has no address.
    #[error("cannot resolve {host}")]
    Dns {
        /// The host of the broker's URL.
        host: String,
        /// What the resolver said.
        source: Source,
    },
    /// No connection could be made.
    #[error("cannot connect to {address}")]
    Connect {
        /// Host and port of the broker's URL.
        address: String,
        /// What the operating system said.
        source: Source,
    },
    /// There was a connection, but TLS could not be agreed on.
    #[error("no TLS with {address}")]
    Tls {
        /// Host and port of the broker's URL.
        address: String,
        /// What the TLS library said.
        source: Source,
    },
    /// The broker took the request and did not answer in time.
    #[error("no complete answer in time")]
    Timeout,
    /// The broker answered, but not with an answer.
    #[error("answered with HTTP status {status}{}", code.as_deref().map(|code| format!(" ({code})")).unwrap_or_default())]
    Status {
        /// The HTTP status.
        status: u16,
        /// EMQX's own name of the error, such as `BAD_API_KEY_OR_SECRET`.
        code: Option<String>,
    },
    /// The connection broke, or what came over it was not HTTP.
    #[error("{what}")]
    Protocol {
        /// What happened.
        what: String,
        /// What the HTTP library said.
        source: Option<Source>,
    },
    /// The whole answer came, and it is not what EMQX says.
    #[error("an answer that EMQX does not give: {what}")]
    Decode {
        /// What is wrong with it.
        what: String,
    },
    /// The list has more rows than were requested.
    #[error("unexpected response from EMQX: a page of more than the {limit} requested rows")]
    TooManyRows {
        /// The number of rows requested.
        limit: usize,
    },
    /// The answer is larger than any EMQX gives.
    #[error("the answer is larger than {limit} bytes")]
    TooLarge {
        /// The most that is read.
        limit: usize,
    },
}

/// What a failed request says about asking again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The same request may well succeed when it is repeated.
    SameRequest,
    /// Repeating it would bring the same.
    Never,
    /// Nobody could be asked now, whoever it is; that may pass.
    Broker,
    /// Nobody can be asked with these credentials.
    Abort,
}

impl RequestError {
    /// An answer that is not what EMQX says.
    pub(crate) fn decode(what: impl Into<String>) -> Self {
        Self::Decode { what: what.into() }
    }

    /// What it says about asking again, this client or another.
    #[must_use]
    pub fn consequence(&self) -> Retry {
        match self {
            Self::Dns { .. } | Self::Connect { .. } | Self::Tls { .. } => Retry::Broker,
            Self::Status { status: 401 | 403, .. } => Retry::Abort,
            Self::Status { status: 408 | 429 | 500..=599, .. } | Self::Timeout | Self::Protocol { .. } => {
                Retry::SameRequest
            }
            Self::Status { .. } | Self::Decode { .. } | Self::TooManyRows { .. } | Self::TooLarge { .. } => {
                Retry::Never
            }
        }
    }
}
