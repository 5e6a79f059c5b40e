//! Signs of life: when the newest of a client's retained messages was published.
//!
//! The message of one topic is a keyed read. Where many clients are requested, their topics are listed instead. A filter
//! without a placeholder is always listed, and its messages belong to the clients that published them.

mod message_listing;
mod signs;

use std::collections::HashMap;
use std::sync::Arc;

use tokio::time::Instant;

use super::super::Findings;
use super::super::watching::MAX_ALWAYS_LOOKED_UP;
use super::group_run::GroupRun;
use super::memory;
use super::request::{MemoryAnswer, MemoryRequest};
use crate::client::{Group, TopicTemplate, Topics, WatchedClient};
use crate::emqx::RequestError;
use crate::emqx::wire::{ListPage, RetainedMessage};
use message_listing::{MessageListing, Step};
use signs::Signs;

/// What a message of another topic means.
const FILTER_IGNORED: &str = "the broker ignores the topic filter (EMQX before 5.5 does), so that signs of life cannot be \
                              asked for";

/// What an answer of the disabled retainer means.
const RETAINER_DISABLED: &str = "the retainer is disabled, so that the broker retains no messages";

/// The plan of the group.
pub(super) struct Seen<'a> {
    pub(super) run: GroupRun,
    clients: &'a [Arc<WatchedClient>],
    of_broker: &'a Topics,
    deadline: Instant,
    topics: Vec<ExactTopic>,
    listings: Vec<MessageListing<'a>>,
    signs: Vec<Signs>,
    /// Whether any message was found at all. If not, the retainer may be disabled.
    has_message: bool,
    has_asked_retainer: bool,
}

/// A topic that is asked for by itself.
struct ExactTopic {
    text: Arc<str>,
    /// The clients whose sign of life it is.
    clients: Vec<usize>,
}

impl<'a> Seen<'a> {
    /// Plans the group; `None` where none of the clients has a topic.
    pub(super) fn new(
        clients: &'a [Arc<WatchedClient>],
        of_broker: &'a Topics,
        deadline: Instant,
    ) -> Option<Self> {
        let has_own =
            |client: &Arc<WatchedClient>| client.topics.as_ref().is_some_and(|topics| !topics.seen.is_empty());
        let has_any = !of_broker.seen.is_empty() || clients.iter().any(has_own);
        has_any.then(|| Self {
            run: GroupRun::new(Group::Seen),
            clients,
            of_broker,
            deadline,
            topics: Vec::new(),
            listings: Vec::new(),
            signs: vec![Signs::default(); clients.len()],
            has_message: false,
            has_asked_retainer: false,
        })
    }

    /// Chooses which topics are asked for exactly, and which are listed.
    fn choose(&mut self) {
        let mut exact = Vec::new();
        for template in &self.of_broker.seen {
            match self.listing_of(template) {
                Some(listing) => {
                    let unlisted = (0..self.clients.len()).filter(|index| !listing.is_for(*index));
                    exact.extend(unlisted.map(|index| (index, template)));
                    self.listings.push(listing);
                }
                None => exact.extend((0..self.clients.len()).map(|index| (index, template))),
            }
        }
        for (index, client) in self.clients.iter().enumerate() {
            let own = client.topics.iter().flat_map(|topics| &topics.seen);
            exact.extend(own.map(|template| (index, template)));
        }
        self.add_exact(exact);
        for listing in &self.listings {
            for (index, signs) in self.signs.iter_mut().enumerate() {
                if listing.is_for(index) {
                    signs.ask();
                }
            }
        }
    }

