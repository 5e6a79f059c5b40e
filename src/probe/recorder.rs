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
pub(super) struct Recorder(RequestStats);

impl Recorder {
    /// Counts a request that is being sent.
    pub(super) fn sent(&mut self, is_retry: bool) {
        self.0.sent += 1;
        self.0.retries += u64::from(is_retry);
    }

    /// Records a request that ended.
    pub(super) fn ended(&mut self, exchange: Exchange, error: Option<&RequestError>) {
        let Exchange { target, status, body_bytes, duration } = exchange;
        let error_text = error.map(|error| chain(error));
        let milliseconds = duration.as_millis();
        debug!(path = target, status, milliseconds, error = error_text, "request to the broker");
        self.0.response_bytes += body_bytes;
        if let Some(status) = status {
            self.0.answered = true;
            if matches!(error, Some(RequestError::Status { .. })) {
                self.0.last_error_status = Some(status);
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
        if self.0.decisions.len() < MAX_DECISIONS {
            self.0.decisions.push(decision);
        }
    }

    /// Returns what was recorded.
    pub(super) fn finish(self) -> RequestStats {
        self.0
    }

    fn record(&mut self, record: RequestRecord) {
        self.0.timings.push((record.status, record.duration));
        if self.0.records.len() < MAX_RECORDS {
            self.0.records.push(record);
        }
    }
}
