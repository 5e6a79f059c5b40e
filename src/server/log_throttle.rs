//! Suppresses repeated log lines, so that repeating a request cannot fill the log.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The same is logged again after this time.
const LOG_AGAIN_AFTER: Duration = Duration::from_secs(300);

/// Different lines within that time. Further ones are only counted.
const MAX_KEYS: usize = 64;

/// Remembers what has been logged. Lines with the same key are repetitions.
pub(super) struct LogThrottle<K>(Mutex<LoggedLines<K>>);

struct LoggedLines<K> {
    logged_at: HashMap<K, Instant>,
    /// Lines that were not logged since the last one that was.
    suppressed: u64,
}

impl<K> Default for LogThrottle<K> {
    fn default() -> Self {
        Self(Mutex::new(LoggedLines { logged_at: HashMap::new(), suppressed: 0 }))
    }
}

impl<K: Eq + Hash> LogThrottle<K> {
    /// Returns how many lines have been suppressed if this one is to be logged, else `None`.
    pub(super) fn admit(&self, key: K) -> Option<u64> {
        self.admit_at(key, Instant::now())
    }

    fn admit_at(&self, key: K, now: Instant) -> Option<u64> {
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.logged_at.retain(|_, logged_at| now.duration_since(*logged_at) < LOG_AGAIN_AFTER);
        if lines.logged_at.contains_key(&key) || lines.logged_at.len() >= MAX_KEYS {
            lines.suppressed += 1;
            return None;
        }
        lines.logged_at.insert(key, now);
        Some(std::mem::take(&mut lines.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_logged_once_and_again_after_a_while() {
        let (throttle, began) = (LogThrottle::default(), Instant::now());
        let admit = |key, seconds| throttle.admit_at(key, began + Duration::from_secs(seconds));
        assert_eq!(admit("a", 0), Some(0));
        assert_eq!(admit("a", 1), None);
        assert_eq!(admit("a", 299), None);
        assert_eq!(admit("b", 299), Some(2));
        assert_eq!(admit("a", 300), Some(0));
    }

    #[test]
    fn lines_that_differ_each_time_are_bounded_too() {
        let (throttle, now) = (LogThrottle::default(), Instant::now());
        let logged = (0..10_000).filter(|key| throttle.admit_at(*key, now).is_some()).count();
        assert_eq!(logged, MAX_KEYS);
        assert_eq!(throttle.admit_at(1, now + LOG_AGAIN_AFTER), Some(10_000 - MAX_KEYS as u64));
    }
}
