//! What was observed on the connections of a probe: how long each phase took, and what TLS negotiated.

use std::time::{Duration, Instant};

use crate::closed_set::closed_set;

closed_set! {
    /// A phase of a connection or of a request on it, in order.
    pub enum Phase {
        /// Resolving the host name.
        Resolve = "resolve",
        /// Making the TCP connection, through the proxy if there is one.
        Connect = "connect",
        /// TLS handshake.
        Tls = "tls",
        /// Waiting for the head of a response.
        Processing = "processing",
        /// Receiving the body of a response.
        Transfer = "transfer",
    }
}

/// What was observed on the connections of a probe.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ConnectionStats {
    /// How long the phases took.
    pub phases: PhaseTimes,
    /// When the first of all certificates that the broker presented expires, refused ones included; in seconds since 1970.
    pub earliest_cert_expiry: Option<u64>,
    /// The TLS version of the first connection over TLS, such as `TLS 1.3`.
    pub tls_version: Option<&'static str>,
}

/// The duration of each phase that occurred.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PhaseTimes([Option<Duration>; Phase::ALL.len()]);

impl PhaseTimes {
    /// Records the duration of a phase; the longest counts.
    pub fn record(&mut self, phase: Phase, duration: Duration) {
        let time = &mut self.0[phase as usize];
        *time = (*time).max(Some(duration));
    }

    /// Replaces the durations of the phases before the first request by those of another connection.
    pub fn set_connecting(&mut self, connecting: &Self) {
        for phase in [Phase::Resolve, Phase::Connect, Phase::Tls] {
            self.0[phase as usize] = connecting.0[phase as usize];
        }
    }

    /// Returns the phases that occurred, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Phase, Duration)> {
        Phase::ALL.into_iter().zip(self.0).filter_map(|(phase, duration)| Some((phase, duration?)))
    }
}

/// Times phases that follow one another.
#[derive(Debug, Default)]
pub(crate) struct PhaseTimer(Option<(Phase, Instant)>);

impl PhaseTimer {
    /// Returns whether this phase is being timed.
    pub(crate) fn is_in(&self, phase: Phase) -> bool {
        self.0.is_some_and(|(current, _)| current == phase)
    }

    /// Begins a phase, or none. Returns the phase that this ends, if it ends one, and how long that took.
    pub(crate) fn enter(&mut self, phase: Option<Phase>) -> Option<(Phase, Duration)> {
        if self.0.map(|(current, _)| current) == phase {
            return None;
        }
        let now = Instant::now();
        let ended = self.0.take().map(|(ended, since)| (ended, now - since));
        self.0 = phase.map(|phase| (phase, now));
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_duration_of_a_phase_counts() {
        let mut times = PhaseTimes::default();
        for milliseconds in [2, 5, 3] {
            times.record(Phase::Processing, Duration::from_millis(milliseconds));
        }
        assert_eq!(times.iter().collect::<Vec<_>>(), [(Phase::Processing, Duration::from_millis(5))]);
    }

    #[test]
    fn the_phases_of_connecting_are_those_of_one_connection() {
        let (mut times, mut connecting) = (PhaseTimes::default(), PhaseTimes::default());
        times.record(Phase::Resolve, Duration::from_secs(9));
        times.record(Phase::Transfer, Duration::from_secs(4));
        connecting.record(Phase::Connect, Duration::from_secs(1));
        times.set_connecting(&connecting);
        let expected = [(Phase::Connect, Duration::from_secs(1)), (Phase::Transfer, Duration::from_secs(4))];
        assert_eq!(times.iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_phase_ends_when_another_begins() {
        let mut timer = PhaseTimer::default();
        assert_eq!(timer.enter(Some(Phase::Processing)), None);
        assert_eq!(timer.enter(Some(Phase::Processing)), None);
        assert!(matches!(timer.enter(Some(Phase::Transfer)), Some((Phase::Processing, _))));
        assert!(matches!(timer.enter(None), Some((Phase::Transfer, _))));
        assert_eq!(timer.enter(None), None);
    }
}
