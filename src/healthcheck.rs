//! Checks whether a running exporter is healthy, for container images without a shell.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use thiserror::Error;

/// Time limit of each step. A healthy exporter answers within milliseconds.
const STEP_TIMEOUT: Duration = Duration::from_secs(2);

/// Bytes of the answer that have to be read.
const STATUS_LINE: usize = "HTTP/1.0 200".len();

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

/// The first byte of a TLS alert, by which an exporter that speaks TLS answers plain HTTP.
const TLS_ALERT: u8 = 21;

/// Checks the exporter at `address`, whose routes have this prefix. One that answers with a TLS alert serves TLS, and is healthy too.
///
/// # Errors
/// An exporter that is not healthy.
pub(crate) fn healthcheck(address: SocketAddr, prefix: &str) -> Result<(), HealthcheckError> {
    let start = request(address, prefix).map_err(|source| HealthcheckError::Silent { address, source })?;
    if start.first() == Some(&TLS_ALERT) || (start.starts_with(b"HTTP/") && start.ends_with(b" 200")) {
        return Ok(());
    }
    Err(HealthcheckError::Unhealthy { address, start: String::from_utf8_lossy(&start).into_owned() })
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

/// Requests `/-/healthy` below the prefix, and returns the start of the answer.
fn request(address: SocketAddr, prefix: &str) -> io::Result<Vec<u8>> {
    let mut connection = connect(address)?;
    connection.set_read_timeout(Some(STEP_TIMEOUT))?;
    connection.set_write_timeout(Some(STEP_TIMEOUT))?;
    connection.write_all(format!("GET {prefix}/-/healthy HTTP/1.0\r\n\r\n").as_bytes())?;
    let mut start = [0; STATUS_LINE];
    let mut length = 0;
    while length < start.len() {
        match connection.read(&mut start[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            // A server that expects TLS may reset the connection after its alert.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset && length > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(start[..length].to_vec())
}
