//! How far a probe has come, for whoever cares to look while it is under way.

use std::sync::atomic::{AtomicU64, Ordering};

/// How many clients of a list have been read so far, and of how many.
#[derive(Debug, Default)]
pub struct Progress {
    read: AtomicU64,
    /// 0 while the broker has not said.
    count: AtomicU64,
}

impl Progress {
    /// Clients read so far.
    #[must_use]
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Clients there are, where the broker has said so.
    #[must_use]
    pub fn count(&self) -> Option<u64> {
        Some(self.count.load(Ordering::Relaxed)).filter(|count| *count > 0)
    }

    /// Takes a page of the list in.
    pub(super) fn page(&self, rows: usize, count: Option<u64>) {
        self.read.fetch_add(rows as u64, Ordering::Relaxed);
        if let Some(count) = count {
            self.count.store(count, Ordering::Relaxed);
        }
    }
}
