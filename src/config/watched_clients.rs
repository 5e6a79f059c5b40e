//! Reads `monitored_clients` and assigns each client to its brokers.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::broker::ListedBroker;
use super::diagnostics::quoted;
use super::duration;
use super::mapping::Mapping;
use super::node_ref::NodeRef;
use super::topics;
use crate::client::{TopicTemplate, Topics, WatchedClient};
use crate::emqx::{lookup_line_bytes, retained_line_bytes};

const ALIAS: &str = "a name of your choice for this client";
const CLIENT_ID: &str = "the MQTT client ID";
const BROKERS: &str = "a list of broker aliases, or \"*\" for all brokers";

/// MQTT gives the length of a client ID in 16 bits.
const MAX_CLIENT_ID_BYTES: usize = u16::MAX as usize;
/// EMQX's HTTP server refuses a longer request line.
const MAX_REQUEST_LINE_BYTES: usize = 8000;
/// A shorter topic fits into a request line even if each of its bytes is escaped.
const SHORT_TOPIC_BYTES: usize = 2000;

/// Reads the list of clients and assigns each to its brokers.
pub(super) fn assign(list: &NodeRef<'_>, default_offline_after: Duration, brokers: &mut [ListedBroker]) {
    const EXPECTED: &str = "a list of clients, each with alias and client_id";
    let mut assignment = ClientAssignment::new(brokers);
    for value in list.elements(EXPECTED).unwrap_or_default() {
        if let Some(mapping) = Mapping::open(&value, "a mapping with alias and client_id") {
            assignment.accept(mapping, default_offline_after);
        }
    }
}

/// Assigns clients to brokers and keeps their names unique there.
struct ClientAssignment<'b> {
    brokers: &'b mut [ListedBroker],
    /// The index of each broker, by alias.
    indexes: HashMap<String, usize>,
    /// Whether the aliases of all brokers could be read, so that any other alias is an error.
    knows_all_brokers: bool,
    /// The names in use on each broker.
    used: Vec<UsedNames>,
}

#[derive(Default, Clone)]
struct UsedNames {
    aliases: HashSet<String>,
    client_ids: HashSet<String>,
}

impl<'b> ClientAssignment<'b> {
    fn new(brokers: &'b mut [ListedBroker]) -> Self {
        let broker_entries = brokers.iter().enumerate();
        let indexes =
            broker_entries.filter_map(|(index, broker)| Some((broker.alias.clone()?, index))).collect();
        let knows_all_brokers = !brokers.is_empty() && brokers.iter().all(|broker| broker.alias.is_some());
        Self { indexes, knows_all_brokers, used: vec![UsedNames::default(); brokers.len()], brokers }
    }

    fn accept(&mut self, mut mapping: Mapping<'_>, default_offline_after: Duration) {
        let alias = mapping.required("alias", ALIAS);
        let client_id = mapping.required("client_id", CLIENT_ID);
        let indexes = self.read_brokers(&mut mapping);
        let offline_after = mapping.optional("offline_after").and_then(|value| duration::read(&value));
        let topics = Some(topics::read_of_client(&mut mapping)).filter(|topics| !topics.is_empty());
        mapping.finish();

        let alias = alias.and_then(|value| self.read_alias(&value, &indexes, topics.as_ref()));
        let id = client_id.as_ref().and_then(|value| self.read_client_id(value, &indexes));
        if let (Some(alias), Some(client_id), Some(value)) = (alias, id, client_id) {
            let offline_after = offline_after.unwrap_or(default_offline_after);
            let client = WatchedClient { alias, client_id, offline_after, topics: topics.map(Box::new) };
            self.check_seen_topics(&value, &client, &indexes);
            self.assign_to(&Arc::new(client), &indexes);
        }
    }

    /// Returns the indexes of the brokers that a client is watched on.
    fn read_brokers(&self, mapping: &mut Mapping<'_>) -> Vec<usize> {
        if self.brokers.len() > 1 {
            let value = mapping.required("brokers", BROKERS);
            value.map(|value| self.read_broker_list(&value)).unwrap_or_default()
        } else {
            let value = mapping.optional("brokers");
            value.map_or_else(|| self.all(), |value| self.read_broker_list(&value))
        }
    }

    fn read_broker_list(&self, value: &NodeRef<'_>) -> Vec<usize> {
        if value.as_text() == Some("*") {
            return self.all();
        }
        if !value.is_list() {
            return self.read_broker(value).into_iter().collect();
        }
        let elements = value.elements(BROKERS).unwrap_or_default();
        match elements.as_slice() {
            [] => value.error("must not be empty; name brokers, or write \"*\" for all"),
            [only] if only.as_text() == Some("*") => return self.all(),
            _ => {}
        }
        let mut indexes = Vec::new();
        for element in &elements {
            match self.read_broker(element) {
                Some(index) if indexes.contains(&index) => element.error("duplicate entry"),
                Some(index) => indexes.push(index),
                None => {}
            }
        }
        indexes
    }

