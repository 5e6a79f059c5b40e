//! Whether each client that the broker knows is subscribed to what it must be.

use std::sync::Arc;

use super::super::Findings;
use super::group_run::{GroupRun, is_refusal};
use super::memory;
use super::request::{MemoryAnswer, MemoryRequest};
use crate::client::{Group, Topics, WatchedClient};
use crate::emqx::{Addressing, RequestError};
use crate::outcome::{ClientStatus, ExpectedSubscription};

/// How many time-outs show that a node of the cluster hangs, which EMQX asks for every client.
const MAX_TIMEOUTS: u32 = 2;

/// The plan of the group.
pub(super) struct Subscriptions<'a> {
    pub(super) run: GroupRun,
    clients: &'a [Arc<WatchedClient>],
    topics: &'a Topics,
    /// What was answered, for each client.
    found: Vec<Vec<ExpectedSubscription>>,
    timeouts: u32,
}

impl<'a> Subscriptions<'a> {
    /// Plans the group; `None` where none of the clients must have a subscription.
    pub(super) fn new(clients: &'a [Arc<WatchedClient>], topics: &'a Topics) -> Option<Self> {
        let has_own = |client: &Arc<WatchedClient>| {
            client.topics.as_ref().is_some_and(|topics| !topics.subscriptions.is_empty())
        };
        if topics.subscriptions.is_empty() && !clients.iter().any(has_own) {
            return None;
        }
        let found = vec![Vec::new(); clients.len()];
        Some(Self { run: GroupRun::new(Group::Subscriptions), clients, topics, found, timeouts: 0 })
    }

    /// Returns the requests, one for each client that the broker knows.
    pub(super) fn begin(&mut self, statuses: &[ClientStatus]) -> Vec<MemoryRequest> {
        let mut requests = Vec::new();
        let mut unaddressable = 0;
        for (index, client) in self.clients.iter().enumerate() {
            let is_known = matches!(statuses[index], ClientStatus::Known(_));
            if !is_known || client.expected_subscriptions(self.topics).is_empty() {
                continue;
            }
            if Addressing::of(&client.client_id) == Addressing::Lookup {
                requests.push(MemoryRequest::Subscriptions(index, Arc::clone(client)));
            } else {
                unaddressable += 1;
            }
        }
        if unaddressable > 0 {
            self.run.decisions.push(format!(
                "clients whose subscriptions cannot be asked for, because EMQX does not take their IDs in a path: {unaddressable}"
            ));
        }
        self.run
            .decisions
            .push(format!("connected or held clients asked for their subscriptions: {}", requests.len()));
        fastrand::shuffle(&mut requests);
        self.run.ask(requests)
    }

    /// Takes an answer.
    pub(super) fn on_answer(&mut self, request: &MemoryRequest, answer: Result<MemoryAnswer, RequestError>) {
        self.run.answered();
        let MemoryRequest::Subscriptions(index, client) = request else { return };
        match answer {
            Ok(MemoryAnswer::Subscriptions(Some(subscribed))) => {
                let expected = client.expected_subscriptions(self.topics).into_iter();
                let found = expected.map(|topic| {
                    let is_present = subscribed.contains(&topic);
                    ExpectedSubscription { topic, is_present }
                });
                self.found[*index] = found.collect();
            }
            // It has left since, or it is another kind of answer, which cannot be.
            Ok(_) => {}
            Err(RequestError::Timeout) => {
                self.run.add_failure(request, &RequestError::Timeout);
                self.timeouts += 1;
                if self.timeouts >= MAX_TIMEOUTS && !self.run.is_over() {
                    self.run.decisions.push(format!(
                        "subscriptions: {MAX_TIMEOUTS} requests timed out, as where a node hangs: asking for no more"
                    ));
                    self.run.stop();
                }
            }
            // Behind a proxy that decodes `%2F`, EMQX sees another path.
            Err(error) if is_refusal(&error) && client.client_id.contains('/') => {
                self.run.add_failure(request, &error);
            }
            Err(error) => self.run.on_error(request, &error),
        }
    }

    /// Adds what was found to the clients.
    pub(super) fn finish(self, findings: &mut Findings) {
        if !self.run.finish(findings) {
            return;
        }
        for (client, found) in findings.clients.iter_mut().zip(self.found) {
            if !found.is_empty() && matches!(client.status, ClientStatus::Known(_)) {
                memory(client).subscriptions = found;
            }
        }
    }
}
