//! Reads the list of a broker's clients, page by page.
//!
//! The list changes while it is read: some clients appear twice, and some present ones are missed. A client in the list is
//! known; a client that is missing from it is unknown.

use std::collections::HashSet;
use std::mem;
use std::sync::Arc;

use tokio::time::Instant;

use super::Progress;
use super::request::{PageRequest, Request};
use crate::emqx::wire::{BadRow, ClientRow, Page, Row};
use crate::emqx::{ListDialect, ListQuery, RequestError};
use crate::outcome::{ClientIdentity, ClientStatus, ProbedClient};

/// Maximum number of pages: enough for any broker, and a bound for a list that never ends.
const MAX_PAGES: u64 = 10_000;

/// Maximum number of clients for which memory is reserved in advance.
const MAX_RESERVED: usize = 200_000;

/// Number of clients after which duplicates are first removed.
const DEDUPLICATE_AFTER: usize = 20_000;

/// Maximum number of invalid rows kept. EMQX never sends as many; a hostile server could.
const MAX_BAD_ROWS: usize = 10_000;

/// What follows from a page.
#[derive(Debug)]
pub(super) enum Next {
    /// Another page.
    Page(PageRequest),
    /// The list has been read to its end.
    Complete,
    /// The list could not be read to its end.
    Failed(RequestError),
}

/// Reads the list once.
#[derive(Debug)]
pub(super) struct ListPager<'a> {
    first: PageRequest,
    progress: &'a Progress,
    clients: ListedClients,
    /// How the dialect was chosen, a sentence for each refusal.
    decisions: Vec<String>,
}

impl<'a> ListPager<'a> {
    /// Prepares a walk that must end at `until`. One for every client is all there is to ask: its failed pages are retried,
    /// and its rows of client IDs alone are passed over.
    pub(super) fn new(
        walk: usize,
        query: ListQuery,
        until: Instant,
        is_for_all: bool,
        progress: &'a Progress,
    ) -> Self {
        let dialect = ListDialect::NEWEST;
        let first = PageRequest { walk, number: 1, dialect, query, until, is_retried: is_for_all };
        let clients = ListedClients { passes_over_bare: is_for_all, ..ListedClients::default() };
        Self { first, progress, clients, decisions: Vec::new() }
    }

    /// Returns the request for the first page.
    pub(super) fn first(&self) -> Request {
        Request::Page(self.first.clone())
    }

    /// Takes a page, and keeps the clients that `is_requested`.
    pub(super) fn on_page(
        &mut self,
        page: &PageRequest,
        answer: Result<Page, RequestError>,
        is_requested: impl Fn(&str) -> bool,
    ) -> Next {
        let Page { rows, count } = match answer {
            Ok(answer) => answer,
            Err(error) => return self.on_refusal(page, error),
        };
        // `hasnext` is not reliable, and the count moves.
        let is_last = rows.len() < page.dialect.limit();
        self.progress.page(rows.len(), count);
        self.clients.reserve_for(count);
        for row in rows {
            self.clients.push(row, &is_requested);
        }
        if self.clients.has_too_many_bad_rows {
            return Next::Failed(RequestError::TooManyBadRows { limit: MAX_BAD_ROWS });
        }
        if is_last || page.number >= MAX_PAGES {
            return Next::Complete;
        }
        Next::Page(PageRequest { number: page.number + 1, ..page.clone() })
    }

    /// Only the first page can be refused for how it is requested.
    fn on_refusal(&mut self, page: &PageRequest, error: RequestError) -> Next {
        let is_refused = page.number == 1 && matches!(error, RequestError::Status { status: 400, .. });
        match page.dialect.older(&page.query).filter(|_| is_refused) {
            Some(dialect) => {
                self.decisions.push(format!(
                    "the broker refused {}: requesting the list as older versions of EMQX want it",
                    page.dialect.target(page.number, &page.query)
                ));
                Next::Page(PageRequest { dialect, ..page.clone() })
            }
            None => Next::Failed(error),
        }
    }

