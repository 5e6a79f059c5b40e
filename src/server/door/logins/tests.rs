//! What is remembered of logins, and what is not.

use super::*;

/// The cheapest there is.
const COST: u32 = 4;

fn credentials(user: &str, password: &str) -> Credentials {
    Credentials { user: user.to_owned(), password: password.as_bytes().to_vec().into() }
}

fn users(password: &str) -> Users {
    Users::of_one("alice", &bcrypt::hash(password, COST).expect("a hash"))
}

fn logins() -> Arc<Logins> {
    Arc::new(Logins::new().expect("random numbers"))
}

#[tokio::test]
async fn a_wrong_password_is_checked_once() {
    let (logins, users) = (logins(), users("right"));
    for user in ["alice", "nobody"] {
        let verdict = logins.check(&users, credentials(user, "wrong")).await;
        assert_eq!(verdict, Verdict::Wrong { checked: true }, "{user}");
        for _ in 0..50 {
            let verdict = logins.check(&users, credentials(user, "wrong")).await;
            assert_eq!(verdict, Verdict::Wrong { checked: false }, "{user}");
        }
    }
    assert_eq!(logins.check(&users, credentials("alice", "right")).await, Verdict::Right);
    assert_eq!(logins.check(&users, credentials("nobody", "right")).await, Verdict::Wrong { checked: true });
}

#[tokio::test]
async fn what_was_right_is_so_no_more_when_the_hash_changes() {
    let (logins, before, after) = (logins(), users("old"), users("new"));
    assert_eq!(logins.check(&before, credentials("alice", "old")).await, Verdict::Right);
    assert_eq!(logins.check(&after, credentials("alice", "old")).await, Verdict::Wrong { checked: true });
    assert_eq!(logins.check(&before, credentials("alice", "new")).await, Verdict::Wrong { checked: true });
    assert_eq!(logins.check(&after, credentials("alice", "new")).await, Verdict::Right);
    let nobody = Users::default();
    assert_eq!(logins.check(&nobody, credentials("alice", "new")).await, Verdict::Wrong { checked: true });
}

#[tokio::test]
async fn who_guesses_drives_no_right_login_out_and_fills_no_memory() {
    let (logins, users) = (logins(), users("right"));
    assert_eq!(logins.check(&users, credentials("alice", "right")).await, Verdict::Right);
    for number in 0..2 * WRONG_REMEMBERED {
        let mut tag = [0; 32];
        tag[..8].copy_from_slice(&number.to_be_bytes());
        logins.remember(tag, false);
    }
    {
        let remembered = logins.remembered.lock().expect("nobody failed");
        assert_eq!(remembered.wrong.tags.len(), WRONG_REMEMBERED);
        assert_eq!(remembered.wrong.order.len(), WRONG_REMEMBERED);
    }
    let _all = logins.checks.acquire().await.expect("a place");
    assert_eq!(logins.check(&users, credentials("alice", "right")).await, Verdict::Right, "without a check");
}

#[tokio::test]
async fn only_so_many_wait_for_a_check() {
    let (logins, users) = (logins(), users("right"));
    let _all = logins.waiting.acquire_many(u32::try_from(WAITING).expect("few")).await.expect("places");
    assert_eq!(logins.check(&users, credentials("alice", "right")).await, Verdict::Busy);
}

#[tokio::test]
async fn user_and_password_are_not_mixed_up() {
    let (logins, users) = (logins(), users("b"));
    let of = |user, password| logins.tag(&credentials(user, password), users.hash_of("alice").0);
    assert_ne!(of("ab", "c"), of("a", "bc"));
    assert_eq!(of("a", "bc"), of("a", "bc"));
}
