//! One connection: requests are read from it and bytes written to it.

use std::io;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::answer::{Answer, Framing};
use crate::request::Request;

/// The longest request line that is read; above it the answer is 414.
const LONGEST_LINE: usize = 8_000;
const LONGEST_HEAD: usize = 64 * 1_024;

/// A stream over TCP, with or without TLS.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {
    fn tcp(&self) -> &TcpStream;
}

impl Wire for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Wire for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// What came over a connection.
pub(crate) enum Incoming {
    Request(Request),
    LineTooLong,
    Malformed,
    End,
}

/// A connection. Dropped without [`Connection::end`], as when the broker dies, it is reset.
pub(crate) struct Connection<W: Wire> {
    wire: W,
    number: u64,
    unread: Vec<u8>,
    orderly: bool,
}

impl<W: Wire> Connection<W> {
    pub(crate) fn new(wire: W, number: u64) -> Self {
        Self { wire, number, unread: Vec::new(), orderly: false }
    }

    /// Reads the next request; its body, if any, is thrown away.
    pub(crate) async fn read(&mut self) -> io::Result<Incoming> {
        loop {
            let line = self.unread.iter().position(|byte| *byte == b'\n').unwrap_or(self.unread.len());
            if line > LONGEST_LINE {
                return Ok(Incoming::LineTooLong);
            }
            match parse(&self.unread, self.number) {
                Ok(Some((request, length))) => {
                    self.unread.drain(..length);
                    self.skip_body(&request).await?;
                    return Ok(Incoming::Request(request));
                }
                Ok(None) if self.unread.len() > LONGEST_HEAD => return Ok(Incoming::Malformed),
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
        self.wire.read_buf(&mut self.unread).await
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
        self.wire.write_all(bytes).await?;
        self.wire.flush().await
    }

    pub(crate) async fn send(&mut self, answer: &Answer, close: bool) -> io::Result<()> {
        let mut head = answer.head(Framing::Length, close);
        if answer.body.len() <= 16 * 1_024 {
            head.extend_from_slice(&answer.body);
            return self.write(&head).await;
        }
        self.wire.write_all(&head).await?;
        self.write(&answer.body).await
    }

    /// Reads and forgets, until the other side ends the connection.
    pub(crate) async fn ignore(&mut self) -> io::Result<()> {
        while self.fill().await? > 0 {
            self.unread.clear();
        }
        Ok(())
    }

    /// Ends it with a FIN. Nothing more is said, in TLS neither.
    pub(crate) fn end(mut self) {
        self.orderly = true;
    }

    /// Ends it as announced; what still comes in is read for a while, so that no reset overtakes the answer.
    pub(crate) async fn end_politely(mut self) {
        if self.wire.shutdown().await.is_ok() {
            let _ = tokio::time::timeout(Duration::from_secs(1), self.ignore()).await;
        }
        self.end();
    }
}

impl<W: Wire> Drop for Connection<W> {
    fn drop(&mut self) {
        if !self.orderly {
            let _ = self.wire.tcp().set_zero_linger();
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
        minor: head.version.unwrap_or(1),
    };
    Ok(Some((request, length)))
}
