//! The headers of the requests, and what of them is secret.

use awc::ClientRequest;
use awc::http::header::{self, HeaderName, HeaderValue};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use secrecy::{ExposeSecret as _, SecretString};

use super::RequestError;
use crate::emqx::{Access, USER_AGENT};

/// The headers of every request.
pub(super) struct RequestHeaders(Vec<(HeaderName, HeaderValue)>);

impl RequestHeaders {
    /// Returns the program's own headers and those of the configuration.
    ///
    /// # Errors
    /// Secrets that no header can hold.
    pub(super) fn new(access: &Access, host: HeaderValue) -> Result<Self, RequestError> {
        let mut headers = vec![
            (header::HOST, host),
            (header::AUTHORIZATION, basic_authorization(access)?),
            (header::ACCEPT, HeaderValue::from_static("application/json")),
            (header::USER_AGENT, HeaderValue::from_static(USER_AGENT)),
        ];
        for further in &access.headers {
            headers.push(further_header(further)?);
        }
        Ok(Self(headers))
    }

    /// Inserts the headers.
    pub(super) fn insert(&self, request: ClientRequest) -> ClientRequest {
        self.0.iter().cloned().fold(request, ClientRequest::insert_header)
    }
}

/// Returns what no message may hold.
pub(super) fn secrets(access: &Access) -> Vec<SecretString> {
    let values = access.headers.iter().map(|(_, value)| value.expose_secret());
    // A value may be a scheme and a token, as that of `Authorization` is.
    let tokens = values.clone().filter_map(|value| Some(value.rsplit_once(' ')?.1));
    let pair = encoded_pair(access);
    let key_and_secret = [access.api_key.expose_secret(), access.api_secret.expose_secret(), &pair];
    key_and_secret.into_iter().chain(values).chain(tokens).map(SecretString::from).collect()
}

fn further_header((name, value): &(String, SecretString)) -> Result<(HeaderName, HeaderValue), RequestError> {
    let unusable =
        || RequestError::decode(format!("the value of the header {name} has characters no header can hold"));
    let header_name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unusable())?;
    let mut value = HeaderValue::from_bytes(value.expose_secret().as_bytes()).map_err(|_| unusable())?;
    value.set_sensitive(true);
    Ok((header_name, value))
}

fn encoded_pair(access: &Access) -> String {
    BASE64_STANDARD.encode(format!("{}:{}", access.api_key.expose_secret(), access.api_secret.expose_secret()))
}

fn basic_authorization(access: &Access) -> Result<HeaderValue, RequestError> {
    let mut value = HeaderValue::from_str(&format!("Basic {}", encoded_pair(access)))
        .map_err(|_| RequestError::decode("credentials with characters that no HTTP header can hold"))?;
    // Keeps the value out of the debug output of libraries.
    value.set_sensitive(true);
    Ok(value)
}
