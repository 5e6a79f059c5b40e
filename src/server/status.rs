//! The exporter about itself: health, readiness, its configuration and its own metrics.

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::{Data, block};

use super::{AppState, text};
use crate::metrics::exposition::CONTENT_TYPE;

/// `GET /-/healthy`: answers 200 as long as the process lives. It never depends on a broker.
pub(super) async fn healthy() -> HttpResponse {
    text(HttpResponse::Ok(), "emqx-client-monitor is healthy\n")
}

/// `GET /-/ready`: answers 200 until the exporter stops. It never depends on a broker.
pub(super) async fn ready(state: Data<AppState>) -> HttpResponse {
    if state.readiness.is_ready() {
        text(HttpResponse::Ok(), "emqx-client-monitor is ready\n")
    } else {
        text(HttpResponse::ServiceUnavailable(), "emqx-client-monitor is stopping\n")
    }
}

/// `GET /metrics`: the exporter's own metrics.
pub(super) async fn metrics(state: Data<AppState>) -> HttpResponse {
    match state.telemetry.encode() {
        Ok(metrics) => HttpResponse::Ok().content_type(CONTENT_TYPE).body(metrics),
        Err(error) => text(HttpResponse::InternalServerError(), format!("{error}\n")),
    }
}

/// `GET /config`: the running configuration, without its secrets.
pub(super) async fn config(state: Data<AppState>) -> HttpResponse {
    match state.active_config.config().redacted() {
        Ok(yaml) => text(HttpResponse::Ok(), yaml),
        Err(error) => text(HttpResponse::InternalServerError(), format!("{error}\n")),
    }
}

/// `POST /-/reload`: reloads the configuration file.
pub(super) async fn reload(state: Data<AppState>) -> HttpResponse {
    match block(move || state.reload()).await {
        Ok(Ok(())) => text(HttpResponse::Ok(), "reloaded\n"),
        Ok(Err(problems)) => {
            text(HttpResponse::InternalServerError(), format!("nothing has changed:\n{problems}\n"))
        }
        Err(_) => text(HttpResponse::InternalServerError(), "the configuration could not be read\n"),
    }
}

/// Answers a path that does not exist.
pub(super) async fn not_found() -> HttpResponse {
    text(
        HttpResponse::NotFound(),
        "not found; / is the status page, /probe?broker=ALIAS the metrics of a broker's clients, /sd the targets for \
         Prometheus, /metrics the metrics of this exporter itself, /config its running configuration, /-/healthy and \
         /-/ready its health\n",
    )
}

/// Answers a method that the path does not allow.
pub(super) fn method_not_allowed(allowed: &'static str) -> HttpResponse {
    let mut answer = HttpResponse::MethodNotAllowed();
    answer.insert_header((header::ALLOW, allowed));
    text(answer, format!("method not allowed; allowed methods: {allowed}\n"))
}
