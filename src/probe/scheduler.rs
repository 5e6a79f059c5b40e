//! Who is asked when, and again: the order of the questions of one probe.
//!
//! Everyone is asked once before anyone is asked again. A question that stays silent gives its place to the next
//! and is waited for beside the others, so that a hung node of a cluster blinds nobody but its own clients. It
//! knows nothing of what is asked: a question is a number, and asking it gives a future.

use std::collections::VecDeque;
use std::future::Future;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::{AbortHandle, Abortable};
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep_until};

use super::note;
use crate::emqx::{RequestError, Response, Retry};
use crate::outcome::RequestStats;

/// A question is silent when it takes this many times longer than those answered so far took on average...
const SILENT_FACTOR: u32 = 4;

/// ... but never before this time.
const SILENT_AT_LEAST: Duration = Duration::from_millis(100);

/// How many silent questions are waited for; of more, the longest silent one is given up.
pub(super) const MAX_SILENT: usize = 64;

/// The least number of repeated questions a probe may spend; a large one may spend a tenth of its questions.
const MIN_RETRIES: usize = 16;

/// The pause before a question is repeated; it doubles with each repetition.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// What bounds the asking.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Questions under way at once, silent ones aside.
    pub(super) concurrency: usize,
    /// How often one question is asked, in all.
    pub(super) attempts: u32,
    /// When everything must be over.
    pub(super) deadline: Instant,
}

/// What came of the questions.
#[derive(Debug)]
pub(super) struct ScheduleResult<T> {
    /// The answer to each question; `None` where the asking ended before there was one.
    pub(super) answers: Vec<Option<Result<T, RequestError>>>,
    /// Why the asking ended before everyone had answered.
    pub(super) ended_by: Option<Ended>,
    /// What it cost.
    pub(super) requests: RequestStats,
}

/// Why the asking ended before everyone had answered.
#[derive(Debug)]
pub(super) enum Ended {
    /// The deadline.
    Deadline,
    /// Nobody can be asked.
    Nobody(RequestError),
}

/// Asks `questions` questions, `ask(n)` each of them, until all are answered or the bounds are reached.
pub(super) async fn run<T, F>(questions: usize, bounds: Bounds, ask: impl Fn(usize) -> F) -> ScheduleResult<T>
where
    F: Future<Output = Response<T>>,
{
    let mut plan = Scheduler::new(questions, bounds);
    let mut under_way = FuturesUnordered::new();
    loop {
        let now = Instant::now();
        if now >= plan.bounds.deadline {
            plan.ended_by = Some(Ended::Deadline);
        }
        if plan.ended_by.is_some() {
            break;
        }
        while let Some(question) = plan.next(now) {
            let (abort, registration) = AbortHandle::new_pair();
            plan.start(question, now, abort);
            let asked = Abortable::new(ask(question), registration);
            under_way.push(async move { (question, asked.await) });
        }
        let Some(wake) = plan.wake(now) else { break };
        tokio::select! {
            biased;
            Some((question, asked)) = under_way.next(), if !under_way.is_empty() => {
                // One that was given up has been taken in already.
                if let Ok(asked) = asked {
                    plan.on_response(question, asked);
                }
            }
            () = sleep_until(wake) => {}
        }
    }
    ScheduleResult { answers: plan.answers, ended_by: plan.ended_by, requests: plan.requests }
}

/// The state of the asking.
struct Scheduler<T> {
    bounds: Bounds,
    /// Not asked yet.
    fresh: VecDeque<usize>,
    /// To be asked again, and not before when.
    again: VecDeque<(Instant, usize)>,
    /// Under way, oldest first.
    under_way: VecDeque<UnderWay>,
    /// How often each question was asked.
    asked: Vec<u32>,
    retry_budget: usize,
    /// How often in a row the broker could not be reached, and when that was last found out.
    unreachable: u32,
    unreachable_at: Option<Instant>,
    /// Nothing is asked before this time.
    pause_until: Option<Instant>,
    answered: u32,
    answered_in: Duration,
    answers: Vec<Option<Result<T, RequestError>>>,
    ended_by: Option<Ended>,
    requests: RequestStats,
}

struct UnderWay {
    question: usize,
    started: Instant,
    abort: AbortHandle,
}

impl<T> Scheduler<T> {
    fn new(questions: usize, bounds: Bounds) -> Self {
        Self {
            bounds,
            fresh: (0..questions).collect(),
            again: VecDeque::new(),
            under_way: VecDeque::new(),
            asked: vec![0; questions],
            retry_budget: MIN_RETRIES.max(questions / 10),
            unreachable: 0,
            unreachable_at: None,
            pause_until: None,
            answered: 0,
            answered_in: Duration::ZERO,
            answers: std::iter::repeat_with(|| None).take(questions).collect(),
            ended_by: None,
            requests: RequestStats::default(),
        }
    }

