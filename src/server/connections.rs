//! Limits the open connections of all workers, and chooses which to close for a new one.
//!
//! A connection that waits for its client (for a request, or for the client to read) may be closed when a new one needs
//! its place. A connection whose client waits for a response is never closed.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use actix_web::Error;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{ConnectionType, Version};
use actix_web::middleware::Next;
use bytes::Bytes;
use futures_util::task::AtomicWaker;
use tracing::debug;

use super::peer::Peer;

/// Maximum number of MQTT clients in responses whose readers have stopped reading. A larger response is allowed if it is
/// the only one.
const MAX_HELD_CLIENTS: usize = 30_000;

/// A reader that has taken nothing for this time has stopped reading.
const STOPPED_READING: Duration = Duration::from_secs(1);

/// The open connections.
pub(super) struct Connections {
    max: usize,
    began: Instant,
    open: Mutex<HashMap<u64, Arc<Connection>>>,
    next_id: AtomicU64,
}

/// An open connection.
pub(super) struct Connection {
    id: u64,
    peer: Peer,
    connections: Arc<Connections>,
    /// Requests that were received and not answered to their end.
    requests: AtomicUsize,
    /// Since when it has waited for a request, in milliseconds since the server began.
    idle_since: AtomicU64,
    /// Since when it has waited for its client to read, in the same unit, or [`NEVER`].
    blocked_since: AtomicU64,
    /// Clients of a broker that its response holds in memory.
    held_clients: AtomicUsize,
    is_evicted: AtomicBool,
    /// Wakes the task that serves it, so that the task notices the eviction.
    waker: AtomicWaker,
}

/// It does not wait.
const NEVER: u64 = u64::MAX;

/// Keeps a connection open in [`Connections`] until it is dropped.
pub(super) struct ConnectionSlot(Arc<Connection>);