    fn read_broker(&self, value: &NodeRef<'_>) -> Option<usize> {
        let alias = value.line(BROKERS)?;
        if alias == "*" {
            return value.refuse("\"*\" means all brokers and must be the only entry");
        }
        let index = self.indexes.get(alias).copied();
        if index.is_none() && self.knows_all_brokers {
            value.error(format_args!(
                "unknown broker {}; configured brokers: {}",
                quoted(alias),
                self.aliases()
            ));
        }
        index
    }

    fn all(&self) -> Vec<usize> {
        (0..self.brokers.len()).collect()
    }

    fn aliases(&self) -> String {
        let aliases: Vec<_> = self.brokers.iter().filter_map(|broker| broker.alias.as_deref()).collect();
        aliases.join(", ")
    }

    fn read_alias(
        &mut self,
        value: &NodeRef<'_>,
        indexes: &[usize],
        own_topics: Option<&Topics>,
    ) -> Option<String> {
        let alias = value.line(ALIAS)?.to_owned();
        let of_brokers = indexes.iter().filter_map(|index| self.brokers[*index].broker.as_ref());
        let mut topics = of_brokers.map(|broker| &broker.topics).chain(own_topics).flat_map(Topics::iter);
        if alias.contains(['+', '#']) && topics.any(TopicTemplate::uses_alias) {
            value.error(
                "must not contain `+` or `#`: ${alias} in seen_topics or subscriptions puts it into a topic",
            );
        }
        for index in indexes {
            if !self.used[*index].aliases.insert(alias.clone()) {
                return value.refuse("duplicate alias; another client of the same broker has it");
            }
        }
        Some(alias)
    }

    fn read_client_id(&mut self, value: &NodeRef<'_>, indexes: &[usize]) -> Option<String> {
        let client_id = value.text(CLIENT_ID)?;
        if client_id.contains('\0') {
            return value.refuse("must not contain NUL, which MQTT forbids");
        }
        if client_id.len() > MAX_CLIENT_ID_BYTES {
            return value.refuse(format_args!("too long; MQTT allows at most {MAX_CLIENT_ID_BYTES} bytes"));
        }
        if client_id.contains(char::is_control) {
            value.warn(
                "contains control characters, which EMQX refuses in requests; to find this client, each probe has to list \
                 all clients of the broker",
            );
        }
        for index in indexes {
            self.check_request_line(value, client_id, *index);
            if !self.used[*index].client_ids.insert(client_id.to_owned()) {
                return value.refuse("duplicate client ID; another client of the same broker has it");
            }
        }
        Some(client_id.to_owned())
    }

    fn check_request_line(&self, value: &NodeRef<'_>, client_id: &str, index: usize) {
        if let Some(broker) = &self.brokers[index].broker {
            let length = lookup_line_bytes(&broker.api_url, client_id);
            refuse_long_request(value, "too long to look up", length, &broker.alias);
        }
    }

    /// Reports a client whose topics of signs of life cannot be asked for.
    fn check_seen_topics(&self, value: &NodeRef<'_>, client: &WatchedClient, indexes: &[usize]) {
        for broker in indexes.iter().filter_map(|index| self.brokers[*index].broker.as_ref()) {
            for template in client.seen_topics(&broker.topics) {
                if template.max_topic_bytes(client) < SHORT_TOPIC_BYTES {
                    continue;
                }
                let topic = template.topic_of(client).unwrap_or_default();
                let length = retained_line_bytes(&broker.api_url, &topic);
                refuse_long_request(
                    value,
                    "one of its seen_topics is too long to be asked for",
                    length,
                    &broker.alias,
                );
            }
        }
    }

    fn assign_to(&mut self, client: &Arc<WatchedClient>, indexes: &[usize]) {
        for index in indexes {
            if let Some(broker) = &mut self.brokers[*index].broker {
                broker.clients.push(Arc::clone(client));
            }
        }
    }
}

fn refuse_long_request(value: &NodeRef<'_>, problem: &str, length: usize, broker: &str) {
    if length > MAX_REQUEST_LINE_BYTES {
        value.error(format_args!(
            "{problem} on broker {}: its request line would have {length} bytes, \
             and EMQX reads at most {MAX_REQUEST_LINE_BYTES}",
            quoted(broker)
        ));
    }
}
