//! Logs a failed probe once, and not at each scrape of a broker that stays down.

mod failed_requests;

use std::collections::HashMap;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::{debug, info, warn};

use crate::client::Groups;
use crate::fleet::Fleet;
use crate::outcome::{FailureReason, Outcome};
use crate::probe::{ProbeSpec, Targets};
use failed_requests::FailedRequests;

/// A failure that stays the same is logged again after this time.
const LOG_AGAIN_AFTER: Duration = Duration::from_secs(300);

/// Maximum number of failing kinds of probes that are remembered. A normal set-up has a few per broker; only invented
/// requests reach this number.
const MAX_FAILING: usize = 1_024;

/// Remembers which kinds of probes fail, so that a failure is logged when it begins, changes or ends.
#[derive(Default)]
pub(super) struct FailureLog {
    streaks: Mutex<HashMap<ProbeKey, FailureStreak>>,
    failed_requests: FailedRequests,
}

/// A kind of probe: broker, targets and groups. Each kind fails and recovers on its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ProbeKey {
    broker: String,
    targets: TargetsKey,
    groups: Groups,
}

/// The targets of a kind of probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum TargetsKey {
    /// Every client of the broker.
    All,
    /// Its watched clients.
    Watched,
    /// Some of its watched clients: a hash of their aliases.
    Selected(u64),
    /// The counts of fleets, by a hash of their aliases.
    Fleets(u64),
    /// The clients of fleets, by a hash of their aliases.
    ClientsOf(u64),
}

/// How a probe ended.
#[derive(Debug, Clone, PartialEq, Eq)]
enum ProbeResult {
    Succeeded,
    /// It failed for these reasons.
    Failed(Vec<FailureReason>),
    /// Its client closed the connection before its end.
    Abandoned,
}

/// Probes of one kind that did not succeed, one after another.
struct FailureStreak {
    result: ProbeResult,
    logged_at: Instant,
    /// Failed probes since then that were not logged.
    suppressed: u64,
}

/// How the result of a probe compares with the one before it.
#[derive(Debug, PartialEq, Eq)]
enum Change {
    /// It did not succeed, and neither did `suppressed` others since the last line.
    Failed { suppressed: u64 },
    /// It failed as the one before.
    StillFailing,
    /// It succeeded, and the one before failed.
    Recovered,
    /// It succeeded as the one before.
    StillSucceeding,
}

impl ProbeKey {
    /// Returns the kind of this probe.
    pub(super) fn new(spec: &ProbeSpec) -> Self {
        let targets = match &spec.targets {
            Targets::All => TargetsKey::All,
            Targets::Fleets(fleets) => TargetsKey::Fleets(hash(&aliases(fleets))),
            Targets::ClientsOf(fleets) => TargetsKey::ClientsOf(hash(&aliases(fleets))),
            Targets::Watched(clients) if clients.len() == spec.broker.clients.len() => TargetsKey::Watched,
            Targets::Watched(clients) => {
                TargetsKey::Selected(hash(&clients.iter().map(|client| &*client.alias).collect::<Vec<_>>()))
            }
        };
        Self { broker: spec.broker.alias.clone(), targets, groups: spec.groups }
    }

    /// The alias of the broker.
    pub(super) fn broker(&self) -> &str {
        &self.broker
    }
}

fn aliases(fleets: &[Arc<Fleet>]) -> Vec<&str> {
    fleets.iter().map(|fleet| fleet.alias.as_str()).collect()
}

fn hash(aliases: &[&str]) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(aliases)
}

impl TargetsKey {
    fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Fleets(_) => "fleets",
            Self::ClientsOf(_) => "clients of fleets",
            Self::Watched => "watched",
            Self::Selected(_) => "selected",
        }
    }
}

impl FailureLog {
    /// Logs a probe if its result differs from that of the one before it.
    pub(super) fn record(&self, key: ProbeKey, outcome: &Outcome) {
        let targets = key.targets.name();
        let result = match outcome.failures.reasons() {
            [] => ProbeResult::Succeeded,
            reasons => ProbeResult::Failed(reasons.to_vec()),
        };
        let change = self.change(key, result, Instant::now());
        let broker = outcome.broker.as_str();
        let reason: Vec<_> = outcome.failures.reasons().iter().map(|reason| reason.name()).collect();
        let reason = reason.join(",");
        // The number of clients missing from an incomplete list is unknown.
        let clients_unknown = outcome
            .is_complete
            .then(|| outcome.failures.listed().iter().map(|failure| failure.clients).sum::<usize>());
        match change {
            Change::Failed { suppressed: 0 } => {
                warn!(broker, targets, reason, clients_unknown, "probe failed: {}", causes(outcome));
            }
            Change::Failed { suppressed } => {
                warn!(
                    broker,
                    targets,
                    reason,
                    clients_unknown,
                    suppressed,
                    "probe failed: {}",
                    causes(outcome)
                );
            }
            Change::StillFailing => {
                debug!(broker, targets, reason, clients_unknown, "probe failed again: {}", causes(outcome));
            }
            Change::Recovered => info!(broker, targets, "probes succeed again"),
            Change::StillSucceeding => {}
        }
        if matches!(change, Change::Failed { .. }) {
            self.failed_requests.log(broker, targets, &outcome.requests);
        }
        debug!(
            broker,
            targets,
            success = outcome.is_success(),
            milliseconds = outcome.duration.as_millis(),
            clients = outcome.clients.len(),
            requests = outcome.requests.sent,
            retries = outcome.requests.retries,
            "probe"
        );
    }

