//! Injects faults into connections.

use std::io;
use std::time::Duration;

use tokio::time::sleep;

use crate::connection::{Connection, Incoming, Transport};
use crate::fault::{Cut, Fault, OddHead, Packet};
use crate::recorded::Version;
use crate::response::{Framing, Response};
use crate::shared::Shared;

/// Time between packets, so that the client reads each on its own.
const PAUSE: Duration = Duration::from_millis(20);

/// What happens to the connection next.
pub(crate) enum Next {
    Continue,
    /// It closes as announced.
    CloseGracefully,
    /// It closes without notice, in TLS as well.
    Close,
    Reset,
}

/// Injects a fault in place of the healthy response; `close` is whether that response announces the end.
pub(crate) async fn inject<T: Transport>(
    shared: &Shared,
    connection: &mut Connection<T>,
    fault: Fault,
    response: Response,
    close: bool,
) -> io::Result<Next> {
    match fault {
        // For the latter two the response is already that to another request.
        Fault::Healthy | Fault::DecodedSlashes | Fault::Rows { .. } => {
            connection.send(&response, close).await?;
        }
        Fault::Slow(delay) => {
            sleep(delay).await;
            connection.send(&response, close).await?;
        }
        Fault::Response { status, headers, body } => {
            connection.send(&Response::made(status, headers, body), close).await?;
        }
        Fault::Silent => {
            connection.discard().await?;
            return Ok(Next::Close);
        }
        Fault::TrickleHead(interval) => {
            trickle(connection, &response.head(Framing::Length, close), interval).await?;
            connection.write(&response.body).await?;
        }
        Fault::TrickleBody(interval) => {
            connection.write(&response.head(Framing::Length, close)).await?;
            trickle(connection, &response.body, interval).await?;
        }
        Fault::CutBody(cut) => {
            connection.write(&cut_short(&response, cut)).await?;
            return Ok(Next::Close);
        }
        Fault::ResetAfterHead => {
            connection.write(&response.head(Framing::Length, close)).await?;
            return Ok(Next::Reset);
        }
        Fault::Reset => return Ok(Next::Reset),
        Fault::CloseBeforeResponse => return Ok(Next::Close),
        Fault::CloseAfterResponse(delay) => {
            connection.send(&response, false).await?;
            sleep(delay).await;
            return Ok(Next::Close);
        }
        Fault::CloseAtNextRequest => {
            connection.send(&response, false).await?;
            if let Incoming::Request(request) = connection.read().await? {
                shared.record(&request);
            }
            return Ok(Next::Close);
        }
        Fault::Raw(bytes) => {
            connection.write(&bytes).await?;
            return Ok(Next::Close);
        }
        Fault::Unframed => {
            connection.write(&[&response.head(Framing::Close, true), &*response.body].concat()).await?;
            return Ok(Next::CloseGracefully);
        }
        Fault::Interim { status, count, packet } => {
            let interim = format!("HTTP/1.1 {status} Interim\r\nlink: </x>\r\n\r\n");
            match packet {
                Packet::Same => {
                    let mut bytes = interim.repeat(count).into_bytes();
                    bytes.extend(response.head(Framing::Length, close));
                    bytes.extend_from_slice(&response.body);
                    connection.write(&bytes).await?;
                }
                Packet::Own => {
                    for _ in 0..count {
                        connection.write(interim.as_bytes()).await?;
                        sleep(PAUSE).await;
                    }
                    connection.send(&response, close).await?;
                }
            }
        }
        Fault::StrayResponse(packet) => {
            let stray = Response::recorded(Version::V5_8_9, "14-client-missing");
            let stray = [&stray.head(Framing::Length, false), &*stray.body].concat();
            let bytes = [&response.head(Framing::Length, close), &*response.body].concat();
            match packet {
                Packet::Same => connection.write(&[bytes, stray].concat()).await?,
                Packet::Own => {
                    connection.write(&bytes).await?;
                    sleep(PAUSE).await;
                    connection.write(&stray).await?;
                }
            }
        }
        Fault::OddHead(odd) => {
            connection.write(&[&odd_head(&response, odd, close), &*response.body].concat()).await?;
        }
        Fault::EndlessBody => {
            let healthy = Response::recorded(shared.version, "06-clients");
            connection.write(&healthy.head(Framing::Chunked, close)).await?;
            let chunk = [b"4000\r\n".as_slice(), &[b' '; 0x4000], b"\r\n"].concat();
            loop {
                connection.write(&chunk).await?;
            }
        }
    }
    Ok(Next::Continue)
}

/// The head of a response with something unusual before its empty line.
fn odd_head(response: &Response, odd: OddHead, close: bool) -> Vec<u8> {
    let mut head = response.head(Framing::Length, close);
    head.truncate(head.len() - 2);
    match odd {
        OddHead::TwoLengths => {
            head.extend_from_slice(format!("content-length: {}\r\n", response.body.len()).as_bytes());
        }
        OddHead::FoldedHeader => head.extend_from_slice(b"x-folded: one\r\n two\r\n"),
        OddHead::ManyHeaders(count) => head.extend_from_slice(&b"x-more: value\r\n".repeat(count)),
    }
    head.extend_from_slice(b"\r\n");
    head
}

async fn trickle<T: Transport>(
    connection: &mut Connection<T>,
    bytes: &[u8],
    interval: Duration,
) -> io::Result<()> {
    for byte in bytes {
        connection.write(&[*byte]).await?;
        sleep(interval).await;
    }
    Ok(())
}

fn cut_short(response: &Response, cut: Cut) -> Vec<u8> {
    let half = &response.body[..response.body.len() / 2];
    let framing = match cut {
        Cut::Length => Framing::Length,
        Cut::Unframed => Framing::Close,
        Cut::WithinChunk | Cut::BeforeLastChunk => Framing::Chunked,
    };
    let mut bytes = response.head(framing, false);
    match cut {
        Cut::Length | Cut::Unframed => bytes.extend_from_slice(half),
        Cut::WithinChunk => {
            bytes.extend_from_slice(format!("{:x}\r\n", response.body.len()).as_bytes());
            bytes.extend_from_slice(half);
        }
        Cut::BeforeLastChunk => {
            bytes.extend_from_slice(format!("{:x}\r\n", half.len()).as_bytes());
            bytes.extend_from_slice(half);
            bytes.extend_from_slice(b"\r\n");
        }
    }
    bytes
}
