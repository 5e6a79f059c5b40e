//! Sends metrics and other long texts: chunk by chunk, compressed for those who accept it.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;

use actix_web::http::header;
use actix_web::rt::spawn;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt as _};
use tokio::sync::mpsc;
use tokio::task::yield_now;
use tokio_util::task::AbortOnDropHandle;

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
    hold_clients(request, clients);
    answer.append_header((header::VARY, "accept-encoding"));
    if gzip::is_accepted(request) {
        answer.insert_header((header::CONTENT_ENCODING, "gzip"));
        send_chunks(answer, Gzip::new(chunks))
    } else {
        send_chunks(answer, chunks)
    }
}

/// Answers a request with chunks that take time to come. They are produced whether or not the client reads, so that the
/// probes behind them end in time; when the client closes the connection, the rest is not produced.
pub(super) fn send_stream(
    request: &HttpRequest,
    answer: &mut HttpResponseBuilder,
    clients: usize,
    chunks: impl Stream<Item = Bytes> + 'static,
) -> HttpResponse {
    hold_clients(request, clients);
    // Unbounded, because no more chunks are produced than there are brokers.
    let (sender, receiver) = mpsc::unbounded_channel();
    let producer = spawn(async move {
        let mut chunks = pin!(chunks);
        while let Some(chunk) = chunks.next().await {
            if sender.send(chunk).is_err() {
                break;
            }
        }
    });
    let producer = AbortOnDropHandle::new(producer);
    answer.streaming(stream::unfold((receiver, producer), async |(mut receiver, producer)| {
        Some((Ok::<_, Infallible>(receiver.recv().await?), (receiver, producer)))
    }))
}

/// Answers a HEAD request as if with a body of unknown length.
pub(super) fn send_head(answer: &mut HttpResponseBuilder) -> HttpResponse {
    answer.streaming(stream::empty::<Result<Bytes, Infallible>>())
}

fn hold_clients(request: &HttpRequest, count: usize) {
    if let Some(connection) = request.conn_data::<Arc<Connection>>() {
        connection.hold_clients(count);
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
