//! Limits how many requests are served, by a token bucket.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::config::web::RateLimit;

/// The tokens that are left. Reloads of the configuration keep them.
#[derive(Debug, Default)]
pub(super) struct RateLimiter(Mutex<Option<Bucket>>);

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    filled_at: Instant,
}

impl RateLimiter {
    /// Takes a token for a request at this time.
    ///
    /// # Errors
    /// There is none; the error is the time until there is one.
    pub(super) fn take(&self, limit: RateLimit, now: Instant) -> Result<(), Duration> {
        let mut bucket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let burst = f64::from(limit.burst);
        let tokens = bucket.map_or(burst, |bucket| {
            let elapsed = now.saturating_duration_since(bucket.filled_at);
            (bucket.tokens + elapsed.div_duration_f64(limit.interval)).min(burst)
        });
        let left = tokens - 1.0;
        *bucket = Some(Bucket { tokens: if left < 0.0 { tokens } else { left }, filled_at: now });
        if left < 0.0 { Err(limit.interval.mul_f64(-left)) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_served_and_then_one_request_for_each_interval() {
        let (limiter, began) = (RateLimiter::default(), Instant::now());
        let limit = RateLimit { interval: Duration::from_secs(2), burst: 3 };
        let take = |milliseconds| limiter.take(limit, began + Duration::from_millis(milliseconds));
        assert_eq!([take(0), take(0), take(0)], [Ok(()); 3]);
        assert_eq!(take(0), Err(Duration::from_secs(2)));
        assert_eq!(take(1000), Err(Duration::from_secs(1)));
        assert_eq!(take(2000), Ok(()));
        assert!(take(2000).is_err());
        assert_eq!([take(60_000), take(60_000), take(60_000)], [Ok(()); 3], "the bucket is full");
        assert!(take(60_000).is_err(), "and holds no more");
    }

    #[test]
    fn without_a_burst_nothing_is_served() {
        let limit = RateLimit { interval: Duration::from_nanos(1), burst: 0 };
        let limiter = RateLimiter::default();
        assert!(limiter.take(limit, Instant::now()).is_err());
        assert!(limiter.take(limit, Instant::now() + Duration::from_secs(9)).is_err());
    }

    #[test]
    fn a_changed_limit_keeps_the_tokens() {
        let (limiter, now) = (RateLimiter::default(), Instant::now());
        let limit = |burst| RateLimit { interval: Duration::from_secs(1), burst };
        assert_eq!(limiter.take(limit(2), now), Ok(()));
        assert_eq!(limiter.take(limit(100), now), Ok(()));
        assert!(limiter.take(limit(100), now).is_err());
    }
}
