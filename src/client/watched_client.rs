//! A client that the configuration asks to watch.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::topic_template::{TopicTemplate, Topics};

/// A client that the configuration asks to watch on one broker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WatchedClient {
    /// The name of the user's choice, unique on its broker.
    pub alias: Box<str>,
    /// The MQTT client ID, unique on its broker.
    pub client_id: Box<str>,
    /// How long it may be away before it is overdue.
    pub offline_after: Duration,
    /// Labels of the user's choice.
    pub labels: Labels,
    /// Topics of its own, beside those of its broker. Boxed, because most clients have none.
    pub topics: Option<Box<Topics>>,
    /// Where the configuration names it.
    pub origin: Origin,
}

impl WatchedClient {
    /// Returns the topics of its signs of life: its own, and those that its broker's `topics` give to each client.
    pub fn seen_topics<'a>(&'a self, of_broker: &'a Topics) -> impl Iterator<Item = &'a TopicTemplate> {
        let own = self.topics.iter().flat_map(|topics| &topics.seen);
        own.chain(of_broker.seen.iter().filter(|template| template.has_placeholder()))
    }

    /// Returns the subscriptions that it must have, as EMQX spells them, each once: those of its broker, and its own.
    #[must_use]
    pub fn expected_subscriptions(&self, of_broker: &Topics) -> Vec<String> {
        let own = self.topics.iter().flat_map(|topics| &topics.subscriptions);
        let mut expected = Vec::new();
        for topic in of_broker.subscriptions.iter().chain(own).filter_map(|one| one.subscription_of(self)) {
            if !expected.contains(&topic) {
                expected.push(topic);
            }
        }
        expected
    }
}

/// Labels of the user's choice. Clients with the same labels share them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Labels(Arc<[(Arc<str>, Arc<str>)]>);

impl Labels {
    /// Returns whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns name and value of each, in the order of the configuration.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Returns each as people write it: `name=value`.
    pub fn texts(&self) -> impl Iterator<Item = String> {
        self.iter().map(|(name, value)| format!("{name}={value}"))
    }
}

impl FromIterator<(Arc<str>, Arc<str>)> for Labels {
    fn from_iter<I: IntoIterator<Item = (Arc<str>, Arc<str>)>>(labels: I) -> Self {
        Self(labels.into_iter().collect())
    }
}

impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

/// Where the configuration names a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The configuration file itself: the index in `monitored_clients`.
    Config(u32),
    /// A YAML file of clients: the file, and the index in its list.
    List(Arc<Path>, u32),
    /// A CSV file of clients: the file and the line.
    Table(Arc<Path>, u32),
}

impl Default for Origin {
    fn default() -> Self {
        Self::Config(0)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(index) => write!(formatter, "monitored_clients[{index}]"),
            Self::List(file, index) => write!(formatter, "[{index}] of {}", file.display()),
            Self::Table(file, line) => write!(formatter, "{}:{line}", file.display()),
        }
    }
}
