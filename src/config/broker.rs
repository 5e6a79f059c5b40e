//! Reads a broker of the configuration.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Serialize, Serializer};
use url::Url;

use super::api_url;
use super::document::ScalarKind;
use super::headers::{self, Headers, Recipient};
use super::mapping::Mapping;
use super::node_ref::NodeRef;
use super::proxy_url;
use super::secret::{self, Secret};
use super::{ssl, topics};
use crate::client::{Group, Groups, Topics, WatchedClient};
use crate::fleet::Fleet;
use crate::tls::BrokerTls;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_TIMEOUT: Duration = Duration::from_secs(120);
const DEFAULT_ATTEMPTS: u32 = 3;
const MAX_ATTEMPTS: u32 = 10;
const DEFAULT_CONCURRENCY: usize = 4;
const MAX_CONCURRENCY: usize = 64;

/// A broker, the settings of requests to it, and the clients watched on it.
///
/// Serialized, it is the broker as `/config` shows it.
#[derive(Debug, PartialEq, Serialize)]
pub struct Broker {
    /// The name of the user's choice, unique among the brokers.
    pub alias: String,
    /// The base of its REST API; the path ends in `/api`.
    #[serde(serialize_with = "api_url::serialize")]
    pub api_url: Url,
    /// The user name for the REST API.
    pub api_key: Secret,
    /// The password for the REST API.
    pub api_secret: Secret,
    /// The TLS settings; `None` for an `http` URL.
    #[serde(rename = "ssl", skip_serializing_if = "Option::is_none")]
    pub tls: Option<BrokerTls>,
    /// The HTTP proxy to its REST API.
    #[serde(serialize_with = "proxy_url::serialize", skip_serializing_if = "Option::is_none")]
    pub proxy_url: Option<Url>,
    /// Further headers of the request that opens a connection through the proxy.
    #[serde(skip_serializing_if = "Headers::is_empty")]
    pub proxy_connect_header: Headers,
    /// Further headers of the requests to its REST API.
    #[serde(skip_serializing_if = "Headers::is_empty")]
    pub headers: Headers,
    /// The time limit of one API request.
    #[serde(rename = "timeout_seconds", serialize_with = "serialize_seconds")]
    pub timeout: Duration,
    /// Maximum number of attempts of one API request.
    pub attempts: u32,
    /// Maximum number of API requests that one probe has in progress at once.
    pub concurrency: usize,
    /// The number of each EMQX node, by its name.
    pub nodes: BTreeMap<String, u64>,
    /// The topics that concern each of its clients.
    #[serde(flatten)]
    pub topics: Topics,
    /// The clients watched on it, in the order of the file.
    #[serde(skip)]
    pub clients: Vec<Arc<WatchedClient>>,
    /// The fleets watched on it, in the order of the file.
    #[serde(skip)]
    pub fleets: Vec<Arc<Fleet>>,
}

impl Broker {
    /// Returns the deadline of a probe whose request sets none: the time of all attempts of one API request.
    #[must_use]
    pub fn default_timeout(&self) -> Duration {
        self.timeout.saturating_mul(self.attempts)
    }

    /// Returns the groups that are requested wherever they are configured for one of these clients.
    #[must_use]
    pub fn configured_groups(&self, clients: &[Arc<WatchedClient>]) -> Groups {
        let has = |has: fn(&Topics) -> bool| {
            let own = |client: &Arc<WatchedClient>| client.topics.as_deref().is_some_and(has);
            !clients.is_empty() && (has(&self.topics) || clients.iter().any(own))
        };
        let mut groups = Groups::STATE;
        if has(|topics| !topics.seen.is_empty()) {
            groups = groups.with(Group::Seen);
        }
        if has(|topics| !topics.subscriptions.is_empty()) {
            groups = groups.with(Group::Subscriptions);
        }
        groups
    }
}

fn serialize_seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

/// A broker of the file, as far as it could be read; what is missing has been reported.
#[derive(Default)]
pub(super) struct ListedBroker {
    pub(super) alias: Option<String>,
    pub(super) broker: Option<Broker>,
}

/// Reads one broker, or a list of them.
pub(super) fn read_all(value: &NodeRef<'_>) -> Vec<ListedBroker> {
    const EXPECTED: &str =
        "a broker (a mapping with alias, api_url, api_key and api_secret), or a list of brokers";
    if !value.is_list() {
        return vec![read(value, EXPECTED, &mut HashSet::new())];
    }
    let Some(elements) = value.elements(EXPECTED).filter(|elements| !elements.is_empty()) else {
        value.error("must not be empty; configure at least one broker");
        return Vec::new();
    };
    let mut used = HashSet::new();
    elements
        .iter()
        .map(|element| read(element, "a mapping with alias, api_url, api_key and api_secret", &mut used))
        .collect()
}

