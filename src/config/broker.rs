//! A broker that can be asked.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::api_url;
use super::document::Kind;
use super::secret::{self, Secret};
use super::section::Section;
use super::ssl;
use super::value::Value;
use crate::client::WatchedClient;
use crate::tls::BrokerTls;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(120);
const DEFAULT_ATTEMPTS: u32 = 3;
const MOST_ATTEMPTS: u32 = 10;
const DEFAULT_CONCURRENCY: usize = 4;
const MOST_CONCURRENCY: usize = 64;

/// A broker, how to ask it, and the clients watched on it.
#[derive(Debug, PartialEq)]
pub struct Broker {
    /// The name people gave it, unique among the brokers.
    pub alias: String,
    /// Base of its REST API: the path ends in `/api`.
    pub api_url: Url,
    /// User name for the REST API.
    pub api_key: Secret,
    /// Password for the REST API.
    pub api_secret: Secret,
    /// TLS; none when the URL is an `http` one.
    pub tls: Option<BrokerTls>,
    /// Of one API request.
    pub timeout: Duration,
    /// How often one API request is made at most.
    pub attempts: u32,
    /// How many connections, and so API requests, one probe has at once.
    pub concurrency: usize,
    /// The numbers of EMQX nodes, by their names.
    pub nodes: BTreeMap<String, u64>,
    /// The clients watched on it, in the order of the file.
    pub clients: Vec<Arc<WatchedClient>>,
}

impl Broker {
    /// Whether secret files have to be read to ask it, which may block.
    #[must_use]
    pub fn reads_files(&self) -> bool {
        self.api_key.needs_file() || self.api_secret.needs_file()
    }

    /// How long a probe may take for which nobody set a deadline: as long as all attempts of one API request.
    #[must_use]
    pub fn default_timeout(&self) -> Duration {
        self.timeout.saturating_mul(self.attempts)
    }
}

/// A broker of the file, as far as it could be read. What is missing has been reported.
#[derive(Default)]
pub(super) struct ListedBroker {
    pub(super) alias: Option<String>,
    pub(super) broker: Option<Broker>,
}

/// The brokers: one, or a list of them.
pub(super) fn read_all(value: &Value<'_>) -> Vec<ListedBroker> {
    const RIGHT: &str =
        "a broker (a mapping with alias, api_url, api_key and api_secret), or a list of brokers";
    if !value.is_list() {
        return vec![read(value, RIGHT, &mut HashSet::new())];
    }
    let Some(elements) = value.elements(RIGHT).filter(|elements| !elements.is_empty()) else {
        value.error("must not be empty: there is no broker to ask");
        return Vec::new();
    };
    let mut taken = HashSet::new();
    elements
        .iter()
        .map(|element| read(element, "a mapping with alias, api_url, api_key and api_secret", &mut taken))
        .collect()
}

fn read(value: &Value<'_>, right: &str, taken: &mut HashSet<String>) -> ListedBroker {
    let Some(mut section) = Section::open(value, right) else {
        return ListedBroker::default();
    };
    let alias = read_alias(&mut section, taken);
    let broker = read_settings(section, alias.clone());
    ListedBroker { alias, broker }
}

fn read_alias(section: &mut Section<'_>, taken: &mut HashSet<String>) -> Option<String> {
    const RIGHT: &str = "a name for this broker, of your own choice";
    let value = section.required("alias", RIGHT)?;
    let alias = value.line(RIGHT)?;
    if alias == "*" {
        return value.expected("another name: * stands for all brokers");
    }
    if !taken.insert(alias.to_owned()) {
        value.error("is the alias of another broker already");
    }
    Some(alias.to_owned())
}

fn read_settings(mut section: Section<'_>, alias: Option<String>) -> Option<Broker> {
    let url_value = section.required("api_url", api_url::RIGHT);
    let url = url_value.as_ref().and_then(api_url::read);
    let api_key =
        section.required("api_key", "the key of an EMQX API key").and_then(|key| secret::read_key(&key));
    let api_secret =
        section.required("api_secret", "the secret of that API key").and_then(|secret| secret::read(&secret));
    let ssl_value = section.optional("ssl");
    let tls_settings = ssl_value.as_ref().map_or_else(|| Some(ssl::default()), ssl::read);
    let timeout = section.optional("timeout_seconds").and_then(|timeout| read_timeout(&timeout));
    let attempts = section.integer_or("attempts", DEFAULT_ATTEMPTS, &(1..=MOST_ATTEMPTS));
    let concurrency = section.integer_or("concurrency", DEFAULT_CONCURRENCY, &(1..=MOST_CONCURRENCY));
    let nodes = section.optional("nodes").and_then(|nodes| read_nodes(&nodes));
    section.finish();

    let api_url = url?;
    let tls = if api_url.scheme() == "https" {
        Some(ssl::load(tls_settings?, &ssl_value.or(url_value)?)?)
    } else {
        ssl_value.iter().for_each(ssl::warn_without_tls);
        None
    };
    Some(Broker {
        alias: alias?,
        api_url,
        api_key: api_key?,
        api_secret: api_secret?,
        tls,
        timeout: timeout.unwrap_or(DEFAULT_TIMEOUT),
        attempts,
        concurrency,
        nodes: nodes.unwrap_or_default(),
        clients: Vec::new(),
    })
}

fn read_timeout(value: &Value<'_>) -> Option<Duration> {
    let seconds = match value.kind() {
        Some(Kind::Integer(seconds)) => Some(Duration::from_secs(seconds)),
        Some(Kind::Decimal(seconds)) => Duration::try_from_secs_f64(seconds).ok(),
        _ => None,
    };
    seconds
        .filter(|timeout| !timeout.is_zero() && *timeout <= LONGEST_TIMEOUT)
        .or_else(|| value.expected("a number of seconds above 0 and up to 120"))
}

fn read_nodes(value: &Value<'_>) -> Option<BTreeMap<String, u64>> {
    const RIGHT: &str = "a mapping of EMQX node names to numbers";
    let mut nodes = BTreeMap::new();
    for (name, number) in value.entries(RIGHT)? {
        let name_text = name.line("the name of an EMQX node");
        let Some((name_text, number)) = name_text.zip(number.integer(&(0..=u64::MAX))) else {
            continue;
        };
        if nodes.insert(name_text.to_owned(), number).is_some() {
            name.error("a node stands here twice; keep one of them");
        }
    }
    Some(nodes)
}
