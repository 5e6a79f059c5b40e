//! Connections to a broker: name resolution, TCP and TLS.
//!
//! The HTTP library gets its connections from here, because its own connector can verify neither another name than the
//! URL's host nor an IPv6 address, and does not report which phase failed.

mod observations;
mod race;
mod response_framing;
mod stream;
mod tunnel;

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::rc::Rc;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use actix_service::Service;
use actix_tls::connect::{ConnectError, ConnectInfo, Connection};
use awc::http::Uri;
use futures_util::future::LocalBoxFuture;
use rustix::io::Errno;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::{Host, Url};

use super::ProxyAccess;
use crate::blocking::Blocking;
use crate::connection_stats::{ConnectionStats, Phase};
use observations::{ConnectTimer, Observations};
use race::{connect_first, interleave};
pub(super) use stream::StaleConnection;
use stream::{BrokerStream, Socket};
use tunnel::Tunnel;

/// Phase of making a connection, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ConnectPhase {
    /// Resolving the name.
    Resolve,
    /// Making the TCP connection.
    Connect,
    /// Opening a tunnel through the proxy.
    Tunnel,
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

/// Makes the connections of one probe to its broker.
#[derive(Clone)]
pub(super) struct Transport {
    endpoint: Rc<Endpoint>,
    observations: Rc<Observations>,
}

struct Endpoint {
    /// The host and port to connect to: the proxy, or the broker itself.
    host: Host,
    port: u16,
    /// How the proxy is asked for a connection to the broker.
    tunnel: Option<Tunnel>,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    /// Time limit for connecting to any address of the host.
    connect_timeout: Duration,
    /// Addresses of the host, the best first; empty until its name was resolved.
    addresses: RefCell<Vec<SocketAddr>>,
    /// Furthest phase that any connection reached, which tells what a request that timed out was waiting for.
    phase: Cell<ConnectPhase>,
}

impl Transport {
    /// Returns a transport to the host of `url`, through the proxy if there is one. The certificate must bear the name given
    /// with `tls`, or else the host.
    pub(super) fn new(
        url: &Url,
        tls: Option<&(Arc<ClientConfig>, Option<String>)>,
        proxy: Option<&ProxyAccess>,
        connect_timeout: Duration,
    ) -> io::Result<Self> {
        let (host, port) = host_and_port(url)?;
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
        let tunnel = proxy.map(|proxy| Tunnel::new(&format!("{host}:{port}"), &proxy.headers));
        let (host, port) = proxy.map_or(Ok((host, port)), |proxy| host_and_port(&proxy.url))?;
        let address = match &host {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some(IpAddr::from(*address)),
            Host::Ipv6(address) => Some(IpAddr::from(*address)),
        };
        let addresses = address.map(|address| SocketAddr::new(address, port)).into_iter().collect();
        let endpoint = Endpoint {
            host,
            port,
            tunnel,
            tls,
            connect_timeout,
            addresses: RefCell::new(addresses),
            phase: Cell::new(ConnectPhase::Resolve),
        };
        Ok(Self { endpoint: Rc::new(endpoint), observations: Rc::default() })
    }

    /// Returns the host whose name is resolved, for messages.
    pub(super) fn resolved_host(&self) -> String {
        let host = &self.endpoint.host;
        if self.endpoint.tunnel.is_some() { format!("the proxy {host}") } else { host.to_string() }
    }

    /// Returns host and port of the proxy.
    pub(super) fn proxy(&self) -> Option<String> {
        let Endpoint { tunnel, host, port, .. } = &*self.endpoint;
        tunnel.is_some().then(|| format!("{host}:{port}"))
    }

    /// Returns the furthest phase that any connection reached.
    pub(super) fn phase(&self) -> ConnectPhase {
        self.endpoint.phase.get()
    }

    /// Returns whether connections use TLS.
    pub(super) fn is_tls(&self) -> bool {
        self.endpoint.tls.is_some()
    }

    /// Returns whether anything that begins as HTTP does was received.
    pub(super) fn spoke_http(&self) -> bool {
        self.observations.spoke_http.get()
    }

    /// Returns whether unrequested data was received.
    pub(super) fn saw_unsolicited_bytes(&self) -> bool {
        self.observations.unsolicited.get()
    }

    /// Forgets such data, because further requests go over other connections.
    pub(super) fn forget_unsolicited_bytes(&self) {
        self.observations.unsolicited.set(false);
    }

    /// Returns what was observed on the connections so far.
    pub(super) fn connection_stats(&self) -> ConnectionStats {
        self.observations.stats()
    }
}

fn host_and_port(url: &Url) -> io::Result<(Host, u16)> {
    let invalid = |what| io::Error::new(io::ErrorKind::InvalidInput, what);
    let host = url.host().ok_or_else(|| invalid("the URL has no host"))?.to_owned();
    let port = url.port_or_known_default().ok_or_else(|| invalid("the URL has no port"))?;
    Ok((host, port))
}

fn server_name_of(host: &Host) -> io::Result<ServerName<'static>> {
    match host {
        Host::Domain(name) => ServerName::try_from(name.clone()).map_err(io::Error::other),
        Host::Ipv4(address) => Ok(ServerName::from(IpAddr::from(*address))),
        Host::Ipv6(address) => Ok(ServerName::from(IpAddr::from(*address))),
    }
}

