//! Walks over the broker's list for clients of the configuration: which clients a walk is for, and what follows from it.

use std::collections::{HashMap, HashSet};

use tokio::time::Instant;

use super::super::list_pager::{ListPager, Next};
use super::super::request::{Answer, PageRequest, Request};
use super::super::scheduler::FollowUp;
use super::{LISTED_FOR_ONE_LOOKUP, Watching};
use crate::client::Groups;
use crate::emqx::wire::BadRow;
use crate::emqx::{Addressing, ListQuery, RequestError};
use crate::error_chain::chain;
use crate::outcome::ProbedClient;

/// A walk over the broker's list.
pub(super) struct Walk<'a> {
    pager: ListPager<'a>,
    scope: Scope,
    /// The requested clients by ID.
    indexes: HashMap<&'a str, usize>,
    is_second: bool,
    /// Whether its rows have all the requested groups.
    has_all_groups: bool,
}

impl Walk<'_> {
    /// Returns whether it is the first that asks for all clients.
    pub(super) fn is_first_of_all(&self) -> bool {
        self.scope == Scope::All && !self.is_second
    }
}

/// Which of the requested clients a walk is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// All of them.
    All,
    /// Those that no lookup can find.
    ListOnly,
}

impl<'a> Watching<'a> {
    /// Starts a walk over the list. A second walk reads only the state, unless it is for clients that cannot be looked up.
    pub(super) fn start_walk(&mut self, scope: Scope, is_second: bool) -> Request {
        let clients = self.clients;
        let is_in_scope = |index: &usize| scope == Scope::All || self.addressing(*index) != Addressing::Lookup;
        let in_scope: Vec<_> = (0..clients.len()).filter(is_in_scope).collect();
        let has_list_only = in_scope.iter().any(|index| self.is_list_only(*index));
        let groups = if is_second && !has_list_only { Groups::STATE } else { self.groups };
        let now = Instant::now();
        let until = match scope {
            Scope::All if is_second => now + self.deadline.saturating_duration_since(now) / 2,
            Scope::All => self.list_share_end(),
            Scope::ListOnly => self.deadline,
        };
        let indexes = in_scope.into_iter().map(|index| (&*clients[index].client_id, index)).collect();
        let pager = ListPager::new(0, ListQuery::of_groups(groups), until, false, self.progress);
        let first = pager.first();
        self.walk = Some(Walk { pager, scope, indexes, is_second, has_all_groups: groups == self.groups });
        first
    }

    /// Takes a page of the walk, and returns what follows from it.
    pub(super) fn on_page(
        &mut self,
        page: &PageRequest,
        answer: Result<Answer, RequestError>,
    ) -> Vec<FollowUp> {
        let answer = match answer {
            Ok(Answer::Page(page)) => Ok(page),
            Ok(_) => return Vec::new(),
            Err(error) => Err(error),
        };
        let Some(mut walk) = self.walk.take() else { return Vec::new() };
        let Walk { pager, indexes, .. } = &mut walk;
        match pager.on_page(page, answer, |client_id| indexes.contains_key(client_id)) {
            Next::Page(page) => {
                self.walk = Some(walk);
                vec![Request::Page(page).into()]
            }
            Next::Complete => self.on_walk_end(walk, Ok(())),
            Next::Failed(error) => self.on_walk_end(walk, Err(error)),
        }
    }

    /// Takes the clients that a walk found, and requests those that it did not find: a list that moves while it is read
    /// misses clients that are there.
    fn on_walk_end(&mut self, walk: Walk<'a>, result: Result<(), RequestError>) -> Vec<FollowUp> {
        let Walk { pager, scope, indexes, is_second, has_all_groups } = walk;
        let (listed, decisions) = pager.finish();
        self.decisions.extend(decisions);
        let is_final = is_second && result.is_ok();
        for odd_field in listed.odd_fields {
            self.fail(&RequestError::decode(odd_field), 0);
        }
        let mut to_look_up = self.take_clients(listed.clients, &indexes, has_all_groups);
        let (usable_elsewhere, failed) = self.take_bad_rows(listed.bad_rows, &indexes, is_final);
        to_look_up.extend(usable_elsewhere);

        let appeared: HashSet<_> = to_look_up.iter().chain(&failed).copied().collect();
        let is_missing = |index: &usize| self.is_unknown(*index) && !appeared.contains(index);
        let mut missing: Vec<_> = indexes.into_values().filter(is_missing).collect();
        if let Err(error) = result {
            missing.extend(to_look_up);
            return self.after_failed_walk(missing, &error);
        }
        for index in &missing {
            self.absences[*index] += 1;
        }
        missing.retain(|index| !self.settle_absence(*index));
        missing.extend(to_look_up);
        self.after_complete_walk(scope, is_second, missing)
    }

    /// Takes the listed clients. Returns those that must still be looked up, because their rows lack groups.
    fn take_clients(
        &mut self,
        clients: Vec<ProbedClient>,
        indexes: &HashMap<&str, usize>,
        has_all_groups: bool,
    ) -> Vec<usize> {
        let mut to_look_up = Vec::new();
        for client in clients {
            let Some(index) = indexes.get(client.client_id()).copied() else { continue };
            if has_all_groups {
                self.statuses[index] = client.status;
            } else if self.is_unknown(index) {
                self.absences[index] = 0;
                to_look_up.push(index);
            }
        }
        to_look_up
    }

    /// Takes the rows that are no clients: the broker names the client, so it is not absent. Returns the clients to look
    /// up, and those that have failed for good.
    fn take_bad_rows(
        &mut self,
        bad_rows: Vec<BadRow>,
        indexes: &HashMap<&str, usize>,
        is_final: bool,
    ) -> (Vec<usize>, Vec<usize>) {
        let (mut to_look_up, mut failed) = (Vec::new(), Vec::new());
        for bad in bad_rows {
            let index = bad.client_id.as_ref().and_then(|client_id| indexes.get(&**client_id).copied());
            let Some(index) = index.filter(|index| self.is_unknown(*index)) else { continue };
            self.absences[index] = 0;
            if is_final && self.is_list_only(index) {
                self.fail(&bad.into(), 1);
                failed.push(index);
            } else {
                to_look_up.push(index);
            }
        }
        (to_look_up, failed)
    }

    fn after_complete_walk(&mut self, scope: Scope, is_second: bool, missing: Vec<usize>) -> Vec<FollowUp> {
        if missing.is_empty() {
            return Vec::new();
        }
        let is_list_cheaper =
            self.count.is_some_and(|count| count < LISTED_FOR_ONE_LOOKUP * missing.len() as u64);
        let is_list_needed = missing.iter().any(|index| self.is_list_only(*index));
        if !is_second && (is_list_cheaper || is_list_needed) {
            self.decisions
                .push(format!("clients that are not in the list: {}; reading it once more", missing.len()));
            return vec![self.start_walk(scope, true).into()];
        }
        self.decisions
            .push(format!("clients that the list did not settle: {}; looking each up", missing.len()));
        self.look_up(missing).into_iter().map(FollowUp::from).collect()
    }

    fn after_failed_walk(&mut self, missing: Vec<usize>, error: &RequestError) -> Vec<FollowUp> {
        let (listed, named): (Vec<_>, Vec<_>) =
            missing.into_iter().partition(|index| self.is_list_only(*index));
        if !listed.is_empty() {
            self.fail(error, listed.len());
        }
        if named.is_empty() {
            return Vec::new();
        }
        let left = named.len();
        self.decisions
            .push(format!("the list failed ({}), clients left: {left}; looking each up", chain(error)));
        self.look_up(named).into_iter().map(FollowUp::from).collect()
    }
}
