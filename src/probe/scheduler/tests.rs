//! The order and the bounds of the asking, on a clock that only goes on when nothing else is to be done.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use tokio::time::sleep;

use super::*;
use crate::emqx::Exchange;

/// How long an answer takes, and what it is.
type Answer = (Duration, Result<(), RequestError>);

/// An answer that nobody waits for.
const SILENCE: Answer = (Duration::from_secs(3_600), Ok(()));

/// An asking that is over.
struct Over {
    answers: Vec<Option<Result<(), RequestError>>>,
    ended_by: Option<Ended>,
    requests: RequestStats,
    /// Who was asked, and when, since the start.
    asked: Vec<(Duration, usize)>,
    /// The most questions that were under way at once.
    most_at_once: usize,
    /// How long it took.
    took: Duration,
}

impl Over {
    fn order(&self) -> Vec<usize> {
        self.asked.iter().map(|(_, question)| *question).collect()
    }

    /// When this question was asked.
    fn times_of(&self, question: usize) -> Vec<Duration> {
        self.asked.iter().filter(|(_, asked)| *asked == question).map(|(at, _)| *at).collect()
    }

    /// The questions that were answered as hoped for.
    fn good(&self) -> Vec<usize> {
        let is_good = |question: &usize| matches!(self.answers[*question], Some(Ok(())));
        (0..self.answers.len()).filter(is_good).collect()
    }
}

/// Asks with a deadline of 9.5 s. `answer` says what comes of a question when it is asked for the nth time, from 1.
async fn ask(
    questions: usize,
    concurrency: usize,
    attempts: u32,
    answer: impl Fn(usize, usize) -> Answer,
) -> Over {
    let started = Instant::now();
    let asked = RefCell::new(Vec::new());
    let (at_once, most_at_once) = (Rc::new(()), Cell::new(0));
    let bounds = Bounds { concurrency, attempts, deadline: started + Duration::from_millis(9_500) };
    let asking = run(questions, bounds, |question| {
        asked.borrow_mut().push((started.elapsed(), question));
        let nth = asked.borrow().iter().filter(|(_, asked)| *asked == question).count();
        let (duration, answer) = answer(question, nth);
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
            Response { answer, exchange: Exchange { target: String::new(), status, body_bytes: 1, duration } }
        }
    })
    .await;
    let ScheduleResult { answers, ended_by, requests } = asking;
    let (asked, most_at_once) = (asked.into_inner(), most_at_once.get());
    Over { answers, ended_by, requests, asked, most_at_once, took: started.elapsed() }
}

