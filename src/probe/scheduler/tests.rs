//! The order and the bounds of the requests, on a clock that only advances when nothing else is to be done.

mod ranks;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use tokio::time::sleep;

use super::super::memory::MemoryRequest;
use super::*;
use crate::client::WatchedClient;
use crate::emqx::Exchange;
use crate::outcome::RequestStats;

/// How long a response takes, and what it is.
type Scripted = (Duration, Result<(), RequestError>);

/// A response to an abandoned request.
const SILENCE: Scripted = (Duration::from_secs(3_600), Ok(()));

/// A run that has ended.
struct Over {
    /// The final answer to each request, where there was one.
    answers: Vec<Option<Result<(), RequestError>>>,
    ended: Option<Ended>,
    requests: RequestStats,
    /// Which request was sent, and when, since the start.
    sent: Vec<(Duration, usize)>,
    /// The most requests that were in progress at once.
    most_at_once: usize,
    duration: Duration,
}

impl Over {
    fn order(&self) -> Vec<usize> {
        self.sent.iter().map(|(_, lookup)| *lookup).collect()
    }

    /// Returns when this lookup was sent.
    fn times_of(&self, lookup: usize) -> Vec<Duration> {
        self.sent.iter().filter(|(_, sent)| *sent == lookup).map(|(at, _)| *at).collect()
    }

    /// Returns the lookups that succeeded.
    fn good(&self) -> Vec<usize> {
        let is_good = |lookup: &usize| matches!(self.answers[*lookup], Some(Ok(())));
        (0..self.answers.len()).filter(is_good).collect()
    }
}

/// Keeps the answers, and makes follow-ups of them.
struct TestPlan<F, W> {
    answers: Vec<Option<Result<(), RequestError>>>,
    follow_ups: F,
    wants: W,
}

impl<F: FnMut(usize) -> Vec<FollowUp>, W: Fn(usize) -> bool> Plan for TestPlan<F, W> {
    fn on_answer(&mut self, request: &Request, answer: Result<Answer, RequestError>) -> Vec<FollowUp> {
        let index = index_of(request);
        self.answers[index] = Some(answer.map(|_| ()));
        (self.follow_ups)(index)
    }

    fn is_wanted(&self, request: &Request) -> bool {
        (self.wants)(index_of(request))
    }
}

fn client(index: usize) -> Arc<WatchedClient> {
    Arc::new(WatchedClient {
        alias: format!("client {index}").into(),
        client_id: format!("client-{index}").into(),
        ..WatchedClient::default()
    })
}

fn lookup(index: usize) -> Request {
    Request::Lookup(index, client(index))
}

/// Returns the number of a request, of whatever kind.
fn index_of(request: &Request) -> usize {
    match request {
        Request::Lookup(index, _)
        | Request::Memory(MemoryRequest::Ban(index, _) | MemoryRequest::Subscriptions(index, _)) => *index,
        Request::Memory(MemoryRequest::Bans { page, .. }) => usize::try_from(*page).expect("it is small"),
        _ => panic!("no such request is sent"),
    }
}

/// Runs lookups with a deadline of 9.5 s. `answer` says what comes of a lookup when it is sent for the nth time, from 1.
async fn ask(
    lookups: usize,
    concurrency: usize,
    attempts: u32,
    answer: impl Fn(usize, usize) -> Scripted,
) -> Over {
    ask_requests((0..lookups).map(lookup).collect(), lookups, concurrency, attempts, answer, |_| Vec::new())
        .await
}

/// The same with these requests, where answers bring follow-ups; in all there are `count` requests.
async fn ask_requests(
    first: Vec<Request>,
    count: usize,
    concurrency: usize,
    attempts: u32,
    answer: impl Fn(usize, usize) -> Scripted,
    follow_ups: impl FnMut(usize) -> Vec<FollowUp>,
) -> Over {
    ask_wanted(first, count, concurrency, attempts, answer, follow_ups, |_| true).await
}

