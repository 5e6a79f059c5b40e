//! How a broker is asked for some or all of its clients: by lookups, by its list, or by both.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::list_pager::ListPager;
use super::scheduler::{Bounds, Ended, ScheduleResult, run};
use super::{Progress, Targets, chain, note, reason, told};
use crate::client::{Groups, WatchedClient};
use crate::config::Broker;
use crate::emqx::{EmqxApi, RequestError, Response};
use crate::outcome::{ClientIdentity, ClientStatus, Outcome, ProbedClient};

/// The number of watched clients up to which each is looked up, whatever the broker's size.
const MAX_ALWAYS_LOOKED_UP: usize = 1_000;

/// Listing a client costs a broker about a third of looking one up (measured on EMQX 5.8.9).
const LISTED_FOR_ONE_LOOKUP: u64 = 3;

/// How long the broker may take to count its clients. One with a hung node takes a minute to list them.
const COUNT_TIMEOUT: Duration = Duration::from_secs(1);

/// A broker that is being asked.
pub(super) struct BrokerProbe<'a> {
    pub(super) emqx: EmqxApi,
    pub(super) broker: Arc<Broker>,
    pub(super) groups: Groups,
    pub(super) deadline: Instant,
    pub(super) progress: &'a Progress,
}

impl BrokerProbe<'_> {
    /// Asks whoever is asked for, each in the way that costs the broker least.
    pub(super) async fn ask(&self, targets: Targets, outcome: &mut Outcome) {
        match targets {
            Targets::All => self.list_everyone(outcome).await,
            Targets::Watched(clients) if clients.is_empty() => self.check(outcome).await,
            Targets::Watched(clients) => {
                let findings = if self.is_listing_cheaper(clients.len(), outcome).await {
                    self.list(&clients, outcome).await
                } else {
                    let everyone: Vec<_> = (0..clients.len()).collect();
                    self.look_up(&clients, &everyone, outcome).await
                };
                outcome.clients = told(clients, findings.into_iter());
            }
        }
        number_nodes(&mut outcome.clients, &self.broker);
    }

    fn bounds(&self) -> Bounds {
        let Broker { concurrency, attempts, .. } = *self.broker;
        Bounds { concurrency, attempts, deadline: self.deadline }
    }

    fn walk(&self, attempts: u32) -> ListPager<'_> {
        ListPager { groups: self.groups, attempts, deadline: self.deadline, progress: self.progress }
    }

    /// With nobody to ask for, asks the broker whether it answers: success is never given for no question.
    async fn check(&self, outcome: &mut Outcome) {
        outcome.requests.decide("no clients to ask for: asking the broker whether it answers");
        let asking = run(1, self.bounds(), |_| self.emqx.count()).await;
        settle(asking, &self.emqx, 0, outcome);
    }

    /// Whether so many clients are such a large part of the broker's that its list costs it less than lookups.
    async fn is_listing_cheaper(&self, watched: usize, outcome: &mut Outcome) -> bool {
        if watched <= MAX_ALWAYS_LOOKED_UP {
            outcome.requests.decide(format!("{watched} clients to ask for: looking each up"));
            return false;
        }
        outcome.requests.sent += 1;
        let by = self.deadline.min(Instant::now() + COUNT_TIMEOUT);
        let count = match timeout_at(by, self.emqx.count()).await {
            Ok(Response { answer, exchange }) => {
                note(&mut outcome.requests, exchange, answer.as_ref().err());
                answer.map_err(|error| chain(&error))
            }
            Err(_) => Err(format!("no answer within {COUNT_TIMEOUT:?}")),
        };
        let (is_cheaper, why) = match count {
            Ok(Some(count)) => {
                let is_cheaper = count < LISTED_FOR_ONE_LOOKUP * watched as u64;
                let compared = if is_cheaper { "fewer than" } else { "at least" };
                (is_cheaper, format!("the broker has {count} clients, {compared} three times as many"))
            }
            Ok(None) => (false, "the broker does not say how many it has".to_owned()),
            Err(error) => (false, format!("the broker did not say how many it has ({error})")),
        };
        let how = if is_cheaper { "listing them all" } else { "looking each up" };
        outcome.requests.decide(format!("{watched} clients to ask for, and {why}: {how}"));
        is_cheaper
    }

    /// Looks up the clients in these places. What is found of the others is not told.
    async fn look_up(
        &self,
        clients: &[Arc<WatchedClient>],
        places: &[usize],
        outcome: &mut Outcome,
    ) -> Vec<ClientStatus> {
        let asking = run(places.len(), self.bounds(), |question| {
            self.emqx.lookup(&clients[places[question]].client_id, self.groups)
        })
        .await;
        let found = settle(asking, &self.emqx, 1, outcome).into_iter().map(|answer| match answer {
            Some(Some(client)) => ClientStatus::Known(client),
            Some(None) => ClientStatus::Absent,
            None => ClientStatus::Unknown,
        });
        found.collect()
    }

    /// Finds the clients in the broker's list, and looks up whom it does not hold: a list that moves while it is
    /// read misses clients that are there.
    async fn list(&self, clients: &[Arc<WatchedClient>], outcome: &mut Outcome) -> Vec<ClientStatus> {
        let places: HashMap<_, _> =
            clients.iter().enumerate().map(|(place, client)| (client.client_id.as_str(), place)).collect();
        // One attempt: lookups are the better way to go on with a broker whose list fails.
        let walk = self.walk(1);
        let is_wanted = |client_id: &str| places.contains_key(client_id);
        let (found, walked) = walk.find(&self.emqx, &mut outcome.requests, is_wanted).await;

        let mut findings = vec![ClientStatus::Unknown; clients.len()];
        for told in found.clients {
            if let Some(place) = places.get(told.client_id()) {
                findings[*place] = told.status;
            }
        }
        let is_missing = |place: &usize| findings[*place] == ClientStatus::Unknown;
        let missing: Vec<_> = (0..clients.len()).filter(is_missing).collect();
        if missing.is_empty() {
            return findings;
        }
        let why = match &walked {
            Ok(()) => "the list does not hold them".to_owned(),
            Err(error) => format!("the list failed ({})", chain(error)),
        };
        outcome.requests.decide(format!("{} clients are left, because {why}: looking each up", missing.len()));
        let looked_up = self.look_up(clients, &missing, outcome).await;
        for (place, finding) in missing.into_iter().zip(looked_up) {
            findings[place] = finding;
        }
        findings
    }

    /// Tells every client the broker lists.
    async fn list_everyone(&self, outcome: &mut Outcome) {
        outcome.requests.decide("every client is asked for: listing them all");
        let walk = self.walk(self.broker.attempts);
        let (found, walked) = walk.find(&self.emqx, &mut outcome.requests, |_| true).await;
        if let Err(error) = walked {
            outcome.failures.add(reason(&error), &chain(&error), 0);
            outcome.is_complete = false;
        }
        outcome.clients = found.clients;
        for bad in found.bad_rows {
            let whose = bad.client_id.clone();
            let error = RequestError::from(bad);
            outcome.failures.add(reason(&error), &chain(&error), 1);
            if let Some(client_id) = whose {
                let identity = ClientIdentity::Listed(client_id);
                outcome.clients.push(ProbedClient { identity, status: ClientStatus::Unknown });
            }
        }
    }
}

