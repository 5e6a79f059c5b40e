//! Progress of a probe in progress.

use std::sync::atomic::{AtomicU64, Ordering};

/// Number of clients of a list that have been read so far, and their total.
#[derive(Debug, Default)]
pub struct Progress {
    read: AtomicU64,
    /// 0 until the broker reports it.
    count: AtomicU64,
}

impl Progress {
    /// Returns the number of clients read so far.
    #[must_use]
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Returns the number of clients of the broker, if it has reported it.
    #[must_use]
    pub fn count(&self) -> Option<u64> {
        Some(self.count.load(Ordering::Relaxed)).filter(|count| *count > 0)
    }

    /// Counts a page of the list.
    pub(super) fn page(&self, rows: usize, count: Option<u64>) {
        self.read.fetch_add(rows as u64, Ordering::Relaxed);
        if let Some(count) = count {
            self.count.store(count, Ordering::Relaxed);
        }
    }
}
