//! The handle through which tests control the broker.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::net::TcpSocket;
use tokio_rustls::TlsAcceptor;

use crate::bans::Ban;
use crate::fault::{FaultPlan, When};
use crate::recorded::{self, Version};
use crate::request::Request;
use crate::retained::Retained;
use crate::row::Row;
use crate::server::Server;
use crate::shared::{Shared, lock};

const API_KEY: &str = "fake-api-key";
const API_SECRET: &str = "fake-api-secret";

/// A fake broker on a loopback socket. It starts without clients and stops when dropped.
pub struct FakeEmqx {
    shared: Arc<Shared>,
    address: SocketAddr,
    server: Mutex<Option<Server>>,
    /// Bound but never listening: while the fake is stopped, its port refuses and no other fake gets it.
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

    /// Starts a broker with TLS at a free port.
    #[must_use]
    pub fn start_tls(version: Version, config: Arc<rustls::ServerConfig>) -> Self {
        Self::start_tls_at(version, (Ipv4Addr::LOCALHOST, 0).into(), config)
    }

    /// Starts a broker with TLS at this address.
    #[must_use]
    pub fn start_tls_at(version: Version, address: SocketAddr, config: Arc<rustls::ServerConfig>) -> Self {
        Self::with(version, address, Some(config.into()))
    }

    fn with(version: Version, address: SocketAddr, tls: Option<TlsAcceptor>) -> Self {
        let port = reserve(address).expect("the address is free");
        let address = port.local_addr().expect("a bound socket has an address");
        let listener = TcpListener::bind(address).expect("the port is reserved");
        let shared = Arc::new(Shared::new(version, tls, API_KEY, API_SECRET));
        let server = Server::start(listener, Arc::clone(&shared)).expect("the fake starts");
        Self { shared, address, server: Mutex::new(Some(server)), _port: port }
    }

