//! HTTP GET requests to a broker, bounded in time and size. Incomplete responses are errors.

mod headers;
mod redirect;
mod response;

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::io;
use std::time::{Duration, Instant};

use actix_http::error::ParseError;
use awc::error::{ConnectError, SendRequestError};
use awc::http::header::HeaderValue;
use awc::{Client, ClientRequest, Connector};
use rustls::InvalidMessage;
use secrecy::SecretString;
use tokio::time::timeout;
use url::{Position, Url};

use super::Access;
use super::error::RequestError;
use super::transport::{ConnectFailure, ConnectPhase, StaleConnection, Transport};
use crate::connection_stats::ConnectionStats;
use crate::tls::explain_io;
use headers::{RequestHeaders, secrets};
use redirect::redirect_address;
pub(super) use response::RawResponse;

/// Facts of one request and its response, for logs and statistics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// Path and query below the base of the API.
    pub target: String,
    /// Status of the response, if its head was received.
    pub status: Option<u16>,
    /// Bytes received of the response's body.
    pub body_bytes: u64,
    /// Time from the request to the end of the response, or to the failure.
    pub duration: Duration,
}

/// HTTP client for one broker, with its connection pool.
pub(super) struct Http {
    client: RefCell<Client>,
    transport: Transport,
    max_connections: usize,
    /// Whether each request has a connection of its own.
    is_single_use: Cell<bool>,
    /// Whether a response belonged to another request.
    is_mixed_up: Cell<bool>,
    api_url: Url,
    headers: RequestHeaders,
    address: String,
    /// API key, secret and header values, to keep out of messages.
    secrets: Vec<SecretString>,
}

impl Http {
    pub(super) fn new(access: &Access) -> Result<Self, RequestError> {
        let url = &access.api_url;
        let address = url[Position::BeforeHost..Position::AfterPort].to_owned();
        let unusable = |source| RequestError::Connect { address: address.clone(), source };
        let transport = Transport::new(url, access.tls.as_ref(), access.proxy.as_ref(), access.request_timeout)
            .map_err(|error| unusable(Box::new(error)))?;
        let host = HeaderValue::from_str(&address).map_err(|error| unusable(Box::new(error)))?;
        Ok(Self {
            client: RefCell::new(client(&transport, access.max_connections)),
            transport,
            max_connections: access.max_connections,
            is_single_use: Cell::new(false),
            is_mixed_up: Cell::new(false),
            api_url: url.clone(),
            headers: RequestHeaders::new(access, host)?,
            address,
            secrets: secrets(access),
        })
    }

    /// Returns whether any response since the last [`reconnect`](Self::reconnect) may have belonged to another request: one
    /// did, or unrequested data was received.
    pub(super) fn saw_unsolicited_bytes(&self) -> bool {
        self.is_mixed_up.get() || self.transport.saw_unsolicited_bytes()
    }

    /// Returns what was observed on the connections so far.
    pub(super) fn connection_stats(&self) -> ConnectionStats {
        self.transport.connection_stats()
    }

    /// Returns whether each request has a connection of its own.
    pub(super) fn is_single_use(&self) -> bool {
        self.is_single_use.get()
    }

    /// Notes that a response belonged to another request, which closes the connections.
    pub(super) fn distrust(&self) {
        self.reconnect();
        self.is_mixed_up.set(true);
    }

    /// Sends each further request over a new connection of its own, and forgets what was seen on the previous ones. Requests
    /// in progress are not affected.
    pub(super) fn reconnect(&self) {
        self.is_mixed_up.set(false);
        self.transport.forget_unsolicited_bytes();
        self.is_single_use.set(true);
        self.client.replace(client(&self.transport, self.max_connections));
    }

    /// Requests `target`, a path below the API's base. Fails after `time_limit`, and for a body of more than `limit`
    /// bytes.
    pub(super) async fn get(
        &self,
        target: String,
        limit: usize,
        time_limit: Duration,
    ) -> (Exchange, Result<RawResponse, RequestError>) {
        let started = Instant::now();
        let mut exchange = Exchange { target, status: None, body_bytes: 0, duration: Duration::ZERO };
        let response = match timeout(time_limit, self.fetch(limit, &mut exchange)).await {
            Ok(response) => response,
            Err(_) => Err(self.timeout_error()),
        };
        exchange.duration = started.elapsed();
        (exchange, response)
    }

    /// Returns the error for a request that timed out: the connection phase it was waiting for, or the response.
    pub(super) fn timeout_error(&self) -> RequestError {
        let timed_out = |what| io::Error::new(io::ErrorKind::TimedOut, what);
        match self.transport.phase() {
            ConnectPhase::Established => RequestError::Timeout,
            ConnectPhase::Tunnel => {
                self.connect_error(ConnectPhase::Tunnel, timed_out("timed out waiting for the proxy's answer"))
            }
            phase => self.connect_error(phase, timed_out("timed out")),
        }
    }

