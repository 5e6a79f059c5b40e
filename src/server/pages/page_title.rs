//! The title of a page, which a browser shows in its tab: what needs attention comes first.

use std::iter::Sum;
use std::ops::Add;

use jiff::Timestamp;

use crate::humanize::thousands;
use crate::outcome::{ClientState, Outcome};
use crate::sanitize::sanitized;

/// What the title of the overview counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tally {
    /// Brokers whose probe failed.
    failed: usize,
    /// Overdue clients.
    overdue: usize,
    /// Connected clients.
    connected: usize,
    /// Watched clients.
    watched: usize,
}

impl Tally {
    /// Counts the clients of a broker, whose probe fails if it has no outcome.
    pub(super) fn of(outcome: Option<&Outcome>, now: Timestamp) -> Self {
        let Some(outcome) = outcome else { return Self { failed: 1, ..Self::default() } };
        Self {
            failed: usize::from(!outcome.is_success()),
            overdue: outcome.overdue_count(now),
            connected: outcome.count(ClientState::Connected),
            watched: outcome.clients.len(),
        }
    }
}

impl Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            failed: self.failed + other.failed,
            overdue: self.overdue + other.overdue,
            connected: self.connected + other.connected,
            watched: self.watched + other.watched,
        }
    }
}

impl Sum for Tally {
    fn sum<I: Iterator<Item = Self>>(tallies: I) -> Self {
        tallies.fold(Self::default(), Add::add)
    }
}

/// Returns the title of the overview. The counts are missing if a broker takes long to respond.
pub(super) fn overview(tally: Option<Tally>, broker: Option<&str>) -> String {
    let counts = tally.map(counts).filter(|counts| !counts.is_empty());
    titled(&[counts.as_deref(), broker])
}

/// Returns the title of a page with these parts, the most specific first.
pub(super) fn titled(parts: &[Option<&str>]) -> String {
    let parts = parts.iter().flatten().map(|part| sanitized(part)).chain(["EMQX clients".to_owned()]);
    parts.collect::<Vec<_>>().join(" · ")
}

fn counts(tally: Tally) -> String {
    let count = |count: usize| thousands(count as u64);
    let failed = match tally.failed {
        0 => None,
        1 => Some("1 probe failed".to_owned()),
        failed => Some(format!("{} probes failed", count(failed))),
    };
    let overdue = (tally.overdue > 0).then(|| format!("{} overdue", count(tally.overdue)));
    let connected = || format!("{} of {} connected", count(tally.connected), count(tally.watched));
    let connected = (tally.watched > 0).then(connected);
    [failed, overdue, connected].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_attention_comes_first() {
        let quiet = Tally { failed: 0, overdue: 0, connected: 12_000, watched: 12_001 };
        let bad = Tally { failed: 1, overdue: 2, connected: 3, watched: 9 };
        assert_eq!(overview(Some(quiet), None), "12,000 of 12,001 connected · EMQX clients");
        assert_eq!(
            overview(Some([quiet, bad, bad].into_iter().sum()), Some("Local\u{202E}")),
            "2 probes failed, 4 overdue, 12,006 of 12,019 connected · Local\u{FFFD} · EMQX clients"
        );
        assert_eq!(overview(Some(Tally::default()), None), "EMQX clients");
        assert_eq!(overview(None, Some("Local")), "Local · EMQX clients");
    }
}
