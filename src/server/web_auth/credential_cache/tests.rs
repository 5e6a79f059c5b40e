//! What the cache of logins keeps, and what it forgets.

use std::net::SocketAddr;

use super::*;

/// The cheapest there is.
const COST: u32 = 4;

fn peer() -> Peer {
    Some(SocketAddr::from(([127, 0, 0, 1], 1))).into()
}

fn credentials(user: &str, password: &str) -> Credentials {
    Credentials { user: user.to_owned(), password: password.as_bytes().to_vec().into() }
}

fn users(password: &str) -> Users {
    Users::of_one("alice", &bcrypt::hash(password, COST).expect("a hash"))
}

fn credential_cache() -> Arc<CredentialCache> {
    Arc::new(CredentialCache::new().expect("random numbers"))
}

#[tokio::test]
async fn a_wrong_password_is_checked_once() {
    let (credential_cache, users) = (credential_cache(), users("right"));
    for user in ["alice", "nobody"] {
        let result = credential_cache.check(&users, credentials(user, "wrong"), peer()).await;
        assert_eq!(result, LoginResult::Wrong { checked: true }, "{user}");
        for _ in 0..50 {
            let result = credential_cache.check(&users, credentials(user, "wrong"), peer()).await;
            assert_eq!(result, LoginResult::Wrong { checked: false }, "{user}");
        }
    }
    assert_eq!(credential_cache.check(&users, credentials("alice", "right"), peer()).await, LoginResult::Right);
    assert_eq!(
        credential_cache.check(&users, credentials("nobody", "right"), peer()).await,
        LoginResult::Wrong { checked: true }
    );
}

#[tokio::test]
async fn what_was_right_is_so_no_more_when_the_hash_changes() {
    let (credential_cache, before, after) = (credential_cache(), users("old"), users("new"));
    assert_eq!(credential_cache.check(&before, credentials("alice", "old"), peer()).await, LoginResult::Right);
    assert_eq!(
        credential_cache.check(&after, credentials("alice", "old"), peer()).await,
        LoginResult::Wrong { checked: true }
    );
    assert_eq!(
        credential_cache.check(&before, credentials("alice", "new"), peer()).await,
        LoginResult::Wrong { checked: true }
    );
    assert_eq!(credential_cache.check(&after, credentials("alice", "new"), peer()).await, LoginResult::Right);
    let no_users = Users::default();
    assert_eq!(
        credential_cache.check(&no_users, credentials("alice", "new"), peer()).await,
        LoginResult::Wrong { checked: true }
    );
}

#[tokio::test]
async fn who_guesses_drives_no_right_login_out_and_fills_no_memory() {
    let (credential_cache, users) = (credential_cache(), users("right"));
    assert_eq!(credential_cache.check(&users, credentials("alice", "right"), peer()).await, LoginResult::Right);
    for number in 0..2 * MAX_WRONG {
        let mut tag = [0; 32];
        tag[..8].copy_from_slice(&number.to_be_bytes());
        credential_cache.insert(tag, false);
    }
    {
        let logins = credential_cache.logins.lock().expect("no thread panicked");
        assert_eq!(logins.wrong.tags.len(), MAX_WRONG);
        assert_eq!(logins.wrong.order.len(), MAX_WRONG);
    }
    let _all = credential_cache.checks.wait(peer()).await.expect("the queue is empty");
    assert_eq!(
        credential_cache.check(&users, credentials("alice", "right"), peer()).await,
        LoginResult::Right,
        "without a check"
    );
}

#[tokio::test]
async fn user_and_password_are_not_mixed_up() {
    let (credential_cache, users) = (credential_cache(), users("b"));
    let of = |user, password| credential_cache.tag(&credentials(user, password), users.hash_of("alice").0);
    assert_ne!(of("ab", "c"), of("a", "bc"));
    assert_eq!(of("a", "bc"), of("a", "bc"));
}
