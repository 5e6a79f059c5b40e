//! One connection, from which requests are read and to which bytes are written.

use std::io;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::request::Request;
use crate::response::{Framing, Response};

/// Maximum length of a request line in bytes; a longer one is answered with 414.
const MAX_LINE: usize = 8_000;
const MAX_HEAD: usize = 64 * 1_024;

/// A stream over TCP, with or without TLS.
pub(crate) trait Transport: AsyncRead + AsyncWrite + Unpin + Send {
    fn tcp(&self) -> &TcpStream;
}

impl Transport for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Transport for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// What the other side sent.
pub(crate) enum Incoming {
    Request(Request),
    LineTooLong,
    Malformed,
    End,
}

/// A connection. It is reset when dropped without [`Connection::close`], as when the broker dies.
pub(crate) struct Connection<T: Transport> {
    transport: T,
    number: u64,
    unread: Vec<u8>,
    closed: bool,
}

impl<T: Transport> Connection<T> {
    pub(crate) fn new(transport: T, number: u64) -> Self {
        Self { transport, number, unread: Vec::new(), closed: false }
    }

    /// Reads the next request and discards its body.
    pub(crate) async fn read(&mut self) -> io::Result<Incoming> {
        loop {
            let line = self.unread.iter().position(|byte| *byte == b'\n').unwrap_or(self.unread.len());
            if line > MAX_LINE {
                return Ok(Incoming::LineTooLong);
            }
            match parse(&self.unread, self.number) {
                Ok(Some((request, length))) => {
                    self.unread.drain(..length);
                    self.skip_body(&request).await?;
                    return Ok(Incoming::Request(request));
                }
                Ok(None) if self.unread.len() > MAX_HEAD => return Ok(Incoming::Malformed),
                Ok(None) => {}
                Err(_) => return Ok(Incoming::Malformed),
            }
            if self.fill().await? == 0 {
                return Ok(Incoming::End);
            }
        }
    }

    async fn fill(&mut self) -> io::Result<usize> {
        self.unread.reserve(4_096);
        self.transport.read_buf(&mut self.unread).await
    }

    async fn skip_body(&mut self, request: &Request) -> io::Result<()> {
        let length: usize = request.header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
        let mut left = length;
        loop {
            let here = left.min(self.unread.len());
            self.unread.drain(..here);
            left -= here;
            if left == 0 || self.fill().await? == 0 {
                return Ok(());
            }
        }
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.transport.write_all(bytes).await?;
        self.transport.flush().await
    }

    pub(crate) async fn send(&mut self, response: &Response, close: bool) -> io::Result<()> {
        let mut head = response.head(Framing::Length, close);
        if response.body.len() <= 16 * 1_024 {
            head.extend_from_slice(&response.body);
            return self.write(&head).await;
        }
        self.transport.write_all(&head).await?;
        self.write(&response.body).await
    }

    /// Reads and discards until the other side closes the connection.
    pub(crate) async fn discard(&mut self) -> io::Result<()> {
        while self.fill().await? > 0 {
            self.unread.clear();
        }
        Ok(())
    }

    /// Closes it with a FIN, and without a TLS `close_notify`.
    pub(crate) fn close(mut self) {
        self.closed = true;
    }

    /// Closes it after an announced end. Reads on for a while, so that no reset overtakes the response.
    pub(crate) async fn close_gracefully(mut self) {
        if self.transport.shutdown().await.is_ok() {
            let _ = tokio::time::timeout(Duration::from_secs(1), self.discard()).await;
        }
        self.close();
    }
}

impl<T: Transport> Drop for Connection<T> {
    fn drop(&mut self) {
        if !self.closed {
            let _ = self.transport.tcp().set_zero_linger();
        }
    }
}

fn parse(bytes: &[u8], connection: u64) -> Result<Option<(Request, usize)>, httparse::Error> {
    let mut headers = [httparse::EMPTY_HEADER; 100];
    let mut head = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(length) = head.parse(bytes)? else {
        return Ok(None);
    };
    let target = head.path.unwrap_or_default();
    let origin =
        target.split_once("://").map_or(target, |(_, rest)| rest.find('/').map_or("/", |at| &rest[at..]));
    let headers = head.headers.iter();
    let request = Request {
        method: head.method.unwrap_or_default().into(),
        target: target.into(),
        path: origin.split('?').next().unwrap_or_default().into(),
        headers: headers.map(|h| (h.name.into(), String::from_utf8_lossy(h.value).into_owned())).collect(),
        connection,
        at: Instant::now(),
        in_flight: 0,
        minor: head.version.unwrap_or(1),
    };
    Ok(Some((request, length)))
}
