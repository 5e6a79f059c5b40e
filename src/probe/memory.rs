//! What the broker remembers of the requested clients: signs of life, bans, and expected subscriptions.
//!
//! Each group has a plan of its own, and fails alone.

mod bans;
mod group_run;
mod request;
mod seen;
mod subscriptions;

use std::sync::Arc;

use tokio::time::Instant;

use super::Findings;
use super::scheduler::FollowUp;
use crate::client::{Group, Groups, Topics, WatchedClient};
use crate::emqx::RequestError;
use crate::outcome::{ClientStatus, Memory, ProbedClient};
use bans::Bans;
use seen::Seen;
use subscriptions::Subscriptions;

pub(super) use request::{MemoryAnswer, MemoryRequest};

/// The plans of the requested groups that have something to ask.
pub(super) struct MemoryPlan<'a> {
    clients: &'a [Arc<WatchedClient>],
    topics: &'a Topics,
    groups: Groups,
    deadline: Instant,
    seen: Option<Seen<'a>>,
    bans: Option<Bans<'a>>,
    subscriptions: Option<Subscriptions<'a>>,
}

impl<'a> MemoryPlan<'a> {
    /// Plans the requests for these clients, whose broker has these `topics` for each of them.
    pub(super) fn new(
        clients: &'a [Arc<WatchedClient>],
        topics: &'a Topics,
        groups: Groups,
        deadline: Instant,
    ) -> Self {
        let requested = |group: Group| groups.contains(group) && !clients.is_empty();
        Self {
            clients,
            topics,
            groups,
            deadline,
            seen: requested(Group::Seen).then(|| Seen::new(clients, topics, deadline)).flatten(),
            bans: requested(Group::Banned).then(|| Bans::new(clients)),
            subscriptions: requested(Group::Subscriptions)
                .then(|| Subscriptions::new(clients, topics))
                .flatten(),
        }
    }

    /// Returns the same plan, of which nothing is asked yet.
    pub(super) fn anew(&self) -> Self {
        Self::new(self.clients, self.topics, self.groups, self.deadline)
    }

    /// Returns the requests that follow when every client has been asked for once.
    pub(super) fn begin(&mut self) -> Vec<MemoryRequest> {
        let seen = self.seen.as_mut().map(Seen::begin);
        let bans = self.bans.as_mut().map(Bans::begin);
        seen.into_iter().chain(bans).flatten().collect()
    }

    /// Returns the requests that follow when the state of every client is settled.
    pub(super) fn begin_last(&mut self, statuses: &[ClientStatus]) -> Vec<MemoryRequest> {
        self.subscriptions.as_mut().map(|subscriptions| subscriptions.begin(statuses)).unwrap_or_default()
    }

    /// Takes the final answer to a request, and returns the requests that follow from it; `statuses` are those of the
    /// clients so far.
    pub(super) fn on_answer(
        &mut self,
        request: &MemoryRequest,
        answer: Result<MemoryAnswer, RequestError>,
        statuses: &[ClientStatus],
    ) -> Vec<FollowUp> {
        let requests = match request.group() {
            Group::Seen => self.seen.as_mut().map(|seen| seen.on_answer(request, answer)),
            Group::Banned => self.bans.as_mut().map(|bans| bans.on_answer(request, answer, statuses)),
            _ => self.subscriptions.as_mut().map(|subscriptions| {
                subscriptions.on_answer(request, answer);
                Vec::new()
            }),
        };
        requests.into_iter().flatten().map(|request| super::Request::Memory(request).into()).collect()
    }

    /// Returns whether a request is still to be sent: not when its group has failed.
    pub(super) fn is_wanted(&self, request: &MemoryRequest) -> bool {
        let run = match request.group() {
            Group::Seen => self.seen.as_ref().map(|seen| &seen.run),
            Group::Banned => self.bans.as_ref().map(|bans| &bans.run),
            _ => self.subscriptions.as_ref().map(|subscriptions| &subscriptions.run),
        };
        run.is_some_and(|run| !run.is_over())
    }

    /// Ends every group, which has no series then, because of this error.
    pub(super) fn fail(&mut self, error: &RequestError) {
        let seen = self.seen.as_mut().map(|seen| &mut seen.run);
        let bans = self.bans.as_mut().map(|bans| &mut bans.run);
        let subscriptions = self.subscriptions.as_mut().map(|subscriptions| &mut subscriptions.run);
        for run in [seen, bans, subscriptions].into_iter().flatten() {
            run.disbelieve(error);
        }
    }

    /// Adds what was found to the clients, and how each group went.
    pub(super) fn finish(self, findings: &mut Findings) {
        if let Some(seen) = self.seen {
            seen.finish(findings);
        }
        if let Some(bans) = self.bans {
            bans.finish(findings);
        }
        if let Some(subscriptions) = self.subscriptions {
            subscriptions.finish(findings);
        }
    }
}

/// Returns the memory of a client, to add something to it.
fn memory(client: &mut ProbedClient) -> &mut Memory {
    client.memory.get_or_insert_default()
}
