//! Asking one EMQX broker over its REST API: one request at a time, each bounded, none repeated.
//!
//! It is given what it needs of a broker as a value and knows neither the configuration nor deadlines: who
//! asks whom when, and again, is the business of `probe`.

mod error;
mod http;
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
use http::{Http, RawResponse};
use wire::Page;

pub use error::{RequestError, Retry};
pub use http::Exchange;
pub use url::request_line_bytes;

/// The most that is read of the answer to a lookup. A client is about 1 kB; its user name may have 64 kB.
const MAX_LOOKUP_BYTES: usize = 1024 * 1024;

/// The most that is read of a page. 10 000 clients with all they have are 12 MB.
const MAX_PAGE_BYTES: usize = 64 * 1024 * 1024;

/// What is needed to ask a broker.
#[derive(Debug)]
pub struct Access {
    /// Base of the REST API; its path ends in `/api`.
    pub api_url: Url,
    /// The API key.
    pub api_key: SecretString,
    /// The secret of the API key.
    pub api_secret: SecretString,
    /// TLS and the name the certificate must bear, where that is not the URL's host; `None` for plain HTTP.
    pub tls: Option<(Arc<ClientConfig>, Option<String>)>,
    /// How long one request may take, from its connection to the end of its body.
    pub request_timeout: Duration,
    /// The most connections, and so requests under way, at once.
    pub max_connections: usize,
}

/// What came of one request: the answer, and what it cost.
#[derive(Debug)]
pub struct Response<T> {
    /// What the broker said, or why that is not known.
    pub answer: Result<T, RequestError>,
    /// The request as it went over the wire.
    pub exchange: Exchange,
}

/// How a version of EMQX wants to be asked for its list. A version refuses what is younger than itself with a 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListDialect {
    /// Rows on a page: at most 10 000 since EMQX 5.5, and 1 000 before.
    pub limit: usize,
    /// Whether fields may be asked for that are younger than EMQX 5.6.
    pub has_young_fields: bool,
}

impl ListDialect {
    /// That of the newest versions.
    pub const NEWEST: Self = Self { limit: 10_000, has_young_fields: true };

    /// The dialect to try when this one was refused.
    #[must_use]
    pub fn older(self) -> Option<Self> {
        match self {
            Self { has_young_fields: true, .. } => Some(Self { has_young_fields: false, ..self }),
            Self { limit: 10_000, .. } => Some(Self { limit: 1_000, ..self }),
            _ => None,
        }
    }
}

/// One broker, with the connections of one probe.
pub struct EmqxApi {
    http: Http,
    request_timeout: Duration,
}

impl EmqxApi {
    /// Prepares to ask; nothing is sent yet.
    ///
    /// # Errors
    /// [`RequestError::Connect`] when the URL cannot be asked at all, which a validated configuration excludes.
    pub fn new(access: &Access) -> Result<Self, RequestError> {
        Ok(Self { http: Http::new(access)?, request_timeout: access.request_timeout })
    }

    /// Looks one client up by its ID. `None` says that the broker does not know it.
    ///
    /// # Errors
    /// Every [`RequestError`]; a row that is not this client's is [`RequestError::Decode`].
    pub async fn lookup(&self, client_id: &str, groups: Groups) -> Response<Option<Client>> {
        let by_path = url::lookup_path(client_id);
        let is_by_path = by_path.is_some();
        let target = by_path.unwrap_or_else(|| url::filter_path(client_id));
        let (exchange, response) = self.http.get(target, MAX_LOOKUP_BYTES, self.request_timeout).await;
        let answer = response.and_then(|response| {
            if is_by_path {
                looked_up(&response, client_id, groups)
            } else {
                filtered(&response, client_id, groups)
            }
        });
        Response { answer, exchange }
    }

    /// Asks how many clients the broker has, which shows at the same time whether it answers at all. `None` says
    /// that it does not count.
    ///
    /// # Errors
    /// Every [`RequestError`].
    pub async fn count(&self) -> Response<Option<u64>> {
        let target = url::ONE_CLIENT.to_owned();
        let (exchange, response) = self.http.get(target, MAX_LOOKUP_BYTES, self.request_timeout).await;
        let answer = response.and_then(|response| {
            response.expect_ok()?;
            Ok(wire::page(response.json(), Groups::STATE)?.count)
        });
        Response { answer, exchange }
    }

    /// Asks for a page of the list of clients. It may take as long as it takes.
    ///
    /// # Errors
    /// Every [`RequestError`] but [`RequestError::Timeout`].
    pub async fn page(&self, number: u64, dialect: ListDialect, groups: Groups) -> Response<Page> {
        let fields = wire::field_names(groups, dialect.has_young_fields);
        let target = url::page_path(number, dialect.limit, &fields);
        let (exchange, response) = self.http.get(target, MAX_PAGE_BYTES, Duration::MAX).await;
        let answer = match response {
            // Thousands of clients take a while to read, in which nobody else of this thread should have to wait.
            Ok(response) => spawn_blocking(move || {
                response.expect_ok()?;
                wire::page(response.json(), groups)
            })
            .await
            .unwrap_or_else(|_| Err(RequestError::decode("a page that cannot be read"))),
            Err(error) => Err(error),
        };
        Response { answer, exchange }
    }

    /// Returns whether data was received that no request asked for, since the start or the last
    /// [`reconnect`](Self::reconnect). Responses received before then may belong to other requests.
    #[must_use]
    pub fn saw_unsolicited_bytes(&self) -> bool {
        self.http.saw_unsolicited_bytes()
    }

    /// Sends all further requests over new connections.
    pub fn reconnect(&self) {
        self.http.reconnect();
    }

    /// Returns the error for a request that is given up now: the connection phase it was waiting for, or the response.
    #[must_use]
    pub fn timeout_error(&self) -> RequestError {
        self.http.timeout_error()
    }
}

/// The answer to `GET /clients/{id}`.
fn looked_up(response: &RawResponse, client_id: &str, groups: Groups) -> Result<Option<Client>, RequestError> {
    if response.is_unknown_client() {
        return Ok(None);
    }
    response.expect_ok()?;
    let client = wire::row(response.json(), groups)?;
    if *client.client_id != *client_id {
        return Err(RequestError::decode("the answer is about another client than the one asked for"));
    }
    Ok(Some(client))
}

/// The answer to `GET /clients?clientid={id}`, which EMQX before 5.6 and the durable sessions of later versions
/// fill with strangers. Their presence proves nothing about the client that was asked for.
fn filtered(response: &RawResponse, client_id: &str, groups: Groups) -> Result<Option<Client>, RequestError> {
    response.expect_ok()?;
    let rows = wire::page(response.json(), groups)?.rows;
    let strangers = rows.iter().any(|row| row.client_id() != Some(client_id));
    let mut found = Vec::new();
    for row in rows.into_iter().filter(|row| row.client_id() == Some(client_id)) {
        found.push(row.into_client()?);
    }
    match found.into_iter().reduce(Client::preferred) {
        Some(client) => Ok(Some(client)),
        None if strangers => Err(RequestError::decode(
            "this broker ignores the filter by client ID, which is the only way to ask for this ID",
        )),
        None => Ok(None),
    }
}
