//! What the handle and the server both hold.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio_rustls::TlsAcceptor;

use crate::answer::Answer;
use crate::auth;
use crate::fleet::Fleet;
use crate::recorded::Version;
use crate::request::Request;
use crate::trouble::{Plan, Trouble, When};

/// The requests that were asked.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) count: usize,
    pub(crate) kept: Vec<Request>,
    pub(crate) forgetful: bool,
}

pub(crate) struct Shared {
    pub(crate) version: Version,
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) credentials: Mutex<(String, String)>,
    pub(crate) log: Mutex<Log>,
    pub(crate) asked: Condvar,
    pub(crate) plans: Mutex<Vec<(When, Plan)>>,
    pub(crate) connections: AtomicU64,
    pub(crate) most_in_flight: AtomicUsize,
    in_flight: AtomicUsize,
    fleet: Mutex<Fleet>,
    delay_micros: AtomicU64,
}

impl Shared {
    pub(crate) fn new(version: Version, tls: Option<TlsAcceptor>, key: &str, secret: &str) -> Self {
        Self {
            version,
            tls,
            credentials: Mutex::new((key.into(), secret.into())),
            log: Mutex::default(),
            asked: Condvar::new(),
            plans: Mutex::default(),
            connections: AtomicU64::new(0),
            most_in_flight: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            fleet: Mutex::new(Fleet::new(version)),
            delay_micros: AtomicU64::new(0),
        }
    }

    pub(crate) fn fleet(&self) -> MutexGuard<'_, Fleet> {
        lock(&self.fleet)
    }

    pub(crate) fn check(&self, header: Option<&str>) -> Result<(), Answer> {
        let credentials = lock(&self.credentials);
        auth::check(self.version, header, &credentials.0, &credentials.1)
    }

    pub(crate) fn delay(&self) -> Duration {
        Duration::from_micros(self.delay_micros.load(Ordering::Relaxed))
    }

    pub(crate) fn set_delay(&self, delay: Duration) {
        let micros = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
        self.delay_micros.store(micros, Ordering::Relaxed);
    }

    /// Writes down what was asked.
    pub(crate) fn note(&self, request: &Request) {
        let mut log = lock(&self.log);
        log.count += 1;
        if !log.forgetful {
            log.kept.push(request.clone());
        }
        drop(log);
        self.asked.notify_all();
    }

    /// The trouble planned for this request, or for a new connection, counted down.
    pub(crate) fn trouble(&self, request: Option<&Request>) -> Option<Trouble> {
        let mut plans = lock(&self.plans);
        let (_, plan) = plans.iter_mut().find(|(when, plan)| plan.left != Some(0) && when.is_for(request))?;
        if let Some(left) = &mut plan.left {
            *left -= 1;
        }
        Some(plan.trouble.clone())
    }

    /// Counts a request as under way for as long as the guard lives.
    pub(crate) fn enter(&self) -> InFlight<'_> {
        let now = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_in_flight.fetch_max(now, Ordering::SeqCst);
        InFlight(&self.in_flight)
    }
}

pub(crate) struct InFlight<'a>(&'a AtomicUsize);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Locks, also after a panic elsewhere: one failed test thread shall not hide the reason.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
