//! A response and its bytes.

use std::fmt::Write as _;
use std::ops::Deref;
use std::sync::Arc;

use jiff::Timestamp;

use crate::recorded::{self, Recorded, Version};

/// A body that is cheap to clone.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    Fixed(&'static [u8]),
    Shared(Arc<[u8]>),
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Fixed(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

#[derive(Clone, Debug)]
enum Head {
    Recorded(&'static Recorded),
    Made { status: u16, headers: Arc<[(String, String)]> },
}

/// How the end of a body is marked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Framing {
    Length,
    Chunked,
    /// The end of the connection.
    Close,
}

/// A response: a recorded or a made-up head, and a body.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    head: Head,
    /// The value of `Date` in place of the recorded one.
    date: Option<String>,
    pub(crate) body: Body,
}

impl Response {
    pub(crate) fn recorded(version: Version, file: &str) -> Self {
        let recorded = recorded::response(version, file);
        Self { head: Head::Recorded(recorded), date: None, body: Body::Fixed(recorded.body) }
    }

    /// A recorded head with another body.
    pub(crate) fn recorded_with(version: Version, file: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::recorded_shared(version, file, body.into().into())
    }

    pub(crate) fn recorded_shared(version: Version, file: &str, body: Arc<[u8]>) -> Self {
        Self { head: Head::Recorded(recorded::response(version, file)), date: None, body: Body::Shared(body) }
    }

    pub(crate) fn made(status: u16, headers: Arc<[(String, String)]>, body: Arc<[u8]>) -> Self {
        Self { head: Head::Made { status, headers }, date: None, body: Body::Shared(body) }
    }

    /// Sets `Date` to the present time.
    pub(crate) fn dated_now(self) -> Self {
        Self { date: Some(Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()), ..self }
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self { head: Head::Made { status, headers: Arc::new([]) }, date: None, body: Body::Fixed(b"") }
    }

    /// The bytes of the head. The broker sorts its headers, so `connection` comes before the length.
    pub(crate) fn head(&self, framing: Framing, close: bool) -> Vec<u8> {
        let mut text = String::with_capacity(256);
        let frame = |text: &mut String| {
            if close {
                text.push_str("connection: close\r\n");
            }
            match framing {
                Framing::Length => push(text, "content-length", &self.body.len().to_string()),
                Framing::Chunked => push(text, "transfer-encoding", "chunked"),
                Framing::Close => {}
            }
        };
        match &self.head {
            Head::Recorded(recorded) => {
                text.push_str(recorded.status_line);
                text.push_str("\r\n");
                for (name, value) in &recorded.headers {
                    match *name {
                        "content-length" => frame(&mut text),
                        // Headers that depend on the recorded request.
                        "connection" => {}
                        "date" => push(&mut text, name, self.date.as_deref().unwrap_or(value)),
                        _ => push(&mut text, name, value),
                    }
                }
            }
            Head::Made { status, headers } => {
                let _ = write!(text, "HTTP/1.1 {status} {}\r\n", reason(*status));
                frame(&mut text);
                for (name, value) in headers.iter() {
                    push(&mut text, name, value);
                }
            }
        }
        text.push_str("\r\n");
        text.into_bytes()
    }
}

fn push(text: &mut String, name: &str, value: &str) {
    for part in [name, ": ", value, "\r\n"] {
        text.push_str(part);
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        301 => "Moved Permanently",
        302 => "Found",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        414 => "Request-URI Too Long",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Status",
    }
}
