//! Whether a client is away for longer than it may be.

use jiff::Timestamp;

use super::{ClientState, Outcome, ProbedClient};

impl ProbedClient {
    /// Returns when a client that is away now was last there; `None` if nothing tells.
    ///
    /// The broker remembers it of a session that it holds, and a sign of life may be later than that. Of an absent
    /// client, a sign of life is all there is.
    #[must_use]
    pub fn away_since(&self) -> Option<Timestamp> {
        match self.status.state() {
            ClientState::Disconnected => {
                let session = self.status.client().and_then(|client| client.session.as_deref());
                session.and_then(|session| session.disconnected_at).max(self.last_seen())
            }
            ClientState::Absent => self.last_seen(),
            ClientState::Connected | ClientState::Unknown => None,
        }
    }

    /// Returns whether the client is away for longer than its `offline_after`; `None` if nothing tells, or if no
    /// `offline_after` applies to it. A time in the future counts as now: clocks differ.
    #[must_use]
    pub fn overdue(&self, now: Timestamp) -> Option<bool> {
        let offline_after = self.offline_after()?;
        if self.status.state() == ClientState::Connected {
            return Some(false);
        }
        let seconds = now.as_second().saturating_sub(self.away_since()?.as_second());
        Some(u64::try_from(seconds).unwrap_or(0) > offline_after.as_secs())
    }

    /// Whether the client is known to be away for longer than its `offline_after`.
    #[must_use]
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.overdue(now) == Some(true)
    }
}

impl Outcome {
    /// Returns the number of clients that are known to be away for longer than their `offline_after`.
    #[must_use]
    pub fn overdue_count(&self, now: Timestamp) -> usize {
        self.clients.iter().filter(|client| client.is_overdue(now)).count()
    }
}
