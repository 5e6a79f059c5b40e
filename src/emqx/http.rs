//! HTTP GET requests to a broker, bounded in time and size. Incomplete responses are errors.

use std::cell::Cell;
use std::error::Error;
use std::io;
use std::time::{Duration, Instant};

use actix_http::error::ParseError;
use awc::error::{ConnectError, PayloadError, SendRequestError};
use awc::http::StatusCode;
use awc::http::header::{self, HeaderValue};
use awc::{Client, ClientRequest, ClientResponse, Connector};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};
use rustls::InvalidMessage;
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use tokio::time::timeout;
use url::{Position, Url};

use super::Access;
use super::error::RequestError;
use super::transport::{ConnectFailure, ConnectPhase, StaleConnection, Transport};
use super::wire::Json;

/// Tells the operators of a broker where the requests come from.
const USER_AGENT: &str = concat!("emqx-client-monitor/", env!("CARGO_PKG_VERSION"));

/// Error codes of EMQX for a client that it does not know: since 5.0.18, and before.
const UNKNOWN_CLIENT: [&str; 2] = ["CLIENTID_NOT_FOUND", "RESOURCE_NOT_FOUND"];

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
    client: Client,
    transport: Transport,
    /// Scheme, authority and path prefix of every request. The scheme is `http` also with TLS, which the transport adds.
    base: String,
    host: HeaderValue,
    authorization: HeaderValue,
    address: String,
    /// Whether any response was received.
    has_response: Cell<bool>,
}

impl Http {
    pub(super) fn new(access: &Access) -> Result<Self, RequestError> {
        let url = &access.api_url;
        let address = url[Position::BeforeHost..Position::AfterPort].to_owned();
        let unusable = |source| RequestError::Connect { address: address.clone(), source };
        let transport = Transport::new(url, access.tls.as_ref(), access.request_timeout)
            .map_err(|error| unusable(Box::new(error)))?;
        let host = HeaderValue::from_str(&address).map_err(|error| unusable(Box::new(error)))?;
        let connector = Connector::new()
            .connector(transport.clone())
            .limit(access.max_connections)
            // The time limit of the whole request covers connecting, and reports the phase.
            .timeout(Duration::MAX)
            .disconnect_timeout(Duration::ZERO);
        Ok(Self {
            client: Client::builder()
                .connector(connector)
                .disable_timeout()
                .disable_redirects()
                .no_default_headers()
                .finish(),
            base: format!("http://{}{}", authority(url), url.path()),
            transport,
            host,
            authorization: basic_authorization(access)?,
            address,
            has_response: Cell::new(false),
        })
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
        let timed_out = || io::Error::new(io::ErrorKind::TimedOut, "timed out");
        match self.transport.phase() {
            ConnectPhase::Established => RequestError::Timeout,
            phase => self.connect_error(phase, timed_out()),
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
        self.has_response.set(true);
        exchange.status = Some(response.status().as_u16());
        read(response, limit, exchange).await
    }

    fn request(&self, target: &str) -> ClientRequest {
        self.client
            .get(format!("{}{target}", self.base))
            .insert_header((header::HOST, self.host.clone()))
            .insert_header((header::AUTHORIZATION, self.authorization.clone()))
            .insert_header((header::ACCEPT, "application/json"))
            .insert_header((header::USER_AGENT, USER_AGENT))
            .no_decompress()
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
                what: format!("response of {} is not HTTP/1.1{}", self.address, self.tls_hint()),
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
                if self.transport.is_tls() && (tls_error(&error).is_some() || !self.has_response.get()) =>
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
        let (address, source) = (self.address.clone(), Box::new(error));
        match phase {
            ConnectPhase::Resolve => RequestError::Dns { host: self.transport.host().to_string(), source },
            ConnectPhase::Connect => RequestError::Connect { address, source },
            ConnectPhase::Tls | ConnectPhase::Established if is_plaintext_response(&source) => {
                RequestError::Tls {
                    address,
                    source: format!("{source}; if it speaks plain HTTP, api_url must begin with http://")
                        .into(),
                }
            }
            ConnectPhase::Tls | ConnectPhase::Established => RequestError::Tls { address, source },
        }
    }

    /// Returns a likely cause of broken connections without TLS over which no response was ever received.
    fn tls_hint(&self) -> &'static str {
        if self.transport.is_tls() || self.has_response.get() {
            ""
        } else {
            "; if it speaks TLS, api_url must begin with https://"
        }
    }
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

/// Returns whether the peer sent something else than TLS records, as a plain HTTP server does.
fn is_plaintext_response(error: &io::Error) -> bool {
    matches!(tls_error(error), Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)))
}

