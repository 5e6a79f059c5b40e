//! `GET /probe`: how it is answered.

use std::convert::Infallible;

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use bytes::Bytes;
use futures_util::stream;
use tokio::task::yield_now;
use tracing::warn;

use super::debug_view::DebugView;
use super::query::Parameters;
use super::{AppState, ProbePermit, text};
use crate::metrics::exposition::{CONTENT_TYPE, Exposition};

/// When to come back after a 503, in seconds. A probe of a healthy broker takes milliseconds.
const RETRY_AFTER: &str = "1";

/// Answers a scrape. What goes wrong on the broker's side is a 200 that says so.
pub(super) async fn answer(request: HttpRequest, state: Data<AppState>) -> HttpResponse {
    let parameters = Parameters::parse(request.query_string());
    let question = parameters.and_then(|asked| {
        let question =
            asked.question(&state.active_config.config(), request.headers(), state.timeout_offset)?;
        Ok((question, asked.debug()))
    });
    let (question, debug) = match question {
        Ok(question) => question,
        Err(refusal) => {
            // Prometheus shows nobody the text of a 400.
            warn!(reason = refusal.reason(), query = request.query_string(), "refused a probe: {refusal}");
            state.telemetry.probe_refused(refusal.reason());
            return text(HttpResponse::BadRequest(), format!("{refusal}\n"));
        }
    };
    let api_url = question.broker.api_url.clone();
    let (outcome, under_way) = match state.ask(question).await {
        Ok(asked) => asked,
        Err(busy) => {
            let mut answer = HttpResponse::ServiceUnavailable();
            answer.insert_header((header::RETRY_AFTER, RETRY_AFTER));
            return text(answer, format!("{busy}\n"));
        }
    };
    if debug {
        let mut answer = HttpResponse::Ok();
        answer.content_type("text/plain; charset=utf-8");
        return tell(&mut answer, under_way, DebugView::new(&api_url, outcome));
    }
    tell(HttpResponse::Ok().content_type(CONTENT_TYPE), under_way, Exposition::new(outcome))
}

/// Sends a text that comes in pieces, each made only when the one before is on its way; a text of one piece is sent
/// as a whole.
fn tell<P>(answer: &mut HttpResponseBuilder, under_way: ProbePermit, mut pieces: P) -> HttpResponse
where
    P: Iterator<Item = Bytes> + 'static,
{
    let first = pieces.next().unwrap_or_default();
    let Some(second) = pieces.next() else {
        return answer.body(first);
    };
    let pieces = [first, second].into_iter().chain(pieces);
    // Under way until the last piece has gone, or nobody wants it any more.
    let pieces = stream::unfold((pieces, under_way), async |(mut pieces, under_way)| {
        // A piece takes a tenth of a millisecond to write; whoever else waits for this thread comes in between.
        yield_now().await;
        Some((Ok::<Bytes, Infallible>(pieces.next()?), (pieces, under_way)))
    });
    answer.streaming(pieces)
}
