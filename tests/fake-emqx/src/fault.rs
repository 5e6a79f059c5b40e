//! Faults that a fake broker injects, and the requests they apply to.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::recorded::{self, Version};
use crate::request::Request;
use crate::routes::NOT_FOUND_PAGE;

/// Requests or connections that a fault applies to.
#[derive(Clone)]
pub enum When {
    /// Every request.
    Any,
    /// Every accepted connection, before anything is read from it; with TLS, before the handshake.
    Connect,
    /// Lookups of this client.
    Lookup(String),
    /// Every lookup.
    Lookups,
    /// Every list request.
    List,
    /// List requests for this page; without the parameter it is page 1.
    Page(u64),
    /// Requests for retained messages, with or without `topic=`.
    Retained,
    /// Requests for the settings of the retainer.
    Retainer,
    /// Requests for bans, with or without `clientid=`.
    Bans,
    /// Requests for subscriptions of any client.
    Subscriptions,
    /// Requests for which this returns true.
    Matching(Arc<dyn Fn(&Request) -> bool + Send + Sync>),
}

impl When {
    /// Lookups of these clients.
    #[must_use]
    pub fn lookups_of(ids: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let ids: Vec<String> = ids.into_iter().map(Into::into).collect();
        Self::matching(move |request| request.client_id().is_some_and(|id| ids.contains(&id)))
    }

    /// Requests for which `matches` returns true.
    #[must_use]
    pub fn matching(matches: impl Fn(&Request) -> bool + Send + Sync + 'static) -> Self {
        Self::Matching(Arc::new(matches))
    }

    /// Returns whether it matches this request, or a new connection where there is no request.
    pub(crate) fn matches(&self, request: Option<&Request>) -> bool {
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
                let requested = request.parameter("page").pop().unwrap_or_else(|| "1".into());
                request.is_list() && requested.parse() == Ok(*page)
            }
            Self::Retained => request.is_retained_list(),
            Self::Retainer => request.is_retainer(),
            Self::Bans => request.is_ban_list(),
            Self::Subscriptions => request.subscriptions_of().is_some(),
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
            Self::Retained => f.write_str("Retained"),
            Self::Retainer => f.write_str("Retainer"),
            Self::Bans => f.write_str("Bans"),
            Self::Subscriptions => f.write_str("Subscriptions"),
            Self::Matching(_) => f.write_str("Matching(..)"),
        }
    }
}

/// How a body ends too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Fewer bytes than the content length says.
    Length,
    /// The connection closes within a chunk.
    WithinChunk,
    /// Every chunk is complete, but the last one (of length 0) is missing.
    BeforeLastChunk,
    /// No length: the end of the connection is the end of the body.
    Unframed,
}

/// Whether bytes that belong to no request come in the packet of the response or in one of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet {
    /// In one packet with the response.
    Same,
    /// In a packet of their own, about 20 ms apart.
    Own,
}

/// An unusual but valid head of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OddHead {
    /// The content length twice, with equal values.
    TwoLengths,
    /// A header folded over two lines (obsolete since RFC 7230).
    FoldedHeader,
    /// This many headers besides the usual ones.
    ManyHeaders(usize),
}

/// A fault. The healthy response is the one that the broker would send without it.
#[derive(Clone, Debug)]
pub enum Fault {
    /// No fault: the healthy response. Before another fault it lets some requests through.
    Healthy,
    /// The healthy response, this much later.
    Slow(Duration),
    /// This well-formed response instead. The content length is added.
    Response {
        /// The status.
        status: u16,
        /// Names and values.
        headers: Arc<[(String, String)]>,
        /// The body.
        body: Arc<[u8]>,
    },
    /// No response. The connection stays open until the client closes it.
    Silent,
    /// The healthy response, its head one byte at a time at this interval.
    TrickleHead(Duration),
    /// The healthy response, its body one byte at a time at this interval.
    TrickleBody(Duration),
    /// Half of the healthy body, then the connection closes.
    CutBody(Cut),
    /// The head of the healthy response, then a reset.
    ResetAfterHead,
    /// A reset instead of a response.
    Reset,
    /// The connection closes instead of a response.
    CloseBeforeResponse,
    /// The healthy response; this much later the connection closes unannounced.
    CloseAfterResponse(Duration),
    /// The healthy response; the connection closes instead of a response to its next request.
    CloseAtNextRequest,
    /// These bytes, then the connection closes.
    Raw(Arc<[u8]>),
    /// A 200 with an endless body.
    EndlessBody,
    /// The healthy response without a length; its body ends with the connection.
    Unframed,
    /// Interim responses, then the healthy response.
    Interim {
        /// The status, 100 to 199.
        status: u16,
        /// The number of interim responses.
        count: usize,
        /// Where they are sent.
        packet: Packet,
    },
    /// The healthy response, then a recorded 404 `CLIENTID_NOT_FOUND` that belongs to no request.
    StrayResponse(Packet),
    /// The healthy response with an unusual head.
    OddHead(OddHead),
    /// The healthy response to the path with `%2F` decoded, as by a proxy that normalizes URLs.
    DecodedSlashes,
    /// A list page of invalid rows that claims that more pages follow.
    Rows {
        /// The text of each row.
        row: Arc<str>,
        /// The number of rows, whatever `limit` says.
        count: usize,
    },
}

