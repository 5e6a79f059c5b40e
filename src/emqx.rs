//! Asking one EMQX broker over its REST API: one request at a time, each bounded, none repeated.
//!
//! It is given what it needs of a broker as a value and knows neither the configuration nor deadlines: who
//! asks whom when, and again, is the business of `probe`.

mod error;
mod http;
mod transport;
mod url;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use ::url::Url;
use rustls::ClientConfig;
use secrecy::SecretString;

use crate::client::{Client, Groups};
use http::{Http, Reply};

pub use error::{AskError, Consequence};
pub use http::Exchange;
pub use url::request_line_bytes;

/// The most that is read of the answer to a lookup. A client is about 1 kB; its user name may have 64 kB.
const MAX_LOOKUP_BYTES: usize = 1024 * 1024;

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
pub struct Asked<T> {
    /// What the broker said, or why that is not known.
    pub answer: Result<T, AskError>,
    /// The request as it went over the wire.
    pub exchange: Exchange,
}

/// One broker, with the connections of one probe.
pub struct Emqx {
    http: Http,
}

impl Emqx {
    /// Prepares to ask; nothing is sent yet.
    ///
    /// # Errors
    /// [`AskError::Connect`] when the URL cannot be asked at all, which a validated configuration excludes.
    pub fn new(access: &Access) -> Result<Self, AskError> {
        Ok(Self { http: Http::new(access)? })
    }

    /// Looks one client up by its ID. `None` says that the broker does not know it.
    ///
    /// # Errors
    /// Every [`AskError`]; a row that is not this client's is [`AskError::Decode`].
    pub async fn lookup(&self, client_id: &str, groups: Groups) -> Asked<Option<Client>> {
        let by_path = url::lookup_path(client_id);
        let target = by_path.clone().unwrap_or_else(|| url::filter_path(client_id));
        let (exchange, reply) = self.http.get(&target, MAX_LOOKUP_BYTES).await;
        let answer = reply.and_then(|reply| match by_path {
            Some(_) => looked_up(&reply, client_id, groups),
            None => filtered(&reply, client_id, groups),
        });
        Asked { answer, exchange }
    }

    /// Asks for one client, any, to learn whether the broker answers at all.
    ///
    /// # Errors
    /// Every [`AskError`].
    pub async fn check(&self) -> Asked<()> {
        let (exchange, reply) = self.http.get(url::ONE_CLIENT, MAX_LOOKUP_BYTES).await;
        let answer = reply.and_then(|reply| {
            reply.expect_ok()?;
            wire::rows(&reply, Groups::STATE).map(drop)
        });
        Asked { answer, exchange }
    }

    /// What to say of a request that is given up now: that the broker is silent, or that it could not even be
    /// reached.
    #[must_use]
    pub fn overdue(&self) -> AskError {
        self.http.overdue()
    }
}

/// The answer to `GET /clients/{id}`.
fn looked_up(reply: &Reply, client_id: &str, groups: Groups) -> Result<Option<Client>, AskError> {
    if reply.is_unknown_client() {
        return Ok(None);
    }
    reply.expect_ok()?;
    let client = wire::row(reply, groups)?;
    if client.client_id != client_id {
        return Err(AskError::decode("the answer is about another client than the one asked for"));
    }
    Ok(Some(client))
}

/// The answer to `GET /clients?clientid={id}`, which EMQX before 5.6 and the durable sessions of later versions
/// fill with strangers. Their presence proves nothing about the client that was asked for.
fn filtered(reply: &Reply, client_id: &str, groups: Groups) -> Result<Option<Client>, AskError> {
    reply.expect_ok()?;
    let rows = wire::rows(reply, groups)?;
    let strangers = rows.iter().any(|row| row.client_id() != Some(client_id));
    let mut found = Vec::new();
    for row in rows.into_iter().filter(|row| row.client_id() == Some(client_id)) {
        found.push(row.into_client()?);
    }
    match found.into_iter().reduce(Client::preferred) {
        Some(client) => Ok(Some(client)),
        None if strangers => Err(AskError::decode(
            "this broker ignores the filter by client ID, which is the only way to ask for this ID",
        )),
        None => Ok(None),
    }
}
