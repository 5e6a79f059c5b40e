//! Serves plain HTTP and TLS on the same path.
//!
//! actix-web's `HttpServer` cannot limit what a client may hold, serves TLS only with a set-up that never changes, and
//! would offer HTTP/2, which its libraries compile in for other reasons.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use actix_http::body::MessageBody;
use actix_http::error::DispatchError;
use actix_http::{Extensions, HttpService, Protocol};
use actix_service::{
    IntoServiceFactory as _, Service as _, ServiceFactory, ServiceFactoryExt as _, apply_fn_factory,
    fn_service, map_config,
};
use actix_web::dev::{AppConfig, Server, ServiceRequest, ServiceResponse};
use actix_web::rt::net::TcpStream;
use actix_web::{App, Error};
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;
use tracing::debug;

use super::client_stream::ClientStream;
use super::connections::Connections;
use super::limits::{self, Limits};
use super::web_auth::{self, WebAuth};

/// The stream of a connection: plain, or over TLS.
type HttpStream = Either<ClientStream, TlsStream<ClientStream>>;

/// A connection as actix-http takes it: its stream, the protocol spoken on it, and the address of its client.
type HttpConnection = (HttpStream, Protocol, Option<SocketAddr>);

/// Serves an application on these listeners: over TLS where the web configuration says so, else in plain HTTP.
///
/// # Errors
/// A listener the operating system no longer knows.
pub(super) fn serve<A, T, B>(
    web_auth: Option<&Arc<WebAuth>>,
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
    let tls = web_auth.filter(|web_auth| web_auth.speaks_tls()).cloned();
    let connections = Connections::new(limits.connections);
    let mut builder = Server::build()
        .workers(limits.workers)
        .disable_signals()
        // The limit is kept by `Connections`, which lets connections give way instead of letting new ones wait.
        .max_concurrent_connections(2 * limits.connections)
        .shutdown_timeout(limits::SHUTDOWN_SECONDS);
    let stop = builder.graceful_shutdown_signal();
    for listener in listeners {
        let (tls, app, stop, connections) = (tls.clone(), app.clone(), stop.clone(), Arc::clone(&connections));
        builder = builder.listen("http", listener, move || {
            let (tls, stop, connections) = (tls.clone(), stop.clone(), Arc::clone(&connections));
            let http = HttpService::build()
                .graceful_shutdown_signal(move || {
                    let stop = stop.clone();
                    async move { stop.notified().await }
                })
                .client_request_timeout(limits::REQUEST_HEAD_TIMEOUT)
                .client_disconnect_timeout(limits::DISCONNECT_TIMEOUT)
                // A Prometheus that gives up closes its connection, which ends the probe.
                .h1_allow_half_closed(false)
                .on_connect_ext(share_connection)
                .finish(map_config(app().into_factory(), |()| AppConfig::default()));
            let http = apply_fn_factory(http, |connection: HttpConnection, http| {
                let peer = connection.2;
                let served = http.call(connection);
                async move { served.await.inspect_err(|error| log_error(peer, error)) }
            });
            fn_service(move |tcp| accept(tls.clone(), Arc::clone(&connections), tcp)).and_then(http)
        })?;
    }
    Ok(builder.run())
}

/// Takes a place for a connection, and does the TLS handshake where the server speaks TLS.
async fn accept(
    tls: Option<Arc<WebAuth>>,
    connections: Arc<Connections>,
    tcp: TcpStream,
) -> Result<HttpConnection, DispatchError> {
    let peer = tcp.peer_addr().ok();
    let stream = async {
        let slot =
            connections.open(peer.into()).ok_or_else(|| io::Error::other("all connections are in use"))?;
        let stream = ClientStream::new(tcp, slot);
        match tls {
            Some(web_auth) => web_auth::accept(&web_auth, stream).await.map(Either::Right),
            None => Ok(Either::Left(stream)),
        }
    };
    let stream = stream.await.map_err(DispatchError::Io).inspect_err(|error| log_error(peer, error))?;
    Ok((stream, Protocol::Http1, peer))
}

/// Lets the handlers reach the connection of a request.
fn share_connection(stream: &HttpStream, data: &mut Extensions) {
    let stream = match stream {
        Either::Left(stream) => stream,
        Either::Right(stream) => stream.get_ref().0,
    };
    data.insert(Arc::clone(stream.connection()));
}

/// Logs why a connection failed, at debug level: any stranger can make connections fail.
fn log_error(peer: Option<SocketAddr>, error: &DispatchError) {
    debug!(peer = peer.map(tracing::field::display), "a connection failed: {error}");
}
