//! `GET /probe`: asks a broker and answers with its clients' metrics.

use std::convert::Infallible;

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use bytes::Bytes;
use futures_util::stream;
use tokio::task::yield_now;
use tracing::warn;

use super::debug_view::DebugView;
use super::probe_limiter::ProbePermit;
use super::query::ProbeQuery;
use super::refusal::{ProbeRefusal, RefusalReason};
use super::{AppState, text};
use crate::metrics::exposition::{CONTENT_TYPE, Exposition};

/// `Retry-After` of a 503, in seconds. A probe of a healthy broker takes milliseconds.
const RETRY_AFTER: &str = "1";

/// Answers a scrape. Whatever goes wrong on the broker's side is a 200 with `probe_success 0`.
pub(super) async fn answer(request: HttpRequest, state: Data<AppState>) -> HttpResponse {
    match try_answer(&request, &state).await {
        Ok(answer) => answer,
        Err(refusal) => refuse(&request, &state, &refusal),
    }
}

async fn try_answer(request: &HttpRequest, state: &AppState) -> Result<HttpResponse, ProbeRefusal> {
    let query = ProbeQuery::parse(request.query_string())?;
    let spec = query.to_spec(&state.active_config.config(), request.headers(), state.timeout_offset)?;
    let api_url = spec.broker.api_url.clone();
    let (outcome, permit) = state.probe(spec).await?;
    if query.debug() {
        let mut answer = HttpResponse::Ok();
        answer.content_type("text/plain; charset=utf-8");
        return Ok(send(&mut answer, permit, DebugView::new(&api_url, outcome)));
    }
    Ok(send(HttpResponse::Ok().content_type(CONTENT_TYPE), permit, Exposition::new(outcome)))
}

/// Refuses a request, and logs and counts the refusal: Prometheus shows nobody the text of a response that is no 200.
fn refuse(request: &HttpRequest, state: &AppState, refusal: &ProbeRefusal) -> HttpResponse {
    let reason = refusal.reason();
    warn!(reason = reason.name(), query = request.query_string(), "refused a probe: {refusal}");
    state.telemetry.record_refusal(reason);
    let answer = match reason {
        RefusalReason::Busy => {
            let mut answer = HttpResponse::ServiceUnavailable();
            answer.insert_header((header::RETRY_AFTER, RETRY_AFTER));
            answer
        }
        _ => HttpResponse::BadRequest(),
    };
    text(answer, format!("{refusal}\n"))
}

/// Sends a body in chunks, each of them written only when the one before has been taken. A body of one chunk is sent
/// with its length.
fn send<C>(answer: &mut HttpResponseBuilder, permit: ProbePermit, mut chunks: C) -> HttpResponse
where
    C: Iterator<Item = Bytes> + 'static,
{
    let first = chunks.next().unwrap_or_default();
    let Some(second) = chunks.next() else {
        return answer.body(first);
    };
    let chunks = [first, second].into_iter().chain(chunks);
    // The permit is held until the last chunk has been taken, or the client has gone.
    let chunks = stream::unfold((chunks, permit), async |(mut chunks, permit)| {
        // Writing a chunk takes a tenth of a millisecond; yielding lets the worker's other requests run in between.
        yield_now().await;
        Some((Ok::<Bytes, Infallible>(chunks.next()?), (chunks, permit)))
    });
    answer.streaming(chunks)
}