/// Takes the answers apart: what was said, and why the rest was not. Each question without an answer leaves so many
/// `clients` unknown.
fn settle<T>(
    asking: ScheduleResult<T>,
    emqx: &EmqxApi,
    clients: usize,
    outcome: &mut Outcome,
) -> Vec<Option<T>> {
    let ScheduleResult { answers, ended_by, requests } = asking;
    outcome.requests.add(requests);
    let unanswered = answers.iter().filter(|answer| answer.is_none()).count();
    let ended_by = match ended_by {
        Some(Ended::Nobody(error)) => Some(error),
        Some(Ended::Deadline) => Some(emqx.timeout_error()),
        None => None,
    };
    if let Some(error) = ended_by {
        outcome.failures.add(reason(&error), &chain(&error), unanswered * clients);
    }
    answers
        .into_iter()
        .map(|answer| match answer? {
            Ok(answer) => Some(answer),
            Err(error) => {
                outcome.failures.add(reason(&error), &chain(&error), clients);
                None
            }
        })
        .collect()
}

/// Gives each client the number that the configuration has for its node.
fn number_nodes(clients: &mut [ProbedClient], broker: &Broker) {
    for told in clients {
        if let ClientStatus::Known(client) = &mut told.status
            && let (Some(address), Some(node)) = (client.address.as_deref_mut(), client.node.as_deref())
        {
            address.node_number = broker.nodes.get(node).copied();
        }
    }
}
