//! The kinds of requests of a probe, and what the scheduler needs to know of each.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::memory::{MemoryAnswer, MemoryRequest};
use crate::client::{Groups, WatchedClient};
use crate::emqx::wire::{ClientRow, Page};
use crate::emqx::{EmqxApi, Filtered, ListDialect, ListQuery, RequestLimits, Response};

/// Maximum body of a response about one client, in bytes. A client is about 1 kB; its user name may have 64 kB.
const MAX_CLIENT_BYTES: usize = 1024 * 1024;

/// Maximum body of a page, in bytes. 10 000 clients with all their fields are 12 MB.
const MAX_PAGE_BYTES: usize = 64 * 1024 * 1024;

/// A request to the broker.
#[derive(Debug, Clone)]
pub(super) enum Request {
    /// A keyed read of one client, the one at this index of the requested clients.
    Lookup(usize, Arc<WatchedClient>),
    /// The list filtered by one client's ID.
    Filter(usize, Arc<WatchedClient>),
    /// The number of clients, to choose between lookups and the list, if the broker says it until then.
    Count(Instant),
    /// Any client, to see whether the broker responds at all.
    Health,
    /// A page of the list.
    Page(PageRequest),
    /// Something that the broker remembers of watched clients.
    Memory(MemoryRequest),
}

/// A request for a page of the list.
#[derive(Debug, Clone)]
pub(super) struct PageRequest {
    /// Which walk of the plan it belongs to; 0 where there is only one.
    pub(super) walk: usize,
    /// The number of the page, the first being 1.
    pub(super) number: u64,
    /// How this version of EMQX expects the request.
    pub(super) dialect: ListDialect,
    /// What is requested.
    pub(super) query: ListQuery,
    /// When the page must have been read.
    pub(super) until: Instant,
    /// Whether a failed page is requested again; not where lookups take over.
    pub(super) is_retried: bool,
}

/// What the broker answered.
#[derive(Debug)]
pub(super) enum Answer {
    /// To a lookup: the client, if the broker knows it.
    Client(Option<ClientRow>),
    /// To a filter.
    Filtered(Filtered),
    /// To a count, or a health check: the number of clients, if the broker counts.
    Count(Option<u64>),
    /// To a page.
    Page(Page),
    /// To a request for something that the broker remembers.
    Memory(MemoryAnswer),
}

/// Which requests come first: all that are ready or due of an earlier rank are sent before any of a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// The state of clients.
    State,
    /// What the broker remembers of them.
    Memory,
    /// What may take the broker long, whatever is asked.
    Last,
}

impl Rank {
    /// All ranks, the first first.
    pub(super) const ALL: [Self; 3] = [Self::State, Self::Memory, Self::Last];

    /// The number of ranks.
    pub(super) const COUNT: usize = Self::ALL.len();
}

/// How the scheduler treats a kind of request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Policy {
    /// The limits of each attempt.
    pub(super) limits: RequestLimits,
    /// When it is sent, beside others.
    pub(super) rank: Rank,
    /// Which failures that may pass are retried.
    pub(super) retries: Retries,
    /// Whether it is a keyed read. Only these say what is slow for this broker, and may stall.
    pub(super) is_keyed: bool,
    /// Whether a 401 or 403 shows that nothing can be asked of this broker, and ends the probe. Other kinds of requests may
    /// be refused to an API key that may look clients up.
    pub(super) ends_probe_if_refused: bool,
}

/// Which failures that may pass are retried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retries {
    /// All of them.
    All,
    /// All but time-outs.
    NoTimeouts,
    /// None.
    Nothing,
}

impl Request {
    /// Returns how this kind of request is treated; `request_timeout` is that of the configuration.
    pub(super) fn policy(&self, request_timeout: Duration) -> Policy {
        let limits = RequestLimits { time: request_timeout, body: MAX_CLIENT_BYTES };
        let lookup = Policy {
            limits,
            rank: Rank::State,
            retries: Retries::All,
            is_keyed: true,
            ends_probe_if_refused: true,
        };
        match self {
            Self::Lookup(..) => lookup,
            Self::Filter(..) | Self::Health => Policy { is_keyed: false, ..lookup },
            Self::Count(until) => {
                let time = until.saturating_duration_since(Instant::now());
                let limits = RequestLimits { time, ..limits };
                Policy { limits, retries: Retries::Nothing, is_keyed: false, ..lookup }
            }
            Self::Page(page) => {
                let time = page.until.saturating_duration_since(Instant::now());
                let limits = RequestLimits { time, body: MAX_PAGE_BYTES };
                // A page costs the broker far more than it costs us to wait for it.
                let retries = if page.is_retried { Retries::NoTimeouts } else { Retries::Nothing };
                Policy { limits, retries, is_keyed: false, ..lookup }
            }
            Self::Memory(request) => request.policy(request_timeout),
        }
    }

    /// Returns the path and query that it asks for, below the base of the API.
    pub(super) fn target(&self) -> String {
        match self {
            Self::Lookup(_, client) => EmqxApi::lookup_target(&client.client_id),
            Self::Filter(_, client) => EmqxApi::filter_target(&client.client_id),
            Self::Count(_) | Self::Health => EmqxApi::COUNT_TARGET.to_owned(),
            Self::Page(page) => page.dialect.target(page.number, &page.query),
            Self::Memory(request) => request.target(),
        }
    }

    /// Sends it once.
    pub(super) async fn send(self, api: &EmqxApi, groups: Groups, limits: RequestLimits) -> Response<Answer> {
        match self {
            Self::Lookup(_, client) => api.lookup(&client.client_id, groups, limits).await.map(Answer::Client),
            Self::Filter(_, client) => {
                api.filter(&client.client_id, groups, limits).await.map(Answer::Filtered)
            }
            Self::Count(_) | Self::Health => api.count(limits).await.map(Answer::Count),
            Self::Page(page) => {
                api.page(page.number, page.dialect, &page.query, limits).await.map(Answer::Page)
            }
            Self::Memory(request) => request.send(api, limits).await.map(Answer::Memory),
        }
    }
}