/// The same, where some requests are not wanted any more.
async fn ask_wanted(
    first: Vec<Request>,
    count: usize,
    concurrency: usize,
    attempts: u32,
    answer: impl Fn(usize, usize) -> Scripted,
    follow_ups: impl FnMut(usize) -> Vec<FollowUp>,
    wants: impl Fn(usize) -> bool,
) -> Over {
    let started = Instant::now();
    let sent = RefCell::new(Vec::new());
    let (at_once, most_at_once) = (Rc::new(()), Cell::new(0));
    let deadline = started + Duration::from_millis(9_500);
    let bounds = Bounds { concurrency, attempts, request_timeout: Duration::MAX, deadline };
    let mut recorder = Recorder::default();
    let answers = std::iter::repeat_with(|| None).take(count).collect();
    let mut plan = TestPlan { answers, follow_ups, wants };
    let ended = run(first, bounds, &mut recorder, &mut plan, |request, _| {
        let index = index_of(&request);
        sent.borrow_mut().push((started.elapsed(), index));
        let nth = sent.borrow().iter().filter(|(_, sent)| *sent == index).count();
        let (duration, answer) = answer(index, nth);
        let counted = Rc::clone(&at_once);
        most_at_once.set(most_at_once.get().max(Rc::strong_count(&at_once) - 1));
        async move {
            sleep(duration).await;
            drop(counted);
            let status = match &answer {
                Ok(()) => Some(200),
                Err(RequestError::Status { status, .. }) => Some(*status),
                Err(_) => None,
            };
            let exchange = Exchange { target: String::new(), status, body_bytes: 1, duration };
            Response { answer: answer.map(|()| Answer::Client(None)), exchange }
        }
    })
    .await;
    let (sent, most_at_once) = (sent.into_inner(), most_at_once.get());
    let requests = recorder.finish();
    Over { answers: plan.answers, ended, requests, sent, most_at_once, duration: started.elapsed() }
}

fn after(milliseconds: u64, answer: Result<(), RequestError>) -> Scripted {
    (Duration::from_millis(milliseconds), answer)
}

fn status(status: u16) -> Result<(), RequestError> {
    Err(RequestError::Status { status, code: None, retry_after: None, redirect: None })
}

fn refused() -> Result<(), RequestError> {
    Err(RequestError::Connect { address: "emqx:18083".to_owned(), source: "connection refused".into() })
}

