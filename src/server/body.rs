//! Sends metrics and other long texts: chunk by chunk, compressed for those who accept it.

use std::convert::Infallible;
use std::sync::Arc;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use bytes::Bytes;
use futures_util::stream;
use tokio::task::yield_now;

use super::connections::Connection;
use super::gzip::{self, Gzip};

/// Answers a request with `chunks`, each of them written only when the one before has been taken. A body of one chunk is
/// sent with its length. `clients` is how many clients of a broker the chunks hold in memory.
pub(super) fn send<C>(
    request: &HttpRequest,
    answer: &mut HttpResponseBuilder,
    clients: usize,
    chunks: C,
) -> HttpResponse
where
    C: Iterator<Item = Bytes> + 'static,
{
    if let Some(connection) = request.conn_data::<Arc<Connection>>() {
        connection.hold_clients(clients);
    }
    answer.insert_header((header::VARY, "accept-encoding"));
    if gzip::is_accepted(request) {
        answer.insert_header((header::CONTENT_ENCODING, "gzip"));
        send_chunks(answer, Gzip::new(chunks))
    } else {
        send_chunks(answer, chunks)
    }
}

fn send_chunks<C>(answer: &mut HttpResponseBuilder, mut chunks: C) -> HttpResponse
where
    C: Iterator<Item = Bytes> + 'static,
{
    let first = chunks.next().unwrap_or_default();
    let Some(second) = chunks.next() else {
        return answer.body(first);
    };
    let chunks = [first, second].into_iter().chain(chunks);
    let chunks = stream::unfold(chunks, async |mut chunks| {
        // Writing a chunk takes a tenth of a millisecond; yielding lets the worker's other requests run in between.
        yield_now().await;
        Some((Ok::<Bytes, Infallible>(chunks.next()?), chunks))
    });
    answer.streaming(chunks)
}