    /// Returns how a template of the broker is listed; `None` where exact reads cost the broker less.
    fn listing_of(&mut self, template: &'a TopicTemplate) -> Option<MessageListing<'a>> {
        if !template.has_placeholder() {
            self.run.decisions.push(format!("{}: listing its messages by their publishers", template.as_str()));
            return Some(MessageListing::by_publisher(template, self.clients));
        }
        if self.clients.len() <= MAX_ALWAYS_LOOKED_UP {
            return None;
        }
        let listing = MessageListing::by_topic(template, self.clients)?;
        self.run.decisions.push(format!(
            "{}: requested clients: {}; listing {}",
            template.as_str(),
            self.clients.len(),
            listing.filter()
        ));
        Some(listing)
    }

    /// Adds topics that are asked for by themselves, each once, and returns the indexes of the new ones.
    fn add_exact(
        &mut self,
        pairs: impl IntoIterator<Item = (usize, &'a TopicTemplate)>,
    ) -> std::ops::Range<usize> {
        let first = self.topics.len();
        let mut known = HashMap::new();
        let mut without_topic = 0;
        for (index, template) in pairs {
            // EMQX refuses control characters in a request.
            let askable =
                template.topic_of(&self.clients[index]).filter(|topic| !topic.contains(char::is_control));
            let Some(topic) = askable else {
                without_topic += 1;
                continue;
            };
            let position = *known.entry(topic).or_insert_with_key(|topic| {
                self.topics.push(ExactTopic { text: topic.as_str().into(), clients: Vec::new() });
                self.topics.len() - 1
            });
            self.topics[position].clients.push(index);
            self.signs[index].ask();
        }
        if without_topic > 0 {
            self.run.decisions.push(format!(
                "topics that cannot be asked for, because IDs or aliases hold `+`, `#` or control characters: {without_topic}"
            ));
        }
        let new = first..self.topics.len();
        if !new.is_empty() {
            self.run
                .decisions
                .push(format!("topics of retained messages that are asked for exactly: {}", new.len()));
        }
        new
    }

    /// Returns the first requests.
    pub(super) fn begin(&mut self) -> Vec<MemoryRequest> {
        self.choose();
        let now = Instant::now();
        // Exact reads, and repeated lookups of clients, must still fit in.
        let until = now + self.deadline.saturating_duration_since(now) / 2;
        let pages = self.listings.iter().enumerate();
        let mut requests: Vec<_> =
            pages.map(|(index, listing)| MemoryRequest::RetainedPage(index, listing.first(until))).collect();
        requests.extend(self.requests(0..self.topics.len()));
        self.run.ask(requests)
    }

    /// Requests these topics. The order is random, so that a probe that ends early does not always miss the same clients.
    fn requests(&self, topics: std::ops::Range<usize>) -> Vec<MemoryRequest> {
        let mut requests: Vec<_> =
            topics.map(|index| MemoryRequest::Retained(index, Arc::clone(&self.topics[index].text))).collect();
        fastrand::shuffle(&mut requests);
        requests
    }

    /// Takes an answer, and returns what follows from it.
    pub(super) fn on_answer(
        &mut self,
        request: &MemoryRequest,
        answer: Result<MemoryAnswer, RequestError>,
    ) -> Vec<MemoryRequest> {
        self.run.answered();
        if self.run.is_over() {
            return Vec::new();
        }
        let follow_ups = match (request, answer) {
            (MemoryRequest::Retained(topic, _), Ok(MemoryAnswer::Retained(page))) => {
                self.on_message(request, *topic, page);
                Vec::new()
            }
            (MemoryRequest::Retained(..), Err(error)) => {
                self.run.on_error(request, &error);
                Vec::new()
            }
            (MemoryRequest::RetainedPage(listing, _), Ok(MemoryAnswer::Retained(page))) => {
                self.on_page(request, *listing, Ok(page))
            }
            (MemoryRequest::RetainedPage(listing, _), Err(error)) => {
                self.on_page(request, *listing, Err(error))
            }
            (_, Ok(MemoryAnswer::Retainer(false))) => {
                self.run.fail(request, &RequestError::decode(RETAINER_DISABLED));
                Vec::new()
            }
            (_, Err(error)) => {
                self.run.fail(request, &error);
                Vec::new()
            }
            _ => Vec::new(),
        };
        let mut follow_ups = self.run.ask(follow_ups);
        if self.run.is_success() && !self.has_message && !self.has_asked_retainer {
            self.has_asked_retainer = true;
            self.run
                .decisions
                .push("no retained message was found: asking whether the retainer is enabled".to_owned());
            follow_ups.extend(self.run.ask(vec![MemoryRequest::Retainer]));
        }
        follow_ups
    }

    fn on_message(&mut self, request: &MemoryRequest, topic: usize, page: ListPage<RetainedMessage>) {
        let ExactTopic { text, clients } = &self.topics[topic];
        for RetainedMessage { topic, published_at, odd_field, .. } in page.rows {
            if topic.as_ref().is_some_and(|topic| *topic != **text) {
                self.run.fail(request, &RequestError::decode(FILTER_IGNORED));
                return;
            }
            self.has_message = true;
            let Some(published_at) = published_at.filter(|_| topic.is_some()) else {
                self.run.add_failure(request, &RequestError::decode(odd_field.unwrap_or_default()));
                return;
            };
            for client in clients {
                self.signs[*client].add(published_at);
            }
        }
        for client in clients {
            self.signs[*client].answered();
        }
    }

    fn on_page(
        &mut self,
        request: &MemoryRequest,
        index: usize,
        answer: Result<ListPage<RetainedMessage>, RequestError>,
    ) -> Vec<MemoryRequest> {
        let MemoryRequest::RetainedPage(_, page) = request else { return Vec::new() };
        let signs = &mut self.signs;
        let step = match answer {
            Ok(ListPage { rows, .. }) => {
                self.has_message |= !rows.is_empty();
                let listing = &mut self.listings[index];
                let step = listing.on_page(page, &rows, |client, published_at| match published_at {
                    Some(published_at) => signs[client].add(published_at),
                    // It may be the newest, so that its client has no answer.
                    None => signs[client].ask(),
                });
                if let Some(odd_field) = listing.take_odd_field() {
                    self.run.add_failure(request, &RequestError::decode(odd_field));
                }
                step
            }
            Err(error) => MessageListing::on_error(page, error),
        };
        match step {
            Step::Next(page) => return vec![MemoryRequest::RetainedPage(index, page)],
            Step::Complete => self.settle(index, self.listings[index].is_clear()),
            Step::Truncated(error) => {
                self.run.add_failure(request, &error);
                self.settle(index, false);
            }
            Step::GivenUp { rows, requested } => return self.read_exactly(index, rows, requested),
            Step::Unfiltered => self.run.fail(request, &RequestError::decode(FILTER_IGNORED)),
            Step::Failed(error) => self.run.on_error(request, &error),
        }
        Vec::new()
    }

    /// Counts a listing as an answer for each of its clients, or only for those that it cannot name any more.
    fn settle(&mut self, index: usize, for_all: bool) {
        let listing = &self.listings[index];
        for (client, signs) in self.signs.iter_mut().enumerate() {
            if listing.is_for(client) && (for_all || listing.is_settled(client)) {
                signs.answered();
            }
        }
    }

    /// Gives a listing up, and requests the topics of the clients that it has not named yet.
    fn read_exactly(&mut self, index: usize, rows: usize, requested: usize) -> Vec<MemoryRequest> {
        self.settle(index, true);
        let listing = &self.listings[index];
        self.run.decisions.push(format!(
            "{}: of the first {rows} messages only {requested} are of requested clients: asking for exact topics instead",
            listing.filter()
        ));
        let template = listing.template();
        let is_left = |client: &usize| listing.is_for(*client) && !listing.is_settled(*client);
        let left: Vec<_> = (0..self.clients.len()).filter(is_left).collect();
        let new = self.add_exact(left.into_iter().map(|client| (client, template)));
        self.requests(new)
    }

    /// Adds what was found to the clients.
    pub(super) fn finish(self, findings: &mut Findings) {
        if !self.run.finish(findings) {
            return;
        }
        for (client, signs) in findings.clients.iter_mut().zip(self.signs) {
            if let Some(seen) = signs.result() {
                memory(client).seen = seen;
            }
        }
    }
}