fn milliseconds(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[tokio::test(start_paused = true)]
async fn as_many_lookups_are_in_flight_as_concurrency_allows() {
    let over = ask(10, 3, 3, |_, _| after(10, Ok(()))).await;
    assert_eq!(over.order(), (0..10).collect::<Vec<_>>());
    assert_eq!(over.good().len(), 10);
    assert!(over.ended.is_none());
    assert_eq!((over.most_at_once, over.duration), (3, milliseconds(40)));
    assert_eq!((over.requests.sent, over.requests.retries, over.requests.response_bytes), (10, 0, 10));
    assert_eq!((over.requests.http_status(), over.requests.records.len()), (200, 10));
}

#[tokio::test(start_paused = true)]
async fn no_request_outlives_the_deadline() {
    let over = ask(10, 3, 3, |_, _| SILENCE).await;
    assert!(matches!(over.ended, Some(Ended::Deadline(_))));
    assert_eq!(over.duration, milliseconds(9_500));
    assert!(over.answers.iter().all(Option::is_none));
    assert_eq!(over.requests.http_status(), 0);
}

#[tokio::test(start_paused = true)]
async fn stalled_lookups_give_their_places_to_others_and_may_be_answered_late() {
    let over = ask(6, 2, 1, |lookup, _| after(if lookup < 2 { 5_000 } else { 10 }, Ok(()))).await;
    assert_eq!(over.times_of(2), [milliseconds(100)]);
    assert_eq!(over.times_of(5), [milliseconds(110)]);
    assert_eq!(over.good().len(), 6);
    assert_eq!(over.duration, milliseconds(5_000));
}

#[tokio::test(start_paused = true)]
async fn a_lookup_stalls_later_where_answers_are_slow() {
    let over = ask(4, 1, 1, |lookup, _| if lookup == 2 { SILENCE } else { after(70, Ok(())) }).await;
    assert_eq!(over.times_of(2), [milliseconds(140)]);
    assert_eq!(over.times_of(3), [milliseconds(140 + 4 * 70)]);
    assert_eq!(over.good(), [0, 1, 3]);
}

#[tokio::test(start_paused = true)]
async fn of_too_many_stalled_lookups_the_oldest_are_given_up() {
    for concurrency in [1, 4] {
        let over =
            ask(200, concurrency, 1, |lookup, _| if lookup == 0 { after(1, Ok(())) } else { SILENCE }).await;
        // Those that are given up go when the new ones come, all of a turn.
        assert!(over.most_at_once <= MAX_STALLED + 2 * concurrency, "{}", over.most_at_once);
        let given_up =
            over.answers[1..].iter().take_while(|answer| matches!(answer, Some(Err(RequestError::Timeout))));
        let sent = over.sent.len();
        assert_eq!(given_up.count(), sent - 1 - MAX_STALLED - concurrency);
        assert!(sent > 90 * concurrency || sent == 200, "{sent}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_third_that_hangs_blinds_the_probe_for_nobody_else() {
    for hung in [|lookup| (1..334).contains(&lookup), |lookup| lookup % 3 == 1] {
        let over = ask(1_000, 4, 3, |lookup, _| if hung(lookup) { SILENCE } else { after(1, Ok(())) }).await;
        assert!((0..1_000).filter(|lookup| !hung(*lookup)).eq(over.good()));
        assert_eq!(over.duration, milliseconds(9_500));
    }
}

#[tokio::test(start_paused = true)]
async fn every_lookup_is_sent_before_any_is_retried() {
    let over =
        ask(30, 2, 3, |lookup, nth| after(20, if lookup < 3 && nth < 3 { status(503) } else { Ok(()) })).await;
    assert_eq!(over.order()[..30], (0..30).collect::<Vec<_>>());
    assert_eq!(over.good().len(), 30);
    assert_eq!((over.requests.sent, over.requests.retries), (36, 6));
    assert_eq!(over.requests.last_error_status, Some(503));
}

#[tokio::test(start_paused = true)]
async fn the_pauses_between_attempts_grow() {
    let over = ask(1, 4, 4, |_, _| after(0, status(503))).await;
    let times = over.times_of(0);
    assert_eq!(times.len(), 4);
    for (pair, pause) in times.windows(2).zip([100, 200, 400]) {
        let paused = pair[1].abs_diff(pair[0]);
        // A tick of the clock is a millisecond.
        assert!((milliseconds(pause / 2)..=milliseconds(pause * 3 / 2 + 1)).contains(&paused), "{times:?}");
    }
    assert!(matches!(over.answers[..], [Some(Err(RequestError::Status { status: 503, .. }))]));
}

#[tokio::test(start_paused = true)]
async fn the_retry_budget_is_a_tenth_of_the_requests() {
    for (lookups, retries) in [(100, 16), (400, 40)] {
        let over = ask(lookups, 4, 3, |_, _| after(1, status(500))).await;
        assert_eq!(over.requests.retries, retries);
        assert_eq!(over.sent.len() as u64, lookups as u64 + retries);
        assert!(over.answers.iter().all(|answer| matches!(answer, Some(Err(RequestError::Status { .. })))));
    }
}

#[tokio::test(start_paused = true)]
async fn a_final_error_is_not_retried() {
    let over = ask(3, 4, 3, |_, _| after(1, status(404))).await;
    assert_eq!((over.requests.sent, over.requests.retries), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_end_the_run_at_once() {
    for code in [401, 403] {
        let over = ask(10, 4, 3, |_, _| after(5, status(code))).await;
        assert_eq!((over.requests.sent, over.duration), (4, milliseconds(5)));
        let dropped = &over.requests.records[1];
        assert_eq!(dropped.error.as_deref(), Some("not waited for: another request ended the probe"));
        assert!(
            matches!(over.ended, Some(Ended::Aborted(RequestError::Status { status, .. })) if status == code)
        );
        assert_eq!(over.requests.http_status(), code);
    }
}

#[tokio::test(start_paused = true)]
async fn an_unreachable_broker_is_tried_as_often_as_one_lookup() {
    let over = ask(10, 4, 3, |_, _| after(5, refused())).await;
    assert!(matches!(over.ended, Some(Ended::Aborted(RequestError::Connect { .. }))));
    assert_eq!((over.requests.sent, over.requests.retries), (12, 8), "three rounds of four");
    assert!(over.good().is_empty() && over.answers.iter().all(Option::is_none));
    assert_eq!(over.requests.http_status(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_is_back_in_time_answers_every_lookup() {
    let up = milliseconds(60);
    let started = Instant::now();
    let over = ask(10, 4, 3, |_, _| after(5, if started.elapsed() < up { refused() } else { Ok(()) })).await;
    assert_eq!(over.good().len(), 10, "{:?}", over.sent);
    assert!(over.ended.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_comes_and_goes_is_not_retried_for_ever() {
    let over =
        ask(10, 2, 3, |lookup, _| if lookup == 0 { after(5, refused()) } else { after(6, Ok(())) }).await;
    assert_eq!(over.times_of(0).len(), 3);
    assert!(matches!(over.answers[0], Some(Err(RequestError::Connect { .. }))));
    assert!(over.ended.is_none());
    assert_eq!(over.good().len(), 9);
}

#[tokio::test(start_paused = true)]
async fn the_last_error_is_the_answer_when_no_time_is_left() {
    let over = ask(1, 1, 3, |_, nth| if nth == 1 { after(1, status(500)) } else { SILENCE }).await;
    assert!(matches!(over.ended, Some(Ended::Deadline(_))));
    assert!(matches!(over.answers[..], [Some(Err(RequestError::Status { status: 500, .. }))]));
}

#[tokio::test(start_paused = true)]
async fn before_the_first_response_twice_the_concurrency_is_the_limit() {
    let over = ask(200, 4, 3, |_, _| after(1_000, Ok(()))).await;
    assert_eq!(over.most_at_once, 8);
    assert_eq!(over.sent[..8].iter().map(|(at, _)| *at).max(), Some(milliseconds(100)));
    let Some(Ended::Deadline(pace)) = over.ended else { panic!("there is too little time") };
    assert_eq!((pace.stalled, pace.duration), (0, milliseconds(9_500)));
    assert_eq!(pace.answered as usize, over.good().len());
    assert_eq!(pace.unsent, 200 - over.sent.len());
}

#[tokio::test(start_paused = true)]
async fn follow_ups_come_after_every_first_request() {
    let follow = |index| if index < 3 { vec![lookup(index + 6).into()] } else { Vec::new() };
    let over = ask_requests((0..6).map(lookup).collect(), 9, 2, 1, |_, _| after(10, Ok(())), follow).await;
    assert_eq!(over.order(), (0..9).collect::<Vec<_>>());
    assert_eq!(over.requests.retries, 0, "follow-ups are no retries");
}

#[tokio::test(start_paused = true)]
async fn a_delayed_follow_up_waits_and_holds_up_nobody() {
    let not_before = Instant::now() + milliseconds(250);
    let follow = |index| match index {
        0 => vec![FollowUp { request: lookup(3), not_before: Some(not_before) }],
        _ => Vec::new(),
    };
    let over = ask_requests((0..3).map(lookup).collect(), 4, 1, 1, |_, _| after(10, Ok(())), follow).await;
    assert_eq!((over.times_of(2), over.times_of(3)), (vec![milliseconds(20)], vec![milliseconds(250)]));
    assert_eq!(over.good(), [0, 1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn requests_that_never_ended_are_recorded_with_the_time_waited() {
    let over = ask(2, 2, 3, |lookup, _| if lookup == 0 { after(7, Ok(())) } else { SILENCE }).await;
    let [ended, abandoned] = &over.requests.records[..] else { panic!("{:?}", over.requests.records) };
    assert_eq!((ended.status, ended.duration), (Some(200), milliseconds(7)));
    assert_eq!((abandoned.status, abandoned.duration), (None, milliseconds(9_500)));
    assert_eq!(abandoned.target, "/v5/clients/client-1");
    assert_eq!(abandoned.error.as_deref(), Some("no response after 9.5 s"));
    assert_eq!(over.requests.timings[1], (None, milliseconds(9_500)));
}
