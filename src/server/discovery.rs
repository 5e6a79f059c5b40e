//! `GET /sd`: Prometheus' HTTP service discovery. A broker added to the configuration is scraped without a change of
//! Prometheus' own.

use std::collections::BTreeMap;

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use super::routing::ScrapeAddress;
use super::{AppState, text};

/// A target group in Prometheus' format.
#[derive(Serialize)]
struct TargetGroup<'a> {
    targets: [&'a str; 1],
    labels: BTreeMap<&'static str, &'a str>,
}

impl<'a> TargetGroup<'a> {
    /// Returns the target of a probe with these query parameters and target labels.
    fn new(address: &'a ScrapeAddress, parameters_and_labels: &[(&'static str, &'a str)]) -> Self {
        let mut labels = BTreeMap::from([("__metrics_path__", address.probe_path.as_str())]);
        if address.is_https {
            labels.insert("__scheme__", "https");
        }
        labels.extend(parameters_and_labels.iter().copied());
        Self { targets: [&address.authority], labels }
    }
}

/// Answers with a target for each broker: this exporter under the name of the request, and the broker as a parameter.
/// The targets need no relabelling.
pub(super) async fn answer(request: HttpRequest, state: Data<AppState>) -> HttpResponse {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let Some(host) = host.filter(|host| !host.is_empty()) else {
        return text(
            HttpResponse::BadRequest(),
            "missing header Host, under which Prometheus will scrape this exporter\n",
        );
    };
    let speaks_tls = state.web_auth.as_ref().is_some_and(|web_auth| web_auth.speaks_tls());
    let address = state.routing.scrape_address(host, speaks_tls);
    let config = state.active_config.config();
    let of_broker = |alias| TargetGroup::new(&address, &[("__param_broker", alias), ("instance", alias)]);
    let groups: Vec<_> = config.brokers.iter().map(|broker| of_broker(broker.alias.as_str())).collect();
    HttpResponse::Ok().json(groups)
}
