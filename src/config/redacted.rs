//! The configuration as it is redacted: every setting, those that were left out too, and no secret.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use serde::{Serialize, Serializer};

use super::duration;
use super::{Broker, Config, Secret};
use crate::client::{Group, WatchedClient};
use crate::tls::{BrokerTls, Trust};

/// What stands where a secret was written.
const HIDDEN: &str = "<secret>";

/// The whole configuration.
#[derive(Serialize)]
pub(super) struct Shown<'a> {
    emqx: Vec<RedactedBroker<'a>>,
    monitored_clients: Vec<RedactedClient<'a>>,
    prometheus: RedactedPrometheus,
}

#[derive(Serialize)]
struct RedactedBroker<'a> {
    alias: &'a str,
    api_url: &'a str,
    api_key: RedactedSecret<'a>,
    api_secret: RedactedSecret<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ssl: Option<RedactedSsl<'a>>,
    timeout_seconds: f64,
    attempts: u32,
    concurrency: usize,
    nodes: &'a BTreeMap<String, u64>,
}

struct RedactedSecret<'a>(&'a Secret);

#[derive(Serialize)]
struct RedactedSsl<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    ca_file: Option<&'a Path>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cert_file: Option<&'a Path>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_file: Option<&'a Path>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server_name: Option<&'a str>,
    insecure_skip_verify: bool,
}

#[derive(Serialize)]
struct RedactedClient<'a> {
    alias: &'a str,
    client_id: &'a str,
    brokers: Vec<&'a str>,
    offline_after: String,
}

#[derive(Serialize)]
struct RedactedPrometheus {
    address: IpAddr,
    port: u16,
    collect: Vec<&'static str>,
}

impl<'a> From<&'a Config> for Shown<'a> {
    fn from(config: &'a Config) -> Self {
        let prometheus = &config.prometheus;
        let told = |group: &Group| *group != Group::State;
        Self {
            emqx: config.brokers.iter().map(|broker| RedactedBroker::from(&**broker)).collect(),
            monitored_clients: clients(config),
            prometheus: RedactedPrometheus {
                address: prometheus.address,
                port: prometheus.port,
                collect: prometheus.collect.iter().filter(told).map(Group::name).collect(),
            },
        }
    }
}

impl<'a> From<&'a Broker> for RedactedBroker<'a> {
    fn from(broker: &'a Broker) -> Self {
        Self {
            alias: &broker.alias,
            api_url: broker.api_url.as_str(),
            api_key: RedactedSecret(&broker.api_key),
            api_secret: RedactedSecret(&broker.api_secret),
            ssl: broker.tls.as_ref().map(RedactedSsl::from),
            timeout_seconds: broker.timeout.as_secs_f64(),
            attempts: broker.attempts,
            concurrency: broker.concurrency,
            nodes: &broker.nodes,
        }
    }
}

impl<'a> From<&'a BrokerTls> for RedactedSsl<'a> {
    fn from(tls: &'a BrokerTls) -> Self {
        let settings = tls.settings();
        let client_cert = settings.client_cert.as_ref();
        Self {
            ca_file: match &settings.trust {
                Trust::CaFile(path) => Some(path),
                Trust::System | Trust::SkipVerify => None,
            },
            cert_file: client_cert.map(|pair| pair.cert_file.as_path()),
            key_file: client_cert.map(|pair| pair.key_file.as_path()),
            server_name: settings.server_name.as_deref(),
            insecure_skip_verify: settings.trust == Trust::SkipVerify,
        }
    }
}

impl Serialize for RedactedSecret<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Secret::Text(_) => serializer.serialize_str(HIDDEN),
            Secret::File(path) => BTreeMap::from([("file", path)]).serialize(serializer),
            Secret::Env(name) => BTreeMap::from([("env", name)]).serialize(serializer),
        }
    }
}

/// The watched clients, each once, with the brokers it is watched on.
fn clients(config: &Config) -> Vec<RedactedClient<'_>> {
    let mut clients: Vec<RedactedClient<'_>> = Vec::new();
    let mut places = BTreeMap::new();
    for broker in &config.brokers {
        for client in &broker.clients {
            let WatchedClient { alias, client_id, offline_after } = &**client;
            let place = *places.entry((alias, client_id, offline_after)).or_insert_with(|| {
                clients.push(RedactedClient {
                    alias,
                    client_id,
                    brokers: Vec::new(),
                    offline_after: duration::shown(*offline_after),
                });
                clients.len() - 1
            });
            clients[place].brokers.push(&broker.alias);
        }
    }
    clients
}
