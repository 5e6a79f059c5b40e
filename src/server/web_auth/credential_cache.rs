//! Checks passwords, and caches the results: bcrypt costs too much for every scrape.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use ring::hmac;
use ring::rand::SystemRandom;
use secrecy::{ExposeSecret as _, SecretSlice};
use tracing::debug;

use super::super::peer::Peer;
use super::check_queue::CheckQueue;
use crate::blocking::run_detached;
use crate::config::web::Users;

/// How many right logins are cached.
const MAX_RIGHT: usize = 64;

/// How many wrong logins are cached. They are kept apart from the right ones, so that guessing evicts none of
/// those.
const MAX_WRONG: usize = 1024;

/// The credentials of a basic-auth request.
pub(super) struct Credentials {
    pub(super) user: String,
    pub(super) password: SecretSlice<u8>,
}

/// The result of checking credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LoginResult {
    /// The password is the user's.
    Right,
    /// There is no such user, or it has another password.
    Wrong {
        /// Whether the password was checked now instead of found in the cache.
        checked: bool,
    },
    /// Too many passwords are being checked already.
    Busy,
}

/// Checks passwords and caches the results, until users or hashes change.
pub(super) struct CredentialCache {
    key: hmac::Key,
    logins: Mutex<CachedLogins>,
    checks: Arc<CheckQueue>,
}

/// A keyed hash of a login, whose key no other process has.
type Tag = [u8; 32];

struct CachedLogins {
    right: RecentLogins,
    wrong: RecentLogins,
}

impl CredentialCache {
    /// Returns an empty cache, or `None` if the operating system provides no random numbers.
    pub(super) fn new() -> Option<Self> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).ok()?;
        let logins = CachedLogins { right: RecentLogins::new(MAX_RIGHT), wrong: RecentLogins::new(MAX_WRONG) };
        Some(Self { key, logins: Mutex::new(logins), checks: Arc::default() })
    }

    /// Checks whether these credentials, which `peer` sent, are those of one of the users.
    pub(super) async fn check(
        self: &Arc<Self>,
        users: &Users,
        credentials: Credentials,
        peer: Peer,
    ) -> LoginResult {
        let (hash, known) = users.hash_of(&credentials.user);
        let Some(tag) = self.tag(&credentials, hash) else {
            return LoginResult::Wrong { checked: false };
        };
        if let Some(result) = self.cached(&tag) {
            return result;
        }
        let Some(permit) = self.checks.wait(peer).await else {
            return LoginResult::Busy;
        };
        // The same login may have been checked meanwhile.
        if let Some(result) = self.cached(&tag) {
            return result;
        }
        let (credential_cache, hash) = (Arc::clone(self), hash.to_owned());
        // The check goes on when its client goes away: the permit stays taken, and the result is cached.
        let checked = run_detached(move || {
            let _permit = permit;
            let matches = bcrypt::verify(credentials.password.expose_secret(), &hash).unwrap_or(false);
            debug!("checked a password");
            let right = known && matches;
            credential_cache.checks.record(peer, right);
            credential_cache.insert(tag, right);
            right
        });
        match checked.await {
            Ok(true) => LoginResult::Right,
            Ok(false) => LoginResult::Wrong { checked: true },
            Err(_) => LoginResult::Busy,
        }
    }

    /// Returns the key under which a login is cached. It includes the hash of the password, so that a changed hash
    /// matches no cached login, and the length of each part but the last, so that no two logins share a key. `None` is a
    /// user name longer than 4 GiB.
    fn tag(&self, credentials: &Credentials, hash: &str) -> Option<Tag> {
        let mut tag = hmac::Context::with_key(&self.key);
        for part in [hash, &credentials.user] {
            tag.update(&u32::try_from(part.len()).ok()?.to_be_bytes());
            tag.update(part.as_bytes());
        }
        tag.update(credentials.password.expose_secret());
        tag.sign().as_ref().try_into().ok()
    }

    fn cached(&self, tag: &Tag) -> Option<LoginResult> {
        let logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        if logins.right.tags.contains(tag) {
            return Some(LoginResult::Right);
        }
        logins.wrong.tags.contains(tag).then_some(LoginResult::Wrong { checked: false })
    }

    fn insert(&self, tag: Tag, right: bool) {
        let mut logins = self.logins.lock().unwrap_or_else(PoisonError::into_inner);
        if right {
            logins.right.insert(tag);
        } else {
            logins.wrong.insert(tag);
        }
    }
}

/// The most recent logins of a kind.
struct RecentLogins {
    capacity: usize,
    tags: HashSet<Tag>,
    order: VecDeque<Tag>,
}

impl RecentLogins {
    fn new(capacity: usize) -> Self {
        Self { capacity, tags: HashSet::new(), order: VecDeque::new() }
    }

    fn insert(&mut self, tag: Tag) {
        if !self.tags.insert(tag) {
            return;
        }
        self.order.push_back(tag);
        if self.order.len() > self.capacity
            && let Some(oldest) = self.order.pop_front()
        {
            self.tags.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests;
