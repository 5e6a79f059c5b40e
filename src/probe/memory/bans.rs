//! Bans on client IDs, for clients that the broker does not know: it drops the session of a client that it bans.
//!
//! The list of bans is read once. Where it is long, and few clients are away, each of these is asked for by itself.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::super::Findings;
use super::group_run::GroupRun;
use super::memory;
use super::request::{MemoryAnswer, MemoryRequest};
use crate::client::{BanEnd, Group, WatchedClient};
use crate::emqx::wire::BanRow;
use crate::emqx::{BanPage, RequestError};
use crate::outcome::{ClientStatus, Remembered};

/// Rows of the first page, which says how many bans there are.
const FIRST_LIMIT: usize = 100;

/// Rows of each page of a longer list; every version allows as many.
const LIMIT: usize = 1_000;

/// Maximum number of pages, a bound for a list that never ends.
const MAX_PAGES: u64 = 1_000;

/// How many bans a broker lists for the cost of asking for one client ID (measured on EMQX 6.2.2).
const LISTED_FOR_ONE_QUESTION: u64 = 50;

/// The plan of the group.
pub(super) struct Bans<'a> {
    pub(super) run: GroupRun,
    clients: &'a [Arc<WatchedClient>],
    /// The requested clients by ID.
    indexes: HashMap<&'a str, usize>,
    /// What is known of each client.
    ends: Vec<Remembered<BanEnd>>,
    /// The clients whose bans cannot be read.
    unreadable: HashSet<usize>,
    /// Whether a ban cannot be read that may be on any client.
    may_be_on_any: bool,
    /// The clients to ask for when one of them has shown that the broker filters by client ID.
    to_ask: Vec<usize>,
}

impl<'a> Bans<'a> {
    pub(super) fn new(clients: &'a [Arc<WatchedClient>]) -> Self {
        let indexes = clients.iter().enumerate().map(|(index, client)| (&*client.client_id, index));
        Self {
            run: GroupRun::new(Group::Banned),
            clients,
            indexes: indexes.collect(),
            ends: vec![Remembered::Unknown; clients.len()],
            unreadable: HashSet::new(),
            may_be_on_any: false,
            to_ask: Vec::new(),
        }
    }

    /// Returns the first request.
    pub(super) fn begin(&mut self) -> Vec<MemoryRequest> {
        self.run.ask(vec![MemoryRequest::Bans { page: 1, limit: FIRST_LIMIT }])
    }

    /// Takes an answer, and returns what follows from it.
    pub(super) fn on_answer(
        &mut self,
        request: &MemoryRequest,
        answer: Result<MemoryAnswer, RequestError>,
        statuses: &[ClientStatus],
    ) -> Vec<MemoryRequest> {
        self.run.answered();
        if self.run.is_over() {
            return Vec::new();
        }
        let follow_ups = match (request, answer) {
            (_, Err(error)) => {
                self.run.on_error(request, &error);
                self.ask_for_the_others()
            }
            (MemoryRequest::Bans { page, limit }, Ok(MemoryAnswer::Bans(bans))) => {
                self.on_page(request, (*page, *limit), &bans, statuses)
            }
            (MemoryRequest::Ban(index, _), Ok(MemoryAnswer::Bans(bans))) => self.on_ban(request, *index, &bans),
            _ => Vec::new(),
        };
        self.run.ask(follow_ups)
    }

    fn on_page(
        &mut self,
        request: &MemoryRequest,
        (page, limit): (u64, usize),
        bans: &BanPage,
        statuses: &[ClientStatus],
    ) -> Vec<MemoryRequest> {
        self.add_rows(request, bans);
        let is_whole = page == 1 && bans.count == Some(bans.rows.len() as u64);
        if is_whole || bans.rows.len() < limit {
            self.set_others_free();
            return Vec::new();
        }
        if limit == FIRST_LIMIT {
            return self.choose(bans.count, statuses);
        }
        if page >= MAX_PAGES {
            let error =
                RequestError::TooManyRows { limit: limit * usize::try_from(MAX_PAGES).unwrap_or(usize::MAX) };
            self.run.fail(request, &error);
            return Vec::new();
        }
        vec![MemoryRequest::Bans { page: page + 1, limit }]
    }

