//! Client of one EMQX broker's REST API. Each request is bounded in time and size, and none is repeated.
//!
//! This module knows neither the configuration nor deadlines: `probe` decides which requests are sent, when, and how often.

mod error;
mod http;
mod list_query;
mod memory;
mod transport;
mod url;
pub mod wire;

use std::sync::Arc;
use std::time::Duration;

use ::url::Url;
use rustls::ClientConfig;
use secrecy::SecretString;
use tokio::task::spawn_blocking;

use crate::client::{Client, Groups};
use crate::connection_stats::ConnectionStats;
use http::{Http, RawResponse};
use wire::{ClientRow, ListApiLevel, Page};

pub use error::{RequestError, Retry};
pub use http::Exchange;
pub use list_query::{ListFilter, ListQuery};
pub use memory::BanPage;
pub use url::{Addressing, lookup_line_bytes, retained_line_bytes};

/// What is needed to reach a broker.
#[derive(Debug)]
pub struct Access {
    /// Base of the REST API; its path ends in `/api`.
    pub api_url: Url,
    /// The API key.
    pub api_key: SecretString,
    /// The secret of the API key.
    pub api_secret: SecretString,
    /// Further headers of each request.
    pub headers: Vec<(String, SecretString)>,
    /// The HTTP proxy to the broker.
    pub proxy: Option<ProxyAccess>,
    /// TLS and the name that the certificate must have, where that is not the URL's host; `None` for plain HTTP.
    pub tls: Option<(Arc<ClientConfig>, Option<String>)>,
    /// How long connecting may take, and any request whose own limit is not shorter.
    pub request_timeout: Duration,
    /// Maximum number of connections, and so of requests in progress.
    pub max_connections: usize,
}

/// What is needed to reach a broker through an HTTP proxy.
#[derive(Debug)]
pub struct ProxyAccess {
    /// Its URL, of which only host and port are used.
    pub url: Url,
    /// Further headers of the request that opens a connection.
    pub headers: Vec<(String, SecretString)>,
}

/// Tells the operators of a broker where the requests come from.
const USER_AGENT: &str = concat!("emqx-client-monitor/", env!("CARGO_PKG_VERSION"));

/// What bounds one request.
#[derive(Debug, Clone, Copy)]
pub struct RequestLimits {
    /// From the connection to the end of the body.
    pub time: Duration,
    /// Maximum size of the body, in bytes.
    pub body: usize,
}

/// The result of one request.
#[derive(Debug)]
pub struct Response<T> {
    /// The response of the broker, or why there is none.
    pub answer: Result<T, RequestError>,
    /// The request as it went over the wire.
    pub exchange: Exchange,
}

impl<T> Response<T> {
    /// Returns the same response with another type of answer.
    pub fn map<U>(self, convert: impl FnOnce(T) -> U) -> Response<U> {
        Response { answer: self.answer.map(convert), exchange: self.exchange }
    }
}

/// The clients with one ID in a filtered list.
#[derive(Debug)]
pub enum Filtered {
    /// The client.
    Found(ClientRow),
    /// The list is empty.
    Empty,
    /// The list holds other clients only, which proves nothing: EMQX before 5.6 ignores the filter, and later versions
    /// append all offline durable sessions regardless of the filter.
    OthersOnly,
}

/// How the list of clients is requested from a version of EMQX.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListDialect {
    level: ListApiLevel,
}

impl ListDialect {
    /// The dialect of the newest versions.
    pub const NEWEST: Self = Self { level: ListApiLevel::V5_7 };

    /// Returns the maximum number of rows on a page.
    #[must_use]
    pub fn limit(self) -> usize {
        match self.level {
            ListApiLevel::V5_0 => 1_000,
            ListApiLevel::V5_6 | ListApiLevel::V5_7 => 10_000,
        }
    }

    /// Returns the next older dialect whose request for the same differs from this one's, which was refused with
    /// a 400.
    #[must_use]
    pub fn older(self, query: &ListQuery) -> Option<Self> {
        let older = match self.level {
            ListApiLevel::V5_7 => Self { level: ListApiLevel::V5_6 },
            ListApiLevel::V5_6 => Self { level: ListApiLevel::V5_0 },
            ListApiLevel::V5_0 => return None,
        };
        if older.target(1, query) == self.target(1, query) { older.older(query) } else { Some(older) }
    }

    /// Returns the path and query of a page, the first being 1.
    #[must_use]
    pub fn target(self, number: u64, query: &ListQuery) -> String {
        query.target(number, self.limit(), self.level)
    }
}

/// One broker, with the connections of one probe.
pub struct EmqxApi {
    http: Http,
}

impl EmqxApi {
    /// Prepares the connections; nothing is sent yet.
    ///
    /// # Errors
    /// [`RequestError::Connect`] for a URL that cannot be used, which a validated configuration excludes.
    pub fn new(access: &Access) -> Result<Self, RequestError> {
        Ok(Self { http: Http::new(access)? })
    }

    /// The path and query of a count.
    pub const COUNT_TARGET: &str = url::ONE_CLIENT;

    /// Returns the path of a lookup.
    #[must_use]
    pub fn lookup_target(client_id: &str) -> String {
        url::lookup_path(client_id)
    }

