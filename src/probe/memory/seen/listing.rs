//! A list of retained messages, read page by page.
//!
//! EMQX reads and sorts all matching messages for each page, and puts the oldest message first.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::time::Instant;

use super::super::request::RetainedPage;
use crate::client::{TopicListing, TopicTemplate, WatchedClient, levels_match};
use crate::emqx::RequestError;
use crate::emqx::wire::RetainedMessage;

/// Rows of a page.
const LIMIT: usize = 10_000;

/// Rows of a page before EMQX 5.5, which refuses more.
const OLD_LIMIT: usize = 1_000;

/// Maximum number of pages.
const MAX_PAGES: u64 = 4;

/// A list of the retained messages that match a filter.
pub(super) struct Listing<'a> {
    filter: Arc<str>,
    template: &'a TopicTemplate,
    clients: &'a [Arc<WatchedClient>],
    key: Key,
    /// The clients that it is for, by what names them in a message.
    indexes: HashMap<&'a str, usize>,
    is_for: Vec<bool>,
    /// Which clients have been named so far.
    has_named: Vec<bool>,
}

/// What names the client of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    /// The client ID of its publisher.
    Publisher,
    /// This level of its topic, which only one message has.
    Level(usize),
}

/// What follows from a page.
pub(super) enum Step {
    /// Another page.
    Next(RetainedPage),
    /// The list has been read to its end.
    Complete,
    /// The list is too long to be read to its end.
    Truncated(RequestError),
    /// Most messages are of clients that are not requested.
    GivenUp { rows: usize, requested: usize },
    /// The broker ignores the filter.
    Unfiltered,
    /// A page could not be read.
    Failed(RequestError),
}

impl<'a> Listing<'a> {
    /// Lists the messages of a filter without a placeholder, which belong to their publishers.
    pub(super) fn by_publisher(template: &'a TopicTemplate, clients: &'a [Arc<WatchedClient>]) -> Self {
        let indexes = clients.iter().enumerate().map(|(index, client)| (&*client.client_id, index));
        Self {
            filter: template.as_str().into(),
            template,
            clients,
            key: Key::Publisher,
            indexes: indexes.collect(),
            is_for: vec![true; clients.len()],
            has_named: vec![false; clients.len()],
        }
    }

    /// Lists the topics of a template, if that is possible, for all clients whose topic has no further levels.
    pub(super) fn by_topic(template: &'a TopicTemplate, clients: &'a [Arc<WatchedClient>]) -> Option<Self> {
        let TopicListing { filter, level, placeholder } = template.listing()?;
        let levels = |topic: &str| topic.matches('/').count();
        let is_listed = |client: &Arc<WatchedClient>| {
            template.topic_of(client).is_some_and(|topic| levels(&topic) == levels(template.as_str()))
        };
        let is_for: Vec<_> = clients.iter().map(is_listed).collect();
        let listed = clients.iter().enumerate().filter(|(index, _)| is_for[*index]);
        let indexes = listed.map(|(index, client)| (placeholder.of(client), index)).collect();
        let has_named = vec![false; clients.len()];
        let (filter, key) = (filter.into(), Key::Level(level));
        Some(Self { filter, template, clients, key, indexes, is_for, has_named })
    }

    pub(super) fn filter(&self) -> &str {
        &self.filter
    }

    pub(super) fn template(&self) -> &'a TopicTemplate {
        self.template
    }

    /// Returns whether it can name a client.
    pub(super) fn is_for(&self, client: usize) -> bool {
        self.is_for[client]
    }

    /// Returns whether it has named a client and cannot name it again.
    pub(super) fn is_settled(&self, client: usize) -> bool {
        self.key != Key::Publisher && self.has_named[client]
    }

    /// Returns the request for the first page.
    pub(super) fn first(&self, until: Instant) -> RetainedPage {
        RetainedPage { filter: Arc::clone(&self.filter), page: 1, limit: LIMIT, until }
    }

    /// Takes the rows of a page, and passes on each sign of life.
    pub(super) fn on_page(
        &mut self,
        page: &RetainedPage,
        rows: &[RetainedMessage],
        mut on_sign: impl FnMut(usize, Timestamp),
    ) -> Step {
        let mut requested = 0;
        for message in rows {
            if !levels_match(&self.filter, &message.topic) {
                return Step::Unfiltered;
            }
            // EMQX 5.5 to 5.8.1 lists them, and newer versions do not.
            if message.topic.starts_with('$') && self.filter.starts_with(['+', '#']) {
                continue;
            }
            if let Some(client) = self.client_of(message) {
                requested += 1;
                self.has_named[client] = true;
                on_sign(client, message.published_at);
            }
        }
        if rows.len() < page.limit {
            return Step::Complete;
        }
        if page.page == 1 && self.key != Key::Publisher && requested * 2 < rows.len() {
            return Step::GivenUp { rows: rows.len(), requested };
        }
        if page.page >= MAX_PAGES {
            let limit = page.limit * usize::try_from(MAX_PAGES).unwrap_or(usize::MAX);
            return Step::Truncated(RequestError::TooManyMessages { filter: self.filter.to_string(), limit });
        }
        Step::Next(RetainedPage { page: page.page + 1, ..page.clone() })
    }

    /// Takes the failure of a page. Only the first page can be refused for how it is requested.
    pub(super) fn on_error(page: &RetainedPage, error: RequestError) -> Step {
        match error {
            RequestError::Status { status: 400, .. } if page.page == 1 && page.limit == LIMIT => {
                Step::Next(RetainedPage { limit: OLD_LIMIT, ..page.clone() })
            }
            error => Step::Failed(error),
        }
    }

    fn client_of(&self, message: &RetainedMessage) -> Option<usize> {
        let key = match self.key {
            Key::Publisher => message.from_clientid.as_deref()?,
            Key::Level(level) => message.topic.split('/').nth(level)?,
        };
        let client = *self.indexes.get(key)?;
        // A template may have several placeholders, of which only one was compared.
        let is_own = || self.template.topic_of(&self.clients[client]).as_deref() == Some(&message.topic);
        (self.key == Key::Publisher || is_own()).then_some(client)
    }
}
