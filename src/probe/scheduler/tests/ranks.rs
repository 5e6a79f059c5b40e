//! Which requests come first, give way to others, and are dropped.

use super::*;

/// A keyed read of what the broker remembers.
fn ban(index: usize) -> Request {
    Request::Memory(MemoryRequest::Ban(index, client(index)))
}

/// A list of what the broker remembers.
fn bans(index: usize) -> Request {
    Request::Memory(MemoryRequest::Bans { page: index as u64, limit: 100 })
}

/// A request of the last rank.
fn subscriptions(index: usize) -> Request {
    Request::Memory(MemoryRequest::Subscriptions(index, client(index)))
}

#[tokio::test(start_paused = true)]
async fn earlier_ranks_go_first() {
    let first = vec![subscriptions(0), bans(1), ban(2), lookup(3), lookup(4)];
    let over = ask_requests(first, 5, 1, 1, |_, _| after(10, Ok(())), |_| Vec::new()).await;
    assert_eq!(over.order(), [3, 4, 1, 2, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_delayed_lookup_goes_before_what_is_left_of_a_later_rank() {
    let not_before = Instant::now() + milliseconds(25);
    let follow = |index| match index {
        0 => vec![FollowUp { request: lookup(5), not_before: Some(not_before) }],
        _ => Vec::new(),
    };
    let first = vec![lookup(0), ban(1), ban(2), ban(3), ban(4)];
    let over = ask_requests(first, 6, 1, 1, |_, _| after(10, Ok(())), follow).await;
    assert_eq!(over.order(), [0, 1, 2, 5, 3, 4]);
}

#[tokio::test(start_paused = true)]
async fn retries_come_after_their_rank_and_before_the_next() {
    let answer = |index, nth| after(60, if index == 0 && nth == 1 { status(503) } else { Ok(()) });
    let first = (0..5).map(lookup).chain((5..20).map(ban)).collect();
    let over = ask_requests(first, 20, 1, 2, answer, |_| Vec::new()).await;
    let retry = over.order().iter().rposition(|index| *index == 0);
    assert!((5..8).contains(&retry.expect("it is retried")), "{:?}", over.order());
}

#[tokio::test(start_paused = true)]
async fn what_stalls_holds_up_no_lookup() {
    for stalling in [bans(1), subscriptions(1)] {
        let not_before = Instant::now() + milliseconds(250);
        let follow = |index| match index {
            0 => vec![FollowUp { request: lookup(3), not_before: Some(not_before) }],
            _ => Vec::new(),
        };
        let answer = |index, _| if index == 1 { after(2_000, Ok(())) } else { after(10, Ok(())) };
        let first = vec![lookup(0), stalling, subscriptions(2)];
        let over = ask_requests(first, 4, 1, 1, answer, follow).await;
        assert_eq!(over.times_of(1), [milliseconds(10)]);
        assert_eq!(over.times_of(3), [milliseconds(250)]);
        // What may take long keeps its place from others of its rank, and of later ones.
        assert_eq!(over.times_of(2), [milliseconds(2_010)]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_the_broker_asks_for_holds_up_no_earlier_rank() {
    let busy = || RequestError::Status {
        status: 503,
        code: None,
        retry_after: Some(milliseconds(3_000)),
        redirect: None,
    };
    let not_before = Instant::now() + milliseconds(250);
    let follow = |index| match index {
        0 => vec![FollowUp { request: lookup(4), not_before: Some(not_before) }],
        _ => Vec::new(),
    };
    let answer = |index, nth| after(10, if index == 1 && nth == 1 { Err(busy()) } else { Ok(()) });
    let first = vec![lookup(0), bans(1), ban(2), subscriptions(3)];
    let over = ask_requests(first, 5, 1, 2, answer, follow).await;
    assert_eq!(over.times_of(4), [milliseconds(250)]);
    assert!(over.times_of(2)[0] >= milliseconds(3_020) && over.times_of(3)[0] >= milliseconds(3_020));
    assert_eq!(over.good(), [0, 1, 2, 3, 4]);

    // A lookup that is refused so holds up everyone.
    let answer = |index, nth| after(10, if index == 0 && nth == 1 { Err(busy()) } else { Ok(()) });
    let over = ask_requests(vec![lookup(0), ban(1)], 2, 1, 2, answer, |_| Vec::new()).await;
    assert!(over.times_of(1)[0] >= milliseconds(3_010), "{:?}", over.sent);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_wanted_any_more_is_dropped() {
    let is_wanted = Cell::new(true);
    let first = (0..10).map(ban).chain([subscriptions(10)]).collect();
    let follow = |index| {
        is_wanted.set(is_wanted.get() && index < 3);
        vec![]
    };
    let wants = |index| is_wanted.get() || index == 10;
    let over = ask_wanted(first, 11, 1, 1, |_, _| after(10, Ok(())), follow, wants).await;
    assert_eq!(over.order(), [0, 1, 2, 3, 10]);
    assert!(over.answers[4..10].iter().all(Option::is_none), "they get no answer");
    assert!(over.ended.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_is_not_wanted_any_more_is_dropped() {
    let is_wanted = Cell::new(true);
    let answer = |index, _| after(10, if index == 0 { status(500) } else { status(404) });
    let follow = |_| {
        is_wanted.set(false);
        vec![]
    };
    let over = ask_wanted(vec![ban(0), ban(1)], 2, 1, 3, answer, follow, |_| is_wanted.get()).await;
    assert_eq!(over.order(), [0, 1]);
    assert!(over.ended.is_none() && over.duration < milliseconds(500));
}
