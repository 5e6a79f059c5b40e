//! The plan of a probe for clients of the configuration: keyed lookups, or the list if that costs the broker less, and a
//! second answer before a client is reported as absent.

mod list_walk;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::request::{Answer, Request};
use super::scheduler::{FollowUp, Plan};
use super::{Findings, Progress, reason};
use crate::client::{Groups, WatchedClient};
use crate::emqx::wire::ClientRow;
use crate::emqx::{Addressing, Filtered, RequestError};
use crate::error_chain::chain;
use crate::outcome::{ClientIdentity, ClientStatus, FailureReason, Failures, ProbedClient};
use list_walk::{Scope, Walk};

/// Maximum number of clients that are looked up without a request for the broker's number of clients.
pub(super) const MAX_ALWAYS_LOOKED_UP: usize = 1_000;

/// How many clients a broker lists for the cost of one lookup (measured on EMQX 5.8.9).
const LISTED_FOR_ONE_LOOKUP: u64 = 3;

/// How many lookups must find a client absent. While another connection takes a client over, EMQX briefly does not know it
/// (measured on 6.2.2: 0.26 % of the lookups under steady takeovers).
const ABSENT_AFTER: u8 = 2;

/// Minimum time between two such answers.
const CONFIRM_AFTER: Duration = Duration::from_millis(250);

/// The count and the list may take this fraction (1/n) of the deadline; lookups get the rest.
const LIST_SHARE: u32 = 3;

/// How long the broker may take to count its clients at most. One with a hung node takes a minute to list them.
pub(super) const COUNT_TIMEOUT: Duration = Duration::from_secs(1);

/// The plan for some clients of the configuration.
pub(super) struct Watching<'a> {
    clients: &'a [Arc<WatchedClient>],
    groups: Groups,
    started: Instant,
    deadline: Instant,
    progress: &'a Progress,
    statuses: Vec<ClientStatus>,
    /// For each client, the number of answers that the broker does not know it.
    absences: Vec<u8>,
    /// Whether the number of clients of the broker is waited for, to choose between lookups and the list.
    is_choosing: bool,
    /// Number of clients of the broker, once it has reported it.
    count: Option<u64>,
    walk: Option<Walk<'a>>,
    /// Whether a filter returned other clients only. Then `.` and `..` can only be found in the list.
    is_filter_useless: bool,
    /// Number of unknown clients that `failures` explains.
    explained: usize,
    failures: Failures,
    decisions: Vec<String>,
}

impl<'a> Watching<'a> {
    /// Plans a probe for these clients.
    pub(super) fn new(
        clients: &'a [Arc<WatchedClient>],
        groups: Groups,
        deadline: Instant,
        progress: &'a Progress,
    ) -> Self {
        Self {
            statuses: vec![ClientStatus::Unknown; clients.len()],
            absences: vec![0; clients.len()],
            clients,
            groups,
            started: Instant::now(),
            deadline,
            progress,
            is_choosing: false,
            count: None,
            walk: None,
            is_filter_useless: false,
            explained: 0,
            failures: Failures::default(),
            decisions: Vec::new(),
        }
    }

    /// Returns the first requests.
    pub(super) fn first(&mut self) -> Vec<Request> {
        if self.clients.is_empty() {
            self.decisions.push("no clients are requested: asking whether the broker responds".to_owned());
            return vec![Request::Health];
        }
        if self.clients.len() > MAX_ALWAYS_LOOKED_UP {
            self.is_choosing = true;
            return vec![Request::Count(self.list_share_end().min(self.started + COUNT_TIMEOUT))];
        }
        self.decisions.push(format!("requested clients: {}; looking each up", self.clients.len()));
        self.request_each(0..self.clients.len())
    }

    /// Returns whether every client has been asked for, by itself or by a list that has been read.
    pub(super) fn has_asked_everyone(&self) -> bool {
        let is_walking = self.walk.as_ref().is_some_and(Walk::is_first_of_all);
        !self.is_choosing && !is_walking
    }

    /// Returns the statuses of the clients so far.
    pub(super) fn statuses(&self) -> &[ClientStatus] {
        &self.statuses
    }

    /// Resets every absent client to unknown, and returns the requests that repeat their lookups over new connections.
    pub(super) fn doubt_absences(&mut self) -> Vec<Request> {
        let is_absent = |index: &usize| self.statuses[*index] == ClientStatus::Absent;
        let absent: Vec<_> = (0..self.clients.len()).filter(is_absent).collect();
        if absent.is_empty() {
            return Vec::new();
        }
        self.decisions.push(format!(
            "a connection received unrequested data, which makes absences doubtful: {}; repeating their lookups over \
             new connections",
            absent.len()
        ));
        for index in &absent {
            self.statuses[*index] = ClientStatus::Unknown;
            self.absences[*index] = 0;
        }
        self.request_each(absent)
    }

