//! Injects faults into connections.

use std::io;
use std::time::Duration;

use tokio::time::sleep;

use crate::connection::{Connection, Incoming, Transport};
use crate::fault::{Cut, Fault};
use crate::response::{Framing, Response};
use crate::shared::Shared;

/// What happens to the connection next.
pub(crate) enum Next {
    Continue,
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
        Fault::Healthy => connection.send(&response, close).await?,
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
    let framing = if cut == Cut::Length { Framing::Length } else { Framing::Chunked };
    let mut bytes = response.head(framing, false);
    match cut {
        Cut::Length => bytes.extend_from_slice(half),
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
