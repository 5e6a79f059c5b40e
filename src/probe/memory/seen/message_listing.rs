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
pub(super) struct MessageListing<'a> {
    filter: Arc<str>,
    template: &'a TopicTemplate,
    clients: &'a [Arc<WatchedClient>],
    key: Key,
    /// The clients that it is for, by what names them in a message.
    indexes: HashMap<&'a str, usize>,
    is_for: Vec<bool>,
    /// Which clients have been named so far.
    has_named: Vec<bool>,
    /// Whether there is a message of which cannot be read whose it is.
    is_unclear: bool,
    /// What is wrong with the first message that cannot be read and may be a requested client's.
    odd_field: Option<String>,
}

/// What names the client of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    /// The client ID of its publisher.
    Publisher,
    /// This level of its topic, which only one message has.
    Level(usize),
}

/// Whose message it is.
enum Owner {
    /// This requested client's.
    Client(usize),
    /// None of the requested clients'.
    Nobody,
    /// Perhaps one of them; that cannot be read.
    Unclear,
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

impl<'a> MessageListing<'a> {
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
            is_unclear: false,
            odd_field: None,
        }
    }

    /// Lists the topics of a template, if that is possible, for all clients whose topic has no further levels.
    pub(super) fn by_topic(template: &'a TopicTemplate, clients: &'a [Arc<WatchedClient>]) -> Option<Self> {
        let TopicListing { filter, level, placeholder } = template.listing()?;
        let levels = |topic: &str| topic.matches('/').count();
        let is_listed = |client: &Arc<WatchedClient>| {
            template.topic_of(client).is_some_and(|topic| {
                levels(&topic) == levels(template.as_str()) && !is_passed_over(&filter, &topic)
            })
        };
        let is_for: Vec<_> = clients.iter().map(is_listed).collect();
        let listed = clients.iter().enumerate().filter(|(index, _)| is_for[*index]);
        let indexes = listed.map(|(index, client)| (placeholder.of(client), index)).collect();
        let has_named = vec![false; clients.len()];
        let (filter, key) = (filter.into(), Key::Level(level));
        Some(Self {
            filter,
            template,
            clients,
            key,
            indexes,
            is_for,
            has_named,
            is_unclear: false,
            odd_field: None,
        })
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

    /// Returns whether every message so far was either of a known client or of nobody who is requested.
    pub(super) fn is_clear(&self) -> bool {
        !self.is_unclear
    }

    /// Takes what is wrong with the first message that cannot be read and may be a requested client's.
    pub(super) fn take_odd_field(&mut self) -> Option<String> {
        self.odd_field.take()
    }

    /// Returns the request for the first page.
    pub(super) fn first(&self, until: Instant) -> RetainedPage {
        RetainedPage { filter: Arc::clone(&self.filter), page: 1, limit: LIMIT, until }
    }

    /// Takes the rows of a page, and passes on each sign of life of a client, `None` where its time cannot be read.
    pub(super) fn on_page(
        &mut self,
        page: &RetainedPage,
        rows: &[RetainedMessage],
        mut on_sign: impl FnMut(usize, Option<Timestamp>),
    ) -> Step {
        let mut requested = 0;
        for message in rows {
            let topic = message.topic.as_deref();
            if topic.is_some_and(|topic| !levels_match(&self.filter, topic)) {
                return Step::Unfiltered;
            }
            if topic.is_some_and(|topic| is_passed_over(&self.filter, topic)) {
                continue;
            }
            let published_at = message.published_at.filter(|_| topic.is_some());
            match self.owner_of(message) {
                Owner::Client(client) => {
                    requested += 1;
                    self.has_named[client] = true;
                    on_sign(client, published_at);
                }
                Owner::Unclear => self.is_unclear = true,
                Owner::Nobody => continue,
            }
            if published_at.is_none() || self.is_unclear {
                self.odd_field = self.odd_field.take().or_else(|| message.odd_field.clone());
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

    fn owner_of(&self, message: &RetainedMessage) -> Owner {
        let topic = message.topic.as_deref();
        let name = match self.key {
            Key::Publisher => message.from_clientid.as_deref(),
            Key::Level(level) => topic.and_then(|topic| topic.split('/').nth(level)),
        };
        let Some(name) = name else {
            return if message.odd_field.is_some() { Owner::Unclear } else { Owner::Nobody };
        };
        let Some(client) = self.indexes.get(name).copied() else { return Owner::Nobody };
        // A template may have several placeholders, of which only one was compared.
        let is_own = || self.template.topic_of(&self.clients[client]).as_deref() == topic;
        if self.key == Key::Publisher || is_own() { Owner::Client(client) } else { Owner::Nobody }
    }
}

/// Returns whether a message does not count for a filter that matches its topic, because the filter begins with a
/// wildcard and the topic with `$`. EMQX 5.5 to 5.8.1 lists it, and newer versions do not.
fn is_passed_over(filter: &str, topic: &str) -> bool {
    filter.starts_with(['+', '#']) && topic.starts_with('$')
}
