//! The signs of life of one client.

use jiff::Timestamp;

use crate::outcome::Remembered;

/// The signs of life of one client so far.
#[derive(Default, Clone)]
pub(super) struct Signs {
    /// How many of its topics and listings are without an answer.
    open: usize,
    is_asked: bool,
    newest: Option<Timestamp>,
}

impl Signs {
    /// Counts a topic or a listing that is asked for.
    pub(super) fn ask(&mut self) {
        self.open += 1;
        self.is_asked = true;
    }

    /// Counts an answer.
    pub(super) fn answered(&mut self) {
        self.open -= 1;
    }

    /// Adds a message.
    pub(super) fn add(&mut self, published_at: Timestamp) {
        self.newest = self.newest.max(Some(published_at));
    }

    /// Returns the newest sign, if everything was answered: one that was not may be newer.
    pub(super) fn result(&self) -> Option<Remembered<Timestamp>> {
        let is_known = self.is_asked && self.open == 0;
        is_known.then(|| self.newest.map_or(Remembered::Nothing, Remembered::Fact))
    }
}
