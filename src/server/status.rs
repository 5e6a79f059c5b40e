//! The exporter about itself: health, readiness, its configuration and its own metrics.

use std::iter::once;

use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use bytes::Bytes;

use super::body::send;
use super::{AppState, active_config, text};
use crate::metrics::exposition::Format;

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
pub(super) async fn metrics(request: HttpRequest, state: Data<AppState>) -> HttpResponse {
    match state.telemetry.encode() {
        Ok(metrics) => {
            let mut answer = HttpResponse::Ok();
            answer.content_type(Format::Text.content_type());
            send(&request, &mut answer, 0, once(Bytes::from(metrics)))
        }
        Err(error) => text(HttpResponse::InternalServerError(), format!("{error}\n")),
    }
}

/// `GET /config`: the running configuration, without its secrets.
pub(super) async fn config(request: HttpRequest, state: Data<AppState>) -> HttpResponse {
    let config = state.active_config.config();
    match config.redacted() {
        Ok(yaml) => {
            let mut answer = HttpResponse::Ok();
            answer.content_type("text/plain; charset=utf-8");
            send(&request, &mut answer, 0, yaml.map(Bytes::from))
        }
        Err(error) => text(HttpResponse::InternalServerError(), format!("{error}\n")),
    }
}

/// `POST /-/reload`: reloads the configuration file.
pub(super) async fn reload(request: HttpRequest, state: Data<AppState>) -> HttpResponse {
    if is_cross_site(request.headers()) {
        return text(HttpResponse::Forbidden(), "requests of other sites are refused\n");
    }
    match active_config::reload(&state).await {
        Ok(Ok(())) => text(HttpResponse::Ok(), "reloaded\n"),
        Ok(Err(problems)) => {
            text(HttpResponse::InternalServerError(), format!("nothing has changed:\n{problems}\n"))
        }
        Err(error) => {
            text(HttpResponse::InternalServerError(), format!("cannot read the configuration: {error}\n"))
        }
    }
}

/// Whether a browser sent the request for a page of another site. Browsers say so by `Sec-Fetch-Site`, older ones by an
/// `Origin` that is not the host they ask; others send neither.
fn is_cross_site(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site != "same-origin" && site != "none";
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return false };
    let host = headers.get(header::HOST).map(HeaderValue::as_bytes).unwrap_or_default();
    let origin = origin.as_bytes();
    let authority = [b"http://".as_slice(), b"https://"].iter().find_map(|scheme| origin.strip_prefix(*scheme));
    authority.is_none_or(|authority| !authority.eq_ignore_ascii_case(host))
}

/// Answers a path above the prefix of all routes, or the prefix without its final slash.
pub(super) async fn go_home(state: Data<AppState>) -> HttpResponse {
    HttpResponse::Found().insert_header((header::LOCATION, state.routing.home())).finish()
}

/// Answers a path that does not exist.
pub(super) async fn not_found(state: Data<AppState>) -> HttpResponse {
    let prefix = state.routing.prefix();
    text(
        HttpResponse::NotFound(),
        format!(
            "not found; {prefix}/ is the status page, {prefix}/probe?broker=ALIAS the metrics of a broker's clients, \
             {prefix}/sd the targets for Prometheus, {prefix}/metrics the metrics of this exporter itself, \
             {prefix}/config its running configuration, {prefix}/-/healthy and {prefix}/-/ready its health\n"
        ),
    )
}

/// Answers a method that the path does not allow.
pub(super) fn method_not_allowed(allowed: &'static str) -> HttpResponse {
    let mut answer = HttpResponse::MethodNotAllowed();
    answer.insert_header((header::ALLOW, allowed));
    text(answer, format!("method not allowed; allowed methods: {allowed}\n"))
}