impl Connections {
    /// Allows `max` connections at once.
    pub(super) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, began: Instant::now(), open: Mutex::default(), next_id: AtomicU64::new(0) })
    }

    /// Reserves a place for a new connection of `peer`. If there is none, closes one of the connections that wait for their
    /// client. Returns `None` if no connection waits.
    pub(super) fn open(self: &Arc<Self>, peer: Peer) -> Option<ConnectionSlot> {
        let mut open = self.lock();
        if open.len() >= self.max {
            let given_up = first_to_give_way(&open)?;
            open.remove(&given_up)?.evict();
        }
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let connection = Arc::new(Connection {
            id,
            peer,
            connections: Arc::clone(self),
            requests: AtomicUsize::new(0),
            idle_since: AtomicU64::new(self.now()),
            blocked_since: AtomicU64::new(NEVER),
            held_clients: AtomicUsize::new(0),
            is_evicted: AtomicBool::new(false),
            waker: AtomicWaker::new(),
        });
        open.insert(id, Arc::clone(&connection));
        Some(ConnectionSlot(connection))
    }

    /// Returns whether more than half of the places are taken: connections are then closed after their responses.
    fn is_crowded(&self) -> bool {
        self.lock().len() > self.max / 2
    }

    /// Frees memory: while the responses hold too many clients, closes the connection whose reader stopped longest ago.
    fn bound_held_clients(&self) {
        let stopped_before = self.now().saturating_sub(millis(STOPPED_READING));
        let mut open = self.lock();
        let mut held: usize =
            open.values().map(|connection| connection.held_clients.load(Ordering::Relaxed)).sum();
        while held > MAX_HELD_CLIENTS {
            let stopped = open.values().filter(|connection| {
                connection.held_clients.load(Ordering::Relaxed) > 0
                    && connection.blocked_since.load(Ordering::Relaxed) <= stopped_before
            });
            let longest =
                stopped.map(|connection| (connection.blocked_since.load(Ordering::Relaxed), connection.id));
            let Some(connection) = longest.min().and_then(|(_, id)| open.remove(&id)) else { return };
            held -= connection.held_clients.load(Ordering::Relaxed).min(held);
            connection.evict();
        }
    }

    /// Returns the milliseconds since the server started.
    fn now(&self) -> u64 {
        millis(self.began.elapsed())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Connection>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the connection that has waited longest for its client, among those of the peer of whom most wait: nobody who
/// opens many connections closes those of others.
fn first_to_give_way(open: &HashMap<u64, Arc<Connection>>) -> Option<u64> {
    let waiting: Vec<_> =
        open.values().filter_map(|connection| Some((connection, connection.waiting_since()?))).collect();
    let mut counts: HashMap<Peer, usize> = HashMap::new();
    for (connection, _) in &waiting {
        *counts.entry(connection.peer).or_default() += 1;
    }
    let first = waiting.iter().max_by_key(|(connection, since)| {
        (counts.get(&connection.peer), Reverse(*since), Reverse(connection.id))
    });
    first.map(|(connection, _)| connection.id)
}

impl Connection {
    /// Since when it has waited for its client; `None` where its client waits for a response.
    fn waiting_since(&self) -> Option<u64> {
        let since =
            if self.requests.load(Ordering::Relaxed) == 0 { &self.idle_since } else { &self.blocked_since };
        Some(since.load(Ordering::Relaxed)).filter(|since| *since != NEVER)
    }

    /// Closes it: its next read or write fails.
    fn evict(&self) {
        debug!(id = self.id, "closed a waiting connection in favour of a new one");
        self.is_evicted.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Whether it has to be closed; else `waker` is woken when it has to be.
    pub(super) fn is_evicted(&self, waker: &Waker) -> bool {
        self.waker.register(waker);
        self.is_evicted.load(Ordering::Acquire)
    }

    /// Records that its client does not read.
    pub(super) fn set_blocked(&self) {
        self.blocked_since.store(self.connections.now(), Ordering::Relaxed);
    }

    /// Records that its client has read everything so far.
    pub(super) fn set_unblocked(&self) {
        self.blocked_since.store(NEVER, Ordering::Relaxed);
    }

    /// Records that its response holds this many clients in memory until it has been read.
    pub(super) fn hold_clients(&self, count: usize) {
        self.held_clients.store(count, Ordering::Relaxed);
        self.connections.bound_held_clients();
    }
}

impl ConnectionSlot {
    /// The connection.
    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.0
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        self.0.connections.lock().remove(&self.0.id);
    }
}

/// Records the request as in progress on its connection until its response has been written, and closes the connection
/// after it where more than half of the places are taken, or where only its end can mark the end of the body: HTTP/1.0
/// knows no chunks.
pub(super) async fn track<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse, Error> {
    let connection = request.request().conn_data::<Arc<Connection>>().cloned();
    let in_flight = connection.map(RequestInFlight::new);
    let knows_chunks = request.version() >= Version::HTTP_11;
    let mut response = next.call(request).await?.map_into_boxed_body();
    if !knows_chunks && response.response().body().size() == BodySize::Stream {
        let head = response.response_mut().head_mut();
        head.no_chunking(true);
        head.set_connection_type(ConnectionType::Close);
    }
    if in_flight.as_ref().is_some_and(|in_flight| in_flight.0.connections.is_crowded()) {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(response.map_body(|_, body| BoxBody::new(TrackedBody { body, _in_flight: in_flight })))
}

/// A request that was received and not answered to its end.
struct RequestInFlight(Arc<Connection>);

impl RequestInFlight {
    fn new(connection: Arc<Connection>) -> Self {
        connection.requests.fetch_add(1, Ordering::Relaxed);
        Self(connection)
    }
}

impl Drop for RequestInFlight {
    fn drop(&mut self) {
        let connection = &self.0;
        connection.idle_since.store(connection.connections.now(), Ordering::Relaxed);
        connection.held_clients.store(0, Ordering::Relaxed);
        connection.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A body whose request is in progress until it is dropped.
struct TrackedBody {
    body: BoxBody,
    _in_flight: Option<RequestInFlight>,
}

impl MessageBody for TrackedBody {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(NEVER - 1)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn is_evicted(slot: &ConnectionSlot) -> bool {
        slot.connection().is_evicted(Waker::noop())
    }

    fn peer(number: u8) -> Peer {
        Some(SocketAddr::from(([10, 0, 0, number], 1))).into()
    }

    #[test]
    fn a_peer_with_many_connections_closes_none_of_others() {
        let connections = Connections::new(3);
        let scraper = connections.open(peer(1)).expect("a place");
        let others: Vec<_> = (0..20).map(|_| connections.open(peer(2)).expect("one gives way")).collect();
        assert!(!is_evicted(&scraper));
        assert_eq!(others.iter().filter(|other| !is_evicted(other)).count(), 2);
    }

    #[test]
    fn the_connection_that_has_waited_longest_gives_way() {
        let connections = Connections::new(3);
        let slots: Vec<_> = (0..3).map(|_| connections.open(peer(1)).expect("a place")).collect();
        for (slot, since) in slots.iter().zip([20, 10, 30]) {
            slot.connection().idle_since.store(since, Ordering::Relaxed);
        }
        let _answering = RequestInFlight::new(Arc::clone(slots[1].connection()));
        let fourth = connections.open(peer(1)).expect("one gives way");
        assert_eq!([&slots[0], &slots[1], &slots[2], &fourth].map(is_evicted), [true, false, false, false]);
    }

    #[test]
    fn a_connection_whose_client_waits_for_a_response_never_gives_way_unless_that_client_does_not_read() {
        let connections = Connections::new(1);
        let slot = connections.open(peer(1)).expect("a place");
        let _answering = RequestInFlight::new(Arc::clone(slot.connection()));
        assert!(connections.open(peer(1)).is_none());
        slot.connection().set_blocked();
        assert!(connections.open(peer(1)).is_some() && is_evicted(&slot));
    }

    #[test]
    fn readers_that_stopped_hold_a_bounded_number_of_clients() {
        let connections = Connections::new(10);
        let slots: Vec<_> = (0..3).map(|_| connections.open(peer(1)).expect("a place")).collect();
        for (number, slot) in slots.iter().enumerate() {
            slot.connection().blocked_since.store(if number == 1 { NEVER } else { 0 }, Ordering::Relaxed);
        }
        std::thread::sleep(STOPPED_READING);
        for slot in &slots {
            slot.connection().hold_clients(MAX_HELD_CLIENTS / 2);
        }
        assert_eq!(slots.iter().map(is_evicted).collect::<Vec<_>>(), [true, false, false]);
        slots[1].connection().hold_clients(2 * MAX_HELD_CLIENTS);
        assert_eq!(
            slots.iter().map(is_evicted).collect::<Vec<_>>(),
            [true, false, true],
            "one that reads stays"
        );
    }

    #[test]
    fn a_closed_connection_leaves_its_place() {
        let connections = Connections::new(1);
        for _ in 0..3 {
            let _slot = connections.open(peer(1)).expect("a place");
            assert!(connections.is_crowded());
        }
        assert!(!connections.is_crowded());
    }
}
