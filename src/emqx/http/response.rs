//! Responses as they are received, before EMQX's JSON is decoded.

use std::io;
use std::time::{Duration, SystemTime};

use awc::ClientResponse;
use awc::error::PayloadError;
use awc::http::header::{self, HeaderName, HttpDate};
use awc::http::{StatusCode, Version};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _};
use jiff::Timestamp;
use serde::Deserialize;
use tokio::time::timeout;

use super::super::error::RequestError;
use super::super::wire::Json;
use super::Exchange;

/// Error codes of EMQX for a client that it does not know: since 5.0.18, and before.
const UNKNOWN_CLIENT: [&str; 2] = ["CLIENTID_NOT_FOUND", "RESOURCE_NOT_FOUND"];

/// Maximum size of an error's body in bytes. Those of EMQX are about 100 bytes.
const MAX_ERROR_BYTES: usize = 64 * 1024;

/// Time limit for an error's body, of which only the code is used.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(1);

/// A response whose body is not decoded yet.
#[derive(Debug)]
pub(in crate::emqx) struct RawResponse {
    status: StatusCode,
    retry_after: Option<Duration>,
    /// When the broker answered, by its own clock.
    date: Option<Timestamp>,
    /// Where a redirect leads to.
    redirect: Option<String>,
    body: Bytes,
    /// Whether the body is known to be complete, because it was framed by a length or by chunks.
    is_complete: bool,
}

impl RawResponse {
    /// Reads the body of a response, of at most `limit` bytes. An error status is returned even if its body
    /// cannot be read.
    pub(super) async fn read<S>(
        mut response: ClientResponse<S>,
        limit: usize,
        redirect: Option<String>,
        exchange: &mut Exchange,
    ) -> Result<Self, RequestError>
    where
        S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
    {
        let status = response.status();
        let body = if status == StatusCode::OK {
            read_body(&mut response, limit, exchange).await?
        } else {
            let body = read_body(&mut response, MAX_ERROR_BYTES, exchange);
            timeout(ERROR_BODY_TIMEOUT, body).await.ok().and_then(Result::ok).unwrap_or_default()
        };
        Ok(Self {
            status,
            retry_after: retry_after(&response),
            date: date(&response),
            redirect,
            body,
            // The transport lowers the version of a body that ends with the connection.
            is_complete: response.version() == Version::HTTP_11 || announced_length(&response).is_some(),
        })
    }

    /// Returns the body as JSON.
    pub(in crate::emqx) fn json(&self) -> Json<'_> {
        Json { body: &self.body, is_complete: self.is_complete }
    }

    /// Returns when the broker answered, by its own clock, in whole seconds.
    pub(in crate::emqx) fn date(&self) -> Option<Timestamp> {
        self.date
    }

    /// Returns an error for any other status than 200.
    pub(in crate::emqx) fn expect_ok(&self) -> Result<(), RequestError> {
        if self.status == StatusCode::OK {
            return Ok(());
        }
        Err(RequestError::Status {
            status: self.status.as_u16(),
            code: self.error_code(),
            retry_after: self.retry_after,
            redirect: self.redirect.clone(),
        })
    }

    /// Returns whether EMQX says that it does not know the client. Booting brokers and proxies answer 404 too, but
    /// without one of these codes.
    pub(in crate::emqx) fn is_unknown_client(&self) -> bool {
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

async fn read_body<S>(
    response: &mut ClientResponse<S>,
    limit: usize,
    exchange: &mut Exchange,
) -> Result<Bytes, RequestError>
where
    S: Stream<Item = Result<Bytes, PayloadError>> + Unpin,
{
    if header(response, &header::CONTENT_ENCODING)
        .is_some_and(|coding| !coding.eq_ignore_ascii_case("identity"))
    {
        return Err(RequestError::decode("unrequested content encoding"));
    }
    let announced = announced_length(response);
    if announced.is_some_and(|length| length > limit) {
        return Err(RequestError::TooLarge { limit });
    }
    let mut body = BytesMut::with_capacity(announced.unwrap_or_default());
    while let Some(chunk) = response.next().await {
        let chunk = chunk.map_err(|error| body_error(error, body.len(), announced))?;
        exchange.body_bytes += chunk.len() as u64;
        if body.len() + chunk.len() > limit {
            return Err(RequestError::TooLarge { limit });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// Returns the error for a body that ended after this number of bytes.
fn body_error(error: PayloadError, received: usize, announced: Option<usize>) -> RequestError {
    match error {
        PayloadError::Incomplete(Some(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
            let of = announced.map(|length| format!(" of {length}")).unwrap_or_default();
            RequestError::Protocol {
                what: format!("response cut short after {received}{of} bytes"),
                source: None,
            }
        }
        error => RequestError::Protocol {
            what: "connection broke in the middle of a response".to_owned(),
            source: Some(error.to_string().into()),
        },
    }
}

/// Returns the time that a 429 or 503 asks to wait in seconds. The other form of the header, a date, is ignored.
fn retry_after<S>(response: &ClientResponse<S>) -> Option<Duration> {
    let waits = matches!(response.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    let seconds = header(response, &header::RETRY_AFTER).filter(|_| waits)?.trim().parse::<u64>().ok()?;
    // Longer than any deadline, and short enough to be added to a time.
    Some(Duration::from_secs(seconds.min(u32::MAX.into())))
}

fn date<S>(response: &ClientResponse<S>) -> Option<Timestamp> {
    let date: HttpDate = header(response, &header::DATE)?.parse().ok()?;
    Timestamp::try_from(SystemTime::from(date)).ok()
}

fn announced_length<S>(response: &ClientResponse<S>) -> Option<usize> {
    header(response, &header::CONTENT_LENGTH)?.trim().parse().ok()
}

fn header<'a, S>(response: &'a ClientResponse<S>, name: &HeaderName) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}
