//! `GET /sd`: Prometheus' HTTP service discovery. A broker added to the configuration is scraped without a change of
//! Prometheus' own.

use std::collections::BTreeMap;

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use url::form_urlencoded;

use super::query::excerpt;
use super::routing::ScrapeAddress;
use super::{AppState, text};
use crate::config::Broker;
use crate::shard::{MAX_SHARDS, Shard};

/// A target group in Prometheus' format.
#[derive(Serialize)]
struct TargetGroup<'a> {
    targets: [&'a str; 1],
    labels: BTreeMap<&'static str, String>,
}

impl<'a> TargetGroup<'a> {
    /// Returns the target of a probe of a broker, with these further query parameters and target labels.
    fn new(address: &'a ScrapeAddress, broker: &str, more: Vec<(&'static str, String)>) -> Self {
        let mut labels = BTreeMap::from([
            ("__metrics_path__", address.probe_path.clone()),
            ("__param_broker", broker.to_owned()),
            ("instance", broker.to_owned()),
        ]);
        if address.is_https {
            labels.insert("__scheme__", "https".to_owned());
        }
        labels.extend(more);
        Self { targets: [&address.authority], labels }
    }
}

/// The parameters of a request.
#[derive(Default)]
struct DiscoveryQuery {
    /// Number of targets among which the clients of each broker are shared.
    shards: Option<u32>,
    /// Whether the targets are those of fleets, instead of those of clients.
    fleets: bool,
}

/// Why the parameters are refused.
#[derive(Debug, thiserror::Error)]
enum BadQuery {
    #[error("parameter `shards` must be one number from 1 to {MAX_SHARDS}")]
    Shards,
    #[error("parameter `fleets` must be true or false")]
    Fleets,
    #[error("`shards` and `fleets=true` exclude each other: shares are of watched clients")]
    Both,
    #[error("unknown parameter {0:?}; known parameters: shards, fleets")]
    Unknown(String),
}

impl DiscoveryQuery {
    fn parse(query: &str) -> Result<Self, BadQuery> {
        let mut parsed = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "shards" => {
                    let number = value.parse().ok().filter(|number| (1..=MAX_SHARDS).contains(number));
                    let number = number.ok_or(BadQuery::Shards)?;
                    if parsed.shards.replace(number).is_some_and(|before| before != number) {
                        return Err(BadQuery::Shards);
                    }
                }
                "fleets" => parsed.fleets = value.parse().map_err(|_| BadQuery::Fleets)?,
                unknown => return Err(BadQuery::Unknown(excerpt(unknown))),
            }
        }
        if parsed.fleets && parsed.shards.is_some() { Err(BadQuery::Both) } else { Ok(parsed) }
    }

    /// Returns the query parameters and the target labels that distinguish the targets of one broker.
    fn targets_of(&self, broker: &Broker) -> Vec<Vec<(&'static str, String)>> {
        if self.fleets {
            let has_fleets = !broker.fleets.is_empty();
            return has_fleets.then(|| vec![("__param_fleets", "true".to_owned())]).into_iter().collect();
        }
        let of_shard =
            |shard: Shard| vec![("__param_shard", shard.to_string()), ("shard", shard.index().to_string())];
        match self.shards {
            Some(count) => Shard::all(count).map(of_shard).collect(),
            None => vec![Vec::new()],
        }
    }
}

/// Answers with the targets of each broker: this exporter under the name of the request, and the broker as a parameter.
/// The targets need no relabelling.
pub(super) async fn answer(request: HttpRequest, state: Data<AppState>) -> HttpResponse {
    let query = match DiscoveryQuery::parse(request.query_string()) {
        Ok(query) => query,
        Err(error) => return text(HttpResponse::BadRequest(), format!("{error}\n")),
    };
    let speaks_tls = state.web_auth.as_ref().is_some_and(|web_auth| web_auth.speaks_tls());
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let Some(address) = host.and_then(|host| state.routing.scrape_address(host, speaks_tls)) else {
        return text(
            HttpResponse::BadRequest(),
            "the header Host must be the host and port under which Prometheus will scrape this exporter\n",
        );
    };
    let config = state.active_config.config();
    let mut groups = Vec::new();
    for broker in &config.brokers {
        let targets = query.targets_of(broker).into_iter();
        groups.extend(targets.map(|more| TargetGroup::new(&address, &broker.alias, more)));
    }
    HttpResponse::Ok().json(groups)
}