    /// The question to ask now, if there is one and a place for it.
    fn next(&mut self, now: Instant) -> Option<usize> {
        if self.pause_until.is_some_and(|until| until > now) || !self.has_place(now) {
            return None;
        }
        if let Some(question) = self.fresh.pop_front() {
            return Some(question);
        }
        let due = self.again.iter().position(|(not_before, _)| *not_before <= now)?;
        self.again.remove(due).map(|(_, question)| question)
    }

    /// Whether fewer than `concurrency` questions are under way that are not silent.
    fn has_place(&self, now: Instant) -> bool {
        let silent_since = self.silent_after();
        let speaking = self.under_way.iter().rev().take_while(|one| one.started + silent_since > now);
        speaking.take(self.bounds.concurrency).count() < self.bounds.concurrency
    }

    /// How long a question may take before it counts as silent.
    fn silent_after(&self) -> Duration {
        match self.answered_in.checked_div(self.answered) {
            Some(average) => SILENT_AT_LEAST.max(average * SILENT_FACTOR),
            None => SILENT_AT_LEAST,
        }
    }

    /// Notes that a question is under way, and gives the longest silent one up where there are too many.
    fn start(&mut self, question: usize, now: Instant, abort: AbortHandle) {
        self.requests.sent += 1;
        if self.asked[question] > 0 {
            self.requests.retries += 1;
        }
        self.asked[question] += 1;
        self.under_way.push_back(UnderWay { question, started: now, abort });
        let too_many = self.under_way.len() > self.bounds.concurrency + MAX_SILENT;
        if too_many && let Some(longest) = self.under_way.pop_front() {
            longest.abort.abort();
            self.ask_again(longest.question, RequestError::Timeout);
        }
    }

    /// When something is to be done even if nobody answers; `None` when there is nothing left to do.
    fn wake(&self, now: Instant) -> Option<Instant> {
        let waiting = !self.fresh.is_empty() || !self.again.is_empty();
        if !waiting && self.under_way.is_empty() {
            return None;
        }
        if !waiting {
            return Some(self.bounds.deadline);
        }
        let silent_after = self.silent_after();
        let silences = self.under_way.iter().map(|one| one.started + silent_after);
        let repetitions = self.again.iter().map(|(not_before, _)| *not_before);
        silences
            .chain(repetitions)
            .chain(self.pause_until)
            .chain([self.bounds.deadline])
            .filter(|at| *at > now)
            .min()
    }

    /// Takes the end of a question in.
    fn on_response(&mut self, question: usize, asked: Response<T>) {
        let started = self.finished(question);
        if asked.exchange.status.is_some() {
            self.unreachable = 0;
        }
        let took = asked.exchange.duration;
        note(&mut self.requests, asked.exchange, asked.answer.as_ref().err());
        match asked.answer {
            Ok(answer) => {
                self.answered += 1;
                self.answered_in += took;
                self.answers[question] = Some(Ok(answer));
            }
            Err(error) => match error.retry() {
                Retry::Never => self.answers[question] = Some(Err(error)),
                Retry::SameRequest => self.ask_again(question, error),
                Retry::Abort => self.ended_by = Some(Ended::Nobody(error)),
                Retry::Broker => self.unreachable(question, started, error),
            },
        }
    }

    /// Takes a question out of those under way, and says when it was asked.
    fn finished(&mut self, question: usize) -> Option<Instant> {
        let place = self.under_way.iter().position(|one| one.question == question)?;
        let one = self.under_way.remove(place)?;
        Some(one.started)
    }

    /// Puts a question back, if it may be asked again.
    fn ask_again(&mut self, question: usize, error: RequestError) {
        // Kept as the answer, should there be no other, or no time left for one.
        self.answers[question] = Some(Err(error));
        let asked = self.asked[question];
        if asked < self.bounds.attempts && self.retry_budget > 0 {
            self.retry_budget -= 1;
            self.again.push_back((Instant::now() + pause(asked), question));
        }
    }

    /// Takes in that the broker could not be reached, which says as much about all the others.
    ///
    /// Several questions that were under way together find the same thing out: that counts once.
    fn unreachable(&mut self, question: usize, started: Option<Instant>, error: RequestError) {
        let known = self.unreachable_at.is_some_and(|at| started.is_none_or(|started| started <= at));
        if !known {
            self.unreachable += 1;
            self.unreachable_at = Some(Instant::now());
            if self.unreachable >= self.bounds.attempts {
                self.ended_by = Some(Ended::Nobody(error));
                return;
            }
            self.pause_until = Some(Instant::now() + pause(self.unreachable));
        }
        if self.asked[question] < self.bounds.attempts {
            self.fresh.push_front(question);
        } else {
            // The broker comes and goes: it answers others, and each time it was this one's turn it was away.
            self.answers[question] = Some(Err(error));
        }
    }
}

/// The pause before a question is asked for the next time, after it was asked `attempts` times. It is spread, so
/// that the exporters of a fleet do not ask a struggling broker in step.
pub(super) fn pause(attempts: u32) -> Duration {
    let pause = FIRST_PAUSE * 2_u32.saturating_pow(attempts.saturating_sub(1)).min(64);
    pause.mul_f64(0.5 + fastrand::f64())
}

#[cfg(test)]
mod tests;