    /// Resets every absent client to unknown for good, because of this error.
    pub(super) fn disbelieve_absences(&mut self, error: &RequestError) {
        let absent = self.statuses.iter_mut().filter(|status| **status == ClientStatus::Absent);
        let count = absent.map(|status| *status = ClientStatus::Unknown).count();
        if count > 0 {
            self.fail(error, count);
        }
    }

    /// Returns what was found, `ended` being why the run ended early, if it did.
    pub(super) fn finish(mut self, ended: Option<(FailureReason, String)>, findings: &mut Findings) {
        let unknown = self.statuses.iter().filter(|status| **status == ClientStatus::Unknown).count();
        if let Some((reason, text)) = ended {
            self.failures.add(reason, &text, unknown.saturating_sub(self.explained));
        }
        findings.decisions = self.decisions;
        findings.failures = self.failures;
        findings.clients = probed(self.clients, self.statuses);
    }

    /// Chooses between lookups and the list by their cost for the broker. A client that it does not know costs two lookups;
    /// if more clients are requested than the broker has, at least the difference is not known.
    fn choose(&mut self, count: Result<Option<u64>, RequestError>) -> Vec<Request> {
        self.is_choosing = false;
        let requested = self.clients.len() as u64;
        let (is_list_cheaper, why) = match count {
            Ok(Some(count)) => {
                self.count = Some(count);
                let lookups = requested + requested.saturating_sub(count);
                let is_list_cheaper = count < LISTED_FOR_ONE_LOOKUP * lookups;
                let cost = if is_list_cheaper { "listing them costs less" } else { "listing them costs more" };
                (is_list_cheaper, format!("the broker has {count}, and {cost} than {lookups} lookups"))
            }
            Ok(None) => (false, "the broker does not say how many it has".to_owned()),
            Err(error) => (false, format!("the broker did not say how many it has ({})", chain(&error))),
        };
        let how = if is_list_cheaper { "reading the list" } else { "looking each up" };
        self.decisions.push(format!("requested clients: {requested}; {why}: {how}"));
        if is_list_cheaper {
            vec![self.start_walk(Scope::All, false)]
        } else {
            self.request_each(0..self.clients.len())
        }
    }

    /// Requests each of these clients by itself, and the list for those that can be found in no other way.
    fn request_each(&mut self, indexes: impl IntoIterator<Item = usize>) -> Vec<Request> {
        let (listed, named): (Vec<_>, Vec<_>) =
            indexes.into_iter().partition(|index| self.is_list_only(*index));
        let mut requests = self.look_up(named);
        if !listed.is_empty() {
            self.decisions.push(format!(
                "client IDs with control characters, which can only be found in the list: {}; reading it",
                listed.len()
            ));
            requests.push(self.start_walk(Scope::ListOnly, false));
        }
        requests
    }

    /// Requests these clients, each by itself. The order is random, so that a probe that ends early does not always miss
    /// the same clients.
    fn look_up(&self, mut indexes: Vec<usize>) -> Vec<Request> {
        fastrand::shuffle(&mut indexes);
        indexes.into_iter().map(|index| self.request_one(index)).collect()
    }

    fn request_one(&self, index: usize) -> Request {
        let client = Arc::clone(&self.clients[index]);
        match self.addressing(index) {
            Addressing::Filter => Request::Filter(index, client),
            Addressing::Lookup | Addressing::List => Request::Lookup(index, client),
        }
    }

    /// Returns whether a client can only be found in the list.
    fn is_list_only(&self, index: usize) -> bool {
        match self.addressing(index) {
            Addressing::List => true,
            Addressing::Filter => self.is_filter_useless,
            Addressing::Lookup => false,
        }
    }

    /// Returns when lookups must begin, even if the list is not complete.
    fn list_share_end(&self) -> Instant {
        self.started + (self.deadline - self.started) / LIST_SHARE
    }

    fn addressing(&self, index: usize) -> Addressing {
        Addressing::of(&self.clients[index].client_id)
    }

    fn on_client(&mut self, index: usize, row: ClientRow) {
        if let Some(odd_field) = row.odd_field {
            self.fail(&RequestError::decode(odd_field), 0);
        }
        self.statuses[index] = ClientStatus::Known(row.client);
    }

