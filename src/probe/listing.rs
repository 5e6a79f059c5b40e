//! The plan of a probe for every client of the broker: its list.

use std::sync::Arc;

use tokio::time::Instant;

use super::fleets::filter_of;
use super::list_pager::{ListPager, ListedClients, Next};
use super::request::{Answer, Request};
use super::scheduler::{FollowUp, Plan};
use super::{Findings, Progress, reason};
use crate::client::Groups;
use crate::emqx::{ListQuery, RequestError};
use crate::error_chain::chain;
use crate::fleet::Fleet;
use crate::outcome::{ClientIdentity, ClientStatus, FailureReason, ProbedClient};

/// Reads the whole list.
pub(super) struct Listing<'a> {
    pager: ListPager<'a>,
    /// The fleets whose clients are requested; empty for all clients.
    fleets: &'a [Arc<Fleet>],
    /// How the walk ended; `None` while it goes on.
    end: Option<Result<(), RequestError>>,
}

impl<'a> Listing<'a> {
    /// Plans to read the list until the deadline.
    pub(super) fn new(
        groups: Groups,
        fleets: &'a [Arc<Fleet>],
        deadline: Instant,
        progress: &'a Progress,
    ) -> Self {
        let filter = if let [only] = fleets { filter_of(only) } else { None };
        let query = ListQuery::of_groups(groups).filtered(filter);
        Self { pager: ListPager::new(0, query, deadline, true, progress), fleets, end: None }
    }

    /// Returns the first request.
    pub(super) fn first(&self) -> Vec<Request> {
        vec![self.pager.first()]
    }

    /// Returns what was found, `ended` being why the run ended early, if it did.
    pub(super) fn finish(self, ended: Option<(FailureReason, String)>, findings: &mut Findings) {
        findings.decisions.push(match self.fleets.len() {
            0 => "all clients are requested: reading the list".to_owned(),
            1 => "the clients of a fleet are requested: reading the list, filtered if that is possible"
                .to_owned(),
            _ => "the clients of several fleets are requested: reading the list".to_owned(),
        });
        let (ListedClients { clients, bad_rows, odd_fields, .. }, decisions) = self.pager.finish();
        findings.decisions.extend(decisions);
        findings.clients = clients;
        if !self.fleets.is_empty() {
            findings.clients.retain(|probed| {
                let username = probed.status.client().and_then(|client| client.username.as_deref());
                self.fleets.iter().any(|fleet| fleet.matches(probed.client_id(), username))
            });
        }
        findings.is_complete = matches!(self.end, Some(Ok(())));
        if let Some(Err(error)) = self.end {
            findings.failures.add(reason(&error), &chain(&error), 0);
        } else if let Some((reason, text)) = ended {
            findings.failures.add(reason, &text, 0);
        }
        for odd_field in odd_fields {
            findings.failures.add(FailureReason::Decode, &chain(&RequestError::decode(odd_field)), 0);
        }
        for bad in bad_rows {
            let client_id = bad.client_id.clone();
            let error = RequestError::from(bad);
            findings.failures.add(reason(&error), &chain(&error), 1);
            if let Some(client_id) = client_id {
                let identity = ClientIdentity::Listed(client_id);
                findings.clients.push(ProbedClient::new(identity, ClientStatus::Unknown));
            }
        }
    }
}

impl Plan for Listing<'_> {
    fn on_answer(&mut self, request: &Request, answer: Result<Answer, RequestError>) -> Vec<FollowUp> {
        let Request::Page(page) = request else { return Vec::new() };
        let answer = match answer {
            Ok(Answer::Page(page)) => Ok(page),
            Ok(_) => return Vec::new(),
            Err(error) => Err(error),
        };
        let fleets = self.fleets;
        let may_belong = |client_id: &str| {
            fleets.is_empty() || fleets.iter().any(|fleet| fleet.matches_client_id(client_id))
        };
        match self.pager.on_page(page, answer, may_belong) {
            Next::Page(page) => return vec![Request::Page(page).into()],
            Next::Complete => self.end = Some(Ok(())),
            Next::Failed(error) => self.end = Some(Err(error)),
        }
        Vec::new()
    }
}
