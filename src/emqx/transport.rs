//! A connection to the broker: resolving its name, connecting, and agreeing on TLS.
//!
//! The HTTP library is given connections made here rather than making its own, because its own cannot verify
//! another name than the URL's host nor an IPv6 address, and does not tell which of the three steps failed.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_rt::net::{ActixStream, Ready};
use actix_service::Service;
use actix_tls::connect::{ConnectError, ConnectInfo, Connection};
use awc::http::Uri;
use futures_util::future::LocalBoxFuture;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::{Host, Url};

use crate::blocking::Blocking;

/// How far the connections of a probe have got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// The name is being resolved.
    Dns,
    /// A TCP connection is being made.
    Connect,
    /// TLS is being agreed on.
    Tls,
    /// There was a connection to ask over.
    Established,
}

/// A step on the way to a connection that failed.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub(super) struct NoConnection {
    pub(super) stage: Stage,
    pub(super) source: io::Error,
}

/// A kept connection that was of use before, and that ended with no byte of an answer to what was last sent.
///
/// The broker most likely closed it before the request got there: for being idle, or for having served its number
/// of requests. That says nothing about the broker, and a new connection will do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct KeptConnectionLost(io::Error);

/// Makes connections to one broker.
#[derive(Clone)]
pub(super) struct Transport(Rc<Destination>);

struct Destination {
    host: Host,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    /// How long connecting to all addresses of the host may take.
    connect_timeout: Duration,
    /// How far any connection has got, to tell what a request that is given up was waiting for.
    furthest: Cell<Stage>,
}

impl Transport {
    /// Connections to the host of `url`, verified under `server_name` or else under the host itself.
    pub(super) fn new(
        url: &Url,
        tls: Option<&(Arc<ClientConfig>, Option<String>)>,
        connect_timeout: Duration,
    ) -> io::Result<Self> {
        let invalid = |what| io::Error::new(io::ErrorKind::InvalidInput, what);
        let host = url.host().ok_or_else(|| invalid("the URL has no host"))?.to_owned();
        let port = url.port_or_known_default().ok_or_else(|| invalid("the URL has no port"))?;
        let tls = match tls {
            Some((config, server_name)) => {
                let name = match server_name {
                    Some(name) => ServerName::try_from(name.clone()).map_err(io::Error::other)?,
                    None => server_name_of(&host)?,
                };
                Some((TlsConnector::from(Arc::clone(config)), name))
            }
            None => None,
        };
        Ok(Self(Rc::new(Destination { host, port, tls, connect_timeout, furthest: Cell::new(Stage::Dns) })))
    }

    /// The host it connects to.
    pub(super) fn host(&self) -> &Host {
        &self.0.host
    }

    /// How far any connection has got.
    pub(super) fn furthest(&self) -> Stage {
        self.0.furthest.get()
    }

    /// Whether connections are encrypted.
    pub(super) fn is_tls(&self) -> bool {
        self.0.tls.is_some()
    }
}

fn server_name_of(host: &Host) -> io::Result<ServerName<'static>> {
    match host {
        Host::Domain(name) => ServerName::try_from(name.clone()).map_err(io::Error::other),
        Host::Ipv4(address) => Ok(ServerName::from(IpAddr::from(*address))),
        Host::Ipv6(address) => Ok(ServerName::from(IpAddr::from(*address))),
    }
}

impl Destination {
    async fn connect(&self) -> Result<Stream, NoConnection> {
        let failed = |stage| move |source| NoConnection { stage, source };
        let addresses = self.resolve().await.map_err(failed(Stage::Dns))?;
        self.reached(Stage::Connect);
        let tcp = self.connect_to_any(&addresses).await.map_err(failed(Stage::Connect))?;
        // Requests are one small packet each; waiting for more to send would only delay them.
        tcp.set_nodelay(true).map_err(failed(Stage::Connect))?;
        let Some((connector, name)) = &self.tls else {
            self.reached(Stage::Established);
            return Ok(Stream::new(Wire::Plain(tcp)));
        };
        self.reached(Stage::Tls);
        let tls = connector.connect(name.clone(), tcp).await.map_err(failed(Stage::Tls))?;
        self.reached(Stage::Established);
        Ok(Stream::new(Wire::Tls(Box::new(tls))))
    }

    fn reached(&self, stage: Stage) {
        self.furthest.set(self.furthest.get().max(stage));
    }

