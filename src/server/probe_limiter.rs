//! Probes that somebody asked this server for: how many there may be at once, and that each is counted.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::warn;

use super::failure_log::FailureLog;
use super::telemetry::{ProbeInFlight, Telemetry};
use crate::outcome::Outcome;
use crate::probe::{ProbeSpec, probe};

/// Room for the probes that may be under way at once.
pub(super) struct ProbeLimiter(Arc<Semaphore>);

/// A probe under way, until its answer has been sent or nobody wants it any more.
pub(super) struct ProbePermit {
    _counted: ProbeInFlight,
    _place: OwnedSemaphorePermit,
}

/// As many probes are under way as may be.
#[derive(Debug, thiserror::Error)]
#[error("too many probes are under way; see --web.max-probes")]
pub(super) struct Busy;

impl ProbeLimiter {
    /// Room for so many.
    pub(super) fn new(count: usize) -> Self {
        Self(Arc::new(Semaphore::new(count)))
    }

    /// Asks a broker, logs what is worth it and counts what came of it.
    ///
    /// # Errors
    /// No room: the broker was not asked.
    pub(super) async fn ask(
        &self,
        question: ProbeSpec,
        telemetry: &Telemetry,
        failures: &FailureLog,
    ) -> Result<(Outcome, ProbePermit), Busy> {
        let Ok(place) = Arc::clone(&self.0).try_acquire_owned() else {
            warn!(reason = "busy", broker = question.broker.alias, "refused a probe: too many are under way");
            telemetry.probe_refused("busy");
            return Err(Busy);
        };
        let under_way = ProbePermit { _counted: telemetry.probe_begins(), _place: place };
        let outcome = probe(question).await;
        telemetry.probe_ended(&outcome);
        failures.note(&outcome);
        Ok((outcome, under_way))
    }
}