/// Returns host and port in the form that the HTTP library keys its connections by.
fn authority(url: &Url) -> String {
    let host = &url[Position::BeforeHost..Position::AfterHost];
    format!("{host}:{}", url.port_or_known_default().unwrap_or_default())
}

fn basic_authorization(access: &Access) -> Result<HeaderValue, RequestError> {
    let pair = format!("{}:{}", access.api_key.expose_secret(), access.api_secret.expose_secret());
    let mut value = HeaderValue::from_str(&format!("Basic {}", BASE64_STANDARD.encode(pair)))
        .map_err(|_| RequestError::decode("credentials with characters that no HTTP header can hold"))?;
    // Keeps the value out of the debug output of libraries.
    value.set_sensitive(true);
    Ok(value)
}

/// Returns the seconds that a 429 or 503 asks to wait. The other form of the header, a date, is ignored.
fn retry_after<S>(response: &ClientResponse<S>) -> Option<Duration> {
    let waits = matches!(response.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    let value = response.headers().get(header::RETRY_AFTER).filter(|_| waits)?;
    value.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

/// Reads the body. Fails when it is longer than `limit`, or not as long as announced.
async fn read<S>(
    mut response: ClientResponse<S>,
    limit: usize,
    exchange: &mut Exchange,
) -> Result<RawResponse, RequestError>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    let status = response.status();
    let retry_after = retry_after(&response);
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    if let Some(encoding) = header(header::CONTENT_ENCODING)
        && !encoding.eq_ignore_ascii_case("identity")
    {
        return Err(RequestError::decode("unrequested content encoding"));
    }
    let announced = header(header::CONTENT_LENGTH).and_then(|length| length.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(RequestError::TooLarge { limit });
    }

    let mut body = BytesMut::with_capacity(announced.unwrap_or_default());
    while let Some(chunk) = response.next().await {
        let chunk = chunk.map_err(|error| RequestError::Protocol {
            what: "connection broke in the middle of a response".to_owned(),
            source: Some(error.to_string().into()),
        })?;
        exchange.body_bytes += chunk.len() as u64;
        if body.len() + chunk.len() > limit {
            return Err(RequestError::TooLarge { limit });
        }
        body.extend_from_slice(&chunk);
    }
    // The library returns a body whose connection closed early as if it were complete.
    if let Some(length) = announced.filter(|length| *length != body.len()) {
        let what = format!("response cut short after {} of {length} bytes", body.len());
        return Err(RequestError::Protocol { what, source: None });
    }
    Ok(RawResponse { status, retry_after, body: body.freeze(), is_complete: announced.is_some() })
}

/// A response whose body is not decoded yet.
#[derive(Debug)]
pub(super) struct RawResponse {
    status: StatusCode,
    /// Seconds of its `Retry-After`, as time to wait.
    retry_after: Option<Duration>,
    body: Bytes,
    /// Whether the body is known to be complete, because its length was announced.
    is_complete: bool,
}

impl RawResponse {
    /// Returns the body as JSON.
    pub(super) fn json(&self) -> Json<'_> {
        Json { body: &self.body, is_complete: self.is_complete }
    }

    /// Returns an error for any other status than 200.
    pub(super) fn expect_ok(&self) -> Result<(), RequestError> {
        if self.status == StatusCode::OK {
            return Ok(());
        }
        Err(RequestError::Status {
            status: self.status.as_u16(),
            code: self.error_code(),
            retry_after: self.retry_after,
        })
    }

    /// Returns whether EMQX says that it does not know the client. Booting brokers and proxies answer 404 too, but
    /// without one of these codes.
    pub(super) fn is_unknown_client(&self) -> bool {
        self.status == StatusCode::NOT_FOUND
            && self.error_code().is_some_and(|code| UNKNOWN_CLIENT.contains(&code.as_str()))
    }

    /// Returns EMQX's name of the error. Any other text is dropped, because it could echo the request's credentials.
    fn error_code(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct ErrorBody {
            code: String,
        }
        let ErrorBody { code } = serde_json::from_slice(&self.body).ok()?;
        let is_code = (1..=64).contains(&code.len())
            && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
        is_code.then_some(code)
    }
}
