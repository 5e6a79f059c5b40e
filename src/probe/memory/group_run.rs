//! How far a group has come, and what went wrong with it.

use super::super::{Findings, reason};
use super::request::MemoryRequest;
use crate::client::Group;
use crate::emqx::RequestError;
use crate::error_chain::chain;
use crate::outcome::FailureReason;

/// The requests of a group, until all are answered or the group has failed.
pub(super) struct GroupRun {
    group: Group,
    has_begun: bool,
    /// Requests without a final answer.
    open: usize,
    state: GroupState,
    failures: Vec<(FailureReason, String)>,
    pub(super) decisions: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum GroupState {
    Running,
    /// Nothing more is asked; what was answered holds.
    Stopped,
    /// Nothing more is asked, and the group has no series.
    Failed,
}

impl GroupRun {
    pub(super) fn new(group: Group) -> Self {
        let (failures, decisions) = (Vec::new(), Vec::new());
        Self { group, has_begun: false, open: 0, state: GroupState::Running, failures, decisions }
    }

    /// Counts the requests that are about to be sent.
    pub(super) fn ask(&mut self, requests: Vec<MemoryRequest>) -> Vec<MemoryRequest> {
        self.has_begun = true;
        self.open += requests.len();
        requests
    }

    /// Counts an answer.
    pub(super) fn answered(&mut self) {
        self.open -= 1;
    }

    /// Returns whether nothing more is to be asked.
    pub(super) fn is_over(&self) -> bool {
        self.state != GroupState::Running
    }

    /// Returns whether every request so far was answered.
    pub(super) fn is_success(&self) -> bool {
        self.open == 0 && self.state == GroupState::Running && self.failures.is_empty()
    }

    /// Adds a failure, and ends the group if every other request of this kind would be refused too.
    pub(super) fn on_error(&mut self, request: &MemoryRequest, error: &RequestError) {
        self.add_failure(request, error);
        if is_refusal(error) {
            self.state = GroupState::Failed;
        }
    }

    /// Adds a failure of one request.
    pub(super) fn add_failure(&mut self, request: &MemoryRequest, error: &RequestError) {
        let failure =
            (reason(error), format!("group `{}`: {}: {}", self.group, request.endpoint(), chain(error)));
        if !self.failures.contains(&failure) {
            self.failures.push(failure);
        }
    }

    /// Ends the group, which has no series then, because of an error that no single request had.
    pub(super) fn disbelieve(&mut self, error: &RequestError) {
        self.failures.push((reason(error), format!("group `{}`: {}", self.group, chain(error))));
        self.state = GroupState::Failed;
    }

    /// Ends the group, which has no series then.
    pub(super) fn fail(&mut self, request: &MemoryRequest, error: &RequestError) {
        self.add_failure(request, error);
        self.state = GroupState::Failed;
    }

    /// Asks for nothing more.
    pub(super) fn stop(&mut self) {
        self.state = GroupState::Stopped;
    }

    /// Adds how the group went. Returns whether what was answered is reported.
    pub(super) fn finish(self, findings: &mut Findings) -> bool {
        findings.group_results.push((self.group, self.has_begun && self.is_success()));
        for (reason, text) in &self.failures {
            findings.failures.add(*reason, text, 0);
        }
        findings.decisions.extend(self.decisions);
        self.state != GroupState::Failed
    }
}

/// Returns whether an error would be the same for every request of its kind.
pub(super) fn is_refusal(error: &RequestError) -> bool {
    matches!(error, RequestError::Status { status: 300..=407 | 409..=428 | 430..=499, .. })
}