    async fn fetch(&self, limit: usize, exchange: &mut Exchange) -> Result<RawResponse, RequestError> {
        let response = loop {
            match self.request(&exchange.target).send().await {
                Ok(response) => break response,
                // A stale connection does not count as an attempt. Each turn uses up a pooled connection, and only
                // responses make more of these, so the loop ends.
                Err(error) if is_stale_connection(&error) => {}
                Err(error) => return Err(self.send_error(error)),
            }
        };
        exchange.status = Some(response.status().as_u16());
        let redirect = redirect_address(&response, &self.api_url, &exchange.target, &self.secrets);
        RawResponse::read(response, limit, redirect, exchange).await
    }

    fn request(&self, target: &str) -> ClientRequest {
        // The scheme is `http` also with TLS, which the transport adds.
        let url = format!("http://{}{}{target}", authority(&self.api_url), self.api_url.path());
        let request = self.client.borrow().get(url);
        let request = if self.is_single_use.get() { request.force_close() } else { request };
        self.headers.insert(request).no_decompress()
    }

    /// Maps an error of the HTTP library to the phase that failed.
    fn send_error(&self, error: SendRequestError) -> RequestError {
        match error {
            SendRequestError::Connect(ConnectError::Io(error)) | SendRequestError::Send(error) => {
                self.io_error(error)
            }
            SendRequestError::Response(ParseError::Io(error)) => self.io_error(error),
            SendRequestError::Connect(ConnectError::Disconnected) => self.io_error(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "connection closed before the response",
            )),
            SendRequestError::Timeout | SendRequestError::Connect(ConnectError::Timeout) => {
                self.timeout_error()
            }
            error => RequestError::Protocol {
                what: if self.transport.spoke_http() {
                    format!("malformed HTTP response of {}", self.address)
                } else {
                    format!("response of {} is not HTTP/1.1{}", self.address, self.tls_hint())
                },
                source: Some(error.to_string().into()),
            },
        }
    }

    /// Maps an error of the connection, while it is made or later.
    fn io_error(&self, error: io::Error) -> RequestError {
        match error.downcast::<ConnectFailure>() {
            Ok(ConnectFailure { phase, source }) => self.connect_error(phase, source),
            // With TLS 1.3 a broker refuses a missing client certificate only after our side of the handshake has
            // ended, with an alert or by closing the connection.
            Err(error)
                if self.transport.is_tls() && (tls_error(&error).is_some() || !self.transport.spoke_http()) =>
            {
                self.connect_error(ConnectPhase::Tls, error)
            }
            Err(error) => RequestError::Protocol {
                what: format!("connection to {} broke{}", self.address, self.tls_hint()),
                source: Some(Box::new(error)),
            },
        }
    }

    /// Returns the error for a connection that could not be made.
    fn connect_error(&self, phase: ConnectPhase, error: io::Error) -> RequestError {
        let address = self.address.clone();
        match phase {
            ConnectPhase::Resolve => {
                RequestError::Dns { host: self.transport.resolved_host(), source: Box::new(error) }
            }
            ConnectPhase::Connect => {
                let address = self.transport.proxy().map_or(address, |proxy| format!("the proxy {proxy}"));
                RequestError::Connect { address, source: Box::new(error) }
            }
            ConnectPhase::Tunnel => {
                let proxy = self.transport.proxy().unwrap_or_default();
                let address = format!("{address} through the proxy {proxy}");
                if error.kind() == io::ErrorKind::PermissionDenied {
                    return RequestError::ProxyRefused { address, source: Box::new(error) };
                }
                RequestError::Connect { address, source: Box::new(error) }
            }
            ConnectPhase::Tls | ConnectPhase::Established => {
                RequestError::Tls { address, source: tls_cause(&error).into() }
            }
        }
    }

    /// Returns a likely cause of broken connections without TLS over which no HTTP was received.
    fn tls_hint(&self) -> &'static str {
        if self.transport.is_tls() || self.transport.spoke_http() {
            ""
        } else {
            "; if it speaks TLS, api_url must begin with https://"
        }
    }
}

/// Returns a client with an empty connection pool.
fn client(transport: &Transport, max_connections: usize) -> Client {
    let connector = Connector::new()
        .connector(transport.clone())
        .limit(max_connections)
        // The time limit of the whole request covers connecting, and reports the phase.
        .timeout(Duration::MAX)
        .disconnect_timeout(Duration::ZERO);
    Client::builder().connector(connector).disable_timeout().disable_redirects().no_default_headers().finish()
}

fn is_stale_connection(error: &SendRequestError) -> bool {
    match error {
        SendRequestError::Send(error) | SendRequestError::Response(ParseError::Io(error)) => {
            error.get_ref().is_some_and(<dyn Error + Send + Sync>::is::<StaleConnection>)
        }
        _ => false,
    }
}

fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// Returns why a TLS handshake failed.
fn tls_cause(error: &io::Error) -> String {
    let cause = explain_io(error);
    // The peer sent something else than TLS records, as a plain HTTP server does.
    if let Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)) = tls_error(error) {
        return format!("{cause}; if it speaks plain HTTP, api_url must begin with http://");
    }
    cause
}

/// Returns host and port in the form that the HTTP library keys its connections by.
fn authority(url: &Url) -> String {
    let host = &url[Position::BeforeHost..Position::AfterHost];
    format!("{host}:{}", url.port_or_known_default().unwrap_or_default())
}
