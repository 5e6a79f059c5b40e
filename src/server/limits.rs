//! What the exporter's own port bears, so that nobody who merely connects can take it from those who ask.

use std::num::NonZero;
use std::thread::available_parallelism;
use std::time::Duration;

/// More threads would not answer a fleet's scrapes sooner, only take memory.
const MAX_WORKERS: usize = 4;

/// Connections of a worker beyond those that may wait for a probe.
const SPARE_CONNECTIONS: usize = 128;

/// How long probes under way may go on after the exporter was told to stop, in seconds.
pub(super) const SHUTDOWN_SECONDS: u64 = 10;

/// How long a client may take for the TLS handshake.
pub(super) const HANDSHAKE: Duration = Duration::from_secs(3);

/// How long a client may take to send the head of a request.
pub(super) const REQUEST_HEAD: Duration = Duration::from_secs(5);

/// How long a connection may take to close.
pub(super) const GOODBYE: Duration = Duration::from_secs(1);

/// How much is served at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Threads that serve.
    pub(super) workers: usize,
    /// Connections of each; further ones wait in the operating system's queue.
    pub(super) connections: usize,
}

impl Limits {
    /// For so many probes at once.
    pub(super) fn of(max_probes: usize) -> Self {
        let workers = available_parallelism().map_or(1, NonZero::get).min(MAX_WORKERS);
        // All probes may come to one worker.
        Self { workers, connections: max_probes + SPARE_CONNECTIONS }
    }
}
