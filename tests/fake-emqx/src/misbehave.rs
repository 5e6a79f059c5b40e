//! Troubles, acted out.

use std::io;
use std::time::Duration;

use tokio::time::sleep;

use crate::answer::{Answer, Framing};
use crate::connection::{Connection, Incoming, Wire};
use crate::shared::Shared;
use crate::trouble::{Cut, Trouble};

/// What becomes of the connection.
pub(crate) enum Then {
    GoOn,
    /// It ends with a FIN.
    End,
    /// It ends with a reset.
    Reset,
}

/// Acts out a trouble, given the healthy answer; `close` is whether the end is announced.
pub(crate) async fn misbehave<W: Wire>(
    shared: &Shared,
    connection: &mut Connection<W>,
    trouble: Trouble,
    answer: Answer,
    close: bool,
) -> io::Result<Then> {
    match trouble {
        Trouble::Healthy => connection.send(&answer, close).await?,
        Trouble::Slow(delay) => {
            sleep(delay).await;
            connection.send(&answer, close).await?;
        }
        Trouble::Answer { status, headers, body } => {
            connection.send(&Answer::made(status, headers, body), close).await?;
        }
        Trouble::Silent => {
            connection.ignore().await?;
            return Ok(Then::End);
        }
        Trouble::TrickleHead(interval) => {
            trickle(connection, &answer.head(Framing::Length, close), interval).await?;
            connection.write(&answer.body).await?;
        }
        Trouble::TrickleBody(interval) => {
            connection.write(&answer.head(Framing::Length, close)).await?;
            trickle(connection, &answer.body, interval).await?;
        }
        Trouble::CutBody(cut) => {
            connection.write(&cut_short(&answer, cut)).await?;
            return Ok(Then::End);
        }
        Trouble::ResetAfterHead => {
            connection.write(&answer.head(Framing::Length, close)).await?;
            return Ok(Then::Reset);
        }
        Trouble::Reset => return Ok(Then::Reset),
        Trouble::CloseBeforeAnswer => return Ok(Then::End),
        Trouble::CloseAfterAnswer(delay) => {
            connection.send(&answer, false).await?;
            sleep(delay).await;
            return Ok(Then::End);
        }
        Trouble::CloseAtNextRequest => {
            connection.send(&answer, false).await?;
            if let Incoming::Request(request) = connection.read().await? {
                shared.note(&request);
            }
            return Ok(Then::End);
        }
        Trouble::Raw(bytes) => {
            connection.write(&bytes).await?;
            return Ok(Then::End);
        }
        Trouble::EndlessBody => {
            let healthy = Answer::recorded(shared.version, "06-clients");
            connection.write(&healthy.head(Framing::Chunked, close)).await?;
            let chunk = [b"4000\r\n".as_slice(), &[b' '; 0x4000], b"\r\n"].concat();
            loop {
                connection.write(&chunk).await?;
            }
        }
    }
    Ok(Then::GoOn)
}

async fn trickle<W: Wire>(connection: &mut Connection<W>, bytes: &[u8], interval: Duration) -> io::Result<()> {
    for byte in bytes {
        connection.write(&[*byte]).await?;
        sleep(interval).await;
    }
    Ok(())
}

fn cut_short(answer: &Answer, cut: Cut) -> Vec<u8> {
    let half = &answer.body[..answer.body.len() / 2];
    let framing = if cut == Cut::Length { Framing::Length } else { Framing::Chunked };
    let mut bytes = answer.head(framing, false);
    match cut {
        Cut::Length => bytes.extend_from_slice(half),
        Cut::WithinChunk => {
            bytes.extend_from_slice(format!("{:x}\r\n", answer.body.len()).as_bytes());
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
