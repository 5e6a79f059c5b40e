//! Serves over TLS. Each connection uses the web configuration that is in force when it comes.
//!
//! `HttpServer` can do this only with a set-up that never changes, and would offer HTTP/2, which its libraries have
//! compiled in for another's sake.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use actix_http::body::MessageBody;
use actix_http::error::DispatchError;
use actix_http::{HttpService, Protocol};
use actix_service::{IntoServiceFactory as _, ServiceFactory, ServiceFactoryExt as _, fn_service, map_config};
use actix_web::dev::{AppConfig, Server, ServiceRequest, ServiceResponse};
use actix_web::rt::net::TcpStream;
use actix_web::{App, Error};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tracing::debug;

use super::super::limits::{self, Limits};
use super::WebAuth;
use crate::tls::explain_io;

/// Serves an application on these listeners.
///
/// # Errors
/// A listener the operating system no longer knows.
pub(in crate::server) fn serve<A, T, B>(
    web_auth: &Arc<WebAuth>,
    listeners: Vec<TcpListener>,
    limits: Limits,
    app: A,
) -> io::Result<Server>
where
    A: Fn() -> App<T> + Clone + Send + 'static,
    T: ServiceFactory<
            ServiceRequest,
            Config = (),
            Response = ServiceResponse<B>,
            Error = Error,
            InitError = (),
        > + 'static,
    T::Service: 'static,
    B: MessageBody + 'static,
{
    let mut builder = Server::build()
        .workers(limits.workers)
        .disable_signals()
        .max_concurrent_connections(limits.connections)
        .shutdown_timeout(limits::SHUTDOWN_SECONDS);
    let stop = builder.graceful_shutdown_signal();
    for listener in listeners {
        let (web_auth, app, stop) = (Arc::clone(web_auth), app.clone(), stop.clone());
        builder = builder.listen("https", listener, move || {
            let (web_auth, stop) = (Arc::clone(&web_auth), stop.clone());
            let http = HttpService::build()
                .graceful_shutdown_signal(move || {
                    let stop = stop.clone();
                    async move { stop.notified().await }
                })
                .client_request_timeout(limits::REQUEST_HEAD_TIMEOUT)
                .client_disconnect_timeout(limits::DISCONNECT_TIMEOUT)
                .h1_allow_half_closed(false)
                .finish(map_config(app().into_factory(), |()| AppConfig::default()));
            fn_service(move |connection| accept(Arc::clone(&web_auth), connection)).and_then(http)
        })?;
    }
    Ok(builder.run())
}

/// A connection for the HTTP side: what it is read from, that it speaks HTTP/1.1, and whose it is.
type Accepted = (TlsStream<TcpStream>, Protocol, Option<SocketAddr>);

async fn accept(web_auth: Arc<WebAuth>, connection: TcpStream) -> Result<Accepted, DispatchError> {
    let peer = connection.peer_addr().ok();
    let Some(config) = web_auth.current().tls.clone() else {
        return Err(DispatchError::Io(io::Error::other("TLS is not set up")));
    };
    // Without it an answer only takes a little longer.
    let _ = connection.set_nodelay(true);
    let handshake = timeout(limits::TLS_HANDSHAKE_TIMEOUT, TlsAcceptor::from(config).accept(connection));
    let failed = match handshake.await {
        Ok(Ok(stream)) => return Ok((stream, Protocol::Http1, peer)),
        Ok(Err(error)) => error,
        Err(_) => io::ErrorKind::TimedOut.into(),
    };
    let reason = explain_io(&failed);
    debug!(peer = peer.map(tracing::field::display), "TLS handshake with a client failed: {reason}");
    Err(DispatchError::Io(failed))
}
