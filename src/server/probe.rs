//! `GET /probe`: queries a broker and answers with its clients' metrics.

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use tracing::warn;

use super::body::{send, send_head};
use super::debug_view::DebugView;
use super::negotiation::preferred_format;
use super::query::{ProbeQuery, excerpt};
use super::refusal::{ProbeRefusal, RefusalReason};
use super::{AppState, busy, text};
use crate::client::Groups;
use crate::metrics::exposition::{Exposition, Format};
use crate::probe::ProbeSpec;

/// Answers a scrape. Whatever goes wrong on the broker's side is a 200 with `probe_success 0`.
pub(super) async fn answer(request: HttpRequest, state: Data<AppState>) -> HttpResponse {
    match try_answer(&request, &state).await {
        Ok(answer) => answer,
        Err(refusal) => refuse(&request, &state, &refusal),
    }
}

async fn try_answer(request: &HttpRequest, state: &AppState) -> Result<HttpResponse, ProbeRefusal> {
    let (mut answer, view, spec) = prepare(request, state)?;
    let api_url = spec.broker.api_url.clone();
    let outcome = state.probe(spec).await?;
    let clients = outcome.clients.len();
    Ok(match view {
        ProbeView::Debug => send(request, &mut answer, clients, DebugView::new(&api_url, outcome)),
        ProbeView::Metrics(format, groups) => {
            send(request, &mut answer, clients, Exposition::in_format(format, groups, outcome))
        }
    })
}

/// Answers with the head of a scrape's response, without querying the broker.
pub(super) async fn head(request: HttpRequest, state: Data<AppState>) -> HttpResponse {
    match prepare(&request, &state) {
        Ok((mut answer, ..)) => send_head(&mut answer),
        Err(refusal) => refuse(&request, &state, &refusal),
    }
}

/// What a request asks for.
enum ProbeView {
    /// The report for people.
    Debug,
    /// The metrics of these groups.
    Metrics(Format, Groups),
}

/// Returns the head of the response to a request, what is to follow it, and the probe that this takes.
fn prepare(
    request: &HttpRequest,
    state: &AppState,
) -> Result<(HttpResponseBuilder, ProbeView, ProbeSpec), ProbeRefusal> {
    let query = ProbeQuery::parse(request.query_string())?;
    let config = state.active_config.config();
    let mut spec = query.to_spec(&config, request.headers(), state.timeout_offset)?;
    let mut answer = HttpResponse::Ok();
    if query.debug() {
        answer.content_type("text/plain; charset=utf-8");
        return Ok((answer, ProbeView::Debug, spec));
    }
    let mut format = Format::Text;
    if config.prometheus.created_timestamps {
        format = preferred_format(request);
        answer.append_header((header::VARY, "accept"));
    }
    answer.content_type(format.content_type());
    let view = ProbeView::Metrics(format, spec.groups);
    spec.groups = format.groups_to_request(spec.groups);
    Ok((answer, view, spec))
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