    async fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        let addresses: Vec<_> = match &self.host {
            Host::Domain(name) => {
                resolve(name).await?.into_iter().map(|address| SocketAddr::new(address, self.port)).collect()
            }
            Host::Ipv4(address) => vec![SocketAddr::from((*address, self.port))],
            Host::Ipv6(address) => vec![SocketAddr::from((*address, self.port))],
        };
        if addresses.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        }
        Ok(addresses)
    }

    /// Tries one address after another; each has its share of the time, so that a dead one cannot use it all up.
    async fn connect_to_any(&self, addresses: &[SocketAddr]) -> io::Result<TcpStream> {
        let share = self.connect_timeout / u32::try_from(addresses.len()).unwrap_or(u32::MAX);
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in addresses {
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = error,
                Err(_) => last = io::Error::new(io::ErrorKind::TimedOut, "no answer in time"),
            }
        }
        Err(last)
    }
}

/// The addresses of a name, or why there are none.
type Addresses = Result<Vec<IpAddr>, Arc<io::Error>>;

/// Names being resolved, for all brokers of the process.
static NAMES: LazyLock<Blocking<String, Addresses>> = LazyLock::new(Blocking::new);

/// Resolves a name as the operating system does, hosts file and mDNS included.
async fn resolve(name: &str) -> io::Result<Vec<IpAddr>> {
    let host = name.to_owned();
    let addresses = NAMES.run(name.to_owned(), move || match (host.as_str(), 0).to_socket_addrs() {
        Ok(addresses) => Ok(addresses.map(|address| address.ip()).collect()),
        Err(error) => Err(Arc::new(error)),
    });
    addresses.await?.map_err(|error| io::Error::new(error.kind(), error))
}

impl Service<ConnectInfo<Uri>> for Transport {
    type Response = Connection<Uri, Stream>;
    type Error = ConnectError;
    type Future = LocalBoxFuture<'static, Result<Self::Response, ConnectError>>;

    actix_service::always_ready!();

    fn call(&self, request: ConnectInfo<Uri>) -> Self::Future {
        let destination = Rc::clone(&self.0);
        let uri = request.request().clone();
        Box::pin(async move {
            match destination.connect().await {
                Ok(stream) => Ok(Connection::new(uri, stream)),
                Err(error) => Err(ConnectError::Io(io::Error::other(error))),
            }
        })
    }
}

/// A connection.
#[derive(Debug)]
pub(super) struct Stream {
    wire: Wire,
    /// Whether anything ever came over it.
    heard: bool,
    /// Whether something was sent to which nothing came back yet.
    waiting: bool,
}

impl Stream {
    fn new(wire: Wire) -> Self {
        Self { wire, heard: false, waiting: false }
    }

    /// The end of the connection, as what it means to the request under way.
    fn ended(&self, error: io::Error) -> io::Error {
        if self.heard && self.waiting { io::Error::other(KeptConnectionLost(error)) } else { error }
    }
}

/// What a connection is made of.
enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(tls) => tls.get_ref().0,
        }
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Wire").field(self.tcp()).finish()
    }
}

impl ActixStream for Stream {
    fn poll_read_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        ActixStream::poll_read_ready(self.wire.tcp(), context)
    }

    fn poll_write_ready(&self, context: &mut Context<'_>) -> Poll<io::Result<Ready>> {
        ActixStream::poll_write_ready(self.wire.tcp(), context)
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        let before = buffer.filled().len();
        let read = ready!(match &mut stream.wire {
            Wire::Plain(tcp) => Pin::new(tcp).poll_read(context, buffer),
            Wire::Tls(tls) => Pin::new(tls).poll_read(context, buffer),
        });
        Poll::Ready(match read {
            Ok(()) if buffer.filled().len() > before => {
                stream.heard = true;
                stream.waiting = false;
                Ok(())
            }
            Ok(()) if stream.heard && stream.waiting => {
                Err(stream.ended(io::Error::new(io::ErrorKind::UnexpectedEof, "closed instead of an answer")))
            }
            Ok(()) => Ok(()),
            Err(error) => Err(stream.ended(error)),
        })
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let stream = self.get_mut();
        stream.waiting = true;
        let written = ready!(match &mut stream.wire {
            Wire::Plain(tcp) => Pin::new(tcp).poll_write(context, bytes),
            Wire::Tls(tls) => Pin::new(tls).poll_write(context, bytes),
        });
        Poll::Ready(written.map_err(|error| stream.ended(error)))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        let flushed = ready!(match &mut stream.wire {
            Wire::Plain(tcp) => Pin::new(tcp).poll_flush(context),
            Wire::Tls(tls) => Pin::new(tls).poll_flush(context),
        });
        Poll::Ready(flushed.map_err(|error| stream.ended(error)))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().wire {
            Wire::Plain(tcp) => Pin::new(tcp).poll_shutdown(context),
            Wire::Tls(tls) => Pin::new(tls).poll_shutdown(context),
        }
    }
}
