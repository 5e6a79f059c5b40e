//! The TLS handshake of an accepted connection.

use std::io::{self, ErrorKind};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::super::client_stream::ClientStream;
use super::super::limits::{DISCONNECT_TIMEOUT, TLS_HANDSHAKE_TIMEOUT};
use super::WebAuth;
use crate::tls::explain_io;

/// What a client gets that sends HTTP without TLS, as from Go's servers.
const PLAIN_HTTP_REFUSAL: &[u8] = b"HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Connection: close\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";

/// Does the TLS handshake as the web configuration in force says.
///
/// # Errors
/// A client that does not speak TLS, shows no certificate that is trusted, or takes too long.
pub(in crate::server) async fn accept(
    web_auth: &WebAuth,
    mut stream: ClientStream,
) -> io::Result<TlsStream<ClientStream>> {
    let Some(tls) = web_auth.current().tls.clone() else {
        return Err(io::Error::other("TLS is not set up"));
    };
    let handshake = async {
        // Before the TLS library answers: it would answer a request with an alert, which no HTTP client understands.
        if stream.peek_byte().await?.is_some_and(|byte| byte.is_ascii_uppercase()) {
            refuse_plain_http(&mut stream).await?;
            return Err(io::Error::new(ErrorKind::InvalidData, "the client sent an HTTP request without TLS"));
        }
        TlsAcceptor::from(tls.config).accept(stream).await
    };
    let stream =
        timeout(TLS_HANDSHAKE_TIMEOUT, handshake).await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()));
    stream
        .map_err(|error| io::Error::new(error.kind(), format!("TLS handshake failed: {}", explain_io(&error))))
}

/// Answers a request that was sent without TLS.
async fn refuse_plain_http(stream: &mut ClientStream) -> io::Result<()> {
    stream.write_all(PLAIN_HTTP_REFUSAL).await?;
    stream.shutdown().await?;
    // A connection that is closed before everything was read is reset, and the client may lose the answer.
    let mut rest = [0; 4096];
    let read_to_end = async { while stream.read(&mut rest).await.is_ok_and(|count| count > 0) {} };
    let _ = timeout(DISCONNECT_TIMEOUT, read_to_end).await;
    Ok(())
}
