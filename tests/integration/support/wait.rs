//! Waiting for what another process does.

use std::thread;
use std::time::{Duration, Instant};

/// Time limit of each wait; a test that exceeds it hangs.
const AT_MOST: Duration = Duration::from_secs(60);

/// Waits until this is so.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < AT_MOST, "never so: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}
