//! The stream of a connection, which ends when its client stops reading or its place is needed.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use actix_web::rt::net::TcpStream;
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::connections::{Connection, ConnectionSlot};
use super::limits::STALL_TIMEOUT;

/// The TCP stream of a connection.
pub(super) struct ClientStream {
    tcp: TcpStream,
    slot: ConnectionSlot,
    /// Runs while the client does not read what was written. The server writes about 100 kB at a time; a client must read
    /// at least that much before the time limit.
    stall: Option<Pin<Box<Sleep>>>,
}

impl ClientStream {
    /// Wraps the stream of an accepted connection.
    pub(super) fn new(tcp: TcpStream, slot: ConnectionSlot) -> Self {
        // These are optimizations; the connection works without them.
        let _ = tcp.set_nodelay(true);
        let _ = set_user_timeout(&tcp);
        Self { tcp, slot, stall: None }
    }

    /// The connection it belongs to.
    pub(super) fn connection(&self) -> &Arc<Connection> {
        self.slot.connection()
    }

    /// Waits for the first byte that can be read, and leaves it to be read. Returns `None` at the end of the stream.
    pub(super) async fn peek_byte(&mut self) -> io::Result<Option<u8>> {
        let mut byte = [0];
        poll_fn(|context| {
            self.check_evicted(context)?;
            self.tcp.poll_peek(context, &mut ReadBuf::new(&mut byte))
        })
        .await
        .map(|count| (count > 0).then_some(byte[0]))
    }

    /// Fails where the connection has to give way to another one.
    fn check_evicted(&self, context: &Context<'_>) -> io::Result<()> {
        if self.connection().is_evicted(context.waker()) {
            return Err(io::Error::new(ErrorKind::ConnectionAborted, "the connection gave way to another one"));
        }
        Ok(())
    }

    /// Waits for the client to read, and fails when it has not for too long.
    fn poll_stalled(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.stall.is_none() {
            self.connection().set_blocked();
        }
        let stall = self.stall.get_or_insert_with(|| Box::pin(sleep(STALL_TIMEOUT)));
        ready!(stall.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(ErrorKind::TimedOut, "the client stopped reading")))
    }
}

/// Lets the kernel end the connection of a client that has vanished, even if no task reads from it any more.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn set_user_timeout(tcp: &TcpStream) -> io::Result<()> {
    SockRef::from(tcp).set_tcp_user_timeout(Some(STALL_TIMEOUT))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn set_user_timeout(_: &TcpStream) -> io::Result<()> {
    Ok(())
}

impl AsyncRead for ClientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check_evicted(context)?;
        Pin::new(&mut self.tcp).poll_read(context, buffer)
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check_evicted(context)?;
        match Pin::new(&mut self.tcp).poll_write(context, bytes) {
            Poll::Pending => self.poll_stalled(context),
            ready @ Poll::Ready(_) => ready,
        }
    }

    /// Is called when all that was to be written has been taken.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.stall.take().is_some() {
            self.connection().set_unblocked();
        }
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(context)
    }
}
