//! The requests of a failed probe in the log, so that a failure can be understood when nobody was there to see it.

use std::time::Instant;

use tracing::warn;

use crate::outcome::{RequestRecord, RequestStats};
use crate::server::log_throttle::LogThrottle;

/// Maximum number of requests that are logged of a probe.
const MAX_REQUESTS: usize = 10;

/// Maximum number of characters of a path and of an error.
const MAX_CHARACTERS: usize = 300;

/// Logs the requests of failed probes, of a bounded number within a time: many probes can begin to fail at once, and
/// anybody can make up probes of other clients.
#[derive(Default)]
pub(super) struct FailedRequests(LogThrottle<Instant>);

impl FailedRequests {
    /// Logs requests of the probe that has just been logged as failed.
    pub(super) fn log(&self, broker: &str, targets: &str, requests: &RequestStats) {
        if self.0.admit(Instant::now()).is_none() {
            return;
        }
        let shown = worst(&requests.records);
        for request in &shown {
            // JSON has no numbers of 128 bits.
            let milliseconds = u64::try_from(request.duration.as_millis()).unwrap_or(u64::MAX);
            let path = excerpt(&request.target);
            let error = request.error.as_deref().map(excerpt);
            let (status, bytes) = (request.status, request.body_bytes);
            warn!(broker, targets, path, status, milliseconds, bytes, error, "request of the failed probe");
        }
        let omitted = requests.timings.len().saturating_sub(shown.len());
        if omitted > 0 {
            warn!(broker, targets, omitted, "further requests of the failed probe");
        }
    }
}

/// Returns the requests that explain a failure best, in the order in which they ended: those that failed, and others if
/// these are few.
fn worst(records: &[RequestRecord]) -> Vec<&RequestRecord> {
    let mut order: Vec<_> = records.iter().enumerate().collect();
    order.sort_by_key(|(_, record)| record.error.is_none());
    order.truncate(MAX_REQUESTS);
    order.sort_by_key(|(index, _)| *index);
    order.into_iter().map(|(_, record)| record).collect()
}

fn excerpt(text: &str) -> String {
    text.chars().take(MAX_CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn record(number: usize, error: Option<&str>) -> RequestRecord {
        RequestRecord {
            target: number.to_string(),
            status: None,
            body_bytes: 0,
            duration: Duration::ZERO,
            error: error.map(ToOwned::to_owned),
        }
    }

    #[test]
    fn failed_requests_come_before_others() {
        let failed = |number: usize| (number % 30 == 29).then_some("lost");
        let records: Vec<_> = (0..100).map(|number| record(number, failed(number))).collect();
        let shown: Vec<_> = worst(&records).into_iter().map(|record| record.target.as_str()).collect();
        assert_eq!(shown, ["0", "1", "2", "3", "4", "5", "6", "29", "59", "89"]);
        let records: Vec<_> = (0..100).map(|number| record(number, Some("lost"))).collect();
        assert_eq!(worst(&records).len(), MAX_REQUESTS);
    }
}