    /// Logs a probe whose client closed the connection before its end, if the one before it ended otherwise.
    pub(super) fn record_abandoned(&self, key: ProbeKey, after: Duration) {
        let (broker, targets) = (key.broker.clone(), key.targets.name());
        let seconds = after.as_secs_f64();
        if let Change::Failed { suppressed } = self.change(key, ProbeResult::Abandoned, Instant::now()) {
            warn!(broker, targets, seconds, suppressed, "probe abandoned: its client closed the connection");
        } else {
            debug!(broker, targets, seconds, "probe abandoned again");
        }
    }

    /// Forgets brokers that are no longer configured.
    pub(super) fn retain_brokers(&self, is_kept: impl Fn(&str) -> bool) {
        self.streaks().retain(|key, _| is_kept(&key.broker));
    }

    fn change(&self, key: ProbeKey, result: ProbeResult, now: Instant) -> Change {
        let mut streaks = self.streaks();
        if result == ProbeResult::Succeeded {
            return if streaks.remove(&key).is_some() { Change::Recovered } else { Change::StillSucceeding };
        }
        let suppressed = match streaks.get_mut(&key) {
            Some(streak)
                if streak.result == result && now.duration_since(streak.logged_at) < LOG_AGAIN_AFTER =>
            {
                streak.suppressed += 1;
                return Change::StillFailing;
            }
            Some(streak) => streak.suppressed,
            None => {
                make_room(&mut streaks);
                0
            }
        };
        streaks.insert(key, FailureStreak { result, logged_at: now, suppressed: 0 });
        Change::Failed { suppressed }
    }

    fn streaks(&self) -> MutexGuard<'_, HashMap<ProbeKey, FailureStreak>> {
        self.streaks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops the streak that was logged longest ago if the map is full.
fn make_room(streaks: &mut HashMap<ProbeKey, FailureStreak>) {
    if streaks.len() < MAX_FAILING {
        return;
    }
    let oldest = streaks.iter().min_by_key(|(_, streak)| streak.logged_at).map(|(key, _)| key.clone());
    if let Some(oldest) = oldest {
        streaks.remove(&oldest);
    }
}

/// Returns the causes of a failed probe in one line. An outcome keeps a bounded number of them.
fn causes(outcome: &Outcome) -> String {
    let texts: Vec<_> = outcome.failures.listed().iter().map(|failure| failure.text.as_str()).collect();
    texts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(broker: &str, targets: TargetsKey) -> ProbeKey {
        ProbeKey { broker: broker.to_owned(), targets, groups: Groups::STATE }
    }

    fn failed(reason: FailureReason) -> ProbeResult {
        ProbeResult::Failed(vec![reason])
    }

    #[test]
    fn a_broker_that_stays_down_is_logged_once_and_again_after_a_while() {
        let log = FailureLog::default();
        let began = Instant::now();
        let change = |result, seconds| {
            log.change(key("A", TargetsKey::Watched), result, began + Duration::from_secs(seconds))
        };
        assert_eq!(change(ProbeResult::Succeeded, 0), Change::StillSucceeding);
        assert_eq!(change(failed(FailureReason::Connect), 15), Change::Failed { suppressed: 0 });
        assert_eq!(change(failed(FailureReason::Connect), 30), Change::StillFailing);
        assert_eq!(change(failed(FailureReason::Connect), 45), Change::StillFailing);
        assert_eq!(change(failed(FailureReason::Timeout), 60), Change::Failed { suppressed: 2 });
        assert_eq!(change(failed(FailureReason::Timeout), 359), Change::StillFailing);
        assert_eq!(change(failed(FailureReason::Timeout), 360), Change::Failed { suppressed: 1 });
        assert_eq!(change(ProbeResult::Abandoned, 370), Change::Failed { suppressed: 0 });
        assert_eq!(change(ProbeResult::Abandoned, 371), Change::StillFailing);
        assert_eq!(change(ProbeResult::Succeeded, 375), Change::Recovered);
        assert_eq!(change(ProbeResult::Succeeded, 390), Change::StillSucceeding);
    }

    #[test]
    fn brokers_are_logged_apart_and_forgotten_when_they_are_gone() {
        let log = FailureLog::default();
        let change = |broker, result| log.change(key(broker, TargetsKey::All), result, Instant::now());
        assert_eq!(change("A", failed(FailureReason::Dns)), Change::Failed { suppressed: 0 });
        assert_eq!(change("B", failed(FailureReason::Dns)), Change::Failed { suppressed: 0 });
        log.retain_brokers(|broker| broker == "B");
        assert_eq!(change("A", ProbeResult::Succeeded), Change::StillSucceeding);
        assert_eq!(change("B", ProbeResult::Succeeded), Change::Recovered);
    }

    #[test]
    fn kinds_of_probes_that_a_client_makes_up_are_bounded() {
        let log = FailureLog::default();
        let change = |number| {
            log.change(key("A", TargetsKey::Selected(number)), failed(FailureReason::Dns), Instant::now());
        };
        (0..3 * MAX_FAILING as u64).for_each(change);
        assert_eq!(log.streaks().len(), MAX_FAILING);
    }
}
