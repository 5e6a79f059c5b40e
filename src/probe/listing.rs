//! The plan of a probe for every client of the broker: its list.

use tokio::time::Instant;

use super::list_pager::{ListPager, ListedClients, Next};
use super::request::{Answer, Request};
use super::scheduler::{FollowUp, Plan};
use super::{Findings, Progress, reason};
use crate::client::Groups;
use crate::emqx::RequestError;
use crate::error_chain::chain;
use crate::outcome::{ClientIdentity, ClientStatus, FailureReason, ProbedClient};

/// Reads the whole list.
pub(super) struct Listing<'a> {
    pager: ListPager<'a>,
    /// How the walk ended; `None` while it goes on.
    end: Option<Result<(), RequestError>>,
}

impl<'a> Listing<'a> {
    /// Plans to read the list until the deadline.
    pub(super) fn new(groups: Groups, deadline: Instant, progress: &'a Progress) -> Self {
        Self { pager: ListPager::new(groups, deadline, true, progress), end: None }
    }

    /// Returns the first request.
    pub(super) fn first(&self) -> Vec<Request> {
        vec![self.pager.first()]
    }

    /// Returns what was found, `ended` being why the run ended early, if it did.
    pub(super) fn finish(self, ended: Option<(FailureReason, String)>, findings: &mut Findings) {
        findings.decisions.push("all clients are requested: reading the list".to_owned());
        let (ListedClients { clients, bad_rows, odd_fields, .. }, decisions) = self.pager.finish();
        findings.decisions.extend(decisions);
        findings.clients = clients;
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
        match self.pager.on_page(*page, answer, |_| true) {
            Next::Page(page) => return vec![Request::Page(page).into()],
            Next::Complete => self.end = Some(Ok(())),
            Next::Failed(error) => self.end = Some(Err(error)),
        }
        Vec::new()
    }
}
