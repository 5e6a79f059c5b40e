//! The configuration as `/config` shows it: every setting, defaults included, and no secret.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::{Broker, Config, PrometheusSettings, duration};
use crate::client::{Topics, WatchedClient};

/// The whole configuration in the shape of its file.
#[derive(Serialize)]
pub(super) struct RedactedConfig<'a> {
    emqx: Vec<&'a Broker>,
    monitored_clients: Vec<RedactedClient<'a>>,
    prometheus: &'a PrometheusSettings,
}

/// A watched client with the brokers it is watched on.
#[derive(Serialize)]
struct RedactedClient<'a> {
    alias: &'a str,
    client_id: &'a str,
    brokers: Vec<&'a str>,
    #[serde(serialize_with = "duration::serialize")]
    offline_after: Duration,
    #[serde(flatten)]
    topics: Option<&'a Topics>,
}

impl<'a> From<&'a Config> for RedactedConfig<'a> {
    fn from(config: &'a Config) -> Self {
        Self {
            emqx: config.brokers.iter().map(|broker| &**broker).collect(),
            monitored_clients: clients(config),
            prometheus: &config.prometheus,
        }
    }
}

/// Returns each watched client once: its brokers share it.
fn clients(config: &Config) -> Vec<RedactedClient<'_>> {
    let mut clients: Vec<RedactedClient<'_>> = Vec::new();
    let mut indexes = HashMap::new();
    for broker in &config.brokers {
        for client in &broker.clients {
            let index = *indexes.entry(Arc::as_ptr(client)).or_insert(clients.len());
            if index == clients.len() {
                let WatchedClient { alias, client_id, offline_after, topics } = &**client;
                clients.push(RedactedClient {
                    alias,
                    client_id,
                    brokers: Vec::new(),
                    offline_after: *offline_after,
                    topics: topics.as_deref(),
                });
            }
            clients[index].brokers.push(&broker.alias);
        }
    }
    clients
}
