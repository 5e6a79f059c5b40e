//! Schedules the requests of a probe, and their retries.
//!
//! Every request is sent once before any of its rank is retried, and requests of an earlier rank go first. A keyed read
//! that stalls no longer counts towards `concurrency`, so a hung node of a cluster affects only its own clients. Nor does
//! any request that stalls while one of an earlier rank waits. The plan interprets each answer and returns the requests
//! that follow from it.

mod queue;

use std::collections::VecDeque;
use std::future::Future;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::{AbortHandle, Abortable};
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep_until};

use super::recorder::Recorder;
use super::request::{Answer, Policy, Rank, Request, Retries};
use crate::emqx::{RequestError, RequestLimits, Response, Retry};
use queue::{Job, RequestQueue};

/// A request has stalled when it takes this many times longer than the average of the keyed reads answered so far...
const STALLED_FACTOR: u32 = 4;

/// ... but never before this time.
const STALLED_AT_LEAST: Duration = Duration::from_millis(100);

/// Maximum number of stalled requests; the oldest is abandoned if there are more.
pub(super) const MAX_STALLED: usize = 64;

/// Until the broker has answered a keyed read, at most `concurrency` times this many requests are in progress: its normal
/// response time is not known yet.
const CONCURRENCY_FACTOR_BEFORE_RESPONSE: usize = 2;

/// Minimum retry budget of a probe; a large one may spend a tenth of its requests.
const MIN_RETRY_BUDGET: usize = 16;

/// The pause before the first retry of a request; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The limits of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Concurrent requests, without stalled ones.
    pub(super) concurrency: usize,
    /// Maximum number of attempts of one request.
    pub(super) attempts: u32,
    /// Timeout of one attempt, unless its kind has another limit.
    pub(super) request_timeout: Duration,
    /// When the run must end.
    pub(super) deadline: Instant,
}

/// A request that follows from an answer.
#[derive(Debug)]
pub(super) struct FollowUp {
    pub(super) request: Request,
    /// It is not sent before this time.
    pub(super) not_before: Option<Instant>,
}

impl From<Request> for FollowUp {
    fn from(request: Request) -> Self {
        Self { request, not_before: None }
    }
}

/// Takes the answers, and decides which requests follow.
pub(super) trait Plan {
    /// Takes the final answer to a request, after all retries, and returns the requests that follow from it. They are
    /// sent after all first requests.
    fn on_answer(&mut self, request: &Request, answer: Result<Answer, RequestError>) -> Vec<FollowUp>;

    /// Returns whether a request is still to be sent. One that is not is dropped, and gets no answer.
    fn is_wanted(&self, _: &Request) -> bool {
        true
    }
}

/// Why a run ended before every request had its answer.
#[derive(Debug)]
pub(super) enum Ended {
    /// At the deadline.
    Deadline(Pace),
    /// By an error that every request to this broker would meet.
    Aborted(RequestError),
}

/// How fast the broker answered keyed reads until the deadline.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Keyed reads that were answered.
    pub(super) answered: u32,
    /// Requests for which there was no place.
    pub(super) unsent: usize,
    /// Requests that had stalled.
    pub(super) stalled: usize,
    /// How long the run took.
    pub(super) duration: Duration,
    /// How long of it nothing was sent, because the broker asked so by `Retry-After`.
    pub(super) paused: Duration,
}

