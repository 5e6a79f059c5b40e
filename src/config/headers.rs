//! Further headers of requests, whose values are secrets.

use awc::http::header::{self, HeaderName};
use secrecy::SecretString;
use serde::{Serialize, Serializer};
use tokio::time::Instant;

use super::node_ref::NodeRef;
use super::secret::{self, Secret, SecretError};

/// Headers that the exporter sets itself, or that change how a request or its response is read.
const RESERVED: [HeaderName; 16] = [
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::AUTHORIZATION,
    header::CONNECTION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::HOST,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::RANGE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::USER_AGENT,
];

/// Names and values of headers, in the order of the file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Headers(Vec<(String, Secret)>);

impl Headers {
    /// Returns whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads the values.
    ///
    /// # Errors
    /// Those of [`Secret::read`].
    pub async fn read(&self, deadline: Instant) -> Result<Vec<(String, SecretString)>, SecretError> {
        let mut headers = Vec::with_capacity(self.0.len());
        for (name, value) in &self.0 {
            headers.push((name.clone(), value.read(deadline).await?));
        }
        Ok(headers)
    }
}

impl Serialize for Headers {
    /// Serializes where each value comes from.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// Whom headers are sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recipient {
    Broker,
    Proxy,
}

/// Reads a mapping of header names to secrets.
pub(super) fn read(value: &NodeRef<'_>, recipient: Recipient) -> Option<Headers> {
    let mut headers = Vec::<(String, Secret)>::new();
    let mut is_valid = true;
    for (name, value) in value.entries("a mapping of header names to values")? {
        let Some(header_name) = read_name(&name, recipient) else {
            is_valid = false;
            continue;
        };
        if headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(header_name)) {
            name.error("duplicate header; keep one of them");
        }
        match secret::read(&value.under(header_name)) {
            Some(secret) => headers.push((header_name.to_owned(), secret)),
            None => is_valid = false,
        }
    }
    is_valid.then_some(Headers(headers))
}

fn read_name<'d>(name: &NodeRef<'d>, recipient: Recipient) -> Option<&'d str> {
    const EXPECTED: &str = "the name of an HTTP header";
    let text = name.line(EXPECTED)?;
    let Ok(header) = HeaderName::from_bytes(text.as_bytes()) else {
        return name.expected(EXPECTED);
    };
    match (recipient, header.as_str()) {
        (Recipient::Broker, "authorization") => {
            name.refuse("Authorization cannot be set; it carries api_key and api_secret")
        }
        (Recipient::Broker, "proxy-authorization") => {
            name.refuse("Proxy-Authorization is not for the broker; set it in proxy_connect_header")
        }
        _ if RESERVED.contains(&header) => {
            name.refuse(format_args!("{text} cannot be set; the exporter sets it itself"))
        }
        _ => Some(text),
    }
}