impl Fault {
    /// A well-formed response with this status.
    #[must_use]
    pub fn status(status: u16, content_type: &str, body: impl AsRef<[u8]>) -> Self {
        Self::response(status, &[("content-type", content_type)], body)
    }

    /// A well-formed response with these headers. The content length is added.
    #[must_use]
    pub fn response(status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Self {
        let headers = headers.iter().map(|&(name, value)| (name.into(), value.into())).collect();
        Self::Response { status, headers, body: body.as_ref().into() }
    }

    /// A 200 of JSON type with this body.
    #[must_use]
    pub fn body(body: impl AsRef<[u8]>) -> Self {
        Self::status(200, "application/json", body)
    }

    /// A 200 of JSON type with this `Content-Encoding`. The body is sent as it is.
    #[must_use]
    pub fn encoded(encoding: &str, body: impl AsRef<[u8]>) -> Self {
        Self::response(200, &[("content-encoding", encoding), ("content-type", "application/json")], body)
    }

    /// A response with `Retry-After`, which is a number of seconds or a date.
    #[must_use]
    pub fn retry_after(status: u16, when: &str) -> Self {
        Self::response(status, &[("content-type", "text/plain"), ("retry-after", when)], "busy")
    }

    /// The recorded 404 of a client that the broker does not know. During a takeover a broker sends it for a moment.
    #[must_use]
    pub fn client_not_found() -> Self {
        Self::status(404, "application/json", recorded::body(Version::V5_8_9, "14-client-missing"))
    }

    /// The recorded 403 of a key whose scopes do not include the endpoint.
    #[must_use]
    pub fn refused_by_scope() -> Self {
        Self::status(403, "application/json", recorded::body(Version::V6_2_2, "340-retained-scope-monitoring"))
    }

    /// The recorded 403 of a key of a namespace, which may not read retained messages.
    #[must_use]
    pub fn refused_by_namespace() -> Self {
        Self::status(403, "application/json", recorded::body(Version::V6_2_2, "381-retained-namespaced-key"))
    }

    /// A list page with this many rows of this text, which claims that more pages follow.
    #[must_use]
    pub fn rows(row: &str, count: usize) -> Self {
        Self::Rows { row: row.into(), count }
    }

    /// A 301 to this location.
    #[must_use]
    pub fn moved(location: &str) -> Self {
        Self::response(301, &[("location", location)], b"")
    }

    /// A 302 to this location.
    #[must_use]
    pub fn redirect(location: &str) -> Self {
        Self::response(302, &[("location", location)], b"")
    }

    /// The HTML 404 that a booting broker sends for every path.
    #[must_use]
    pub fn booting_html_404() -> Self {
        Self::response(404, &[("content-type", "text/html"), ("server", "Cowboy")], NOT_FOUND_PAGE)
    }

    /// The recorded 500 of a list request while a node of the cluster hangs. A real broker sends it after 50 s.
    #[must_use]
    pub fn node_down() -> Self {
        Self::status(500, "application/json", recorded::body(Version::V5_8_9, "hung-parallel-list"))
    }

    /// These bytes, then the connection closes.
    #[must_use]
    pub fn raw(bytes: impl AsRef<[u8]>) -> Self {
        Self::Raw(bytes.as_ref().into())
    }

    /// This fault for this many requests.
    #[must_use]
    pub fn times(self, times: usize) -> FaultPlan {
        FaultPlan { fault: self, left: Left::Requests(times) }
    }

    /// This fault for the first requests to each target: each client, each page.
    #[must_use]
    pub fn times_each(self, times: usize) -> FaultPlan {
        FaultPlan { fault: self, left: Left::RequestsOfEach(times, HashMap::new()) }
    }
}

/// A fault and how often it happens: always, unless made with [`Fault::times`] or [`Fault::times_each`].
#[derive(Clone, Debug)]
pub struct FaultPlan {
    fault: Fault,
    left: Left,
}

/// How often a fault still happens.
#[derive(Clone, Debug)]
enum Left {
    Always,
    Requests(usize),
    RequestsOfEach(usize, HashMap<String, usize>),
}

impl FaultPlan {
    /// Counts a request, or a new connection where there is none. Returns the fault unless it is used up.
    pub(crate) fn take(&mut self, request: Option<&Request>) -> Option<Fault> {
        let left = match &mut self.left {
            Left::Always => return Some(self.fault.clone()),
            Left::Requests(left) => left,
            Left::RequestsOfEach(times, targets) => {
                let target = request.map_or("", |request| &request.target);
                targets.entry(target.into()).or_insert(*times)
            }
        };
        *left = left.checked_sub(1)?;
        Some(self.fault.clone())
    }
}

impl From<Fault> for FaultPlan {
    fn from(fault: Fault) -> Self {
        Self { fault, left: Left::Always }
    }
}
