//! The TLS handshake of an accepted connection.

use std::io::{self, ErrorKind};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::super::limits::TLS_HANDSHAKE_TIMEOUT;
use super::WebAuth;
use crate::tls::explain_io;

/// Does the TLS handshake as the web configuration in force says.
///
/// # Errors
/// A client that does not speak TLS, shows no certificate that is trusted, or takes too long.
pub(in crate::server) async fn accept<S>(web_auth: &WebAuth, stream: S) -> io::Result<TlsStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Some(config) = web_auth.current().tls.clone() else {
        return Err(io::Error::other("TLS is not set up"));
    };
    let handshake = timeout(TLS_HANDSHAKE_TIMEOUT, TlsAcceptor::from(config).accept(stream)).await;
    let stream = handshake.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()));
    stream
        .map_err(|error| io::Error::new(error.kind(), format!("TLS handshake failed: {}", explain_io(&error))))
}