impl Endpoint {
    async fn connect(&self, observations: &Rc<Observations>) -> Result<Socket, ConnectFailure> {
        let failed = |phase| move |source| ConnectFailure { phase, source: with_descriptor_hint(source) };
        let mut timer = ConnectTimer::start(observations);
        let addresses = self.resolve(&mut timer).await.map_err(failed(ConnectPhase::Resolve))?;
        self.reached(ConnectPhase::Connect);
        timer.enter(Some(Phase::Connect));
        let mut tcp = self.connect_tcp(&addresses).await.map_err(failed(ConnectPhase::Connect))?;
        // A request is one small packet; waiting for more data would only delay it.
        tcp.set_nodelay(true).map_err(failed(ConnectPhase::Connect))?;
        if let Some(tunnel) = &self.tunnel {
            self.reached(ConnectPhase::Tunnel);
            tunnel.open(&mut tcp).await.map_err(failed(ConnectPhase::Tunnel))?;
        }
        let Some((connector, name)) = &self.tls else {
            self.reached(ConnectPhase::Established);
            timer.finish();
            return Ok(Socket::Plain(tcp));
        };
        self.reached(ConnectPhase::Tls);
        timer.enter(Some(Phase::Tls));
        let handshake = observations.presented.record_during(connector.connect(name.clone(), tcp));
        let tls = handshake.await.map_err(failed(ConnectPhase::Tls))?;
        self.reached(ConnectPhase::Established);
        timer.finish();
        observations.record_tls(tls.get_ref().1);
        Ok(Socket::Tls(Box::new(tls)))
    }

    fn reached(&self, phase: ConnectPhase) {
        self.phase.set(self.phase.get().max(phase));
    }

    /// Returns the addresses of the host. A name is resolved until that has succeeded once.
    async fn resolve(&self, timer: &mut ConnectTimer) -> io::Result<Vec<SocketAddr>> {
        let known = self.addresses.borrow().clone();
        let Host::Domain(name) = &self.host else { return Ok(known) };
        if !known.is_empty() {
            return Ok(known);
        }
        timer.enter(Some(Phase::Resolve));
        let addresses = interleave(resolve(name).await?);
        let addresses: Vec<_> =
            addresses.into_iter().map(|address| SocketAddr::new(address, self.port)).collect();
        self.addresses.replace(addresses.clone());
        Ok(addresses)
    }

    /// Connects to the first address that accepts, which is tried first by later connections.
    async fn connect_tcp(&self, addresses: &[SocketAddr]) -> io::Result<TcpStream> {
        let connected = timeout(self.connect_timeout, connect_first(addresses)).await;
        let tcp = connected.map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "connection timed out"))??;
        let best = tcp.peer_addr()?;
        self.addresses.borrow_mut().sort_by_key(|address| *address != best);
        Ok(tcp)
    }
}

/// Names the limit that an operating system's error for missing file descriptors is about.
fn with_descriptor_hint(error: io::Error) -> io::Error {
    let is_shortage = |errno: Errno| error.raw_os_error() == Some(errno.raw_os_error());
    if is_shortage(Errno::MFILE) || is_shortage(Errno::NFILE) {
        return io::Error::new(
            error.kind(),
            "no file descriptors left; raise the limit of open files (ulimit -n)",
        );
    }
    error
}

/// Addresses of a name, or the error of its resolution.
type Addresses = Result<Vec<IpAddr>, Arc<io::Error>>;

/// Name resolutions in progress, shared by all probes of the process.
static NAMES: LazyLock<Blocking<String, Addresses>> = LazyLock::new(Blocking::new);

/// Resolves a name with the system resolver, which includes the hosts file and mDNS.
async fn resolve(name: &str) -> io::Result<Vec<IpAddr>> {
    let host = name.to_owned();
    let addresses = NAMES.run(name.to_owned(), move || match (host.as_str(), 0).to_socket_addrs() {
        Ok(addresses) => Ok(addresses.map(|address| address.ip()).collect()),
        // The resolver reports a shortage of file descriptors as a name that does not exist.
        Err(error) => Err(Arc::new(File::open("/dev/null").err().unwrap_or(error))),
    });
    let addresses = addresses.await?.map_err(|error| match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error),
    })?;
    if addresses.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
    }
    Ok(addresses)
}

impl Service<ConnectInfo<Uri>> for Transport {
    type Response = Connection<Uri, BrokerStream>;
    type Error = ConnectError;
    type Future = LocalBoxFuture<'static, Result<Self::Response, ConnectError>>;

    actix_service::always_ready!();

    fn call(&self, request: ConnectInfo<Uri>) -> Self::Future {
        let Self { endpoint, observations } = self.clone();
        let uri = request.request().clone();
        Box::pin(async move {
            match endpoint.connect(&observations).await {
                Ok(socket) => Ok(Connection::new(uri, BrokerStream::new(socket, observations))),
                Err(error) => Err(ConnectError::Io(io::Error::other(error))),
            }
        })
    }
}
