//! Limits of the server, so that no client can take it from the others by holding connections.

use std::num::NonZero;
use std::thread::available_parallelism;
use std::time::Duration;

/// Most worker threads. More of them only take memory, since a scrape costs milliseconds.
const MAX_WORKERS: usize = 4;

/// Connections of each worker in addition to those whose probes are in progress.
const SPARE_CONNECTIONS: usize = 128;

/// How long probes in progress may continue after a stop signal, in seconds.
pub(super) const SHUTDOWN_SECONDS: u64 = 10;

/// Time limit of a TLS handshake.
pub(super) const TLS_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(3);

/// Time limit for a client to send the head of a request.
pub(super) const REQUEST_HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// Time limit for a client to read what was written to it, about 100 kB at a time.
pub(super) const STALL_TIMEOUT: Duration = Duration::from_secs(30);

/// Time limit for a connection to close.
pub(super) const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How many requests are served at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Worker threads.
    pub(super) workers: usize,
    /// Concurrent probes for pages, in addition to those of scrapes.
    pub(super) page_probes: usize,
    /// Connections of all workers together.
    pub(super) connections: usize,
}

impl Limits {
    /// Returns the limits for this many probes at once.
    pub(super) fn of(max_probes: usize) -> Self {
        let workers = available_parallelism().map_or(1, NonZero::get).min(MAX_WORKERS);
        Self {
            workers,
            page_probes: max_probes.div_ceil(2),
            connections: workers * (max_probes + SPARE_CONNECTIONS),
        }
    }
}
