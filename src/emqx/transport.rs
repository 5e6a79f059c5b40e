//! Connections to a broker: name resolution, TCP and TLS.
//!
//! The HTTP library gets its connections from here, because its own connector can verify neither another name than the
//! URL's host nor an IPv6 address, and does not report which phase failed.

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

/// Phase of making a connection, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ConnectPhase {
    /// Resolving the name.
    Resolve,
    /// Making the TCP connection.
    Connect,
    /// TLS handshake.
    Tls,
    /// The connection is ready for requests.
    Established,
}

/// A connection that could not be made.
#[derive(Debug, thiserror::Error)]
#[error("{source}")]
pub(super) struct ConnectFailure {
    /// Phase that failed.
    pub(super) phase: ConnectPhase,
    pub(super) source: io::Error,
}

/// A pooled connection that served a request before, and that ended without a byte of a response to the last one.
///
/// The broker most likely closed it before the request arrived, for being idle or for having served its maximum of
/// requests. The request is safe to repeat over a new connection.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct StaleConnection(io::Error);

/// Makes the connections of one probe to its broker.
#[derive(Clone)]
pub(super) struct Transport(Rc<Endpoint>);

struct Endpoint {
    host: Host,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    /// Time limit for connecting to all addresses of the host.
    connect_timeout: Duration,
    /// Furthest phase that any connection reached, which tells what a request that timed out was waiting for.
    phase: Cell<ConnectPhase>,
}

impl Transport {
    /// Returns a transport to the host of `url`. The certificate must bear the name given with `tls`, or else the host.
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
        Ok(Self(Rc::new(Endpoint {
            host,
            port,
            tls,
            connect_timeout,
            phase: Cell::new(ConnectPhase::Resolve),
        })))
    }

    /// Returns the host it connects to.
    pub(super) fn host(&self) -> &Host {
        &self.0.host
    }

    /// Returns the furthest phase that any connection reached.
    pub(super) fn phase(&self) -> ConnectPhase {
        self.0.phase.get()
    }

    /// Returns whether connections use TLS.
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

impl Endpoint {
    async fn connect(&self) -> Result<BrokerStream, ConnectFailure> {
        let failed = |phase| move |source| ConnectFailure { phase, source };
        let addresses = self.resolve().await.map_err(failed(ConnectPhase::Resolve))?;
        self.reached(ConnectPhase::Connect);
        let tcp = self.connect_to_any(&addresses).await.map_err(failed(ConnectPhase::Connect))?;
        // A request is one small packet; waiting for more data would only delay it.
        tcp.set_nodelay(true).map_err(failed(ConnectPhase::Connect))?;
        let Some((connector, name)) = &self.tls else {
            self.reached(ConnectPhase::Established);
            return Ok(BrokerStream::new(Socket::Plain(tcp)));
        };
        self.reached(ConnectPhase::Tls);
        let tls = connector.connect(name.clone(), tcp).await.map_err(failed(ConnectPhase::Tls))?;
        self.reached(ConnectPhase::Established);
        Ok(BrokerStream::new(Socket::Tls(Box::new(tls))))
    }

    fn reached(&self, phase: ConnectPhase) {
        self.phase.set(self.phase.get().max(phase));
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

    /// Tries one address after another. Each has an equal share of the time limit, so that a dead one cannot use it up.
    async fn connect_to_any(&self, addresses: &[SocketAddr]) -> io::Result<TcpStream> {
        let share = self.connect_timeout / u32::try_from(addresses.len()).unwrap_or(u32::MAX);
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in addresses {
            match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => last = error,
                Err(_) => last = io::Error::new(io::ErrorKind::TimedOut, "connection timed out"),
            }
        }
        Err(last)
    }
}

/// Addresses of a name, or the error of its resolution.
type Addresses = Result<Vec<IpAddr>, Arc<io::Error>>;

/// Name resolutions under way, shared by all probes of the process.
static NAMES: LazyLock<Blocking<String, Addresses>> = LazyLock::new(Blocking::new);

/// Resolves a name with the system resolver, which includes the hosts file and mDNS.
async fn resolve(name: &str) -> io::Result<Vec<IpAddr>> {
    let host = name.to_owned();
    let addresses = NAMES.run(name.to_owned(), move || match (host.as_str(), 0).to_socket_addrs() {
        Ok(addresses) => Ok(addresses.map(|address| address.ip()).collect()),
        Err(error) => Err(Arc::new(error)),
    });
    addresses.await?.map_err(|error| io::Error::new(error.kind(), error))
}

impl Service<ConnectInfo<Uri>> for Transport {
    type Response = Connection<Uri, BrokerStream>;
    type Error = ConnectError;
    type Future = LocalBoxFuture<'static, Result<Self::Response, ConnectError>>;

    actix_service::always_ready!();

    fn call(&self, request: ConnectInfo<Uri>) -> Self::Future {
        let endpoint = Rc::clone(&self.0);
        let uri = request.request().clone();
        Box::pin(async move {
            match endpoint.connect().await {
                Ok(stream) => Ok(Connection::new(uri, stream)),
                Err(error) => Err(ConnectError::Io(io::Error::other(error))),
            }
        })
    }
}

/// A connection that tells a stale one apart from other failures.
#[derive(Debug)]
pub(super) struct BrokerStream {
    socket: Socket,
    /// Whether any byte was received.
    has_received: bool,
    /// Whether a request was sent and no byte of its response was received.
    awaits_response: bool,
}

impl BrokerStream {
    fn new(socket: Socket) -> Self {
        Self { socket, has_received: false, awaits_response: false }
    }

    /// Returns the error that the end of the connection means for the request under way.
    fn closed(&self, error: io::Error) -> io::Error {
        if self.has_received && self.awaits_response { io::Error::other(StaleConnection(error)) } else { error }
    }
}

/// TCP with or without TLS.
enum Socket {
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
        let before = buffer.filled().len();
        let read = ready!(match &mut stream.socket {
            Socket::Plain(tcp) => Pin::new(tcp).poll_read(context, buffer),
            Socket::Tls(tls) => Pin::new(tls).poll_read(context, buffer),
        });
        Poll::Ready(match read {
            Ok(()) if buffer.filled().len() > before => {
                stream.has_received = true;
                stream.awaits_response = false;
                Ok(())
            }
            Ok(()) if stream.has_received && stream.awaits_response => Err(stream
                .closed(io::Error::new(io::ErrorKind::UnexpectedEof, "connection closed before the response"))),
            Ok(()) => Ok(()),
            Err(error) => Err(stream.closed(error)),
        })
    }
}

impl AsyncWrite for BrokerStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let stream = self.get_mut();
        stream.awaits_response = true;
        let written = ready!(match &mut stream.socket {
            Socket::Plain(tcp) => Pin::new(tcp).poll_write(context, bytes),
            Socket::Tls(tls) => Pin::new(tls).poll_write(context, bytes),
        });
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
