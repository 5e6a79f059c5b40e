//! One connection, whose responses are followed.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_rt::net::{ActixStream, Ready};
use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::observations::Observations;
use super::response_framing::ResponseFraming;
use crate::connection_stats::{Phase, PhaseTimer};

/// A pooled connection that served a request before, and that ended without a byte of a response to the last one, or
/// became unusable before that was sent.
///
/// The broker most likely closed it before the request arrived, for being idle or for having served its maximum of
/// requests. The request is safe to repeat over a new connection.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(in crate::emqx) struct StaleConnection(io::Error);

/// A connection to the broker.
#[derive(Debug)]
pub(in crate::emqx) struct BrokerStream {
    socket: Socket,
    framing: ResponseFraming,
    observations: Rc<Observations>,
    timer: PhaseTimer,
    /// Whether anything was received.
    has_received: bool,
}

impl BrokerStream {
    pub(super) fn new(socket: Socket, observations: Rc<Observations>) -> Self {
        let (framing, timer) = (ResponseFraming::default(), PhaseTimer::default());
        Self { socket, framing, observations, timer, has_received: false }
    }

    /// Returns the error that the end of the connection means for the request in progress.
    fn closed(&self, error: io::Error) -> io::Error {
        let is_stale = self.has_received && (self.framing.is_idle() || self.framing.is_unanswered());
        if is_stale { io::Error::other(StaleConnection(error)) } else { error }
    }

    /// Returns what the end of the connection means to a reader.
    fn end(&self) -> io::Result<()> {
        let closed = |what| io::Error::new(io::ErrorKind::UnexpectedEof, what);
        if self.framing.is_incomplete() {
            return Err(closed("connection closed within the response"));
        }
        if self.has_received && self.framing.is_unanswered() {
            return Err(self.closed(closed("connection closed before the response")));
        }
        Ok(())
    }

    /// Passes received bytes on, and returns how many of them can be read as they are.
    fn receive(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.has_received = true;
        let length = self.framing.receive(bytes);
        self.time_response();
        if self.framing.is_http() {
            self.observations.spoke_http.set(true);
        }
        if self.framing.has_unsolicited() {
            self.observations.unsolicited.set(true);
        }
        length
    }

    /// Times the phases of the response that is due.
    fn time_response(&mut self) {
        let due = self.framing.due();
        let is_at_once = self.framing.is_idle() && self.timer.is_in(Phase::Processing);
        // A body that is received together with its head has been transferred too.
        for phase in is_at_once.then_some(Some(Phase::Transfer)).into_iter().chain([due]) {
            if let Some((ended, duration)) = self.timer.enter(phase) {
                self.observations.record_phase(ended, duration);
            }
        }
    }

    /// Fails when the connection cannot take a request: it has ended, or sent unrequested data.
    ///
    /// This queries the operating system directly, because the runtime does not know yet what arrived since its last
    /// turn. Data received over TLS is only examined by the next read, which decrypts it.
    fn check_idle(&self) -> io::Result<()> {
        if self.framing.has_unsolicited() {
            return Err(unsolicited());
        }
        let peeked = recv(self.socket.tcp(), &mut [0; 1], RecvFlags::PEEK | RecvFlags::DONTWAIT);
        match (&self.socket, peeked) {
            (_, Ok((0, _))) => {
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, "connection closed while idle"))
            }
            (Socket::Plain(_), Ok(_)) => {
                self.observations.unsolicited.set(true);
                Err(unsolicited())
            }
            // Anything else that is wrong shows when the request is written.
            _ => Ok(()),
        }
    }
}

impl Drop for BrokerStream {
    /// Records the phase that did not end.
    fn drop(&mut self) {
        if let Some((phase, duration)) = self.timer.enter(None) {
            self.observations.record_phase(phase, duration);
        }
    }
}

fn unsolicited() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "received data without a request")
}

/// TCP with or without TLS.
pub(super) enum Socket {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Socket {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => tls.get_ref().0,
        }
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Socket").field(self.tcp()).finish()
    }
}

impl ActixStream for BrokerStream {
    fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        ActixStream::poll_read_ready(self.socket.tcp(), context)
    }

    fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        ActixStream::poll_write_ready(self.socket.tcp(), context)
    }
}

impl AsyncRead for BrokerStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        loop {
            let ready_bytes = stream.framing.take_ready(buffer.remaining());
            if !ready_bytes.is_empty() {
                buffer.put_slice(&ready_bytes);
                return Poll::Ready(Ok(()));
            }
            if stream.framing.has_unsolicited() {
                return Poll::Ready(Err(unsolicited()));
            }
            let before = buffer.filled().len();
            let read = ready!(match &mut stream.socket {
                Socket::Plain(tcp) => Pin::new(tcp).poll_read(context, buffer),
                Socket::Tls(tls) => Pin::new(tls).poll_read(context, buffer),
            });
            match read {
                // TLS without a proper end. A body without a length is judged by its JSON.
                Err(error)
                    if error.kind() == io::ErrorKind::UnexpectedEof
                        && stream.framing.ends_with_connection() =>
                {
                    return Poll::Ready(Ok(()));
                }
                Err(error) => return Poll::Ready(Err(stream.closed(error))),
                Ok(()) if buffer.filled().len() == before => return Poll::Ready(stream.end()),
                Ok(()) => {}
            }
            let length = stream.receive(&buffer.filled()[before..])?;
            buffer.set_filled(before + length);
            if length > 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncWrite for BrokerStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let stream = self.get_mut();
        if stream.framing.is_idle() {
            stream.check_idle().map_err(|error| stream.closed(error))?;
        }
        let written = ready!(match &mut stream.socket {
            Socket::Plain(tcp) => Pin::new(tcp).poll_write(context, bytes),
            Socket::Tls(tls) => Pin::new(tls).poll_write(context, bytes),
        });
        stream.framing.expect_response();
        stream.time_response();
        Poll::Ready(written.map_err(|error| stream.closed(error)))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        let flushed = ready!(match &mut stream.socket {
            Socket::Plain(tcp) => Pin::new(tcp).poll_flush(context),
            Socket::Tls(tls) => Pin::new(tls).poll_flush(context),
        });
        Poll::Ready(flushed.map_err(|error| stream.closed(error)))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().socket {
            Socket::Plain(tcp) => Pin::new(tcp).poll_shutdown(context),
            Socket::Tls(tls) => Pin::new(tls).poll_shutdown(context),
        }
    }
}
