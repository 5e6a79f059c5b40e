//! Reads the watched clients, of the configuration itself and of the files it names, and assigns each to its brokers.

mod client_files;
mod csv_table;
mod fleets;
mod labels;
mod unique_names;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::broker::ListedBroker;
use super::diagnostics::quoted;
use super::duration;
use super::mapping::Mapping;
use super::node_ref::NodeRef;
use super::topics;
use crate::client::{Origin, TopicTemplate, Topics, WatchedClient};
use crate::emqx::{lookup_line_bytes, retained_line_bytes};
pub(super) use client_files::ClientFiles;
pub use client_files::FilePattern;
use labels::SharedLabels;
use unique_names::UniqueNames;

const CLIENTS: &str = "a list of clients, each with alias and client_id";
const ALIAS: &str = "a name of your choice for this client";
const CLIENT_ID: &str = "the MQTT client ID";
const BROKERS: &str = "a list of broker aliases, or \"*\" for all brokers";

/// MQTT gives the length of a client ID in 16 bits.
const MAX_CLIENT_ID_BYTES: usize = u16::MAX as usize;
/// EMQX's HTTP server refuses a longer request line.
const MAX_REQUEST_LINE_BYTES: usize = 8000;
/// A shorter topic fits into a request line even if each of its bytes is escaped.
const SHORT_TOPIC_BYTES: usize = 2000;

/// Assigns clients to brokers and keeps their names unique there.
pub(super) struct ClientAssignment<'b> {
    brokers: &'b mut [ListedBroker],
    default_offline_after: Duration,
    /// The index of each broker, by alias.
    indexes: HashMap<String, usize>,
    /// Whether the aliases of all brokers could be read, so that any other alias is an error.
    knows_all_brokers: bool,
    /// The names in use on each broker.
    used: Vec<UniqueNames>,
    labels: SharedLabels,
}

impl<'b> ClientAssignment<'b> {
    pub(super) fn new(brokers: &'b mut [ListedBroker], default_offline_after: Duration) -> Self {
        let broker_entries = brokers.iter().enumerate();
        let indexes =
            broker_entries.filter_map(|(index, broker)| Some((broker.alias.clone()?, index))).collect();
        let knows_all_brokers = !brokers.is_empty() && brokers.iter().all(|broker| broker.alias.is_some());
        let used = brokers.iter().map(|_| UniqueNames::default()).collect();
        let labels = SharedLabels::default();
        Self { brokers, default_offline_after, indexes, knows_all_brokers, used, labels }
    }

    /// Assigns the clients of a list.
    pub(super) fn accept_list(&mut self, list: &NodeRef<'_>, origin: impl Fn(u32) -> Origin) {
        for (index, value) in list.elements(CLIENTS).unwrap_or_default().into_iter().enumerate() {
            self.accept(&value, origin(u32::try_from(index).unwrap_or(u32::MAX)));
        }
    }

    /// Assigns a client.
    fn accept(&mut self, client: &NodeRef<'_>, origin: Origin) {
        let Some(mut mapping) = Mapping::open(client, "a mapping with alias and client_id") else {
            return;
        };
        let alias_value = mapping.required("alias", ALIAS);
        let client_id_value = mapping.required("client_id", CLIENT_ID);
        let indexes = self.read_brokers(&mut mapping);
        let offline_after = mapping.optional("offline_after").and_then(|value| duration::read(&value));
        let labels = mapping.optional("labels").map(|value| self.labels.read(&value));
        let topics = topics::read_of_client(&mut mapping);
        mapping.finish();

        let alias = alias_value.as_ref().and_then(|value| value.line(ALIAS));
        let client_id = client_id_value.as_ref().and_then(|value| self.read_client_id(value, &indexes));
        let (Some(alias_value), Some(client_id_value)) = (alias_value, client_id_value) else { return };
        for (value, text) in [(&alias_value, alias), (&client_id_value, client_id)] {
            if text.is_some_and(|text| text.trim_matches(' ') != text) {
                value.warn("begins or ends with a space, which is part of the name");
            }
        }
        let client = WatchedClient {
            alias: alias.unwrap_or_default().into(),
            client_id: client_id.unwrap_or_default().into(),
            offline_after: offline_after.unwrap_or(self.default_offline_after),
            labels: labels.unwrap_or_default(),
            topics: (!topics.is_empty()).then(|| Box::new(topics)),
            origin,
        };
        self.assign(&Arc::new(client), &alias_value, &client_id_value, &indexes);
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

    /// Returns whether a broker has this alias.
    fn is_broker(&self, alias: &str) -> bool {
        self.indexes.contains_key(alias)
    }

    fn all(&self) -> Vec<usize> {
        (0..self.brokers.len()).collect()
    }

    fn aliases(&self) -> String {
        let aliases: Vec<_> = self.brokers.iter().filter_map(|broker| broker.alias.as_deref()).collect();
        aliases.join(", ")
    }

    fn read_client_id<'d>(&self, value: &NodeRef<'d>, indexes: &[usize]) -> Option<&'d str> {
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
        }
        Some(client_id)
    }

    fn check_request_line(&self, value: &NodeRef<'_>, client_id: &str, index: usize) {
        if let Some(broker) = &self.brokers[index].broker {
            let length = lookup_line_bytes(&broker.api_url, client_id);
            refuse_long_request(value, "too long to look up", length, &broker.alias);
        }
    }

    /// Reports names of a client that its topics cannot hold.
    fn check_topics(
        &self,
        client: &WatchedClient,
        alias: &NodeRef<'_>,
        client_id: &NodeRef<'_>,
        indexes: &[usize],
    ) {
        let brokers = || indexes.iter().filter_map(|index| self.brokers[*index].broker.as_ref());
        let of_brokers = brokers().map(|broker| &broker.topics);
        let mut all = of_brokers.chain(client.topics.as_deref()).flat_map(Topics::iter);
        if client.alias.contains(['+', '#']) && all.any(TopicTemplate::uses_alias) {
            alias.error(
                "must not contain `+` or `#`: ${alias} in seen_topics or subscriptions puts it into a topic",
            );
        }
        for broker in brokers() {
            let is_long = |template: &&TopicTemplate| template.max_topic_bytes(client) > SHORT_TOPIC_BYTES;
            for template in client.seen_topics(&broker.topics).filter(is_long) {
                let topic = template.topic_of(client).unwrap_or_default();
                let length = retained_line_bytes(&broker.api_url, &topic);
                let problem = "one of its seen_topics is too long to be asked for";
                refuse_long_request(client_id, problem, length, &broker.alias);
            }
        }
    }

    /// Assigns a client to these brokers, and reports names of it that another client has there.
    fn assign(
        &mut self,
        client: &Arc<WatchedClient>,
        alias: &NodeRef<'_>,
        client_id: &NodeRef<'_>,
        indexes: &[usize],
    ) {
        let duplicate = |value: &NodeRef<'_>, what, first: &WatchedClient| {
            value.error(format_args!("duplicate {what}; {} has it on the same broker", first.origin));
        };
        self.check_topics(client, alias, client_id, indexes);
        let (mut is_alias_reported, mut is_client_id_reported) = (false, false);
        for index in indexes {
            let used = &mut self.used[*index];
            if let Some(first) = used.add_alias(client).filter(|_| !is_alias_reported) {
                duplicate(alias, "alias", &first);
                is_alias_reported = true;
            }
            if let Some(first) = used.add_client_id(client).filter(|_| !is_client_id_reported) {
                duplicate(client_id, "client ID", &first);
                is_client_id_reported = true;
            }
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
