//! What a request for a probe asks for, and what is refused.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::HeaderMap;
use url::form_urlencoded;

use crate::client::{Group, Groups, WatchedClient};
use crate::config::{Broker, Config};
use crate::probe::{MAX_TIMEOUT, ProbeSpec, Targets};

/// How long Prometheus waits for the answer, in seconds. It sends this with every scrape.
const SCRAPE_TIMEOUT: &str = "X-Prometheus-Scrape-Timeout-Seconds";

/// Why a request is not worth asking a broker for. The texts go to whoever asked.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// No broker is named.
    #[error("say which broker to ask: /probe?broker=ALIAS; there is {0}")]
    NoBroker(String),
    /// A broker is named more than once.
    #[error("say one broker, as `broker` or as `target`, and once; several brokers are several scrapes")]
    SeveralBrokers,
    /// The broker is none of the configuration.
    #[error("there is no broker {0:?} in the configuration; there is {1}")]
    UnknownBroker(String, String),
    /// The client is none of those watched on the broker.
    #[error("the broker {1:?} has no watched client with the alias {0:?}")]
    UnknownClient(String, String),
    /// There is no such metric group.
    #[error("there is no metric group {0:?}; there are state, session, queue, traffic, process and address")]
    UnknownGroup(String),
    /// There is no such parameter.
    #[error("there is no parameter {0:?}; there are broker (or target), client, all, collect[] and debug")]
    UnknownParameter(String),
    /// Neither true nor false, or both.
    #[error("{0} must be true or false, and not both")]
    NoFlag(&'static str),
    /// Some clients and all of them.
    #[error("`client` and all=true exclude each other")]
    ClientAndAll,
    /// A scrape timeout that is none, or leaves no time.
    #[error("the header {SCRAPE_TIMEOUT} must be a number of seconds above the timeout offset of {0} s")]
    BadTimeout(f64),
}

impl Refusal {
    /// The label value it is counted under.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::NoBroker(_) => "no_broker",
            Self::SeveralBrokers => "several_brokers",
            Self::UnknownBroker(..) => "unknown_broker",
            Self::UnknownClient(..) => "unknown_client",
            Self::UnknownGroup(_) => "unknown_group",
            Self::UnknownParameter(_) => "unknown_parameter",
            Self::NoFlag(_) => "no_flag",
            Self::ClientAndAll => "client_and_all",
            Self::BadTimeout(_) => "bad_timeout",
        }
    }
}

/// The parameters of a probe, as they were given.
#[derive(Debug, Default)]
pub struct Parameters {
    broker: Option<String>,
    clients: BTreeSet<String>,
    all: Option<bool>,
    groups: Option<Groups>,
    debug: Option<bool>,
}

impl Parameters {
    /// Reads a query string.
    ///
    /// # Errors
    /// Anything that is not understood: what is asked for must not be guessed.
    pub fn parse(query: &str) -> Result<Self, Refusal> {
        let mut asked = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "broker" | "target" => {
                    if asked.broker.replace(value.into_owned()).is_some() {
                        return Err(Refusal::SeveralBrokers);
                    }
                }
                "client" => {
                    asked.clients.insert(value.into_owned());
                }
                "collect[]" => {
                    let group: Group = value.parse().map_err(|_| Refusal::UnknownGroup(excerpt(&value)))?;
                    asked.groups = Some(asked.groups.unwrap_or(Groups::STATE).with(group));
                }
                "all" => set(&mut asked.all, "all", &value)?,
                "debug" => set(&mut asked.debug, "debug", &value)?,
                // Probe resources of Kubernetes that were copied from the blackbox exporter's send it.
                "module" => {}
                unknown => return Err(Refusal::UnknownParameter(excerpt(unknown))),
            }
        }
        if asked.all() && !asked.clients.is_empty() {
            return Err(Refusal::ClientAndAll);
        }
        Ok(asked)
    }

    /// Whether an account of the probe is wanted instead of its metrics alone.
    pub(super) fn debug(&self) -> bool {
        self.debug == Some(true)
    }

    /// Whether all clients are wanted.
    fn all(&self) -> bool {
        self.all == Some(true)
    }

    /// What they ask for of this configuration.
    pub(super) fn question(
        &self,
        config: &Config,
        headers: &HeaderMap,
        timeout_offset: Duration,
    ) -> Result<ProbeSpec, Refusal> {
        let broker = self.broker(config)?;
        let (targets, default_groups) = if self.all() {
            (Targets::All, Groups::STATE)
        } else {
            (Targets::Watched(self.clients(&broker)?), config.prometheus.collect)
        };
        let timeout = timeout(headers, timeout_offset, &broker)?;
        Ok(ProbeSpec { broker, targets, groups: self.groups.unwrap_or(default_groups), timeout })
    }

    fn broker(&self, config: &Config) -> Result<Arc<Broker>, Refusal> {
        let known = || config.broker_aliases();
        match self.broker.as_deref() {
            None | Some("") => Err(Refusal::NoBroker(known())),
            Some(alias) => {
                config.broker(alias).cloned().ok_or_else(|| Refusal::UnknownBroker(excerpt(alias), known()))
            }
        }
    }

    /// The watched clients of `broker` that are asked for: all of them, where none is named.
    fn clients(&self, broker: &Broker) -> Result<Vec<Arc<WatchedClient>>, Refusal> {
        if self.clients.is_empty() {
            return Ok(broker.clients.clone());
        }
        let found: Vec<_> =
            broker.clients.iter().filter(|client| self.clients.contains(&client.alias)).cloned().collect();
        let unknown = self.clients.iter().find(|alias| found.iter().all(|client| client.alias != **alias));
        match unknown {
            Some(alias) => Err(Refusal::UnknownClient(excerpt(alias), broker.alias.clone())),
            None => Ok(found),
        }
    }
}

/// Sets a flag, which may be given again but not differently.
fn set(flag: &mut Option<bool>, name: &'static str, value: &str) -> Result<(), Refusal> {
    let value = value.parse().map_err(|_| Refusal::NoFlag(name))?;
    match flag.replace(value) {
        Some(before) if before != value => Err(Refusal::NoFlag(name)),
        _ => Ok(()),
    }
}

/// How long a probe may take that is not asked for by Prometheus.
pub(super) fn default_timeout(broker: &Broker) -> Duration {
    broker.default_timeout().min(MAX_TIMEOUT)
}

/// How long the probe may take: what Prometheus allows, less the offset for the way back.
fn timeout(headers: &HeaderMap, offset: Duration, broker: &Broker) -> Result<Duration, Refusal> {
    let Some(header) = headers.get(SCRAPE_TIMEOUT) else {
        return Ok(default_timeout(broker));
    };
    header
        .to_str()
        .ok()
        .and_then(|seconds| seconds.trim().parse().ok())
        .filter(|seconds: &f64| seconds.is_finite())
        .and_then(|seconds| Duration::try_from_secs_f64(seconds.min(MAX_TIMEOUT.as_secs_f64() * 2.0)).ok())
        .and_then(|allowed| allowed.checked_sub(offset))
        .filter(|left| !left.is_zero())
        .map(|left| left.min(MAX_TIMEOUT))
        .ok_or(Refusal::BadTimeout(offset.as_secs_f64()))
}

/// As much of somebody's words as an error needs to repeat.
pub(super) fn excerpt(words: &str) -> String {
    words.chars().take(80).collect()
}
