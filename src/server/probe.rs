//! `GET /probe`: queries a broker and answers with its clients' metrics.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use tracing::warn;

use super::body::{send, send_head};
use super::debug_view::DebugView;
use super::query::{ProbeQuery, excerpt};
use super::refusal::{ProbeRefusal, RefusalReason};
use super::{AppState, busy, text};
use crate::metrics::exposition::{CONTENT_TYPE, Exposition};
use crate::probe::ProbeSpec;

/// Answers a scrape. Whatever goes wrong on the broker's side is a 200 with `probe_success 0`.
pub(super) async fn answer(request: HttpRequest, state: Data<AppState>) -> HttpResponse {
    match try_answer(&request, &state).await {
        Ok(answer) => answer,
        Err(refusal) => refuse(&request, &state, &refusal),
    }
}

async fn try_answer(request: &HttpRequest, state: &AppState) -> Result<HttpResponse, ProbeRefusal> {
    let (query, spec) = spec(request, state)?;
    let api_url = spec.broker.api_url.clone();
    let outcome = state.probe(spec).await?;
    let clients = outcome.clients.len();
    let mut answer = HttpResponse::Ok();
    answer.content_type(content_type(&query));
    Ok(if query.debug() {
        send(request, &mut answer, clients, DebugView::new(&api_url, outcome))
    } else {
        send(request, &mut answer, clients, Exposition::new(outcome))
    })
}

/// Answers with the head of a scrape's response, without querying the broker.
pub(super) async fn head(request: HttpRequest, state: Data<AppState>) -> HttpResponse {
    match spec(&request, &state) {
        Ok((query, _)) => send_head(HttpResponse::Ok().content_type(content_type(&query))),
        Err(refusal) => refuse(&request, &state, &refusal),
    }
}

/// Returns the query of a request, and the probe that it specifies.
fn spec(request: &HttpRequest, state: &AppState) -> Result<(ProbeQuery, ProbeSpec), ProbeRefusal> {
    let query = ProbeQuery::parse(request.query_string())?;
    let spec = query.to_spec(&state.active_config.config(), request.headers(), state.timeout_offset)?;
    Ok((query, spec))
}

fn content_type(query: &ProbeQuery) -> &'static str {
    if query.debug() { "text/plain; charset=utf-8" } else { CONTENT_TYPE }
}

/// Refuses a request, and logs and counts the refusal: Prometheus does not show the body of an error response.
fn refuse(request: &HttpRequest, state: &AppState, refusal: &ProbeRefusal) -> HttpResponse {
    let reason = refusal.reason();
    let refusal_text = refusal.to_string();
    if let Some(suppressed) = state.refusals.admit((reason, refusal_text.clone())) {
        let query = excerpt(request.query_string());
        warn!(reason = reason.name(), query, suppressed, "refused a probe: {refusal_text}");
    }
    state.telemetry.record_refusal(reason);
    match reason {
        RefusalReason::Busy => busy(refusal_text + "\n"),
        _ => text(HttpResponse::BadRequest(), refusal_text + "\n"),
    }
}