/// Sends the `first` requests and all that follow from them, until each has its answer or the bounds are reached.
pub(super) async fn run<F>(
    first: Vec<Request>,
    bounds: Bounds,
    recorder: &mut Recorder,
    plan: &mut dyn Plan,
    send: impl Fn(Request, RequestLimits) -> F,
) -> Option<Ended>
where
    F: Future<Output = Response<Answer>>,
{
    let mut scheduler = Scheduler::new(first, bounds, recorder, plan);
    let mut in_flight = FuturesUnordered::new();
    loop {
        let now = Instant::now();
        if now >= bounds.deadline && scheduler.ended.is_none() {
            scheduler.ended = Some(Ended::Deadline(scheduler.pace(now)));
        }
        if scheduler.ended.is_some() {
            break;
        }
        while let Some(job) = scheduler.next(now) {
            let limits = job.request.policy(bounds.request_timeout).limits;
            let (abort, registration) = AbortHandle::new_pair();
            let response = Abortable::new(send(job.request.clone(), limits), registration);
            let id = scheduler.start(job, now, abort);
            in_flight.push(async move { (id, response.await) });
        }
        let Some(wake) = scheduler.wake(now) else { break };
        tokio::select! {
            biased;
            Some((id, response)) = in_flight.next(), if !in_flight.is_empty() => {
                // One that was given up has its answer already.
                if let Ok(response) = response {
                    scheduler.on_response(id, response);
                }
            }
            () = sleep_until(wake) => {}
        }
    }
    scheduler.finish()
}

struct InFlightRequest {
    id: u64,
    job: Job,
    started: Instant,
    rank: Rank,
    is_keyed: bool,
    abort: AbortHandle,
}

/// The state of a run.
struct Scheduler<'a> {
    bounds: Bounds,
    recorder: &'a mut Recorder,
    plan: &'a mut dyn Plan,
    queue: RequestQueue,
    /// In progress, oldest first.
    in_flight: VecDeque<InFlightRequest>,
    next_id: u64,
    /// Requests planned so far, retries aside.
    planned: usize,
    retries: usize,
    /// Consecutive findings that the broker could not be reached.
    unreachable: u32,
    unreachable_at: Option<Instant>,
    /// For each rank, when the broker may be asked again.
    pauses: [Option<Instant>; Rank::COUNT],
    /// How long the broker asked for pauses, in all.
    paused: Duration,
    /// Whether any keyed read had a response.
    has_response: bool,
    answered: u32,
    answered_in: Duration,
    started: Instant,
    ended: Option<Ended>,
}

impl<'a> Scheduler<'a> {
    fn new(first: Vec<Request>, bounds: Bounds, recorder: &'a mut Recorder, plan: &'a mut dyn Plan) -> Self {
        let planned = first.len();
        let mut queue = RequestQueue::default();
        for request in first {
            queue.push(request.policy(bounds.request_timeout).rank, request.into());
        }
        Self {
            bounds,
            recorder,
            plan,
            planned,
            queue,
            in_flight: VecDeque::new(),
            next_id: 0,
            retries: 0,
            unreachable: 0,
            unreachable_at: None,
            pauses: [None; Rank::COUNT],
            paused: Duration::ZERO,
            has_response: false,
            answered: 0,
            answered_in: Duration::ZERO,
            started: Instant::now(),
            ended: None,
        }
    }

    /// Returns the request to send now, if there is one and a place for it.
    fn next(&mut self, now: Instant) -> Option<Job> {
        self.queue.drop_unwanted(|request| self.plan.is_wanted(request));
        let rank = self.queue.next_rank(now)?;
        if self.pauses[rank as usize].is_some_and(|until| until > now) || !self.has_place(rank, now) {
            return None;
        }
        self.queue.pop(now)
    }

    fn policy(&self, request: &Request) -> Policy {
        request.policy(self.bounds.request_timeout)
    }

    /// Returns whether fewer than `concurrency` requests are in progress, those aside that have stalled for this rank.
    fn has_place(&self, rank: Rank, now: Instant) -> bool {
        let concurrency = self.bounds.concurrency;
        if !self.has_response && self.in_flight.len() >= concurrency * CONCURRENCY_FACTOR_BEFORE_RESPONSE {
            return false;
        }
        self.in_flight.len() - self.stalled(rank, now) < concurrency
    }

