//! One HTTP GET to the broker, bounded in time and size and checked for completeness.

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
use super::transport::{KeptConnectionLost, NoConnection, Stage, Transport};
use super::wire::Json;
use crate::tls::explain_io;

/// Sent with every request, so that the operators of a broker can tell who asks.
const USER_AGENT: &str = concat!("emqx-client-monitor/", env!("CARGO_PKG_VERSION"));

/// How EMQX says that it does not know a client: the code since 5.0.18, and that before it.
const UNKNOWN_CLIENT: [&str; 2] = ["CLIENTID_NOT_FOUND", "RESOURCE_NOT_FOUND"];

/// A request as it went over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// What was asked for, below the base of the API.
    pub target: String,
    /// Status of the answer, if one began to come.
    pub status: Option<u16>,
    /// Bytes of the answer's body.
    pub body_bytes: u64,
    /// From the request to the end of the answer, or to the failure.
    pub duration: Duration,
}

/// A broker's HTTP side, and the connections to it.
pub(super) struct Http {
    client: Client,
    transport: Transport,
    /// Scheme, authority and path prefix of every request. The scheme is `http` even where TLS is spoken: TLS is
    /// the transport's business.
    base: String,
    host: HeaderValue,
    authorization: HeaderValue,
    address: String,
    /// Whether the broker has answered anything at all.
    heard: Cell<bool>,
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
            // The whole request is timed below; a second clock in the library would tell less about the cause.
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
            heard: Cell::new(false),
        })
    }

    /// Asks for `target`, a path below the API's base, for a time, and reads at most `limit` bytes of the answer.
    pub(super) async fn get(
        &self,
        target: String,
        limit: usize,
        at_most: Duration,
    ) -> (Exchange, Result<Reply, RequestError>) {
        let started = Instant::now();
        let mut exchange = Exchange { target, status: None, body_bytes: 0, duration: Duration::ZERO };
        let reply = match timeout(at_most, self.fetch(limit, &mut exchange)).await {
            Ok(reply) => reply,
            Err(_) => Err(self.overdue()),
        };
        exchange.duration = started.elapsed();
        (exchange, reply)
    }

    /// What to say of a request that takes too long: what the furthest of the connections was waiting for.
    pub(super) fn overdue(&self) -> RequestError {
        let timed_out = || io::Error::new(io::ErrorKind::TimedOut, "no answer in time");
        match self.transport.furthest() {
            Stage::Established => RequestError::Timeout,
            stage => self.no_connection(stage, timed_out()),
        }
    }

    async fn fetch(&self, limit: usize, exchange: &mut Exchange) -> Result<Reply, RequestError> {
        let response = loop {
            match self.request(&exchange.target).send().await {
                Ok(response) => break response,
                // Not asked again, but asked at last. Each turn uses up a kept connection, and only answers make
                // more of these, so that this ends.
                Err(error) if is_kept_connection_lost(&error) => {}
                Err(error) => return Err(self.not_sent(error)),
            }
        };
        self.heard.set(true);
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

    /// Sorts the errors of the HTTP library by what they say about the broker.
    fn not_sent(&self, error: SendRequestError) -> RequestError {
        match error {
            SendRequestError::Connect(ConnectError::Io(error)) | SendRequestError::Send(error) => {
                self.broken(error)
            }
            SendRequestError::Response(ParseError::Io(error)) => self.broken(error),
            SendRequestError::Connect(ConnectError::Disconnected) => self.broken(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the connection was closed instead of an answer",
            )),
            SendRequestError::Timeout | SendRequestError::Connect(ConnectError::Timeout) => self.overdue(),
            error => RequestError::Protocol {
                what: format!("what {} answers is not HTTP/1.1{}", self.address, self.hint_at_tls()),
                source: Some(error.to_string().into()),
            },
        }
    }

    /// A connection that could not be made, or broke.
    fn broken(&self, error: io::Error) -> RequestError {
        match error.downcast::<NoConnection>() {
            Ok(NoConnection { stage, source }) => self.no_connection(stage, source),
            // With TLS 1.3 a broker refuses a missing client certificate only after the handshake is over for
            // us, by an alert or by hanging up on the first request.
            Err(error) if self.transport.is_tls() && (tls_error(&error).is_some() || !self.heard.get()) => {
                self.no_connection(Stage::Tls, error)
            }
            Err(error) => RequestError::Protocol {
                what: format!("the connection to {} broke{}", self.address, self.hint_at_tls()),
                source: Some(Box::new(error)),
            },
        }
    }

    fn no_connection(&self, stage: Stage, error: io::Error) -> RequestError {
        let (address, source) = (self.address.clone(), Box::new(error));
        match stage {
            Stage::Dns => RequestError::Dns { host: self.transport.host().to_string(), source },
            Stage::Connect => RequestError::Connect { address, source },
            Stage::Tls | Stage::Established if is_answer_without_tls(&source) => RequestError::Tls {
                address,
                source: format!(
                    "{}; if it speaks plain HTTP, api_url must begin with http://",
                    explain_io(&source)
                )
                .into(),
            },
            Stage::Tls | Stage::Established => {
                RequestError::Tls { address, source: explain_io(&source).into() }
            }
        }
    }

    /// A likely cause of trouble on a connection without TLS over which no answer ever came.
    fn hint_at_tls(&self) -> &'static str {
        if self.transport.is_tls() || self.heard.get() {
            ""
        } else {
            "; if it speaks TLS, api_url must begin with https://"
        }
    }
}

