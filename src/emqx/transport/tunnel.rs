//! A tunnel through an HTTP proxy (`CONNECT`, RFC 9110 section 9.3.6).

use std::fmt::Write as _;
use std::io;

use httparse::{EMPTY_HEADER, Response, Status};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::emqx::USER_AGENT;

/// Maximum number of headers of the proxy's response.
const MAX_HEADERS: usize = 96;

/// Maximum size of the head of the proxy's response, in bytes.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// What is sent to the proxy. It may contain the proxy's password.
pub(super) struct Tunnel(SecretString);

impl Tunnel {
    /// Prepares a tunnel to `authority`, a host and port, with further headers for the proxy.
    pub(super) fn new(authority: &str, headers: &[(String, SecretString)]) -> Self {
        let mut request =
            format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: {USER_AGENT}\r\n");
        for (name, value) in headers {
            // Writing to a `String` never fails.
            let _ = write!(request, "{name}: {}\r\n", value.expose_secret());
        }
        request.push_str("\r\n");
        Self(request.into())
    }

    /// Opens the tunnel over a connection to the proxy.
    ///
    /// # Errors
    /// The proxy refuses, does not answer in HTTP, or the connection ends.
    pub(super) async fn open(&self, proxy: &mut TcpStream) -> io::Result<()> {
        proxy.write_all(self.0.expose_secret().as_bytes()).await?;
        let mut head = Vec::new();
        loop {
            if proxy.read_buf(&mut head).await? == 0 {
                return Err(invalid("the proxy closed the connection without a complete answer"));
            }
            match parse(&head)? {
                // Interim responses come before the final one; 101 is final.
                Some((100 | 102..200, length)) => drop(head.drain(..length)),
                Some((200..300, length)) if length == head.len() => return Ok(()),
                Some((200..300, _)) => return Err(invalid("the proxy sent more than an answer to CONNECT")),
                Some((status, _)) => return Err(refusal(status)),
                None if head.len() < MAX_HEAD_BYTES => {}
                None => return Err(invalid("the proxy sent a head that does not end")),
            }
        }
    }
}

/// Returns the status and the length of the head, if it is complete.
fn parse(head: &[u8]) -> io::Result<Option<(u16, usize)>> {
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut response = Response::new(&mut headers);
    match response.parse(head) {
        Ok(Status::Complete(length)) => Ok(Some((response.code.unwrap_or_default(), length))),
        Ok(Status::Partial) => Ok(None),
        Err(_) => Err(invalid("the proxy did not answer in HTTP/1.1")),
    }
}

/// Says what the proxy's status means. Its own words are not shown, because they may echo what it was sent.
///
/// [`PermissionDenied`](io::ErrorKind::PermissionDenied) is a status that another attempt would get too.
fn refusal(status: u16) -> io::Error {
    let (meaning, kind) = match status {
        401 | 403 => (
            "; it does not allow this address or port (many allow CONNECT to port 443 only)",
            io::ErrorKind::PermissionDenied,
        ),
        405 | 501 => ("; it does not support CONNECT", io::ErrorKind::PermissionDenied),
        407 => (
            "; it requires Proxy-Authorization in `proxy_connect_header`, or refuses the one that is set",
            io::ErrorKind::PermissionDenied,
        ),
        502..=504 => {
            ("; it cannot reach the broker, or not resolve its name", io::ErrorKind::ConnectionRefused)
        }
        _ => ("", io::ErrorKind::ConnectionRefused),
    };
    io::Error::new(kind, format!("the proxy answered {status}{meaning}"))
}

fn invalid(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}
