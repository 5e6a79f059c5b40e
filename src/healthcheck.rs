//! Checks whether a running exporter is healthy, for container images without a shell.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use thiserror::Error;

/// Time limit of each step. A healthy exporter answers within milliseconds.
const STEP_TIMEOUT: Duration = Duration::from_secs(2);

/// Bytes of the answer that have to be read: those of the status, and enough of the rest to recognise a TLS port.
const STATUS_LINE: usize = "HTTP/1.0 200".len();
const ANSWER: usize = 512;

/// Why an exporter is not healthy.
#[derive(Debug, Error)]
pub(crate) enum HealthcheckError {
    /// Nothing listens there, or it does not answer.
    #[error("{address} does not answer")]
    Silent {
        /// The address of the exporter.
        address: SocketAddr,
        /// What went wrong.
        source: io::Error,
    },
    /// It closes the connection, or answers with another status than 200.
    #[error("{address} answers {start:?}, expected status 200")]
    Unhealthy {
        /// The address of the exporter.
        address: SocketAddr,
        /// The start of its answer.
        start: String,
    },
}

/// The first byte of a TLS alert, by which some TLS servers answer plain HTTP.
const TLS_ALERT: u8 = 21;

/// How the exporter answers plain HTTP on a port with TLS, as Go's servers do.
const TLS_EXPECTED: &[u8] = b"HTTP request to an HTTPS server";

/// Checks the exporter at `address`, whose routes have this prefix. One that serves TLS is healthy too: it says so, or
/// answers with a TLS alert.
///
/// # Errors
/// An exporter that is not healthy.
pub(crate) fn healthcheck(address: SocketAddr, prefix: &str) -> Result<(), HealthcheckError> {
    let answer = request(address, prefix).map_err(|source| HealthcheckError::Silent { address, source })?;
    let start = answer.get(..STATUS_LINE).unwrap_or(&answer);
    let serves_tls = start.first() == Some(&TLS_ALERT)
        || answer.windows(TLS_EXPECTED.len()).any(|window| window == TLS_EXPECTED);
    if serves_tls || is_ok(start) {
        return Ok(());
    }
    Err(HealthcheckError::Unhealthy { address, start: String::from_utf8_lossy(start).into_owned() })
}

fn is_ok(answer: &[u8]) -> bool {
    answer.get(..STATUS_LINE).is_some_and(|start| start.starts_with(b"HTTP/") && start.ends_with(b" 200"))
}

/// Connects to the exporter. Every address stands for this host, by IPv6 or else IPv4.
fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let connection = TcpStream::connect_timeout(&address, STEP_TIMEOUT);
    if address.is_ipv6() && address.ip().is_unspecified() {
        return connection.or_else(|_| {
            TcpStream::connect_timeout(&(Ipv4Addr::LOCALHOST, address.port()).into(), STEP_TIMEOUT)
        });
    }
    connection
}

/// Requests `/-/healthy` below the prefix, and returns the answer, of a healthy exporter at least its status.
fn request(address: SocketAddr, prefix: &str) -> io::Result<Vec<u8>> {
    let mut connection = connect(address)?;
    connection.set_read_timeout(Some(STEP_TIMEOUT))?;
    connection.set_write_timeout(Some(STEP_TIMEOUT))?;
    connection.write_all(format!("GET {prefix}/-/healthy HTTP/1.0\r\n\r\n").as_bytes())?;
    let mut answer = Vec::with_capacity(ANSWER);
    let mut chunk = [0; ANSWER];
    while answer.len() < ANSWER && !is_ok(&answer) {
        match connection.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => answer.extend_from_slice(&chunk[..read]),
            // A server that expects TLS may reset the connection after its alert, and others keep it open.
            Err(_) if !answer.is_empty() => break,
            Err(error) => return Err(error),
        }
    }
    Ok(answer)
}