fn is_kept_connection_lost(error: &SendRequestError) -> bool {
    match error {
        SendRequestError::Send(error) | SendRequestError::Response(ParseError::Io(error)) => {
            error.get_ref().is_some_and(<dyn Error + Send + Sync>::is::<KeptConnectionLost>)
        }
        _ => false,
    }
}

fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

/// Whether bytes came back that no TLS server sends, as those of a plain HTTP server that complains.
fn is_answer_without_tls(error: &io::Error) -> bool {
    matches!(tls_error(error), Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)))
}

/// Host and port as the HTTP library keys its connections by.
fn authority(url: &Url) -> String {
    let host = &url[Position::BeforeHost..Position::AfterHost];
    format!("{host}:{}", url.port_or_known_default().unwrap_or_default())
}

fn basic_authorization(access: &Access) -> Result<HeaderValue, RequestError> {
    let pair = format!("{}:{}", access.api_key.expose_secret(), access.api_secret.expose_secret());
    let mut value = HeaderValue::from_str(&format!("Basic {}", BASE64_STANDARD.encode(pair)))
        .map_err(|_| RequestError::decode("credentials that no header can hold"))?;
    // Keeps the value out of whatever the libraries may print.
    value.set_sensitive(true);
    Ok(value)
}

/// Reads the body, if it is as long as promised and not longer than `limit`.
async fn read<S>(
    mut response: ClientResponse<S>,
    limit: usize,
    exchange: &mut Exchange,
) -> Result<Reply, RequestError>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    let status = response.status();
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    if let Some(encoding) = header(header::CONTENT_ENCODING)
        && !encoding.eq_ignore_ascii_case("identity")
    {
        return Err(RequestError::decode("a content encoding nobody asked for"));
    }
    let promised = header(header::CONTENT_LENGTH).and_then(|length| length.parse::<usize>().ok());
    if promised.is_some_and(|length| length > limit) {
        return Err(RequestError::TooLarge { limit });
    }

    let mut body = BytesMut::with_capacity(promised.unwrap_or_default());
    while let Some(chunk) = response.next().await {
        let chunk = chunk.map_err(|error| RequestError::Protocol {
            what: "the connection broke in the middle of an answer".to_owned(),
            source: Some(error.to_string().into()),
        })?;
        exchange.body_bytes += chunk.len() as u64;
        if body.len() + chunk.len() > limit {
            return Err(RequestError::TooLarge { limit });
        }
        body.extend_from_slice(&chunk);
    }
    // The library gives a body whose connection closed early as if it were whole.
    if let Some(length) = promised.filter(|length| *length != body.len()) {
        let what = format!("the answer was cut short after {} of {length} bytes", body.len());
        return Err(RequestError::Protocol { what, source: None });
    }
    Ok(Reply { status, body: body.freeze(), whole: promised.is_some() })
}

/// An answer of the broker.
#[derive(Debug)]
pub(super) struct Reply {
    status: StatusCode,
    body: Bytes,
    /// Whether the body is known to have come whole, because its length was promised.
    whole: bool,
}

impl Reply {
    /// The body, as JSON.
    pub(super) fn json(&self) -> Json<'_> {
        Json { body: &self.body, is_complete: self.whole }
    }

    /// Passes a 200 and makes an error of anything else.
    pub(super) fn expect_ok(&self) -> Result<(), RequestError> {
        if self.status == StatusCode::OK {
            return Ok(());
        }
        Err(RequestError::Status { status: self.status.as_u16(), code: self.error_code() })
    }

    /// Whether this is EMQX's way to say that it does not know the client. A booting broker, which does not know
    /// its own paths yet, and a proxy say 404 too, but not so.
    pub(super) fn is_unknown_client(&self) -> bool {
        self.status == StatusCode::NOT_FOUND
            && self.error_code().is_some_and(|code| UNKNOWN_CLIENT.contains(&code.as_str()))
    }

    /// EMQX's own name of an error. Anything that does not look like one is not passed on: it could be an echo of
    /// the request, credentials and all.
    fn error_code(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct ErrorBody {
            code: String,
        }
        let ErrorBody { code } = serde_json::from_slice(&self.body).ok()?;
        let named = (1..=64).contains(&code.len())
            && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
        named.then_some(code)
    }
}
