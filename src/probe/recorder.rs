//! Gathers what the requests of a probe cost while it runs.

use std::time::Duration;

use tracing::debug;

use crate::emqx::{Exchange, RequestError};
use crate::error_chain::chain;
use crate::outcome::{RequestRecord, RequestStats};

/// Maximum number of requests recorded one by one.
const MAX_RECORDS: usize = 200;

/// Maximum number of decisions recorded.
const MAX_DECISIONS: usize = 20;

/// The requests of a probe so far.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    stats: RequestStats,
    /// How many of the records are of requests that failed.
    recorded_failures: usize,
}

impl Recorder {
    /// Counts a request that is being sent.
    pub(super) fn sent(&mut self, is_retry: bool) {
        self.stats.sent += 1;
        self.stats.retries += u64::from(is_retry);
    }

    /// Records a request that ended.
    pub(super) fn ended(&mut self, exchange: Exchange, error: Option<&RequestError>) {
        let Exchange { target, status, body_bytes, duration } = exchange;
        let error_text = error.map(|error| chain(error));
        let milliseconds = duration.as_millis();
        debug!(path = target, status, milliseconds, error = error_text, "request to the broker");
        self.stats.response_bytes += body_bytes;
        if let Some(status) = status {
            self.stats.answered = true;
            if matches!(error, Some(RequestError::Status { .. })) {
                self.stats.last_error_status = Some(status);
            }
        }
        self.record(RequestRecord { target, status, body_bytes, duration, error: error_text });
    }

    /// Records a request that was abandoned.
    pub(super) fn abandoned(&mut self, target: String, waited: Duration) {
        self.unanswered(target, waited, format!("no response after {:.1} s", waited.as_secs_f64()));
    }

    /// Records a request that was under way when the failure of another ended the probe.
    pub(super) fn dropped(&mut self, target: String, waited: Duration) {
        self.unanswered(target, waited, "not waited for: another request ended the probe".to_owned());
    }

    fn unanswered(&mut self, target: String, waited: Duration, error: String) {
        self.record(RequestRecord {
            target,
            status: None,
            body_bytes: 0,
            duration: waited,
            error: Some(error),
        });
    }

    /// Records how the requests were chosen, and why.
    pub(super) fn decision(&mut self, decision: String) {
        if self.stats.decisions.len() < MAX_DECISIONS {
            self.stats.decisions.push(decision);
        }
    }

    /// Returns what was recorded.
    pub(super) fn finish(self) -> RequestStats {
        self.stats
    }

    fn record(&mut self, record: RequestRecord) {
        self.stats.timings.push((record.status, record.duration));
        let records = &mut self.stats.records;
        if records.len() == MAX_RECORDS && record.error.is_some() && self.recorded_failures < MAX_RECORDS / 2 {
            // Of thousands of requests the one that fails explains most.
            if let Some(index) = records.iter().rposition(|record| record.error.is_none()) {
                records.remove(index);
            }
        }
        if records.len() < MAX_RECORDS {
            self.recorded_failures += usize::from(record.error.is_some());
            records.push(record);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_recorded_however_many_requests_came_before() {
        let mut recorder = Recorder::default();
        let answered = |number: u64| Exchange {
            target: number.to_string(),
            status: Some(200),
            body_bytes: 0,
            duration: Duration::ZERO,
        };
        (0..1_000).for_each(|number| recorder.ended(answered(number), None));
        (0..1_000).for_each(|number| recorder.abandoned(format!("lost {number}"), Duration::ZERO));
        let records = recorder.finish().records;
        assert_eq!(records.len(), MAX_RECORDS);
        let targets: Vec<_> = records.iter().map(|record| record.target.as_str()).collect();
        assert_eq!((targets[99], targets[100], targets[199]), ("99", "lost 0", "lost 99"));
    }
}