    /// Returns how many requests have stalled and do not keep one of this rank from being sent: keyed reads, and whatever
    /// is of a later rank.
    fn stalled(&self, rank: Rank, now: Instant) -> usize {
        let stalled_after = self.stalled_after();
        let gives_way = |one: &&InFlightRequest| one.is_keyed || one.rank > rank;
        self.in_flight.iter().filter(gives_way).filter(|one| one.started + stalled_after <= now).count()
    }

    /// Returns how long a request may take before it has stalled.
    fn stalled_after(&self) -> Duration {
        match self.answered_in.checked_div(self.answered) {
            Some(average) => STALLED_AT_LEAST.max(average * STALLED_FACTOR),
            None => STALLED_AT_LEAST,
        }
    }

    /// Registers a request in progress, and abandons the oldest if too many have stalled.
    fn start(&mut self, mut job: Job, now: Instant, abort: AbortHandle) -> u64 {
        self.recorder.sent(job.attempts > 0);
        job.attempts += 1;
        let Policy { rank, is_keyed, .. } = self.policy(&job.request);
        let id = self.next_id;
        self.next_id += 1;
        self.in_flight.push_back(InFlightRequest { id, job, started: now, rank, is_keyed, abort });
        if self.in_flight.len() > self.bounds.concurrency + MAX_STALLED {
            let oldest = self.in_flight.iter().position(|one| one.is_keyed);
            if let Some(one) = oldest.and_then(|index| self.in_flight.remove(index)) {
                one.abort.abort();
                self.recorder.abandoned(one.job.request.target(), now - one.started);
                self.retry(one.job, RequestError::Timeout);
            }
        }
        id
    }

    /// Returns when to act even without a response; `None` when nothing is left to do.
    fn wake(&self, now: Instant) -> Option<Instant> {
        let is_waiting = !self.queue.is_empty();
        if !is_waiting && self.in_flight.is_empty() {
            return None;
        }
        if !is_waiting {
            return Some(self.bounds.deadline);
        }
        let stalled_after = self.stalled_after();
        let stalls = self.in_flight.iter().map(|one| one.started + stalled_after);
        stalls
            .chain(self.queue.first_delayed())
            .chain(self.pauses.into_iter().flatten())
            .chain([self.bounds.deadline])
            .filter(|at| *at > now)
            .min()
    }

    /// Takes the response to a request.
    fn on_response(&mut self, id: u64, response: Response<Answer>) {
        let Some(index) = self.in_flight.iter().position(|one| one.id == id) else { return };
        let Some(InFlightRequest { job, started, is_keyed, .. }) = self.in_flight.remove(index) else { return };
        let Response { answer, exchange } = response;
        if exchange.status.is_some() {
            self.unreachable = 0;
            // What another kind of request took says nothing about keyed reads.
            self.has_response |= is_keyed;
        }
        let duration = exchange.duration;
        self.recorder.ended(exchange, answer.as_ref().err());
        let error = match answer {
            Ok(answer) => {
                if is_keyed {
                    self.answered += 1;
                    self.answered_in += duration;
                }
                self.answer(&job.request, Ok(answer));
                return;
            }
            Err(error) => error,
        };
        match error.retry() {
            Retry::SameRequest => self.retry(job, error),
            Retry::Broker => self.unreachable(job, started, error),
            Retry::Abort if self.policy(&job.request).ends_probe_if_refused => {
                self.ended = Some(Ended::Aborted(error));
            }
            Retry::Abort | Retry::Never => self.answer(&job.request, Err(error)),
        }
    }

    /// Passes an answer to the plan, and queues the requests that follow from it.
    fn answer(&mut self, request: &Request, answer: Result<Answer, RequestError>) {
        for FollowUp { request, not_before } in self.plan.on_answer(request, answer) {
            self.planned += 1;
            let rank = self.policy(&request).rank;
            match not_before {
                Some(not_before) => self.queue.delay(rank, not_before, request.into()),
                None => self.queue.push(rank, request.into()),
            }
        }
    }

