//! What the exporter says of itself: whether it is up and ready, what runs, and its own metrics.

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::{Data, block};

use super::{AppState, text};
use crate::metrics::exposition::CONTENT_TYPE;

/// Whether the process is alive. Never depends on a broker.
pub(super) async fn healthy() -> HttpResponse {
    text(HttpResponse::Ok(), "emqx-client-monitor is healthy\n")
}

/// Whether requests should be sent here. Never depends on a broker.
pub(super) async fn ready(state: Data<AppState>) -> HttpResponse {
    if state.readiness.is_ready() {
        text(HttpResponse::Ok(), "emqx-client-monitor is ready\n")
    } else {
        text(HttpResponse::ServiceUnavailable(), "emqx-client-monitor is stopping\n")
    }
}

/// The exporter's own metrics.
pub(super) async fn metrics(state: Data<AppState>) -> HttpResponse {
    match state.telemetry.expose() {
        Ok(metrics) => HttpResponse::Ok().content_type(CONTENT_TYPE).body(metrics),
        Err(error) => text(HttpResponse::InternalServerError(), format!("{error}\n")),
    }
}

/// The configuration that runs, without its secrets.
pub(super) async fn config(state: Data<AppState>) -> HttpResponse {
    match state.active_config.config().redacted() {
        Ok(yaml) => text(HttpResponse::Ok(), yaml),
        Err(error) => text(HttpResponse::InternalServerError(), format!("{error}\n")),
    }
}

/// Reads the configuration again.
pub(super) async fn reload(state: Data<AppState>) -> HttpResponse {
    match block(move || state.reload()).await {
        Ok(Ok(())) => text(HttpResponse::Ok(), "reloaded\n"),
        Ok(Err(problems)) => {
            text(HttpResponse::InternalServerError(), format!("nothing has changed:\n{problems}\n"))
        }
        Err(_) => text(HttpResponse::InternalServerError(), "the configuration could not be read\n"),
    }
}

/// There is nothing at this path.
pub(super) async fn not_found() -> HttpResponse {
    text(
        HttpResponse::NotFound(),
        "There is nothing here. Ask / for a page for people, /probe?broker=ALIAS for the clients of a broker, /sd \
         for the targets of Prometheus, /metrics for the metrics of this exporter itself, /config for what it runs, \
         or /-/healthy and /-/ready whether it is up.\n",
    )
}

/// There is something at this path, but not to be asked for in this way.
pub(super) fn method_not_allowed(allowed: &'static str) -> HttpResponse {
    let mut answer = HttpResponse::MethodNotAllowed();
    answer.insert_header((header::ALLOW, allowed));
    text(answer, format!("This can only be asked for with {allowed}.\n"))
}
