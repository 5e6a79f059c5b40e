//! The plan of a probe for clients of the configuration: their state, and then what the broker remembers of them.

use std::sync::Arc;

use tokio::time::Instant;

use super::memory::MemoryPlan;
use super::request::{Answer, Request};
use super::scheduler::{FollowUp, Plan};
use super::watching::Watching;
use super::{Findings, Progress};
use crate::client::{Groups, Topics, WatchedClient};
use crate::emqx::RequestError;
use crate::outcome::FailureReason;

/// Passes each answer to the plan of its request.
pub(super) struct Combined<'a> {
    watching: Watching<'a>,
    memory: MemoryPlan<'a>,
    /// Requests of `watching` without a final answer.
    open: usize,
    has_begun_memory: bool,
    has_begun_last: bool,
}

impl<'a> Combined<'a> {
    /// Plans a probe for these clients.
    pub(super) fn new(
        clients: &'a [Arc<WatchedClient>],
        topics: &'a Topics,
        groups: Groups,
        deadline: Instant,
        progress: &'a Progress,
    ) -> Self {
        Self {
            watching: Watching::new(clients, groups.of_rows(), deadline, progress),
            memory: MemoryPlan::new(clients, topics, groups, deadline),
            open: 0,
            has_begun_memory: false,
            has_begun_last: false,
        }
    }

    /// Returns the first requests.
    pub(super) fn first(&mut self) -> Vec<Request> {
        let mut requests = self.watching.first();
        self.open += requests.len();
        requests.extend(self.next_of_memory());
        requests
    }

    /// Forgets which clients are absent and what the broker remembers, and returns the requests that repeat these questions.
    /// A connection received unrequested data, so the response to another request may have been taken for an answer.
    pub(super) fn doubt(&mut self) -> Vec<Request> {
        let mut requests = self.watching.doubt_absences();
        self.open = requests.len();
        self.memory = self.memory.anew();
        (self.has_begun_memory, self.has_begun_last) = (false, false);
        requests.extend(self.next_of_memory());
        requests
    }

    /// Drops the same answers for good, because of this error.
    pub(super) fn disbelieve(&mut self, error: &RequestError) {
        self.watching.disbelieve_absences(error);
        self.memory.fail(error);
    }

    /// Returns what was found, `ended` being why the run ended early, if it did.
    pub(super) fn finish(self, ended: Option<(FailureReason, String)>, findings: &mut Findings) {
        self.watching.finish(ended, findings);
        self.memory.finish(findings);
    }

    /// Returns the requests whose time has come.
    fn next_of_memory(&mut self) -> impl Iterator<Item = Request> {
        let mut requests = Vec::new();
        if !self.has_begun_memory && self.watching.has_asked_everyone() {
            self.has_begun_memory = true;
            requests = self.memory.begin();
        }
        if !self.has_begun_last && self.open == 0 {
            self.has_begun_last = true;
            requests.extend(self.memory.begin_last(self.watching.statuses()));
        }
        requests.into_iter().map(Request::Memory)
    }
}

impl Plan for Combined<'_> {
    fn on_answer(&mut self, request: &Request, answer: Result<Answer, RequestError>) -> Vec<FollowUp> {
        if let Request::Memory(request) = request {
            let answer = match answer {
                Ok(Answer::Memory(answer)) => Ok(answer),
                Ok(_) => return Vec::new(),
                Err(error) => Err(error),
            };
            return self.memory.on_answer(request, answer, self.watching.statuses());
        }
        let mut follow_ups = self.watching.on_answer(request, answer);
        self.open = self.open + follow_ups.len() - 1;
        follow_ups.extend(self.next_of_memory().map(FollowUp::from));
        follow_ups
    }

    fn is_wanted(&self, request: &Request) -> bool {
        match request {
            Request::Memory(request) => self.memory.is_wanted(request),
            _ => true,
        }
    }
}