    /// Queues a retry if the policy, the attempts, the budget and the deadline allow it. While a `Retry-After` of the broker
    /// lasts, no request of this rank or a later one is sent.
    fn retry(&mut self, mut job: Job, error: RequestError) {
        let policy = self.policy(&job.request);
        let is_retried = match policy.retries {
            Retries::All => true,
            Retries::NoTimeouts => !matches!(error, RequestError::Timeout),
            Retries::Nothing => false,
        };
        let may_retry = is_retried
            && job.attempts < self.bounds.attempts
            && self.retries < MIN_RETRY_BUDGET.max(self.planned / 10);
        let retry_after = error.retry_after();
        let now = Instant::now();
        let at = now.checked_add(pause(job.attempts).max(retry_after.unwrap_or_default()));
        let Some(at) = at.filter(|at| may_retry && *at < self.bounds.deadline) else {
            self.answer(&job.request, Err(error));
            return;
        };
        if let Some(retry_after) = retry_after {
            let until = now + retry_after;
            let before = self.pauses[policy.rank as usize].map_or(now, |before| before.max(now));
            self.paused += until.saturating_duration_since(before);
            self.pause(policy.rank, until);
        }
        self.retries += 1;
        job.error = Some(error);
        self.queue.delay(policy.rank, at, job);
    }

    /// Handles a connection that could not be made, which concerns every other request too.
    ///
    /// Requests that were in progress at the same time fail together; that counts once.
    fn unreachable(&mut self, job: Job, started: Instant, error: RequestError) {
        if self.unreachable_at.is_none_or(|at| started > at) {
            self.unreachable += 1;
            self.unreachable_at = Some(Instant::now());
            if self.unreachable >= self.bounds.attempts {
                self.ended = Some(Ended::Aborted(error));
                return;
            }
            self.pause(Rank::State, Instant::now() + pause(self.unreachable));
        }
        if job.attempts < self.bounds.attempts {
            self.queue.push_front(self.policy(&job.request).rank, job);
        } else {
            // The broker comes and goes: it answered others, and was unreachable at each attempt of this one.
            self.answer(&job.request, Err(error));
        }
    }

    /// Sends nothing of this rank or a later one until this time.
    fn pause(&mut self, rank: Rank, until: Instant) {
        for pause in &mut self.pauses[rank as usize..] {
            *pause = (*pause).max(Some(until));
        }
    }

    fn pace(&self, now: Instant) -> Pace {
        Pace {
            answered: self.answered,
            unsent: self.queue.unsent(),
            stalled: self.stalled(Rank::Last, now),
            duration: now - self.started,
            paused: self.paused,
        }
    }

    /// Records the requests still in progress, and answers those that waited for a retry with their last error.
    fn finish(mut self) -> Option<Ended> {
        let now = Instant::now();
        let is_aborted = matches!(self.ended, Some(Ended::Aborted(_)));
        let in_flight = std::mem::take(&mut self.in_flight);
        let mut jobs: Vec<_> = self.queue.drain().collect();
        for one in in_flight {
            let (target, waited) = (one.job.request.target(), now - one.started);
            if is_aborted {
                self.recorder.dropped(target, waited);
            } else {
                self.recorder.abandoned(target, waited);
            }
            jobs.push(one.job);
        }
        for job in jobs {
            if let Some(error) = job.error {
                self.plan.on_answer(&job.request, Err(error));
            }
        }
        self.ended
    }
}

/// Returns the pause before the next attempt, after this many. Jitter keeps several exporters from asking a struggling
/// broker in step.
fn pause(attempts: u32) -> Duration {
    let pause = FIRST_PAUSE * 2_u32.saturating_pow(attempts.saturating_sub(1)).min(64);
    pause.mul_f64(0.5 + fastrand::f64())
}

#[cfg(test)]
mod tests;
