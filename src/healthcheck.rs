//! Checks whether a running exporter is healthy, for container images without a shell.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use thiserror::Error;

/// Time limit of each step. A healthy exporter answers within milliseconds.
const STEP_TIMEOUT: Duration = Duration::from_secs(2);

const REQUEST: &[u8] = b"GET /-/healthy HTTP/1.0\r\n\r\n";

/// Bytes of the answer that have to be read.
const STATUS_LINE: usize = "HTTP/1.0 200".len();

/// Why an exporter is not healthy.
#[derive(Debug, Error)]
pub enum HealthcheckError {
    /// Nothing listens there, or it does not answer.
    #[error("{address} does not answer")]
    Silent {
        /// The address of the exporter.
        address: SocketAddr,
        /// What went wrong.
        source: io::Error,
    },
    /// It answers with another status than 200.
    #[error("{address} answers {status:?}")]
    Status {
        /// The address of the exporter.
        address: SocketAddr,
        /// The start of its answer.
        status: String,
    },
}

/// Checks the exporter at `address`. One that accepts the connection but does not speak plain HTTP speaks TLS, and is
/// healthy too.
///
/// # Errors
/// An exporter that is not healthy.
pub fn healthcheck(address: SocketAddr) -> Result<(), HealthcheckError> {
    let start = request(address).map_err(|source| HealthcheckError::Silent { address, source })?;
    if start.starts_with(b"HTTP/") && !start.ends_with(b" 200") {
        return Err(HealthcheckError::Status { address, status: String::from_utf8_lossy(&start).into_owned() });
    }
    Ok(())
}

/// Requests `/-/healthy` and returns the start of the answer.
fn request(address: SocketAddr) -> io::Result<Vec<u8>> {
    let mut connection = TcpStream::connect_timeout(&address, STEP_TIMEOUT)?;
    connection.set_read_timeout(Some(STEP_TIMEOUT))?;
    connection.set_write_timeout(Some(STEP_TIMEOUT))?;
    connection.write_all(REQUEST)?;
    let mut start = [0; STATUS_LINE];
    let mut length = 0;
    while length < start.len() {
        match connection.read(&mut start[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            // A server that expects TLS may reset the connection.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => break,
            Err(error) => return Err(error),
        }
    }
    Ok(start[..length].to_vec())
}