    /// Returns the path and query of a filter by a client ID.
    #[must_use]
    pub fn filter_target(client_id: &str) -> String {
        url::filter_path(client_id)
    }

    /// Looks up one client by its ID. `None` means that the broker does not know it.
    ///
    /// # Errors
    /// Every [`RequestError`]; another client's row is [`RequestError::Decode`].
    pub async fn lookup(
        &self,
        client_id: &str,
        groups: Groups,
        limits: RequestLimits,
    ) -> Response<Option<ClientRow>> {
        loop {
            let is_single_use = self.http.is_single_use();
            let (exchange, response) =
                self.http.get(url::lookup_path(client_id), limits.body, limits.time).await;
            let answer = response.and_then(|response| looked_up(&response, groups));
            let is_other = matches!(&answer, Ok(Some(row)) if *row.client.client_id != *client_id);
            if !is_other {
                return Response { answer, exchange };
            }
            if is_single_use {
                let error = "the response is about another client than the requested one";
                return Response { answer: Err(RequestError::decode(error)), exchange };
            }
            // On a connection that serves several requests it may be the response to another one.
            self.http.distrust();
        }
    }

    /// Filters the list of clients by a client ID, which costs the broker a scan of all its clients.
    ///
    /// # Errors
    /// Every [`RequestError`].
    pub async fn filter(&self, client_id: &str, groups: Groups, limits: RequestLimits) -> Response<Filtered> {
        let (exchange, response) = self.http.get(url::filter_path(client_id), limits.body, limits.time).await;
        let answer = response.and_then(|response| filtered(&response, client_id, groups));
        Response { answer, exchange }
    }

    /// Asks how many clients the broker has, which also shows whether it responds at all. `None` means that it does not
    /// count.
    ///
    /// # Errors
    /// Every [`RequestError`].
    pub async fn count(&self, limits: RequestLimits) -> Response<Option<u64>> {
        let (exchange, response) = self.http.get(Self::COUNT_TARGET.to_owned(), limits.body, limits.time).await;
        let answer = response.and_then(|response| {
            response.expect_ok()?;
            Ok(wire::page(response.json(), Groups::STATE, 1)?.count)
        });
        Response { answer, exchange }
    }

    /// Requests a page of the list of clients, the first being 1.
    ///
    /// # Errors
    /// Every [`RequestError`].
    pub async fn page(
        &self,
        number: u64,
        dialect: ListDialect,
        query: &ListQuery,
        limits: RequestLimits,
    ) -> Response<Page> {
        let target = dialect.target(number, query);
        let groups = query.groups();
        let (exchange, response) = self.http.get(target, limits.body, limits.time).await;
        let answer = match response {
            // Reading thousands of clients takes a while, and other tasks of this thread must not wait that long.
            Ok(response) => spawn_blocking(move || {
                response.expect_ok()?;
                wire::page(response.json(), groups, dialect.limit())
            })
            .await
            .unwrap_or_else(|_| Err(RequestError::decode("a page that cannot be read"))),
            Err(error) => Err(error),
        };
        Response { answer, exchange }
    }

    /// Returns whether any response since the last [`reconnect`](Self::reconnect) may have belonged to another request: one
    /// did, or unrequested data was received.
    #[must_use]
    pub fn saw_unsolicited_bytes(&self) -> bool {
        self.http.saw_unsolicited_bytes()
    }

    /// Sends each further request over a new connection of its own.
    pub fn reconnect(&self) {
        self.http.reconnect();
    }

    /// Returns what was observed on the connections so far.
    #[must_use]
    pub fn connection_stats(&self) -> ConnectionStats {
        self.http.connection_stats()
    }

    /// Returns the error for a request that is given up now: the connection phase it was waiting for, or the response.
    #[must_use]
    pub fn timeout_error(&self) -> RequestError {
        self.http.timeout_error()
    }
}

/// Reads the response to `GET /clients/{id}`.
fn looked_up(response: &RawResponse, groups: Groups) -> Result<Option<ClientRow>, RequestError> {
    if response.is_unknown_client() {
        return Ok(None);
    }
    response.expect_ok()?;
    wire::row(response.json(), groups).map(Some)
}

/// Reads the response to `GET /clients?clientid={id}`.
fn filtered(response: &RawResponse, client_id: &str, groups: Groups) -> Result<Filtered, RequestError> {
    response.expect_ok()?;
    let rows = wire::page(response.json(), groups, url::FILTER_LIMIT)?.rows;
    let is_empty = rows.is_empty();
    let mut found: Option<ClientRow> = None;
    let mut bad = None;
    for row in rows.into_iter().filter(|row| row.client_id() == Some(client_id)) {
        let row = match row.into_client() {
            Ok(row) => row,
            Err(row) => {
                bad = Some(row);
                continue;
            }
        };
        found = Some(match found {
            Some(earlier) => ClientRow {
                client: Client::preferred(earlier.client, row.client),
                odd_field: earlier.odd_field.or(row.odd_field),
            },
            None => row,
        });
    }
    match (found, bad) {
        (Some(row), _) => Ok(Filtered::Found(row)),
        (None, Some(bad)) => Err(bad.into()),
        (None, None) if is_empty => Ok(Filtered::Empty),
        (None, None) => Ok(Filtered::OthersOnly),
    }
}
