//! Limits how many probes may be under way at once, and counts and logs each of them.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::failure_log::{FailureLog, ProbeKey};
use super::refusal::ProbeRefusal;
use super::telemetry::{ProbeInFlight, Telemetry};
use crate::outcome::Outcome;
use crate::probe::{ProbeSpec, probe};

/// Limits how many probes may be under way at once.
pub(super) struct ProbeLimiter {
    max_probes: usize,
    permits: Arc<Semaphore>,
}

/// A probe under way, until its answer has been sent or its client has gone.
pub(super) struct ProbePermit {
    _in_flight: ProbeInFlight,
    _permit: OwnedSemaphorePermit,
}

impl ProbeLimiter {
    /// Allows `max_probes` at once.
    pub(super) fn new(max_probes: usize) -> Self {
        Self { max_probes, permits: Arc::new(Semaphore::new(max_probes)) }
    }

    /// Runs a probe, counts it and logs it if it is worth a line.
    ///
    /// # Errors
    /// Too many probes under way: the broker was not asked.
    pub(super) async fn probe(
        &self,
        spec: ProbeSpec,
        telemetry: &Telemetry,
        failures: &FailureLog,
    ) -> Result<(Outcome, ProbePermit), ProbeRefusal> {
        let permit =
            Arc::clone(&self.permits).try_acquire_owned().map_err(|_| ProbeRefusal::Busy(self.max_probes))?;
        let permit = ProbePermit { _in_flight: telemetry.start_probe(), _permit: permit };
        let key = ProbeKey::new(&spec);
        let outcome = probe(spec).await;
        telemetry.record_probe(&outcome);
        failures.record(key, &outcome);
        Ok((outcome, permit))
    }
}