    /// Adds the bans of requested clients that have not ended.
    fn add_rows(&mut self, request: &MemoryRequest, bans: &BanPage) {
        for row in &bans.rows {
            match row {
                BanRow::ClientId { client_id, end } if is_current(*end, bans.at) => {
                    if let Some(index) = self.indexes.get(client_id.as_str()) {
                        self.ends[*index] = Remembered::Fact(*end);
                    }
                }
                BanRow::ClientId { .. } | BanRow::Other => {}
                BanRow::Unreadable { client_id, what } => {
                    match client_id {
                        None => self.may_be_on_any = true,
                        Some(client_id) => {
                            let Some(index) = self.indexes.get(client_id.as_str()) else { continue };
                            self.unreadable.insert(*index);
                        }
                    }
                    self.run.add_failure(request, &RequestError::decode(what.as_str()));
                }
            }
        }
    }

    /// Takes the clients without a ban in the whole list for not banned, where every ban could be read.
    fn set_others_free(&mut self) {
        for (index, ban) in self.ends.iter_mut().enumerate() {
            if *ban == Remembered::Unknown && !self.may_be_on_any && !self.unreadable.contains(&index) {
                *ban = Remembered::Nothing;
            }
        }
    }

    /// Chooses between the whole list and questions about the clients that may be away.
    fn choose(&mut self, count: Option<u64>, statuses: &[ClientStatus]) -> Vec<MemoryRequest> {
        let is_away = |index: &usize| !matches!(statuses[*index], ClientStatus::Known(_));
        let mut away: Vec<_> = (0..self.clients.len()).filter(is_away).collect();
        let shown = count.map_or("an unknown number".to_owned(), |count| count.to_string());
        let is_long = count.is_some_and(|count| count > LISTED_FOR_ONE_QUESTION * away.len() as u64);
        let how = if is_long { "asking for each" } else { "listing the bans" };
        self.run.decisions.push(format!("bans: {shown}; clients that may be away: {}; {how}", away.len()));
        if !is_long {
            return vec![MemoryRequest::Bans { page: 1, limit: LIMIT }];
        }
        let first = away.pop();
        self.to_ask = away;
        first.map(|index| self.question(index)).into_iter().collect()
    }

    fn question(&self, index: usize) -> MemoryRequest {
        MemoryRequest::Ban(index, Arc::clone(&self.clients[index]))
    }

    fn ask_for_the_others(&mut self) -> Vec<MemoryRequest> {
        let others = std::mem::take(&mut self.to_ask);
        others.into_iter().map(|index| self.question(index)).collect()
    }

    fn on_ban(&mut self, request: &MemoryRequest, index: usize, bans: &BanPage) -> Vec<MemoryRequest> {
        let own = &*self.clients[index].client_id;
        let is_own = |row: &BanRow| match row {
            BanRow::ClientId { client_id, .. } => client_id == own,
            BanRow::Other => false,
            BanRow::Unreadable { client_id, .. } => {
                client_id.as_deref().is_none_or(|client_id| client_id == own)
            }
        };
        if !bans.rows.iter().all(is_own) {
            self.run.decisions.push(
                "the broker ignores the filter of bans (EMQX before 5.8.1 does): listing the bans".to_owned(),
            );
            self.to_ask.clear();
            return vec![MemoryRequest::Bans { page: 1, limit: LIMIT }];
        }
        self.add_rows(request, bans);
        let is_readable = bans.rows.iter().all(|row| !matches!(row, BanRow::Unreadable { .. }));
        if self.ends[index] == Remembered::Unknown && is_readable {
            self.ends[index] = Remembered::Nothing;
        }
        self.ask_for_the_others()
    }

    /// Adds what was found to the clients that the broker does not know.
    pub(super) fn finish(self, findings: &mut Findings) {
        if !self.run.finish(findings) {
            return;
        }
        for (client, ban) in findings.clients.iter_mut().zip(self.ends) {
            if ban != Remembered::Unknown && !matches!(client.status, ClientStatus::Known(_)) {
                memory(client).ban = ban;
            }
        }
    }
}

/// Returns whether a ban has not ended at this time; EMQX removes it up to a minute later.
fn is_current(end: BanEnd, at: Option<Timestamp>) -> bool {
    match (end, at) {
        (BanEnd::At(end), Some(at)) => end >= at,
        (BanEnd::Never, _) | (_, None) => true,
    }
}
