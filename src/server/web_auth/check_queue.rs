//! Decides whose password is checked next, so that a client that guesses passwords does not delay others for long.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::super::peer::Peer;

/// How many passwords are checked at once, which bounds the processors that strangers can take.
const CHECKS_AT_ONCE: usize = 1;

/// How many checks may wait.
pub(super) const MAX_WAITING: usize = 32;

/// Peers whose wrong passwords are remembered. Beyond that, all of them are forgotten.
const MAX_PEERS: usize = 1024;

/// The checks that wait. Peers with the fewest wrong passwords come first, and among equals those who came first.
#[derive(Default)]
pub(super) struct CheckQueue(Mutex<Checks>);

#[derive(Default)]
struct Checks {
    running: usize,
    /// In the order of their arrival.
    waiting: Vec<WaitingCheck>,
    wrong_passwords: HashMap<Peer, u32>,
}

struct WaitingCheck {
    peer: Peer,
    turn: oneshot::Sender<CheckPermit>,
}

/// Allows one check, until it is dropped.
pub(super) struct CheckPermit(Option<Arc<CheckQueue>>);

impl CheckQueue {
    /// Waits until a password of this peer may be checked. Returns `None` where too many wait who come before it.
    pub(super) async fn wait(self: &Arc<Self>, peer: Peer) -> Option<CheckPermit> {
        let turn = {
            let mut checks = self.lock();
            if checks.running < CHECKS_AT_ONCE {
                checks.running += 1;
                return Some(CheckPermit(Some(Arc::clone(self))));
            }
            let (sender, turn) = oneshot::channel();
            checks.waiting.push(WaitingCheck { peer, turn: sender });
            checks.refuse_last();
            turn
        };
        turn.await.ok()
    }

    /// Records whether the password that a peer sent was right.
    pub(super) fn record(&self, peer: Peer, is_right: bool) {
        let mut checks = self.lock();
        if is_right {
            checks.wrong_passwords.remove(&peer);
            return;
        }
        if checks.wrong_passwords.len() >= MAX_PEERS {
            checks.wrong_passwords.clear();
        }
        let count = checks.wrong_passwords.entry(peer).or_default();
        *count = count.saturating_add(1);
    }

    fn lock(&self) -> MutexGuard<'_, Checks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Checks {
    fn wrong_passwords(&self, peer: Peer) -> u32 {
        self.wrong_passwords.get(&peer).copied().unwrap_or_default()
    }

    /// Takes the check whose turn it is.
    fn take_next(&mut self) -> Option<WaitingCheck> {
        let next =
            (0..self.waiting.len()).min_by_key(|index| self.wrong_passwords(self.waiting[*index].peer))?;
        Some(self.waiting.remove(next))
    }

    /// Refuses one check where too many wait: of the peers with the most checks here, the one with the most wrong
    /// passwords, and of its checks the latest.
    fn refuse_last(&mut self) {
        // The clients of these have closed their connections.
        self.waiting.retain(|check| !check.turn.is_closed());
        if self.waiting.len() <= MAX_WAITING {
            return;
        }
        let count = |peer| self.waiting.iter().filter(|check| check.peer == peer).count();
        let last = (0..self.waiting.len()).max_by_key(|index| {
            let peer = self.waiting[*index].peer;
            (count(peer), self.wrong_passwords(peer), *index)
        });
        if let Some(last) = last {
            self.waiting.remove(last);
        }
    }
}

impl Drop for CheckPermit {
    fn drop(&mut self) {
        let Some(queue) = self.0.take() else { return };
        let mut permit = Self(Some(Arc::clone(&queue)));
        loop {
            let mut checks = queue.lock();
            let Some(next) = checks.take_next() else {
                checks.running -= 1;
                permit.0 = None;
                return;
            };
            drop(checks);
            // The permit comes back where the client of that check has gone.
            match next.turn.send(permit) {
                Ok(()) => return,
                Err(unused) => permit = unused,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use futures_util::FutureExt as _;

    use super::*;

    fn peer(number: u8) -> Peer {
        Some(SocketAddr::from(([10, 0, 0, number], 1))).into()
    }

    #[tokio::test]
    async fn who_has_sent_no_wrong_password_comes_first() {
        let queue = Arc::new(CheckQueue::default());
        let (stranger, scraper) = (peer(1), peer(2));
        let running = queue.wait(stranger).await.expect("the queue is empty");
        queue.record(stranger, false);
        let mut guesses: Vec<_> = (0..10).map(|_| Box::pin(queue.wait(stranger))).collect();
        assert!(guesses.iter_mut().all(|guess| guess.now_or_never().is_none()));
        let mut login = Box::pin(queue.wait(scraper));
        assert!((&mut login).now_or_never().is_none());
        drop(running);
        let permit = login.now_or_never().flatten();
        assert!(permit.is_some());
        drop(permit);
        assert!((&mut guesses[0]).now_or_never().flatten().is_some(), "then those who came first");
    }

    #[tokio::test]
    async fn a_full_queue_refuses_the_peer_that_fills_it() {
        let queue = Arc::new(CheckQueue::default());
        let running = queue.wait(peer(1)).await.expect("the queue is empty");
        let mut guesses: Vec<_> = (0..MAX_WAITING).map(|_| Box::pin(queue.wait(peer(1)))).collect();
        assert!(guesses.iter_mut().all(|guess| guess.now_or_never().is_none()));
        let mut login = Box::pin(queue.wait(peer(2)));
        assert!((&mut login).now_or_never().is_none(), "it waits");
        let last = guesses.pop().expect("there are some");
        assert!(last.now_or_never().is_some_and(|permit| permit.is_none()), "it made room");
        assert!(queue.wait(peer(1)).now_or_never().is_some_and(|permit| permit.is_none()));
        drop((running, guesses));
        assert!(login.now_or_never().flatten().is_some(), "those whose clients have gone are passed over");
    }

    #[tokio::test]
    async fn a_permit_that_is_not_taken_is_not_lost() {
        let queue = Arc::new(CheckQueue::default());
        let running = queue.wait(peer(1)).await.expect("the queue is empty");
        let mut given_up = Box::pin(queue.wait(peer(2)));
        assert!((&mut given_up).now_or_never().is_none());
        drop(running);
        drop(given_up);
        assert!(queue.wait(peer(3)).now_or_never().flatten().is_some());
        assert_eq!(queue.lock().running, 0);
    }
}
