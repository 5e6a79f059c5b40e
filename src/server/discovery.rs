//! `GET /sd`: Prometheus' HTTP service discovery. A broker added to the configuration is scraped without a change of
//! Prometheus' own.

use std::collections::BTreeMap;

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use super::{AppState, text};

/// A target group in Prometheus' format.
#[derive(Serialize)]
struct TargetGroup<'a> {
    targets: [&'a str; 1],
    labels: BTreeMap<&'static str, &'a str>,
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
    let config = state.active_config.config();
    let group = |alias| TargetGroup {
        targets: [host],
        labels: BTreeMap::from([
            ("__metrics_path__", "/probe"),
            ("__param_broker", alias),
            ("instance", alias),
        ]),
    };
    let groups: Vec<_> = config.brokers.iter().map(|broker| group(broker.alias.as_str())).collect();
    HttpResponse::Ok().json(groups)
}
