//! Walking the list of a broker's clients, page by page.
//!
//! The list moves while it is walked: clients come twice, and clients that are there do not come at all. So what
//! a walk found is true, and what it did not find is unknown.

use std::mem;
use std::sync::Arc;

use tokio::time::{Instant, sleep, timeout_at};

use super::scheduler::pause;
use super::{Progress, note};
use crate::client::Groups;
use crate::emqx::wire::{BadRow, Page, Row};
use crate::emqx::{EmqxApi, ListDialect, RequestError, Response, Retry};
use crate::outcome::{ClientIdentity, ClientStatus, ProbedClient, RequestStats};

/// The most pages that are walked: more clients than any broker holds, and an end to a list that never ends.
const MAX_PAGES: u64 = 10_000;

/// The most clients that room is made for before they come.
const MAX_EXPECTED: usize = 200_000;

/// How many clients are gathered before it is first looked whether some came twice.
const UNSETTLED: usize = 20_000;

/// What a walk is to find, and what bounds it.
#[derive(Debug, Clone, Copy)]
pub(super) struct ListPager<'a> {
    /// What to ask of each client.
    pub(super) groups: Groups,
    /// How often one page is asked for, in all. After a time-out it is not asked for again: a page costs the broker
    /// far more than it costs us to wait.
    pub(super) attempts: u32,
    /// When it must be over.
    pub(super) deadline: Instant,
    /// Where it says how far it has come.
    pub(super) progress: &'a Progress,
}

/// What a walk found.
#[derive(Debug, Default)]
pub(super) struct ListedClients {
    /// Each client once, ordered by client ID, when it is settled. As it will be told: 100 000 clients are better not
    /// moved once more.
    pub(super) clients: Vec<ProbedClient>,
    /// How many there were when that was last so.
    settled: usize,
    /// Rows that are no clients.
    pub(super) bad_rows: Vec<BadRow>,
}

impl ListedClients {
    /// Makes room for what the broker says to hold, so that nothing has to move while it comes.
    fn expect(&mut self, count: Option<u64>) {
        let count = count.map_or(0, |count| usize::try_from(count).unwrap_or(MAX_EXPECTED).min(MAX_EXPECTED));
        self.clients.reserve(count.saturating_sub(self.clients.len()));
    }

    /// Takes a row in, if it is that of a client who is looked for.
    fn take(&mut self, row: Row, is_wanted: &impl Fn(&str) -> bool) {
        if row.client_id().is_some_and(|client_id| !is_wanted(client_id)) {
            return;
        }
        match row.into_client() {
            Ok(client) => {
                let identity = ClientIdentity::Listed(Arc::clone(&client.client_id));
                self.clients.push(ProbedClient { identity, status: ClientStatus::Known(client) });
            }
            Err(bad) => self.bad_rows.push(bad),
        }
        // A list that never ends takes no more room than twice what it really holds.
        if self.clients.len() > 2 * self.settled + UNSETTLED {
            self.settle();
        }
    }

    /// Sees to it that each client is there once: it may have come before, on an earlier page or twice while its
    /// session moves. EMQX lists a node's clients in order, which makes this a matter of looking at each once; a map
    /// would look at each from everywhere.
    fn settle(&mut self) {
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
        self.settled = self.clients.len();
    }
}

impl ListPager<'_> {
    /// Walks the whole list and keeps whom `is_wanted` wants; an error says why it ended early.
    pub(super) async fn find(
        self,
        emqx: &EmqxApi,
        account: &mut RequestStats,
        is_wanted: impl Fn(&str) -> bool,
    ) -> (ListedClients, Result<(), RequestError>) {
        let mut found = ListedClients::default();
        let ended = self.gather(emqx, account, is_wanted, &mut found).await;
        found.settle();
        (found, ended)
    }

    /// Walks page by page until the last one.
    async fn gather(
        self,
        emqx: &EmqxApi,
        account: &mut RequestStats,
        is_wanted: impl Fn(&str) -> bool,
        found: &mut ListedClients,
    ) -> Result<(), RequestError> {
        let mut dialect = ListDialect::NEWEST;
        let mut number = 1;
        while number <= MAX_PAGES {
            let page = match self.page(emqx, account, number, dialect).await {
                Ok(page) => page,
                // Only the first page can be refused for how it is asked for.
                Err(RequestError::Status { status: 400, code, retry_after, redirect }) if number == 1 => {
                    match dialect.older() {
                        Some(older) => {
                            account.decide(format!(
                                "the broker refused {dialect:?}: asking as older versions want"
                            ));
                            dialect = older;
                            continue;
                        }
                        None => return Err(RequestError::Status { status: 400, code, retry_after, redirect }),
                    }
                }
                Err(error) => return Err(error),
            };
            // `hasnext` is not reliable, and the count moves.
            let is_last = page.rows.len() < dialect.limit;
            self.progress.page(page.rows.len(), page.count);
            found.expect(page.count);
            for row in page.rows {
                found.take(row, &is_wanted);
            }
            if is_last {
                break;
            }
            number += 1;
        }
        Ok(())
    }

    async fn page(
        self,
        emqx: &EmqxApi,
        account: &mut RequestStats,
        number: u64,
        dialect: ListDialect,
    ) -> Result<Page, RequestError> {
        let mut attempt = 1;
        loop {
            account.sent += 1;
            let Ok(Response { answer, exchange }) =
                timeout_at(self.deadline, emqx.page(number, dialect, self.groups)).await
            else {
                return Err(emqx.timeout_error());
            };
            note(account, exchange, answer.as_ref().err());
            let error = match answer {
                Ok(page) => return Ok(page),
                Err(error) => error,
            };
            let may_pass = matches!(error.retry(), Retry::SameRequest | Retry::Broker);
            if !may_pass || attempt >= self.attempts || Instant::now() + pause(attempt) >= self.deadline {
                return Err(error);
            }
            account.retries += 1;
            sleep(pause(attempt)).await;
            attempt += 1;
        }
    }
}

#[cfg(test)]
mod tests;