    /// Counts an answer that the broker does not know a client, and repeats the request if it was the first.
    fn on_absence(&mut self, request: &Request, index: usize) -> Vec<FollowUp> {
        self.absences[index] += 1;
        if self.settle_absence(index) {
            return Vec::new();
        }
        let at = Instant::now() + CONFIRM_AFTER;
        let not_before = (at + CONFIRM_AFTER < self.deadline).then_some(at);
        vec![FollowUp { request: request.clone(), not_before }]
    }

    /// Marks a client as absent after enough such answers. Returns whether it is.
    fn settle_absence(&mut self, index: usize) -> bool {
        let is_absent = self.absences[index] >= ABSENT_AFTER;
        if is_absent {
            self.statuses[index] = ClientStatus::Absent;
        }
        is_absent
    }

    fn is_unknown(&self, index: usize) -> bool {
        self.statuses[index] == ClientStatus::Unknown
    }

    fn on_filtered(&mut self, request: &Request, index: usize, filtered: Filtered) -> Vec<FollowUp> {
        match filtered {
            Filtered::Found(row) => self.on_client(index, row),
            Filtered::Empty => return self.on_absence(request, index),
            Filtered::OthersOnly if self.addressing(index) == Addressing::Lookup => {
                self.fail(&RequestError::decode(FILTER_IGNORED), 1);
            }
            Filtered::OthersOnly => {
                self.is_filter_useless = true;
                if self.is_unknown(index) && self.walk.is_none() {
                    self.decisions.push(format!("{FILTER_IGNORED}: reading the list"));
                    let is_second = self.absences[index] > 0;
                    return vec![self.start_walk(Scope::ListOnly, is_second).into()];
                }
            }
        }
        Vec::new()
    }

    /// Handles a failed lookup. Behind a proxy that decodes `%2F`, EMQX sees another path; the filter is not affected.
    fn on_lookup_error(&mut self, index: usize, error: &RequestError) -> Vec<FollowUp> {
        let client = &self.clients[index];
        if matches!(error, RequestError::Status { status: 404, .. }) && client.client_id.contains('/') {
            return vec![Request::Filter(index, Arc::clone(client)).into()];
        }
        self.fail(error, 1);
        Vec::new()
    }

    /// Adds a failure that leaves this number of clients unknown.
    fn fail(&mut self, error: &RequestError, clients: usize) {
        self.explained += clients;
        self.failures.add(reason(error), &chain(error), clients);
    }
}

/// What a filtered list of other clients means.
const FILTER_IGNORED: &str = "the broker ignores the filter by client ID (EMQX before 5.6 always does, and later versions \
                              do so where durable sessions are enabled)";

impl Plan for Watching<'_> {
    fn on_answer(&mut self, request: &Request, answer: Result<Answer, RequestError>) -> Vec<FollowUp> {
        match (request, answer) {
            (Request::Count(_), answer) => {
                let count = answer.map(|answer| if let Answer::Count(count) = answer { count } else { None });
                self.choose(count).into_iter().map(FollowUp::from).collect()
            }
            (Request::Page(page), answer) => self.on_page(page, answer),
            (Request::Lookup(index, _), Ok(Answer::Client(None))) => self.on_absence(request, *index),
            (Request::Lookup(index, _), Ok(Answer::Client(Some(row)))) => {
                self.on_client(*index, row);
                Vec::new()
            }
            (Request::Lookup(index, _), Err(error)) => self.on_lookup_error(*index, &error),
            (Request::Filter(index, _), Ok(Answer::Filtered(filtered))) => {
                self.on_filtered(request, *index, filtered)
            }
            (Request::Filter(..), Err(error)) => {
                self.fail(&error, 1);
                Vec::new()
            }
            (Request::Health, Err(error)) => {
                self.fail(&error, 0);
                Vec::new()
            }
            (Request::Health | Request::Lookup(..) | Request::Filter(..), Ok(_)) | (Request::Memory(_), _) => {
                Vec::new()
            }
        }
    }
}

/// Returns the clients with their statuses.
pub(super) fn probed(
    clients: &[Arc<WatchedClient>],
    statuses: impl IntoIterator<Item = ClientStatus>,
) -> Vec<ProbedClient> {
    let identities = clients.iter().cloned().map(ClientIdentity::Watched);
    identities.zip(statuses).map(|(identity, status)| ProbedClient::new(identity, status)).collect()
}
