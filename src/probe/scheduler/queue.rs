//! The requests that are still to be sent.

use std::collections::{BTreeMap, VecDeque};

use tokio::time::Instant;

use super::super::request::{Rank, Request};
use crate::emqx::RequestError;

/// A request on its way to an answer.
pub(super) struct Job {
    pub(super) request: Request,
    /// How often it was sent.
    pub(super) attempts: u32,
    /// Why the last attempt failed; the answer, should there be no time for another.
    pub(super) error: Option<RequestError>,
}

impl From<Request> for Job {
    fn from(request: Request) -> Self {
        Self { request, attempts: 0, error: None }
    }
}

/// The requests of each rank.
#[derive(Default)]
pub(super) struct RequestQueue {
    ranks: [RankQueue; Rank::COUNT],
    next_id: u64,
}

/// The requests of one rank.
#[derive(Default)]
struct RankQueue {
    /// To be sent, in this order.
    ready: VecDeque<Job>,
    /// To be sent after all that are ready, and not before a time, which comes first in the key.
    delayed: BTreeMap<(Instant, u64), Job>,
}

impl RankQueue {
    /// Returns whether a request may be sent now.
    fn has_due(&self, now: Instant) -> bool {
        let is_due = |((not_before, _), _): (&(Instant, u64), &Job)| *not_before <= now;
        !self.ready.is_empty() || self.delayed.first_key_value().is_some_and(is_due)
    }
}

impl RequestQueue {
    /// Adds a request after all that are ready.
    pub(super) fn push(&mut self, rank: Rank, job: Job) {
        self.ranks[rank as usize].ready.push_back(job);
    }

    /// Adds a request before all that are ready.
    pub(super) fn push_front(&mut self, rank: Rank, job: Job) {
        self.ranks[rank as usize].ready.push_front(job);
    }

    /// Adds a request that is not sent before this time.
    pub(super) fn delay(&mut self, rank: Rank, not_before: Instant, job: Job) {
        self.ranks[rank as usize].delayed.insert((not_before, self.next_id), job);
        self.next_id += 1;
    }

    /// Drops the requests that come next and are not wanted any more.
    pub(super) fn drop_unwanted(&mut self, is_wanted: impl Fn(&Request) -> bool) {
        for RankQueue { ready, delayed } in &mut self.ranks {
            while ready.front().is_some_and(|job| !is_wanted(&job.request)) {
                ready.pop_front();
            }
            while let Some(first) = delayed.first_entry().filter(|first| !is_wanted(&first.get().request)) {
                first.remove();
            }
        }
    }

    /// Returns the rank of the request to send now, if there is one.
    pub(super) fn next_rank(&self, now: Instant) -> Option<Rank> {
        Rank::ALL.into_iter().find(|rank| self.ranks[*rank as usize].has_due(now))
    }

    /// Takes the request to send now, if there is one.
    pub(super) fn pop(&mut self, now: Instant) -> Option<Job> {
        let RankQueue { ready, delayed } = self.ranks.iter_mut().find(|rank| rank.has_due(now))?;
        ready.pop_front().or_else(|| delayed.pop_first().map(|(_, job)| job))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ranks.iter().all(|rank| rank.ready.is_empty() && rank.delayed.is_empty())
    }

    /// Returns when the first of the delayed requests may be sent.
    pub(super) fn first_delayed(&self) -> Option<Instant> {
        let first = |rank: &RankQueue| rank.delayed.first_key_value().map(|((not_before, _), _)| *not_before);
        self.ranks.iter().filter_map(first).min()
    }

    /// Returns how many of the requests have never been sent for want of a place.
    pub(super) fn unsent(&self) -> usize {
        self.ranks.iter().flat_map(|rank| &rank.ready).filter(|job| job.attempts == 0).count()
    }

    /// Takes all that is left.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Job> {
        let ranks = std::mem::take(&mut self.ranks);
        ranks
            .into_iter()
            .flat_map(|RankQueue { ready, delayed }| ready.into_iter().chain(delayed.into_values()))
    }
}
