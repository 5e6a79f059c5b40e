//! The configuration as `/config` shows it: every setting, defaults included, and no secret.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value, json, to_value};

use super::duration;
use super::yaml_writer::to_yaml;
use super::{Config, FilePattern, PrometheusSettings};
use crate::client::{Origin, WatchedClient};
use crate::fleet::Fleet;
use crate::sanitize::sanitized;

/// Approximate size of a chunk.
const CHUNK_BYTES: usize = 64 * 1024;

/// The configuration as YAML in the shape of its file, in chunks. Clients of other files are listed with the rest, with
/// the place where each comes from as a comment.
pub struct RedactedYaml {
    config: Arc<Config>,
    /// The text before the clients.
    head: Option<String>,
    /// The text behind them.
    foot: Option<String>,
    /// The broker and the client that come next.
    broker: usize,
    client: usize,
    /// The indexes of the brokers that share a client, by its address.
    brokers_of: HashMap<usize, Vec<usize>>,
}

#[derive(Serialize)]
struct Foot<'a> {
    prometheus: &'a PrometheusSettings,
}

impl RedactedYaml {
    pub(super) fn new(config: Arc<Config>) -> Result<Self, serde_json::Error> {
        let brokers: Vec<_> = config.brokers.iter().map(|broker| &**broker).collect();
        let mut head = to_yaml(&json!({"emqx": to_value(brokers)?}));
        push_files(&config.client_files, &mut head);
        let has_clients = config.client_count() > 0;
        head.push_str(if has_clients { "monitored_clients:\n" } else { "monitored_clients: []\n" });
        let mut foot = String::new();
        push_fleets(&config, &mut foot);
        foot.push_str(&to_yaml(&to_value(Foot { prometheus: &config.prometheus })?));
        let mut brokers_of: HashMap<_, Vec<_>> = HashMap::new();
        for (index, broker) in config.brokers.iter().enumerate() {
            broker.clients.iter().for_each(|client| brokers_of.entry(address(client)).or_default().push(index));
        }
        Ok(Self { config, head: Some(head), foot: Some(foot), broker: 0, client: 0, brokers_of })
    }

    /// Returns the next client and its brokers; each client comes once, with its first broker.
    fn next_client(&mut self) -> Option<(Arc<WatchedClient>, &[usize])> {
        loop {
            let broker = self.config.brokers.get(self.broker)?;
            let Some(client) = broker.clients.get(self.client) else {
                (self.broker, self.client) = (self.broker + 1, 0);
                continue;
            };
            self.client += 1;
            if self.brokers_of.get(&address(client))?.first() == Some(&self.broker) {
                let client = Arc::clone(client);
                let brokers = self.brokers_of.get(&address(&client))?;
                return Some((client, brokers));
            }
        }
    }
}

impl Iterator for RedactedYaml {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let mut text = self.head.take().unwrap_or_default();
        let config = Arc::clone(&self.config);
        while text.len() < CHUNK_BYTES {
            let Some((client, brokers)) = self.next_client() else {
                text.extend(self.foot.take());
                break;
            };
            let brokers = brokers.iter().map(|index| config.brokers[*index].alias.as_str());
            push_client(&client, &brokers.collect::<Vec<_>>(), &mut text);
        }
        (!text.is_empty()).then_some(text)
    }
}

fn address(client: &Arc<WatchedClient>) -> usize {
    Arc::as_ptr(client).addr()
}

/// Appends the names of the files as a comment: the clients in them follow.
fn push_files(files: &[FilePattern], yaml: &mut String) {
    if files.is_empty() {
        return;
    }
    let entries: Vec<_> = files
        .iter()
        .map(|FilePattern { path, ignore_columns, .. }| match ignore_columns.as_slice() {
            [] => json!(path),
            _ => json!({"path": path, "ignore_columns": ignore_columns}),
        })
        .collect();
    for line in to_yaml(&json!({"monitored_client_files": entries})).lines() {
        yaml.extend(["# ", line, "\n"]);
    }
}

fn push_client(client: &WatchedClient, brokers: &[&str], yaml: &mut String) {
    let WatchedClient { alias, client_id, offline_after, labels, topics, origin } = client;
    let mut entry = Map::new();
    entry.insert("alias".to_owned(), json!(alias));
    entry.insert("client_id".to_owned(), json!(client_id));
    entry.insert("brokers".to_owned(), json!(brokers));
    entry.insert("offline_after".to_owned(), json!(duration::format(*offline_after)));
    if !labels.is_empty() {
        entry.insert("labels".to_owned(), json!(labels));
    }
    for (key, templates) in topics.iter().flat_map(|topics| topics.by_key()).filter(|(_, all)| !all.is_empty())
    {
        entry.insert(key.to_owned(), json!(templates));
    }
    if !matches!(origin, Origin::Config(_)) {
        yaml.extend(["# ", &sanitized(&origin.to_string()), "\n"]);
    }
    yaml.push_str(&to_yaml(&Value::Array(vec![Value::Object(entry)])));
}

/// Appends the fleets, each once: its brokers share it.
fn push_fleets(config: &Config, yaml: &mut String) {
    let mut fleets: Vec<(&Arc<Fleet>, Vec<&str>)> = Vec::new();
    for broker in &config.brokers {
        for fleet in &broker.fleets {
            match fleets.iter_mut().find(|(other, _)| Arc::ptr_eq(other, fleet)) {
                Some((_, brokers)) => brokers.push(&broker.alias),
                None => fleets.push((fleet, vec![&broker.alias])),
            }
        }
    }
    if fleets.is_empty() {
        return;
    }
    let entries: Vec<_> = fleets.iter().map(|(fleet, brokers)| fleet_entry(fleet, brokers)).collect();
    yaml.push_str(&to_yaml(&json!({"monitored_fleets": entries})));
}

fn fleet_entry(fleet: &Fleet, brokers: &[&str]) -> Value {
    let Fleet { alias, client_id, username, expected_connected, expected_sessions, labels } = fleet;
    let mut entry = Map::from_iter([("alias".to_owned(), json!(alias))]);
    let optional = [
        ("client_id", client_id.as_ref().map(|pattern| json!(pattern.as_str()))),
        ("username", username.as_ref().map(|pattern| json!(pattern.as_str()))),
        ("brokers", Some(json!(brokers))),
        ("expected_connected", expected_connected.map(|count| json!(count))),
        ("expected_sessions", expected_sessions.map(|count| json!(count))),
        ("labels", (!labels.is_empty()).then(|| json!(labels))),
    ];
    entry.extend(optional.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
    Value::Object(entry)
}