fn after(milliseconds: u64, answer: Result<(), RequestError>) -> Answer {
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
async fn as_many_are_asked_at_once_as_there_are_places() {
    let over = ask(10, 3, 3, |_, _| after(10, Ok(()))).await;
    assert_eq!(over.order(), (0..10).collect::<Vec<_>>());
    assert_eq!(over.good().len(), 10);
    assert!(over.ended_by.is_none());
    assert_eq!((over.most_at_once, over.took), (3, milliseconds(40)));
    assert_eq!((over.requests.sent, over.requests.retries, over.requests.response_bytes), (10, 0, 10));
    assert_eq!((over.requests.http_status(), over.requests.records.len()), (200, 10));
}

#[tokio::test(start_paused = true)]
async fn nothing_outlives_the_deadline() {
    let over = ask(10, 3, 3, |_, _| SILENCE).await;
    assert!(matches!(over.ended_by, Some(Ended::Deadline)));
    assert_eq!(over.took, milliseconds(9_500));
    assert!(over.answers.iter().all(Option::is_none));
    assert_eq!(over.requests.http_status(), 0);
}

#[tokio::test(start_paused = true)]
async fn silent_questions_give_their_places_to_others_and_may_answer_late() {
    let over = ask(6, 2, 1, |question, _| after(if question < 2 { 5_000 } else { 10 }, Ok(()))).await;
    assert_eq!(over.times_of(2), [milliseconds(100)]);
    assert_eq!(over.times_of(5), [milliseconds(110)]);
    assert_eq!(over.good().len(), 6);
    assert_eq!(over.took, milliseconds(5_000));
}

#[tokio::test(start_paused = true)]
async fn silence_is_longer_where_answers_are_slow() {
    let over = ask(4, 1, 1, |question, _| if question == 2 { SILENCE } else { after(70, Ok(())) }).await;
    assert_eq!(over.times_of(2), [milliseconds(140)]);
    assert_eq!(over.times_of(3), [milliseconds(140 + 4 * 70)]);
    assert_eq!(over.good(), [0, 1, 3]);
}

#[tokio::test(start_paused = true)]
async fn of_too_many_silent_questions_the_longest_silent_are_given_up() {
    for concurrency in [1, 4] {
        let over = ask(200, concurrency, 1, |_, _| SILENCE).await;
        // Those that are given up go when the new ones come, all of a turn.
        assert!(over.most_at_once <= MAX_SILENT + 2 * concurrency, "{}", over.most_at_once);
        let given_up =
            over.answers.iter().take_while(|answer| matches!(answer, Some(Err(RequestError::Timeout))));
        let asked = over.asked.len();
        assert_eq!(given_up.count(), asked - MAX_SILENT - concurrency);
        assert_eq!(asked, 200.min(95 * concurrency));
    }
}

#[tokio::test(start_paused = true)]
async fn a_third_that_hangs_blinds_for_nobody_else() {
    for hung in [|question| question < 333, |question| question % 3 == 0] {
        let over =
            ask(1_000, 4, 3, |question, _| if hung(question) { SILENCE } else { after(1, Ok(())) }).await;
        assert!((0..1_000).filter(|question| !hung(*question)).eq(over.good()));
        assert_eq!(over.took, milliseconds(9_500));
    }
}

#[tokio::test(start_paused = true)]
async fn everyone_is_asked_before_anyone_is_asked_again() {
    let over =
        ask(30, 2, 3, |question, nth| after(20, if question < 3 && nth < 3 { status(503) } else { Ok(()) }))
            .await;
    assert_eq!(over.order()[..30], (0..30).collect::<Vec<_>>());
    assert_eq!(over.good().len(), 30);
    assert_eq!((over.requests.sent, over.requests.retries), (36, 6));
    assert_eq!(over.requests.last_error_status, Some(503));
}

#[tokio::test(start_paused = true)]
async fn pauses_grow_between_the_attempts() {
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
async fn a_struggling_broker_is_not_asked_three_times_over() {
    for (questions, retries) in [(100, 16), (400, 40)] {
        let over = ask(questions, 4, 3, |_, _| after(1, status(500))).await;
        assert_eq!(over.requests.retries, retries);
        assert_eq!(over.asked.len() as u64, questions as u64 + retries);
        assert!(over.answers.iter().all(|answer| matches!(answer, Some(Err(RequestError::Status { .. })))));
    }
}

#[tokio::test(start_paused = true)]
async fn what_stays_is_asked_once() {
    let over = ask(3, 4, 3, |_, _| after(1, status(404))).await;
    assert_eq!((over.requests.sent, over.requests.retries), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_end_the_asking_at_once() {
    for code in [401, 403] {
        let over = ask(10, 4, 3, |_, _| after(5, status(code))).await;
        assert_eq!((over.requests.sent, over.took), (4, milliseconds(5)));
        assert!(
            matches!(over.ended_by, Some(Ended::Nobody(RequestError::Status { status, .. })) if status == code)
        );
        assert_eq!(over.requests.http_status(), code);
    }
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_cannot_be_reached_is_tried_as_often_as_one_question() {
    let over = ask(10, 4, 3, |_, _| after(5, refused())).await;
    assert!(matches!(over.ended_by, Some(Ended::Nobody(RequestError::Connect { .. }))));
    assert_eq!((over.requests.sent, over.requests.retries), (12, 8), "three rounds of four");
    assert!(over.good().is_empty() && over.answers.iter().all(Option::is_none));
    assert_eq!(over.requests.http_status(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_is_back_in_time_is_asked_everything() {
    let up = milliseconds(60);
    let started = Instant::now();
    let over = ask(10, 4, 3, |_, _| after(5, if started.elapsed() < up { refused() } else { Ok(()) })).await;
    assert_eq!(over.good().len(), 10, "{:?}", over.asked);
    assert!(over.ended_by.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_comes_and_goes_is_not_asked_for_ever() {
    let over =
        ask(10, 2, 3, |question, _| if question == 0 { after(5, refused()) } else { after(6, Ok(())) }).await;
    assert_eq!(over.times_of(0).len(), 3);
    assert!(matches!(over.answers[0], Some(Err(RequestError::Connect { .. }))));
    assert!(over.ended_by.is_none());
    assert_eq!(over.good().len(), 9);
}

#[tokio::test(start_paused = true)]
async fn the_last_failure_stands_when_there_is_no_time_left() {
    let over = ask(1, 1, 3, |_, nth| if nth == 1 { after(1, status(500)) } else { SILENCE }).await;
    assert!(matches!(over.ended_by, Some(Ended::Deadline)));
    assert!(matches!(over.answers[..], [Some(Err(RequestError::Status { status: 500, .. }))]));
}
