//! Limits the number of concurrent probes, and counts and logs each of them.

use std::time::Instant;

use tokio::sync::Semaphore;

use super::failure_log::{FailureLog, ProbeKey};
use super::refusal::ProbeRefusal;
use super::telemetry::Telemetry;
use crate::outcome::Outcome;
use crate::probe::{ProbeSpec, probe};

/// Limits the number of concurrent probes.
pub(super) struct ProbeLimiter {
    max_probes: usize,
    permits: Semaphore,
}

impl ProbeLimiter {
    /// Allows `max_probes` at once.
    pub(super) fn new(max_probes: usize) -> Self {
        Self { max_probes, permits: Semaphore::new(max_probes) }
    }

    /// Runs a probe, counts it and logs it if it is worth a line. Its permit ends when its queries have ended, so
    /// that a client that is slow to read takes no place of another one's probe.
    ///
    /// # Errors
    /// Too many probes are in progress: the broker was not queried.
    pub(super) async fn probe(
        &self,
        spec: ProbeSpec,
        telemetry: &Telemetry,
        failures: &FailureLog,
    ) -> Result<Outcome, ProbeRefusal> {
        let _permit = self.permits.try_acquire().map_err(|_| ProbeRefusal::Busy(self.max_probes))?;
        let in_flight = ProbeInFlight::start(&spec, telemetry, failures);
        let outcome = probe(spec).await;
        in_flight.end(&outcome);
        Ok(outcome)
    }
}

/// A probe in progress. It is abandoned if dropped before its end: its client has closed the connection.
struct ProbeInFlight<'a> {
    /// Nothing once it has ended.
    key: Option<ProbeKey>,
    started: Instant,
    telemetry: &'a Telemetry,
    failures: &'a FailureLog,
}

impl<'a> ProbeInFlight<'a> {
    fn start(spec: &ProbeSpec, telemetry: &'a Telemetry, failures: &'a FailureLog) -> Self {
        telemetry.start_probe();
        Self { key: Some(ProbeKey::new(spec)), started: Instant::now(), telemetry, failures }
    }

    fn end(mut self, outcome: &Outcome) {
        if let Some(key) = self.key.take() {
            self.telemetry.record_probe(outcome);
            self.failures.record(key, outcome);
        }
    }
}

impl Drop for ProbeInFlight<'_> {
    fn drop(&mut self) {
        self.telemetry.end_probe();
        if let Some(key) = self.key.take() {
            self.telemetry.record_abandoned(key.broker());
            self.failures.record_abandoned(key, self.started.elapsed());
        }
    }
}
