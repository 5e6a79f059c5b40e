//! The handle that tests hold.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::net::TcpSocket;
use tokio_rustls::TlsAcceptor;

use crate::recorded::{self, Version};
use crate::request::Request;
use crate::row::Row;
use crate::server::Server;
use crate::shared::{Shared, lock};
use crate::trouble::{Plan, When};

const API_KEY: &str = "fake-api-key";
const API_SECRET: &str = "fake-api-secret";

/// A broker on a loopback socket; it starts with no clients and ends when dropped.
pub struct FakeEmqx {
    shared: Arc<Shared>,
    address: SocketAddr,
    server: Mutex<Option<Server>>,
    /// Bound and never listening: keeps the port from other fakes while this one is stopped, and refuses.
    _port: TcpSocket,
}

impl FakeEmqx {
    /// Starts a broker at a free port.
    #[must_use]
    pub fn start(version: Version) -> Self {
        Self::start_at(version, (Ipv4Addr::LOCALHOST, 0).into())
    }

    /// Starts a broker at this address.
    #[must_use]
    pub fn start_at(version: Version, address: SocketAddr) -> Self {
        Self::with(version, address, None)
    }

    /// Starts a broker at a free port that talks TLS.
    #[must_use]
    pub fn start_tls(version: Version, config: Arc<rustls::ServerConfig>) -> Self {
        Self::start_tls_at(version, (Ipv4Addr::LOCALHOST, 0).into(), config)
    }

    /// Starts a broker at this address that talks TLS.
    #[must_use]
    pub fn start_tls_at(version: Version, address: SocketAddr, config: Arc<rustls::ServerConfig>) -> Self {
        Self::with(version, address, Some(config.into()))
    }

    fn with(version: Version, address: SocketAddr, tls: Option<TlsAcceptor>) -> Self {
        let port = reserve(address).expect("the address is free");
        let address = port.local_addr().expect("a bound socket has an address");
        let listener = TcpListener::bind(address).expect("the port is ours");
        let shared = Arc::new(Shared::new(version, tls, API_KEY, API_SECRET));
        let server = Server::start(listener, Arc::clone(&shared)).expect("the fake starts");
        Self { shared, address, server: Mutex::new(Some(server)), _port: port }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The API's address, up to `api/`.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_with_host("127.0.0.1")
    }

    /// The API's address with another name of this machine, as certificates know it.
    #[must_use]
    pub fn url_with_host(&self, host: &str) -> String {
        let scheme = if self.shared.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{host}:{}/api/", self.address.port())
    }

    /// The key it takes.
    #[must_use]
    pub fn api_key(&self) -> String {
        lock(&self.shared.credentials).0.clone()
    }

    /// The secret it takes.
    #[must_use]
    pub fn api_secret(&self) -> String {
        lock(&self.shared.credentials).1.clone()
    }

    /// Takes another key and secret from now on.
    pub fn set_credentials(&self, key: &str, secret: &str) {
        *lock(&self.shared.credentials) = (key.into(), secret.into());
    }

    /// Adds a row. The same ID may be added again: the list tells both rows, the lookup the older one.
    pub fn add(&self, row: Row) {
        self.shared.fleet().add(row);
    }

    /// Adds many rows at once.
    pub fn add_all(&self, rows: impl IntoIterator<Item = Row>) {
        let mut fleet = self.shared.fleet();
        rows.into_iter().for_each(|row| fleet.add(row));
    }

    /// Adds every client of the recorded list.
    pub fn add_recorded_fleet(&self) {
        self.add_all(recorded::fleet(self.shared.version).map(Row::of));
    }

    /// Adds the recorded client `flap-clean` with its two rows (5.8.9 only).
    pub fn add_recorded_duplicate(&self) {
        let mut rows: Vec<_> = recorded::duplicates(self.shared.version).map(Row::of).collect();
        rows.reverse();
        self.add_all(rows);
    }

    /// Changes every row of a client; panics when there is none.
    pub fn change(&self, id: &str, change: impl Fn(Row) -> Row) {
        self.shared.fleet().change(id, change);
    }

    /// Lets a client go away while the broker keeps its session, in the shape of the recorded one that did so
    /// (`disconnected_at` included); panics when there is none.
    pub fn disconnect(&self, id: &str) {
        self.shared.fleet().disconnect(id);
    }

    /// Forgets a client; says whether there was one.
    pub fn remove(&self, id: &str) -> bool {
        self.shared.fleet().remove(id)
    }

    /// Forgets every client.
    pub fn remove_all(&self) {
        self.shared.fleet().clear();
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.fleet().len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Makes it misbehave. Of the troubles for a request the first one added that is not used up happens.
    pub fn trouble(&self, when: When, what: impl Into<Plan>) {
        lock(&self.shared.plans).push((when, what.into()));
    }

    /// Ends all troubles, except those that are happening.
    pub fn clear_troubles(&self) {
        lock(&self.shared.plans).clear();
    }

    /// Answers every request so much later.
    pub fn delay(&self, delay: Duration) {
        self.shared.set_delay(delay);
    }

    /// What was asked, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.shared.log).kept.clone()
    }

    /// How many requests were asked.
    #[must_use]
    pub fn request_count(&self) -> usize {
        lock(&self.shared.log).count
    }

    /// Waits until so many requests were asked; says whether they were in time.
    #[must_use]
    pub fn wait_for_requests(&self, count: usize, at_most: Duration) -> bool {
        let until = Instant::now() + at_most;
        let mut log = lock(&self.shared.log);
        while log.count < count {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            log = match self.shared.asked.wait_timeout(log, left) {
                Ok((log, _)) => log,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        true
    }

    /// Whether requests are kept for [`Self::requests`]; benches turn it off. They are counted anyway.
    pub fn keep_requests(&self, keep: bool) {
        lock(&self.shared.log).forgetful = !keep;
    }

    /// Starts counting anew: requests, connections, and the most in flight.
    pub fn forget(&self) {
        let mut log = lock(&self.shared.log);
        log.count = 0;
        log.kept.clear();
        self.shared.connections.store(0, Ordering::SeqCst);
        self.shared.most_in_flight.store(0, Ordering::SeqCst);
    }

    /// How many TCP connections were accepted.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// The most requests that were under way at once.
    #[must_use]
    pub fn max_in_flight(&self) -> usize {
        self.shared.most_in_flight.load(Ordering::SeqCst)
    }

    /// The broker dies: its connections are reset and its port refuses, and nobody else gets that port. Its clients
    /// and troubles stay for [`Self::restart`].
    pub fn stop(&self) {
        drop(lock(&self.server).take());
    }

    /// The broker comes back at the same port.
    pub fn restart(&self) {
        let mut server = lock(&self.server);
        drop(server.take());
        let listener = TcpListener::bind(self.address).expect("the port is still free");
        *server = Some(Server::start(listener, Arc::clone(&self.shared)).expect("the fake starts"));
    }
}

/// Binds a socket, which lets a listener beside it at the same port.
fn reserve(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}
