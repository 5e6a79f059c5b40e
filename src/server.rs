//! The exporter's own HTTP side: every route is in one list.

mod access_log;
mod active_config;
mod debug_view;
mod discovery;
mod failure_log;
mod lifecycle;
mod limits;
mod pages;
mod probe;
mod probe_limiter;
pub mod query;
mod status;
mod telemetry;
pub mod web_auth;

use std::future::ready;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Server as RunningServer, ServerHandle};
use actix_web::http::header;
use actix_web::middleware::{Compress, from_fn};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{App, HttpResponse, HttpResponseBuilder, HttpServer, Resource, Route};
use tracing::info;

use crate::config::{Config, ConfigError};
use crate::outcome::Outcome;
use crate::probe::ProbeSpec;
use active_config::ActiveConfig;
use failure_log::FailureLog;
use lifecycle::{Readiness, Signals};
use limits::Limits;
use probe_limiter::{Busy, ProbeLimiter, ProbePermit};
use telemetry::Telemetry;
use web_auth::WebAuth;

/// What the command line says about serving.
#[derive(Debug)]
pub struct Options {
    /// Where to listen. Port 0 takes any free one.
    pub listen: Vec<SocketAddr>,
    /// What is taken off Prometheus' scrape timeout.
    pub timeout_offset: Duration,
    /// How many probes may be under way at once.
    pub max_probes: usize,
    /// How long requests are still taken after a stop was asked for, while readiness is denied.
    pub shutdown_delay: Duration,
    /// Who may ask, and whether over TLS; plain HTTP for everyone without it.
    pub web_auth: Option<Arc<WebAuth>>,
}

/// Why the exporter could not be started, or stopped running.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}; is another program using it?")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// The exporter's own metrics could not be set up.
    #[error("cannot set up the exporter's own metrics")]
    Telemetry(#[from] prometheus::Error),
    /// The server broke.
    #[error("the HTTP server broke")]
    Run(#[from] io::Error),
}

/// What every handler needs.
struct AppState {
    active_config: ActiveConfig,
    readiness: Readiness,
    failures: FailureLog,
    timeout_offset: Duration,
    telemetry: Telemetry,
    places: ProbeLimiter,
    web_auth: Option<Arc<WebAuth>>,
}

impl AppState {
    /// Asks a broker, and counts what came of it.
    async fn ask(&self, question: ProbeSpec) -> Result<(Outcome, ProbePermit), Busy> {
        self.places.ask(question, &self.telemetry, &self.failures).await
    }

    /// Reads the configuration again. It blocks.
    fn reload(&self) -> Result<(), ConfigError> {
        self.active_config.reload(&self.telemetry, &self.failures)
    }
}

/// An exporter that listens.
pub struct Server {
    running: RunningServer,
    addresses: Vec<SocketAddr>,
    state: Data<AppState>,
    shutdown_delay: Duration,
}

impl Server {
    /// Listens and prepares to answer by a configuration that was read from `file`. Must be called within an actix or
    /// tokio runtime.
    ///
    /// # Errors
    /// An address that cannot be listened on.
    pub fn bind(file: &Path, config: Arc<Config>, options: &Options) -> Result<Self, ServerError> {
        let telemetry = Telemetry::new()?;
        let state = Data::new(AppState {
            active_config: ActiveConfig::new(file, config),
            readiness: Readiness::default(),
            failures: FailureLog::default(),
            timeout_offset: options.timeout_offset,
            telemetry,
            places: ProbeLimiter::new(options.max_probes),
            web_auth: options.web_auth.clone(),
        });
        let shared = state.clone();
        let app = move || {
            App::new()
                .app_data(shared.clone())
                .wrap(from_fn(web_auth::authenticate))
                .wrap(from_fn(access_log::log))
                .configure(routes)
        };
        let shutdown_delay = options.shutdown_delay;
        let limits = Limits::of(options.max_probes);
        if let Some(web_auth) = options.web_auth.as_ref().filter(|web_auth| web_auth.speaks_tls()) {
            let listeners = listen(&options.listen)?;
            let addresses = listeners.iter().map(TcpListener::local_addr).collect::<io::Result<_>>()?;
            let running = web_auth::serve(web_auth, listeners, limits, app)?;
            return Ok(Self { running, addresses, state, shutdown_delay });
        }
        let mut server = HttpServer::new(app)
            .workers(limits.workers)
            .max_connections(limits.connections)
            .client_request_timeout(limits::REQUEST_HEAD)
            .client_disconnect_timeout(limits::GOODBYE)
            .tcp_nodelay(true)
            // Prometheus that gives up closes its connection: the broker shall not be asked in vain.
            .h1_allow_half_closed(false)
            .disable_signals()
            .shutdown_timeout(limits::SHUTDOWN_SECONDS);
        for listener in listen(&options.listen)? {
            server = server.listen(listener)?;
        }
        let addresses = server.addrs();
        Ok(Self { running: server.run(), addresses, state, shutdown_delay })
    }

    /// Where it listens, with the ports that were chosen for 0.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Stops the server from outside.
    #[must_use]
    pub fn handle(&self) -> ServerHandle {
        self.running.handle()
    }

    /// Answers until told to stop by a signal or the handle.
    ///
    /// # Errors
    /// A server that broke.
    pub async fn run(self) -> Result<(), ServerError> {
        let signals = Signals::listen()?;
        for address in &self.addresses {
            info!(%address, "listening");
        }
        let handle = self.running.handle();
        let signals = actix_web::rt::spawn(signals.obey(self.state, handle, self.shutdown_delay));
        self.running.await?;
        signals.abort();
        info!("stopped");
        Ok(())
    }
}

fn listen(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, ServerError> {
    let listen = |address: &_| {
        TcpListener::bind(address).map_err(|source| ServerError::Listen { address: *address, source })
    };
    addresses.iter().map(listen).collect()
}

/// All there is to ask the exporter.
fn routes(service: &mut ServiceConfig) {
    let get = |path, route: Route| resource(path, "GET").route(route);
    let get_or_head = |path, get: Route, head: Route| resource(path, "GET, HEAD").route(get).route(head);
    service
        // Not compressed: that would hold back the brokers that have answered until the last one has.
        .service(get_or_head("/", web::get().to(pages::get), web::head().to(pages::head)))
        .service(get("/probe", web::get().to(probe::answer)).wrap(Compress::default()))
        .service(get("/metrics", web::get().to(status::metrics)).wrap(Compress::default()))
        .service(get_or_head("/sd", web::get().to(discovery::answer), web::head().to(discovery::answer)))
        .service(get("/config", web::get().to(status::config)))
        .service(get_or_head("/-/healthy", web::get().to(status::healthy), web::head().to(status::healthy)))
        .service(get_or_head("/-/ready", web::get().to(status::ready), web::head().to(status::ready)))
        .service(resource("/-/reload", "POST").route(web::post().to(status::reload)))
        .default_service(web::to(status::not_found));
}

/// A path that answers any but its own methods with a 405.
fn resource(path: &str, allowed: &'static str) -> Resource {
    web::resource(path).default_service(web::to(move || ready(status::method_not_allowed(allowed))))
}

/// An answer for people, which no browser shall take for anything but text: it may hold what the request said.
fn text(mut answer: HttpResponseBuilder, text: impl Into<String>) -> HttpResponse {
    answer
        .content_type("text/plain; charset=utf-8")
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(text.into())
}
