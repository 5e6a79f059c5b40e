//! State that the handle and the server share.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_rustls::TlsAcceptor;

use crate::auth;
use crate::client_table::ClientTable;
use crate::fault::{Fault, FaultPlan, When};
use crate::recorded::Version;
use crate::request::Request;
use crate::response::Response;

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
    pub(crate) max_in_flight: AtomicUsize,
    in_flight: AtomicUsize,
    clients: Mutex<ClientTable>,
    latency_micros: AtomicU64,
}

impl Shared {
    pub(crate) fn new(version: Version, tls: Option<TlsAcceptor>, key: &str, secret: &str) -> Self {
        Self {
            version,
            tls,
            credentials: Mutex::new((key.into(), secret.into())),
            log: Mutex::default(),
            request_received: Condvar::new(),
            faults: Mutex::default(),
            connections: AtomicU64::new(0),
            max_in_flight: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            clients: Mutex::new(ClientTable::new(version)),
            latency_micros: AtomicU64::new(0),
        }
    }

    pub(crate) fn clients(&self) -> MutexGuard<'_, ClientTable> {
        lock(&self.clients)
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

    /// Counts a request as under way while the guard lives.
    pub(crate) fn enter(&self) -> InFlight<'_> {
        let now = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        self.max_in_flight.fetch_max(now, Ordering::SeqCst);
        InFlight(&self.in_flight)
    }
}

pub(crate) struct InFlight<'a>(&'a AtomicUsize);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Locks, also after a panic in another thread, so that one failed test does not hide the reason.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
