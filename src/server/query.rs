//! The query string of `/probe`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::HeaderMap;
use url::form_urlencoded;

use super::refusal::ProbeRefusal;
use crate::client::{Group, Groups, WatchedClient};
use crate::config::{Broker, Config};
use crate::fleet::Fleet;
use crate::probe::{MAX_TIMEOUT, ProbeSpec, Targets};
use crate::shard::Shard;

/// The header in which Prometheus sends its scrape timeout, in seconds.
pub(super) const SCRAPE_TIMEOUT: &str = "X-Prometheus-Scrape-Timeout-Seconds";

/// The parameters of a probe as the query string gives them, not yet compared with the configuration.
#[derive(Debug, Default)]
pub struct ProbeQuery {
    broker: Option<String>,
    clients: BTreeSet<String>,
    all: Option<bool>,
    shard: Option<Shard>,
    /// Whether the counts of all fleets are requested.
    all_fleets: Option<bool>,
    /// The fleets whose counts, or with `all` whose clients, are requested.
    fleets: BTreeSet<String>,
    groups: Option<Groups>,
    debug: Option<bool>,
}

impl ProbeQuery {
    /// Parses a query string.
    ///
    /// # Errors
    /// An unknown parameter, or a value that is not one of the parameter's.
    pub fn parse(query: &str) -> Result<Self, ProbeRefusal> {
        let mut parsed = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "broker" | "target" => {
                    if parsed.broker.replace(value.into_owned()).is_some() {
                        return Err(ProbeRefusal::SeveralBrokers);
                    }
                }
                "client" => {
                    parsed.clients.insert(value.into_owned());
                }
                "fleets" => set(&mut parsed.all_fleets, "fleets", &value)?,
                "fleet" => {
                    parsed.fleets.insert(value.into_owned());
                }
                "shard" => {
                    let shard = value.parse().map_err(ProbeRefusal::BadShard)?;
                    if parsed.shard.replace(shard).is_some_and(|before| before != shard) {
                        return Err(ProbeRefusal::SeveralShards);
                    }
                }
                "collect[]" => {
                    let group: Group =
                        value.parse().map_err(|_| ProbeRefusal::UnknownGroup(excerpt(&value)))?;
                    parsed.groups = Some(parsed.groups.unwrap_or(Groups::STATE).with(group));
                }
                "all" => set(&mut parsed.all, "all", &value)?,
                "debug" => set(&mut parsed.debug, "debug", &value)?,
                // Probe resources of Kubernetes that were copied from the blackbox exporter's send it.
                "module" => {}
                unknown => return Err(ProbeRefusal::UnknownParameter(excerpt(unknown))),
            }
        }
        if parsed.all() && !parsed.clients.is_empty() {
            return Err(ProbeRefusal::ClientAndAll);
        }
        if parsed.shard.is_some() && (parsed.all() || !parsed.clients.is_empty()) {
            return Err(ProbeRefusal::ShardAndOthers);
        }
        let counts_fleets = parsed.all_fleets() || (!parsed.fleets.is_empty() && !parsed.all());
        if (parsed.all_fleets() && (parsed.all() || !parsed.fleets.is_empty()))
            || (counts_fleets
                && (!parsed.clients.is_empty() || parsed.shard.is_some() || parsed.groups.is_some()))
        {
            return Err(ProbeRefusal::FleetsAndOthers);
        }
        let remembered = parsed.groups.and_then(|groups| groups.iter().find(|group| group.is_remembered()));
        if let Some(group) = remembered.filter(|_| parsed.all()) {
            return Err(ProbeRefusal::GroupAndAll(group));
        }
        Ok(parsed)
    }

    /// Whether the debug view is requested instead of the metrics.
    pub(super) fn debug(&self) -> bool {
        self.debug == Some(true)
    }

    /// Whether every client of the broker is requested.
    fn all(&self) -> bool {
        self.all == Some(true)
    }

    /// Whether the counts of all fleets are requested.
    fn all_fleets(&self) -> bool {
        self.all_fleets == Some(true)
    }

    /// Resolves the parameters against a configuration.
    ///
    /// # Errors
    /// An unknown broker or client, or a bad scrape timeout in the headers.
    pub(super) fn to_spec(
        &self,
        config: &Config,
        headers: &HeaderMap,
        timeout_offset: Duration,
    ) -> Result<ProbeSpec, ProbeRefusal> {
        let broker = self.broker(config)?;
        let fleets = self.fleets(&broker)?;
        let (targets, default_groups) = if self.all() {
            (if fleets.is_empty() { Targets::All } else { Targets::ClientsOf(fleets) }, Groups::STATE)
        } else if self.all_fleets() || !fleets.is_empty() {
            (Targets::Fleets(fleets), Groups::STATE)
        } else {
            let clients = self.clients(&broker)?;
            let groups = config.prometheus.collect.union(broker.configured_groups(&clients));
            (Targets::Watched(clients), groups)
        };
        let timeout = timeout(headers, timeout_offset, &broker)?;
        Ok(ProbeSpec { broker, targets, groups: self.groups.unwrap_or(default_groups), timeout })
    }

    fn broker(&self, config: &Config) -> Result<Arc<Broker>, ProbeRefusal> {
        let known = || config.broker_aliases();
        match self.broker.as_deref() {
            None | Some("") => Err(ProbeRefusal::NoBroker(known())),
            Some(alias) => config
                .broker(alias)
                .cloned()
                .ok_or_else(|| ProbeRefusal::UnknownBroker(excerpt(alias), known())),
        }
    }

    /// Returns the named fleets of `broker`, or all of them where that is requested.
    fn fleets(&self, broker: &Broker) -> Result<Vec<Arc<Fleet>>, ProbeRefusal> {
        if self.all_fleets() {
            return Ok(broker.fleets.clone());
        }
        let fleet = |alias: &String| {
            let found = broker.fleets.iter().find(|fleet| fleet.alias == *alias).cloned();
            found.ok_or_else(|| ProbeRefusal::UnknownFleet(excerpt(alias), broker.alias.clone()))
        };
        self.fleets.iter().map(fleet).collect()
    }

    /// Returns the named clients of `broker`, its watched clients of the share, or all of them.
    fn clients(&self, broker: &Broker) -> Result<Vec<Arc<WatchedClient>>, ProbeRefusal> {
        if let Some(shard) = self.shard {
            let clients = broker.clients.iter().filter(|client| shard.contains(&client.client_id));
            return Ok(clients.cloned().collect());
        }
        if self.clients.is_empty() {
            return Ok(broker.clients.clone());
        }
        let found: Vec<_> =
            broker.clients.iter().filter(|client| self.clients.contains(&*client.alias)).cloned().collect();
        let unknown = self.clients.iter().find(|alias| found.iter().all(|client| *client.alias != **alias));
        match unknown {
            Some(alias) => Err(ProbeRefusal::UnknownClient(excerpt(alias), broker.alias.clone())),
            None => Ok(found),
        }
    }
}

/// Sets a flag; giving it again with the same value is allowed.
fn set(flag: &mut Option<bool>, name: &'static str, value: &str) -> Result<(), ProbeRefusal> {
    let value = value.parse().map_err(|_| ProbeRefusal::NoFlag(name))?;
    match flag.replace(value) {
        Some(before) if before != value => Err(ProbeRefusal::NoFlag(name)),
        _ => Ok(()),
    }
}

/// Returns the timeout of a probe whose request has no scrape timeout.
pub(super) fn default_timeout(broker: &Broker) -> Duration {
    broker.default_timeout().min(MAX_TIMEOUT)
}

/// Returns the scrape timeout less the offset, which leaves time to transfer the response.
fn timeout(headers: &HeaderMap, offset: Duration, broker: &Broker) -> Result<Duration, ProbeRefusal> {
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
        .ok_or(ProbeRefusal::BadTimeout(offset.as_secs_f64()))
}

/// Shortens text from a request so that an error message can repeat it.
pub(super) fn excerpt(text: &str) -> String {
    text.chars().take(80).collect()
}