fn read(value: &NodeRef<'_>, expected: &str, used_aliases: &mut HashSet<String>) -> ListedBroker {
    let Some(mut mapping) = Mapping::open(value, expected) else {
        return ListedBroker::default();
    };
    let alias = read_alias(&mut mapping, used_aliases);
    let broker = read_settings(mapping, alias.clone());
    ListedBroker { alias, broker }
}

fn read_alias(mapping: &mut Mapping<'_>, used: &mut HashSet<String>) -> Option<String> {
    const EXPECTED: &str = "a name of your choice for this broker";
    let value = mapping.required("alias", EXPECTED)?;
    let alias = value.line(EXPECTED)?;
    if alias == "*" {
        return value.refuse("must not be \"*\", which means all brokers");
    }
    if !used.insert(alias.to_owned()) {
        value.error("duplicate alias; another broker has it");
    }
    Some(alias.to_owned())
}

fn read_settings(mut mapping: Mapping<'_>, alias: Option<String>) -> Option<Broker> {
    let url_value = mapping.required("api_url", api_url::EXPECTED);
    let url = url_value.as_ref().and_then(api_url::read);
    let api_key =
        mapping.required("api_key", "the key of an EMQX API key").and_then(|key| secret::read_key(&key));
    let api_secret =
        mapping.required("api_secret", "the secret of that API key").and_then(|secret| secret::read(&secret));
    let ssl_value = mapping.optional("ssl");
    let tls_settings = ssl_value.as_ref().map_or_else(|| Some(ssl::default()), ssl::read);
    let proxy_url = read_or_default(&mut mapping, "proxy_url", |value| proxy_url::read(value).map(Some));
    let proxy_header = mapping.optional("proxy_connect_header");
    let proxy_connect_header = proxy_header
        .as_ref()
        .map_or_else(|| Some(Headers::default()), |value| headers::read(value, Recipient::Proxy));
    if let (Some(None), Some(value)) = (&proxy_url, &proxy_header) {
        value.error("needs proxy_url, to which it is sent");
    }
    let headers = read_or_default(&mut mapping, "headers", |value| headers::read(value, Recipient::Broker));
    let timeout = mapping.optional("timeout_seconds").and_then(|timeout| read_timeout(&timeout));
    let attempts = mapping.integer_or("attempts", DEFAULT_ATTEMPTS, &(1..=MAX_ATTEMPTS));
    let concurrency = mapping.integer_or("concurrency", DEFAULT_CONCURRENCY, &(1..=MAX_CONCURRENCY));
    let nodes = mapping.optional("nodes").and_then(|nodes| read_nodes(&nodes));
    let topics = topics::read_of_broker(&mut mapping);
    mapping.finish();

    let api_url = url?;
    let tls = if api_url.scheme() == "https" {
        Some(ssl::load(tls_settings?, &ssl_value.or(url_value)?)?)
    } else {
        ssl_value.iter().filter(|_| tls_settings.is_some()).for_each(ssl::warn_without_tls);
        None
    };
    Some(Broker {
        alias: alias?,
        api_url,
        api_key: api_key?,
        api_secret: api_secret?,
        tls,
        proxy_url: proxy_url?,
        proxy_connect_header: proxy_connect_header?,
        headers: headers?,
        timeout: timeout.unwrap_or(DEFAULT_TIMEOUT),
        attempts,
        concurrency,
        nodes: nodes.unwrap_or_default(),
        topics,
        clients: Vec::new(),
        fleets: Vec::new(),
    })
}

/// Reads a value that may be missing; `None` if it is there and wrong.
fn read_or_default<T: Default>(
    mapping: &mut Mapping<'_>,
    key: &'static str,
    read: impl FnOnce(&NodeRef<'_>) -> Option<T>,
) -> Option<T> {
    mapping.optional(key).map_or_else(|| Some(T::default()), |value| read(&value))
}

fn read_timeout(value: &NodeRef<'_>) -> Option<Duration> {
    let seconds = match value.kind() {
        Some(ScalarKind::Integer(seconds)) => Some(Duration::from_secs(seconds)),
        Some(ScalarKind::Decimal(seconds)) => Duration::try_from_secs_f64(seconds).ok(),
        _ => None,
    };
    seconds
        .filter(|timeout| !timeout.is_zero() && *timeout <= MAX_TIMEOUT)
        .or_else(|| value.expected("a number of seconds above 0 and up to 120"))
}

fn read_nodes(value: &NodeRef<'_>) -> Option<BTreeMap<String, u64>> {
    const EXPECTED: &str = "a mapping of EMQX node names to numbers";
    let mut nodes = BTreeMap::new();
    for (name, number) in value.entries(EXPECTED)? {
        let name_text = name.line("the name of an EMQX node");
        let Some((name_text, number)) = name_text.zip(number.integer(&(0..=u64::MAX))) else {
            continue;
        };
        if nodes.insert(name_text.to_owned(), number).is_some() {
            name.error("duplicate node; keep one of them");
        }
    }
    Some(nodes)
}