    /// The address it listens on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL of the API, up to `api/`.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_with_host("127.0.0.1")
    }

    /// The URL of the API with another name of this machine, for tests of certificates.
    #[must_use]
    pub fn url_with_host(&self, host: &str) -> String {
        let scheme = if self.shared.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{host}:{}/api/", self.address.port())
    }

    /// The API key it accepts.
    #[must_use]
    pub fn api_key(&self) -> String {
        lock(&self.shared.credentials).0.clone()
    }

    /// The API secret it accepts.
    #[must_use]
    pub fn api_secret(&self) -> String {
        lock(&self.shared.credentials).1.clone()
    }

    /// Accepts only this key and secret from now on.
    pub fn set_credentials(&self, key: &str, secret: &str) {
        *lock(&self.shared.credentials) = (key.into(), secret.into());
    }

    /// Adds a row. An ID may be added twice: the list has both rows, a lookup returns the older one.
    pub fn add(&self, row: Row) {
        self.shared.clients().add(row);
    }

    /// Adds many rows at once.
    pub fn add_all(&self, rows: impl IntoIterator<Item = Row>) {
        let mut clients = self.shared.clients();
        rows.into_iter().for_each(|row| clients.add(row));
    }

    /// Adds every client of the recorded list.
    pub fn add_recorded_clients(&self) {
        self.add_all(recorded::clients(self.shared.version).map(Row::of));
    }

    /// Adds the recorded client `flap-clean`, which has two rows (5.8.9 only).
    pub fn add_recorded_duplicate(&self) {
        let mut rows: Vec<_> = recorded::duplicates(self.shared.version).map(Row::of).collect();
        rows.reverse();
        self.add_all(rows);
    }

    /// Changes every row of a client. Panics if there is none.
    pub fn change(&self, id: &str, change: impl Fn(Row) -> Row) {
        self.shared.clients().change(id, change);
    }

    /// Disconnects a client whose session the broker keeps. Its row takes the shape of the recorded disconnected client,
    /// `disconnected_at` included. Panics if there is no such client.
    pub fn disconnect(&self, id: &str) {
        self.shared.clients().disconnect(id);
    }

    /// Removes a client. Returns whether there was one.
    pub fn remove(&self, id: &str) -> bool {
        self.shared.clients().remove(id)
    }

    /// Removes every client.
    pub fn remove_all(&self) {
        self.shared.clients().clear();
    }

    /// The number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shared.clients().len()
    }

    /// Returns whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Retains a message in place of the former one with its topic.
    pub fn retain(&self, message: Retained) {
        self.shared.retained().put(message);
    }

    /// Retains many messages at once.
    pub fn retain_all(&self, messages: impl IntoIterator<Item = Retained>) {
        let mut retained = self.shared.retained();
        messages.into_iter().for_each(|message| retained.put(message));
    }

    /// Retains the messages of the recorded list.
    pub fn retain_recorded(&self) {
        self.retain_all(Retained::all_recorded());
    }

    /// Clears a retained message, as an empty payload does. Returns whether there was one.
    pub fn clear_retained(&self, topic: &str) -> bool {
        self.shared.retained().remove(topic)
    }

    /// Clears all retained messages, as a restart of a broker does that keeps them in memory.
    pub fn clear_all_retained(&self) {
        self.shared.retained().clear();
    }

    /// Enables or disables the retainer. While it is disabled, the lists of messages are empty.
    pub fn enable_retainer(&self, enabled: bool) {
        self.shared.retained().set_enabled(enabled);
    }

    /// Adds the rule that remembers connections: from now on each connect and disconnect of a client retains a message
    /// at `$seen/ID`, whose `publish_at` is the present time. A change of a row's `connected` or `connected_at` is one.
    pub fn remember_connections(&self) {
        self.shared.retained().remember_connections();
    }

    /// Adds a ban. One on a client ID closes its connection and discards its session; the fake does not prevent it from
    /// being added again.
    pub fn ban(&self, ban: Ban) {
        let kicked = self.shared.bans().add(ban);
        if let Some(id) = kicked {
            self.remove(&id);
        }
    }

    /// Removes the bans on exactly this client ID. Returns whether there was one.
    pub fn unban(&self, id: &str) -> bool {
        self.shared.bans().remove(id)
    }

    /// Injects a fault. The first fault that matches a request and is not used up applies to it.
    pub fn inject(&self, when: When, fault: impl Into<FaultPlan>) {
        lock(&self.shared.faults).push((when, fault.into()));
    }

    /// Removes all faults, except those that are in progress.
    pub fn clear_faults(&self) {
        lock(&self.shared.faults).clear();
    }

    /// Sends every response this much later.
    pub fn set_latency(&self, latency: Duration) {
        self.shared.set_latency(latency);
    }

    /// The requests received, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.shared.log).recorded.clone()
    }

    /// The number of requests received.
    #[must_use]
    pub fn request_count(&self) -> usize {
        lock(&self.shared.log).count
    }

    /// Waits until this many requests were received. Returns whether they arrived in time.
    #[must_use]
    pub fn wait_for_requests(&self, count: usize, at_most: Duration) -> bool {
        let deadline = Instant::now() + at_most;
        let mut log = lock(&self.shared.log);
        while log.count < count {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            log = match self.shared.request_received.wait_timeout(log, left) {
                Ok((log, _)) => log,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
        true
    }

    /// Sets whether requests are recorded for [`Self::requests`]. Benches turn that off; the count goes on.
    pub fn record_requests(&self, record: bool) {
        lock(&self.shared.log).counts_only = !record;
    }

    /// Resets all counters and drops the recorded requests. Maxima start at the present number.
    pub fn reset_counters(&self) {
        let mut log = lock(&self.shared.log);
        log.count = 0;
        log.recorded.clear();
        self.shared.connections.store(0, Ordering::SeqCst);
        self.shared.requests_in_flight.reset();
        self.shared.open_connections.reset();
    }

    /// The number of TCP connections accepted.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// The maximum number of requests that were in progress at the same time.
    #[must_use]
    pub fn max_in_flight(&self) -> usize {
        self.shared.requests_in_flight.max()
    }

    /// The maximum number of connections that were open at the same time.
    #[must_use]
    pub fn max_open_connections(&self) -> usize {
        self.shared.open_connections.max()
    }

    /// Stops the broker: its connections are reset and its port refuses. Clients and faults stay for
    /// [`Self::restart`], and so does the port.
    pub fn stop(&self) {
        drop(lock(&self.server).take());
    }

    /// Starts the broker again at the same port.
    pub fn restart(&self) {
        let mut server = lock(&self.server);
        drop(server.take());
        let listener = TcpListener::bind(self.address).expect("the port is still reserved");
        *server = Some(Server::start(listener, Arc::clone(&self.shared)).expect("the fake starts"));
    }
}

/// Binds a socket that allows a listener at the same port.
fn reserve(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}
