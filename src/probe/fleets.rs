//! The plan of a probe for fleets: the broker's list, once for all of them, or once for each with a filter, whichever
//! costs the broker less. Rows are matched again here, because EMQX appends rows that its filter should leave out.

mod fleet_members;
mod walks;

use std::collections::HashSet;
use std::sync::Arc;

use tokio::time::Instant;

use super::list_pager::{ListPager, ListedClients, Next};
use super::request::{Answer, PageRequest, Request};
use super::scheduler::{FollowUp, Plan};
use super::watching::COUNT_TIMEOUT;
use super::{Findings, Progress, reason};
use crate::emqx::wire::BadRow;
use crate::emqx::{ListQuery, RequestError};
use crate::error_chain::chain;
use crate::fleet::{Fleet, FleetResult};
use crate::outcome::{FailureReason, Failures};
use fleet_members::FleetMembers;
pub(super) use walks::filter_of;
use walks::{WalkSpec, depends_on_count, one_walk, walks_for};

/// The plan for some fleets.
pub(super) struct Fleets<'a> {
    requested: &'a [Arc<Fleet>],
    deadline: Instant,
    progress: &'a Progress,
    walks: Vec<FleetWalk<'a>>,
    failures: Failures,
    decisions: Vec<String>,
}

/// A walk over a list, for some of the fleets.
struct FleetWalk<'a> {
    /// `None` once it has ended.
    pager: Option<ListPager<'a>>,
    /// The fleets it is for, by their index, and their clients so far.
    members: Vec<(usize, FleetMembers)>,
    /// Whether the list was read to its end.
    is_complete: bool,
    /// Rows that are no clients.
    bad_rows: Vec<BadRow>,
}

impl<'a> Fleets<'a> {
    /// Plans a probe for these fleets.
    pub(super) fn new(fleets: &'a [Arc<Fleet>], deadline: Instant, progress: &'a Progress) -> Self {
        let (walks, failures, decisions) = (Vec::new(), Failures::default(), Vec::new());
        Self { requested: fleets, deadline, progress, walks, failures, decisions }
    }

    /// Returns the first requests.
    pub(super) fn first(&mut self) -> Vec<Request> {
        if self.requested.is_empty() {
            self.decisions.push("no fleets are requested: asking whether the broker responds".to_owned());
            return vec![Request::Health];
        }
        if depends_on_count(self.requested) {
            return vec![Request::Count(self.deadline.min(Instant::now() + COUNT_TIMEOUT))];
        }
        self.start(walks_for(self.requested, None))
    }

    fn start(&mut self, specs: Vec<WalkSpec>) -> Vec<Request> {
        let how = match specs.as_slice() {
            [WalkSpec { filter: None, .. }] => "reading the list of all clients once".to_owned(),
            filtered => format!("filtered lists to be read: {}", filtered.len()),
        };
        self.decisions.push(format!("requested fleets: {}; {how}", self.requested.len()));
        let mut requests = Vec::new();
        for (index, WalkSpec { filter, fleets }) in specs.into_iter().enumerate() {
            let query = ListQuery::for_counts().filtered(filter);
            let pager = ListPager::new(index, query, self.deadline, true, self.progress);
            requests.push(pager.first());
            let members = fleets.into_iter().map(|fleet| (fleet, FleetMembers::default())).collect();
            self.walks.push(FleetWalk {
                pager: Some(pager),
                members,
                is_complete: false,
                bad_rows: Vec::new(),
            });
        }
        requests
    }

    fn on_page(&mut self, request: &PageRequest, answer: Result<Answer, RequestError>) -> Vec<FollowUp> {
        let answer = match answer {
            Ok(Answer::Page(page)) => Ok(page),
            Ok(_) => return Vec::new(),
            Err(error) => Err(error),
        };
        let fleets = self.requested;
        let Some(walk) = self.walks.get_mut(request.walk) else { return Vec::new() };
        let Some(mut pager) = walk.pager.take() else { return Vec::new() };
        let may_belong =
            |client_id: &str| walk.members.iter().any(|(fleet, _)| fleets[*fleet].matches_client_id(client_id));
        let next = pager.on_page(request, answer, may_belong);
        for client in pager.take_clients() {
            let Some(client) = client.status.client() else { continue };
            for (fleet, members) in &mut walk.members {
                if fleets[*fleet].matches(&client.client_id, client.username.as_deref()) {
                    members.add(client);
                }
            }
        }
        match next {
            Next::Page(page) => {
                walk.pager = Some(pager);
                return vec![Request::Page(page).into()];
            }
            Next::Complete => walk.is_complete = true,
            Next::Failed(error) => self.failures.add(reason(&error), &chain(&error), 0),
        }
        let (ListedClients { bad_rows, odd_fields, .. }, decisions) = pager.finish();
        walk.bad_rows = bad_rows;
        self.decisions.extend(decisions);
        for odd_field in odd_fields {
            self.failures.add(FailureReason::Decode, &chain(&RequestError::decode(odd_field)), 0);
        }
        Vec::new()
    }

    /// Returns what was found, `ended` being why the run ended early, if it did.
    pub(super) fn finish(mut self, ended: Option<(FailureReason, String)>, findings: &mut Findings) {
        if let Some((reason, text)) = ended {
            self.failures.add(reason, &text, 0);
        }
        let mut counts: Vec<_> = self.requested.iter().map(|_| None).collect();
        for walk in self.walks {
            let known: HashSet<_> = walk.members.iter().flat_map(|(_, members)| members.client_ids()).collect();
            let bad_rows: Vec<_> = walk
                .bad_rows
                .into_iter()
                .filter(|bad| bad.client_id.as_deref().is_none_or(|client_id| !known.contains(client_id)))
                .collect();
            for (fleet, members) in &walk.members {
                // A client that may be one of the fleet's, and of which nothing is known, spoils its counts.
                let may_miss = bad_rows.iter().any(|bad| {
                    bad.client_id
                        .as_deref()
                        .is_none_or(|client_id| self.requested[*fleet].matches_client_id(client_id))
                });
                if walk.is_complete && !may_miss {
                    counts[*fleet] = Some(members.count());
                }
            }
            for bad in bad_rows {
                let error = RequestError::from(bad);
                self.failures.add(reason(&error), &chain(&error), 0);
            }
        }
        let results = self.requested.iter().cloned().zip(counts);
        findings.fleets = Some(results.map(|(fleet, counts)| FleetResult { fleet, counts }).collect());
        findings.failures = self.failures;
        findings.decisions = self.decisions;
    }
}

impl Plan for Fleets<'_> {
    fn on_answer(&mut self, request: &Request, answer: Result<Answer, RequestError>) -> Vec<FollowUp> {
        match (request, answer) {
            (Request::Count(_), answer) => {
                let count = match answer {
                    Ok(Answer::Count(count)) => count,
                    _ => None,
                };
                let specs = count
                    .map_or_else(|| one_walk(self.requested), |count| walks_for(self.requested, Some(count)));
                self.start(specs).into_iter().map(FollowUp::from).collect()
            }
            (Request::Page(page), answer) => self.on_page(page, answer),
            (Request::Health, Err(error)) => {
                self.failures.add(reason(&error), &chain(&error), 0);
                Vec::new()
            }
            _ => Vec::new(),
        }
    }
}
