//! State that the handle and the server share.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_rustls::TlsAcceptor;

use crate::auth;
use crate::bans::BanList;
use crate::client_table::ClientTable;
use crate::fault::{Fault, FaultPlan, When};
use crate::recorded::Version;
use crate::request::Request;
use crate::response::Response;
use crate::retained::RetainedStore;

/// The requests received.
#[derive(Default)]
pub(crate) struct RequestLog {
    pub(crate) count: usize,
    pub(crate) recorded: Vec<Request>,
    pub(crate) counts_only: bool,
}

pub(crate) struct Shared {
    pub(crate) version: Version,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) credentials: Mutex<(String, String)>,
    pub(crate) log: Mutex<RequestLog>,
    pub(crate) request_received: Condvar,
    pub(crate) faults: Mutex<Vec<(When, FaultPlan)>>,
    pub(crate) connections: AtomicU64,
    pub(crate) requests_in_flight: Gauge,
    pub(crate) open_connections: Gauge,
    clients: Mutex<ClientTable>,
    retained: Arc<Mutex<RetainedStore>>,
    bans: Mutex<BanList>,
    latency_micros: AtomicU64,
}

impl Shared {
    pub(crate) fn new(version: Version, tls: Option<TlsAcceptor>, key: &str, secret: &str) -> Self {
        let retained = Arc::<Mutex<RetainedStore>>::default();
        Self {
            version,
            tls,
            credentials: Mutex::new((key.into(), secret.into())),
            log: Mutex::default(),
            request_received: Condvar::new(),
            faults: Mutex::default(),
            connections: AtomicU64::new(0),
            requests_in_flight: Gauge::default(),
            open_connections: Gauge::default(),
            clients: Mutex::new(ClientTable::new(version, Arc::clone(&retained))),
            retained,
            bans: Mutex::default(),
            latency_micros: AtomicU64::new(0),
        }
    }

    pub(crate) fn clients(&self) -> MutexGuard<'_, ClientTable> {
        lock(&self.clients)
    }

    pub(crate) fn retained(&self) -> MutexGuard<'_, RetainedStore> {
        lock(&self.retained)
    }

    pub(crate) fn bans(&self) -> MutexGuard<'_, BanList> {
        lock(&self.bans)
    }

    pub(crate) fn check(&self, header: Option<&str>) -> Result<(), Response> {
        let credentials = lock(&self.credentials);
        auth::check(self.version, header, &credentials.0, &credentials.1)
    }

    pub(crate) fn latency(&self) -> Duration {
        Duration::from_micros(self.latency_micros.load(Ordering::Relaxed))
    }

    pub(crate) fn set_latency(&self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.latency_micros.store(micros, Ordering::Relaxed);
    }

    /// Counts a request, and records it unless that is turned off.
    pub(crate) fn record(&self, request: &Request) {
        let mut log = lock(&self.log);
        log.count += 1;
        if !log.counts_only {
            log.recorded.push(request.clone());
        }
        drop(log);
        self.request_received.notify_all();
    }

    /// Takes the fault for this request, or for a new connection where there is none.
    pub(crate) fn fault(&self, request: Option<&Request>) -> Option<Fault> {
        let mut faults = lock(&self.faults);
        faults.iter_mut().filter(|(when, _)| when.matches(request)).find_map(|(_, plan)| plan.take(request))
    }

    /// Counts a request as in progress while the guard lives.
    pub(crate) fn enter_request(&self) -> Entered<'_> {
        self.requests_in_flight.enter()
    }

    /// Counts a connection as open while the guard lives.
    pub(crate) fn enter_connection(&self) -> Entered<'_> {
        self.open_connections.enter()
    }
}

/// A number that goes up and down, and its maximum.
#[derive(Default)]
pub(crate) struct Gauge {
    now: AtomicUsize,
    max: AtomicUsize,
}

impl Gauge {
    fn enter(&self) -> Entered<'_> {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.max.fetch_max(now, Ordering::SeqCst);
        Entered { gauge: self, now }
    }

    /// The maximum since the start or the last reset.
    pub(crate) fn max(&self) -> usize {
        self.max.load(Ordering::SeqCst)
    }

    /// Sets the maximum to the present number.
    pub(crate) fn reset(&self) {
        self.max.store(self.now.load(Ordering::SeqCst), Ordering::SeqCst);
    }
}

/// Counts one in a gauge until dropped.
pub(crate) struct Entered<'a> {
    gauge: &'a Gauge,
    now: usize,
}

impl Entered<'_> {
    /// The number in the gauge at the entry, itself included.
    pub(crate) fn now(&self) -> usize {
        self.now
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.gauge.now.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Locks, also after a panic in another thread, so that one failed test does not hide the reason.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
