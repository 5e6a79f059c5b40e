//! One line for a failed probe, and not one for each scrape of a broker that stays down.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::{debug, info, warn};

use crate::outcome::{FailureReason, Outcome};

/// A trouble that stays the same is told again after this time.
const TOLD_AGAIN_AFTER: Duration = Duration::from_secs(300);

/// What was last said about each broker in trouble.
#[derive(Default)]
pub(super) struct FailureLog(Mutex<HashMap<String, Trouble>>);

struct Trouble {
    reasons: Vec<FailureReason>,
    told_at: Instant,
    /// Failed probes since then, which were not told.
    untold: u64,
}

/// What to say of a probe.
#[derive(Debug, PartialEq, Eq)]
enum Line {
    /// It failed, after so many others of which nothing was said.
    Failed { untold: u64 },
    /// It failed as the one before did.
    FailedAgain,
    /// It succeeded, and the one before did not.
    Recovered,
    /// It succeeded as the one before did.
    Succeeded,
}

impl FailureLog {
    /// Says of a probe what is worth saying.
    pub(super) fn note(&self, outcome: &Outcome) {
        let line = self.line(&outcome.broker, outcome.failures.reasons(), Instant::now());
        let broker = outcome.broker.as_str();
        let reason: Vec<_> = outcome.failures.reasons().iter().map(|reason| reason.name()).collect();
        let reason = reason.join(",");
        let clients_unknown: usize = outcome.failures.told().iter().map(|failure| failure.clients).sum();
        match line {
            Line::Failed { untold: 0 } => {
                warn!(broker, reason, clients_unknown, "probe failed: {}", causes(outcome));
            }
            Line::Failed { untold } => {
                warn!(broker, reason, clients_unknown, untold, "probe failed: {}", causes(outcome));
            }
            Line::FailedAgain => {
                debug!(broker, reason, clients_unknown, "probe failed again: {}", causes(outcome));
            }
            Line::Recovered => info!(broker, "probes succeed again"),
            Line::Succeeded => {}
        }
        debug!(
            broker,
            success = outcome.is_success(),
            milliseconds = outcome.duration.as_millis(),
            clients = outcome.clients.len(),
            requests = outcome.requests.sent,
            retries = outcome.requests.retries,
            "probe"
        );
    }

    /// Forgets brokers that are asked no more.
    pub(super) fn keep(&self, is_kept: impl Fn(&str) -> bool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|broker, _| is_kept(broker));
    }

    fn line(&self, broker: &str, reasons: &[FailureReason], now: Instant) -> Line {
        let mut troubles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if reasons.is_empty() {
            return if troubles.remove(broker).is_some() { Line::Recovered } else { Line::Succeeded };
        }
        let untold = match troubles.get_mut(broker) {
            Some(trouble)
                if trouble.reasons == reasons && now.duration_since(trouble.told_at) < TOLD_AGAIN_AFTER =>
            {
                trouble.untold += 1;
                return Line::FailedAgain;
            }
            Some(trouble) => trouble.untold,
            None => 0,
        };
        troubles.insert(broker.to_owned(), Trouble { reasons: reasons.to_vec(), told_at: now, untold: 0 });
        Line::Failed { untold }
    }
}

/// The causes of a failed probe in one line. There are as many as an outcome keeps, and no more.
fn causes(outcome: &Outcome) -> String {
    let texts: Vec<_> = outcome.failures.told().iter().map(|failure| failure.text.as_str()).collect();
    texts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_that_stays_down_is_told_of_once_and_again_after_a_while() {
        let log = FailureLog::default();
        let began = Instant::now();
        let line =
            |reasons: &[FailureReason], seconds| log.line("A", reasons, began + Duration::from_secs(seconds));
        assert_eq!(line(&[], 0), Line::Succeeded);
        assert_eq!(line(&[FailureReason::Connect], 15), Line::Failed { untold: 0 });
        assert_eq!(line(&[FailureReason::Connect], 30), Line::FailedAgain);
        assert_eq!(line(&[FailureReason::Connect], 45), Line::FailedAgain);
        assert_eq!(line(&[FailureReason::Timeout], 60), Line::Failed { untold: 2 }, "something else is news");
        assert_eq!(line(&[FailureReason::Timeout], 359), Line::FailedAgain);
        assert_eq!(line(&[FailureReason::Timeout], 360), Line::Failed { untold: 1 });
        assert_eq!(line(&[], 375), Line::Recovered);
        assert_eq!(line(&[], 390), Line::Succeeded);
    }

    #[test]
    fn brokers_are_told_of_apart_and_forgotten_when_they_are_gone() {
        let log = FailureLog::default();
        let now = Instant::now();
        assert_eq!(log.line("A", &[FailureReason::Dns], now), Line::Failed { untold: 0 });
        assert_eq!(log.line("B", &[FailureReason::Dns], now), Line::Failed { untold: 0 });
        log.keep(|broker| broker == "B");
        assert_eq!(log.line("A", &[], now), Line::Succeeded);
        assert_eq!(log.line("B", &[], now), Line::Recovered);
    }
}
