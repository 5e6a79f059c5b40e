//! `GET /sd`: Prometheus' HTTP service discovery, so that a broker added to the configuration is scraped without
//! touching Prometheus.

use std::collections::BTreeMap;

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use super::{AppState, text};

/// A group of targets, as Prometheus reads it.
#[derive(Serialize)]
struct TargetGroup<'a> {
    targets: [&'a str; 1],
    labels: BTreeMap<&'static str, &'a str>,
}

/// A target for each broker: this very exporter, by the name it was asked under, and which broker to ask. Nothing is
/// left for relabelling to do.
pub(super) async fn answer(request: HttpRequest, state: Data<AppState>) -> HttpResponse {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let Some(host) = host.filter(|host| !host.is_empty()) else {
        return text(HttpResponse::BadRequest(), "say in the header Host how this exporter is to be reached\n");
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
