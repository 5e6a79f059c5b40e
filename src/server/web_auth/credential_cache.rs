//! Whether a password is right, at the cost of a bcrypt once and not on every scrape.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::web;
use ring::hmac;
use ring::rand::SystemRandom;
use secrecy::{ExposeSecret as _, SecretSlice};
use tokio::sync::Semaphore;
use tracing::debug;

use crate::config::web::Users;

/// How many passwords are checked at once, so that guessing them cannot take more than this of the processors.
const CHECKS_AT_ONCE: usize = 1;
/// How many may wait for that.
const WAITING: usize = 32;
/// How many logins are remembered: right ones, which are few, and wrong ones apart from them, so that somebody who
/// guesses drives no right one out.
const RIGHT_REMEMBERED: usize = 64;
const WRONG_REMEMBERED: usize = 1024;

/// What somebody says who wants in.
pub(super) struct Credentials {
    pub(super) user: String,
    pub(super) password: SecretSlice<u8>,
}

/// What becomes of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LoginResult {
    /// The password is the user's.
    Right,
    /// There is no such user, or it has another password.
    Wrong {
        /// Whether that had to be found out, instead of being remembered.
        checked: bool,
    },
    /// Too many passwords are being checked already.
    Busy,
}

/// Checks passwords and remembers what came of it, until users or hashes change.
pub(super) struct CredentialCache {
    key: hmac::Key,
    remembered: Mutex<Remembered>,
    checks: Arc<Semaphore>,
    waiting: Semaphore,
}

/// A login without its password: a keyed hash, whose key no other process has.
type Tag = [u8; 32];

struct Remembered {
    right: Recent,
    wrong: Recent,
}

impl CredentialCache {
    /// `None` where there is no randomness.
    pub(super) fn new() -> Option<Self> {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).ok()?;
        let remembered =
            Remembered { right: Recent::new(RIGHT_REMEMBERED), wrong: Recent::new(WRONG_REMEMBERED) };
        Some(Self {
            key,
            remembered: Mutex::new(remembered),
            checks: Arc::new(Semaphore::new(CHECKS_AT_ONCE)),
            waiting: Semaphore::new(WAITING),
        })
    }

    /// Whether these are the credentials of one of the users.
    pub(super) async fn check(self: &Arc<Self>, users: &Users, credentials: Credentials) -> LoginResult {
        let (hash, known) = users.hash_of(&credentials.user);
        let Some(tag) = self.tag(&credentials, hash) else {
            return LoginResult::Wrong { checked: false };
        };
        if let Some(verdict) = self.recall(&tag) {
            return verdict;
        }
        let Ok(_waits) = self.waiting.try_acquire() else {
            return LoginResult::Busy;
        };
        let Ok(place) = Arc::clone(&self.checks).acquire_owned().await else {
            return LoginResult::Busy;
        };
        // The same may have been asked, and answered, in the meantime.
        if let Some(verdict) = self.recall(&tag) {
            return verdict;
        }
        let (credential_cache, hash) = (Arc::clone(self), hash.to_owned());
        // It goes on when whoever asked goes away: the place stays taken, and what came of it is remembered.
        let checked = web::block(move || {
            let _place = place;
            let matches = bcrypt::verify(credentials.password.expose_secret(), &hash).unwrap_or(false);
            debug!("checked a password");
            let right = known && matches;
            credential_cache.remember(tag, right);
            right
        });
        match checked.await {
            Ok(true) => LoginResult::Right,
            Ok(false) => LoginResult::Wrong { checked: true },
            Err(_) => LoginResult::Busy,
        }
    }

    /// The hash of the password is part of it, so that whatever was remembered of another one is forgotten. Each
    /// part but the last is preceded by its length, so that none can pass for another. `None` is a user name of an
    /// absurd length.
    fn tag(&self, credentials: &Credentials, hash: &str) -> Option<Tag> {
        let mut tag = hmac::Context::with_key(&self.key);
        for part in [hash, &credentials.user] {
            tag.update(&u32::try_from(part.len()).ok()?.to_be_bytes());
            tag.update(part.as_bytes());
        }
        tag.update(credentials.password.expose_secret());
        tag.sign().as_ref().try_into().ok()
    }

    fn recall(&self, tag: &Tag) -> Option<LoginResult> {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.right.tags.contains(tag) {
            return Some(LoginResult::Right);
        }
        remembered.wrong.tags.contains(tag).then_some(LoginResult::Wrong { checked: false })
    }

    fn remember(&self, tag: Tag, right: bool) {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if right {
            remembered.right.insert(tag);
        } else {
            remembered.wrong.insert(tag);
        }
    }
}

/// So many of the last logins of a kind.
struct Recent {
    most: usize,
    tags: HashSet<Tag>,
    order: VecDeque<Tag>,
}

impl Recent {
    fn new(most: usize) -> Self {
        Self { most, tags: HashSet::new(), order: VecDeque::new() }
    }

    fn insert(&mut self, tag: Tag) {
        if !self.tags.insert(tag) {
            return;
        }
        self.order.push_back(tag);
        if self.order.len() > self.most
            && let Some(oldest) = self.order.pop_front()
        {
            self.tags.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests;