    /// Takes the clients read so far out. They may come again, on a later page.
    pub(super) fn take_clients(&mut self) -> Vec<ProbedClient> {
        mem::take(&mut self.clients.clients)
    }

    /// Returns what was read, each client once, and how the dialect was chosen.
    pub(super) fn finish(mut self) -> (ListedClients, Vec<String>) {
        self.clients.finish();
        (self.clients, self.decisions)
    }
}

/// The clients of a list.
#[derive(Debug, Default)]
pub(super) struct ListedClients {
    /// Each client once, ordered by client ID, after [`ListedClients::finish`]. Stored in output form, which saves one copy
    /// of the whole fleet.
    pub(super) clients: Vec<ProbedClient>,
    /// How many there were when duplicates were last removed.
    deduplicated: usize,
    /// Rows that are no clients, one for each client ID.
    pub(super) bad_rows: Vec<BadRow>,
    /// Whether there were more of these than are kept.
    has_too_many_bad_rows: bool,
    /// Whether rows of client IDs alone are passed over.
    passes_over_bare: bool,
    /// What is wrong with the fields that could not be read, each once.
    pub(super) odd_fields: HashSet<String>,
}

impl ListedClients {
    /// Reserves memory for the number of clients that the broker says it has, so that nothing moves while they come.
    fn reserve_for(&mut self, count: Option<u64>) {
        let count = count.map_or(0, |count| usize::try_from(count).unwrap_or(MAX_RESERVED).min(MAX_RESERVED));
        self.clients.reserve(count.saturating_sub(self.clients.len()));
    }

    /// Adds the client of a row, if it is requested.
    fn push(&mut self, row: Row, is_requested: &impl Fn(&str) -> bool) {
        if row.client_id().is_some_and(|client_id| !is_requested(client_id)) {
            return;
        }
        match row.into_client() {
            Ok(ClientRow { client, odd_field }) => {
                self.odd_fields.extend(odd_field);
                let identity = ClientIdentity::Listed(Arc::clone(&client.client_id));
                self.clients.push(ProbedClient::new(identity, ClientStatus::Known(client)));
            }
            // A durable session whose metadata is being removed.
            Err(bad) if bad.is_bare && self.passes_over_bare => {}
            Err(bad) if self.bad_rows.len() < MAX_BAD_ROWS => self.bad_rows.push(bad),
            Err(_) => self.has_too_many_bad_rows = true,
        }
        // A list that never ends takes no more memory than twice what it really holds.
        if self.clients.len() > 2 * self.deduplicated + DEDUPLICATE_AFTER {
            self.deduplicate();
        }
    }

    /// Keeps each client once, and of the bad rows those of clients without a good one.
    fn finish(&mut self) {
        self.deduplicate();
        self.bad_rows.sort_by(|one, other| one.client_id.cmp(&other.client_id));
        self.bad_rows
            .dedup_by(|later, earlier| later.client_id.is_some() && later.client_id == earlier.client_id);
        let clients = &self.clients;
        self.bad_rows
            .retain(|bad| bad.client_id.as_deref().is_none_or(|client_id| !is_among(clients, client_id)));
    }

    /// Keeps the truest row of each client, which may have come on an earlier page, or twice while its session moves.
    /// EMQX lists a node's clients in order, so sorting is faster than a map.
    fn deduplicate(&mut self) {
        self.clients.sort_by(|one, other| one.client_id().cmp(other.client_id()));
        self.clients.dedup_by(|later, earlier| {
            let is_same = later.client_id() == earlier.client_id();
            if let (true, ClientStatus::Known(earlier), ClientStatus::Known(later)) =
                (is_same, &mut earlier.status, &mut later.status)
            {
                *earlier = mem::take(earlier).preferred(mem::take(later));
            }
            is_same
        });
        self.deduplicated = self.clients.len();
    }
}

/// Returns whether a client is among these, which are ordered by client ID.
fn is_among(clients: &[ProbedClient], client_id: &str) -> bool {
    clients.binary_search_by(|client| client.client_id().cmp(client_id)).is_ok()
}

#[cfg(test)]
mod tests;
