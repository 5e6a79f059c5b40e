//! Asks a running exporter whether it is up, for containers that have no other program to ask with.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use thiserror::Error;

/// How long each step may take. The exporter answers at once or not at all.
const AT_MOST: Duration = Duration::from_secs(2);

const REQUEST: &[u8] = b"GET /-/healthy HTTP/1.0\r\n\r\n";

/// As much of the answer as has to be read.
const STATUS_LINE: usize = "HTTP/1.0 200".len();

/// Why an exporter is not up.
#[derive(Debug, Error)]
pub enum Unhealthy {
    /// Nobody listens, or nobody answers.
    #[error("{address} does not answer")]
    Silent {
        /// Who was asked.
        address: SocketAddr,
        /// What came instead.
        source: io::Error,
    },
    /// It says itself that it is not.
    #[error("{address} answers {status:?}")]
    Status {
        /// Who was asked.
        address: SocketAddr,
        /// How its answer begins.
        status: String,
    },
}

/// Asks the exporter at `address`. What takes the connection but does not speak plain HTTP is up as well: it speaks
/// TLS.
///
/// # Errors
/// An exporter that is not up.
pub fn healthcheck(address: SocketAddr) -> Result<(), Unhealthy> {
    let start = ask(address).map_err(|source| Unhealthy::Silent { address, source })?;
    if start.starts_with(b"HTTP/") && !start.ends_with(b" 200") {
        return Err(Unhealthy::Status { address, status: String::from_utf8_lossy(&start).into_owned() });
    }
    Ok(())
}

/// The start of the answer.
fn ask(address: SocketAddr) -> io::Result<Vec<u8>> {
    let mut connection = TcpStream::connect_timeout(&address, AT_MOST)?;
    connection.set_read_timeout(Some(AT_MOST))?;
    connection.set_write_timeout(Some(AT_MOST))?;
    connection.write_all(REQUEST)?;
    let mut start = [0; STATUS_LINE];
    let mut length = 0;
    while length < start.len() {
        match connection.read(&mut start[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            // How a server that expects TLS may hang up.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => break,
            Err(error) => return Err(error),
        }
    }
    Ok(start[..length].to_vec())
}
