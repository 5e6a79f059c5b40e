//! `GET /probe`: how it is answered.

use std::convert::Infallible;

use actix_web::http::header;
use actix_web::web::{self, Data};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use tokio::sync::OwnedSemaphorePermit;
use tracing::warn;

use super::debug_view::DebugView;
use super::query::Parameters;
use super::telemetry::ProbeInFlight;
use super::{State, text};
use crate::metrics::exposition::{CONTENT_TYPE, Exposition};
use crate::probe::probe;

/// When to come back after a 503, in seconds. A probe of a healthy broker takes milliseconds.
const RETRY_AFTER: &str = "1";

/// Answers a scrape. What goes wrong on the broker's side is a 200 that says so.
pub(super) async fn answer(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let parameters = Parameters::parse(request.query_string());
    let question = parameters.and_then(|asked| {
        let question = asked.question(&state.running.config(), request.headers(), state.timeout_offset)?;
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
    let Ok(place) = state.places.clone().try_acquire_owned() else {
        warn!(reason = "busy", broker = question.broker.alias, "refused a probe: too many are under way");
        state.telemetry.probe_refused("busy");
        let mut answer = HttpResponse::ServiceUnavailable();
        answer.insert_header((header::RETRY_AFTER, RETRY_AFTER));
        return text(answer, "too many probes are under way; see --web.max-probes\n");
    };
    let under_way = UnderWay { _counted: state.telemetry.probe_begins(), _place: place };

    let api_url = question.broker.api_url.clone();
    let outcome = probe(question).await;
    state.telemetry.probe_ended(&outcome);
    state.failures.note(&outcome);
    if debug {
        return tell(HttpResponse::Ok().content_type("text/plain; charset=utf-8"), under_way, move || {
            DebugView::new(&api_url, outcome)
        })
        .await;
    }
    tell(HttpResponse::Ok().content_type(CONTENT_TYPE), under_way, || Exposition::new(outcome)).await
}

/// A probe under way, until its answer has been sent or nobody wants it any more.
struct UnderWay {
    _counted: ProbeInFlight,
    _place: OwnedSemaphorePermit,
}

/// Sends a text that comes in pieces. Each is made only when the one before is on its way, on a thread where
/// nobody else waits for it; a text of one piece is sent as a whole.
async fn tell<P>(
    answer: &mut HttpResponseBuilder,
    under_way: UnderWay,
    pieces: impl FnOnce() -> P + Send + 'static,
) -> HttpResponse
where
    P: Iterator<Item = Bytes> + Send + 'static,
{
    let begun = web::block(move || {
        let mut pieces = pieces();
        let first = pieces.next().unwrap_or_default();
        (first, pieces.next(), pieces)
    });
    let Ok((first, second, pieces)) = begun.await else {
        return HttpResponse::InternalServerError().finish();
    };
    let Some(second) = second else {
        return answer.body(first);
    };
    let rest = stream::unfold((pieces, under_way), |(mut pieces, under_way)| async {
        let (piece, pieces) = web::block(move || (pieces.next(), pieces)).await.ok()?;
        Some((piece?, (pieces, under_way)))
    });
    let pieces = stream::iter([first, second]).chain(rest);
    answer.streaming(pieces.map(Ok::<Bytes, Infallible>))
}
