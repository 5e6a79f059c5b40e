//! What can go wrong, and when.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::recorded::{self, Version};
use crate::request::Request;
use crate::routes::NOT_FOUND_PAGE;

/// Which requests a trouble is for.
#[derive(Clone)]
pub enum When {
    /// Every request.
    Any,
    /// Every connection, once it is accepted and before anything is read; with TLS, before the handshake.
    Connect,
    /// Lookups of this client.
    Lookup(String),
    /// Every lookup.
    Lookups,
    /// Every request of the list.
    List,
    /// This page of the list; without the parameter it is page 1.
    Page(u64),
    /// Whatever this says yes to.
    Matching(Arc<dyn Fn(&Request) -> bool + Send + Sync>),
}

impl When {
    /// Lookups of these clients.
    #[must_use]
    pub fn lookups_of(ids: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let ids: Vec<String> = ids.into_iter().map(Into::into).collect();
        Self::matching(move |request| request.client_id().is_some_and(|id| ids.contains(&id)))
    }

    /// Requests that `matches` says yes to.
    #[must_use]
    pub fn matching(matches: impl Fn(&Request) -> bool + Send + Sync + 'static) -> Self {
        Self::Matching(Arc::new(matches))
    }

    /// Whether it is for this request, or for a new connection.
    pub(crate) fn is_for(&self, request: Option<&Request>) -> bool {
        let Some(request) = request else {
            return matches!(self, Self::Connect);
        };
        match self {
            Self::Any => true,
            Self::Connect => false,
            Self::Lookup(id) => request.client_id().as_ref() == Some(id),
            Self::Lookups => request.client_id().is_some(),
            Self::List => request.is_list(),
            Self::Page(page) => {
                let asked = request.parameter("page").pop().unwrap_or_else(|| "1".into());
                request.is_list() && asked.parse() == Ok(*page)
            }
            Self::Matching(matches) => matches(request),
        }
    }
}

impl fmt::Debug for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("Any"),
            Self::Connect => f.write_str("Connect"),
            Self::Lookup(id) => write!(f, "Lookup({id})"),
            Self::Lookups => f.write_str("Lookups"),
            Self::List => f.write_str("List"),
            Self::Page(page) => write!(f, "Page({page})"),
            Self::Matching(_) => f.write_str("Matching(..)"),
        }
    }
}

/// How a body ends too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The content length promises more than is sent.
    Length,
    /// The connection ends within a chunk.
    WithinChunk,
    /// Every chunk is whole, but the last one (of length 0) never comes.
    BeforeLastChunk,
}

/// A kind of misbehaviour. The healthy answer is the one that would be given without it.
#[derive(Clone, Debug)]
pub enum Trouble {
    /// None: the healthy answer. Before another trouble it lets some requests through.
    Healthy,
    /// The healthy answer, so much later.
    Slow(Duration),
    /// This well-formed answer instead. The content length is added.
    Answer {
        /// The status.
        status: u16,
        /// Names and values.
        headers: Arc<[(String, String)]>,
        /// The body.
        body: Arc<[u8]>,
    },
    /// Never an answer; the connection stays until the other side ends it.
    Silent,
    /// The healthy answer, its head a byte at a time.
    TrickleHead(Duration),
    /// The healthy answer, its body a byte at a time.
    TrickleBody(Duration),
    /// Half of the healthy body, and the end of the connection.
    CutBody(Cut),
    /// The head of the healthy answer, then a reset.
    ResetAfterHead,
    /// A reset instead of an answer.
    Reset,
    /// The end of the connection instead of an answer.
    CloseBeforeAnswer,
    /// The healthy answer, and, so much later, the unannounced end of the connection.
    CloseAfterAnswer(Duration),
    /// The healthy answer, and the end of the connection instead of an answer to the next request over it.
    CloseAtNextRequest,
    /// These bytes as the whole answer, then the end of the connection.
    Raw(Arc<[u8]>),
    /// A 200 whose body never ends.
    EndlessBody,
}

impl Trouble {
    /// A well-formed answer of this status.
    #[must_use]
    pub fn status(status: u16, content_type: &str, body: impl AsRef<[u8]>) -> Self {
        Self::answer(status, &[("content-type", content_type)], body)
    }

    /// A well-formed answer with these headers; the content length is added.
    #[must_use]
    pub fn answer(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Self {
        let headers = headers.iter().map(|&(name, value)| (name.into(), value.into())).collect();
        Self::Answer { status, headers, body: body.as_ref().into() }
    }

    /// A 200 of JSON type with this body.
    #[must_use]
    pub fn body(body: impl AsRef<[u8]>) -> Self {
        Self::status(200, "application/json", body)
    }

    /// A 200 of JSON type that says its bytes are encoded so.
    #[must_use]
    pub fn encoded(encoding: &str, body: impl AsRef<[u8]>) -> Self {
        Self::answer(200, &[("content-encoding", encoding), ("content-type", "application/json")], body)
    }

    /// A 302 to elsewhere.
    #[must_use]
    pub fn redirect(location: &str) -> Self {
        Self::answer(302, &[("location", location)], b"")
    }

    /// The HTML 404 that a booting broker answers to every path.
    #[must_use]
    pub fn booting_html_404() -> Self {
        Self::answer(404, &[("content-type", "text/html"), ("server", "Cowboy")], NOT_FOUND_PAGE)
    }

    /// The recorded 500 of a list while a node of the cluster hangs (a real broker takes 50 s to say so).
    #[must_use]
    pub fn node_down() -> Self {
        Self::status(500, "application/json", recorded::body(Version::V5_8_9, "hung-parallel-list"))
    }

    /// These bytes as the whole answer.
    #[must_use]
    pub fn raw(bytes: impl AsRef<[u8]>) -> Self {
        Self::Raw(bytes.as_ref().into())
    }

    /// So many times only.
    #[must_use]
    pub fn times(self, times: usize) -> Plan {
        Plan { trouble: self, left: Some(times) }
    }
}

/// A trouble and how often it happens: for ever, unless made with [`Trouble::times`].
#[derive(Clone, Debug)]
pub struct Plan {
    pub(crate) trouble: Trouble,
    pub(crate) left: Option<usize>,
}

impl From<Trouble> for Plan {
    fn from(trouble: Trouble) -> Self {
        Self { trouble, left: None }
    }
}
