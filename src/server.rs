//! The exporter's HTTP server. Every route is in one list.

mod access_log;
mod active_config;
mod body;
mod client_stream;
mod connections;
mod debug_view;
mod discovery;
mod failure_log;
mod gzip;
mod lifecycle;
mod limits;
mod listen;
mod log_throttle;
mod negotiation;
mod pages;
mod peer;
mod probe;
mod probe_limiter;
pub mod query;
mod refusal;
mod routing;
mod serve;
mod service_manager;
mod status;
mod telemetry;
pub mod web_auth;

use std::future::ready;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Server as RunningServer, ServerHandle};
use actix_web::http::header;
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{App, HttpResponse, HttpResponseBuilder, Resource, Route};
use futures_util::future::OptionFuture;
use tracing::info;

use crate::config::Config;
use crate::outcome::Outcome;
use crate::probe::ProbeSpec;
use active_config::{ActiveConfig, reload_when_changed};
use failure_log::FailureLog;
use lifecycle::{Readiness, SignalHandler};
use limits::Limits;
use log_throttle::LogThrottle;
use probe_limiter::ProbeLimiter;
use refusal::{ProbeRefusal, RefusalReason};
pub use routing::Routing;
use telemetry::Telemetry;
use web_auth::WebAuth;

/// Settings of the server that come from the command line.
#[derive(Debug)]
pub struct Options {
    /// The sockets to listen on.
    pub listen: ListenOn,
    /// The prefix of the routes, and the URL under which others reach them.
    pub routing: Routing,
    /// Subtracted from Prometheus' scrape timeout.
    pub timeout_offset: Duration,
    /// Maximum number of concurrent probes.
    pub max_probes: usize,
    /// How long the server keeps serving after a stop signal, while it reports that it is not ready.
    pub shutdown_delay: Duration,
    /// How often the files of the configuration are checked for changes; never without it.
    pub auto_reload: Option<Duration>,
    /// Access control and TLS; plain HTTP for everyone without it.
    pub web_auth: Option<Arc<WebAuth>>,
}

/// The sockets that a server listens on.
#[derive(Debug)]
pub enum ListenOn {
    /// New ones, with these addresses. Port 0 takes any free one.
    Addresses(Vec<SocketAddr>),
    /// Those that systemd passes to the process (socket activation).
    SystemdSockets,
}

/// Why the server could not start, or broke.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}; is another program using it?")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The operating system's error.
        source: io::Error,
    },
    /// systemd passed no socket.
    #[error(
        "--web.systemd-socket: systemd passed no socket; is the .socket unit of the service active, and was the \
         service started by systemd?"
    )]
    NoSystemdSocket,
    /// A socket of systemd is not one for TCP.
    #[error("--web.systemd-socket: socket {index} of systemd cannot be used; expected a listening TCP socket")]
    SystemdSocket {
        /// Its index, from 0.
        index: usize,
        /// What is wrong with it.
        source: io::Error,
    },
    /// The exporter's own metrics could not be set up.
    #[error("cannot set up the exporter's own metrics")]
    Telemetry(#[from] prometheus::Error),
    /// The server failed while it ran.
    #[error("the HTTP server failed")]
    Run(#[from] io::Error),
}

/// What the handlers share.
struct AppState {
    active_config: ActiveConfig,
    routing: Routing,
    readiness: Readiness,
    failures: FailureLog,
    /// Which refusals of probes have been logged, by reason and text.
    refusals: LogThrottle<(RefusalReason, String)>,
    /// Which wrong logins have been logged, by address and user name.
    wrong_logins: LogThrottle<(Option<IpAddr>, String)>,
    timeout_offset: Duration,
    telemetry: Telemetry,
    probe_limiter: ProbeLimiter,
    page_limiter: ProbeLimiter,
    web_auth: Option<Arc<WebAuth>>,
}

impl AppState {
    /// Runs a probe for a scrape. It is counted and logged.
    async fn probe(&self, spec: ProbeSpec) -> Result<Outcome, ProbeRefusal> {
        self.probe_limiter.probe(spec, &self.telemetry, &self.failures).await
    }

    /// Runs a probe for a page, which takes no place of a scrape.
    async fn probe_for_page(&self, spec: ProbeSpec) -> Result<Outcome, ProbeRefusal> {
        self.page_limiter.probe(spec, &self.telemetry, &self.failures).await
    }
}

/// A server that listens on its addresses.
pub struct Server {
    running: RunningServer,
    addresses: Vec<SocketAddr>,
    state: Data<AppState>,
    shutdown_delay: Duration,
    auto_reload: Option<Duration>,
}

impl Server {
    /// Binds the addresses of a server for a configuration that was read from `file`. Must be called within an actix
    /// runtime.
    ///
    /// # Errors
    /// An address that cannot be listened on.
    pub fn bind(file: &Path, config: Arc<Config>, options: &Options) -> Result<Self, ServerError> {
        let limits = Limits::of(options.max_probes);
        let telemetry = Telemetry::new(&config)?;
        let state = Data::new(AppState {
            active_config: ActiveConfig::new(file, config),
            routing: options.routing.clone(),
            readiness: Readiness::default(),
            failures: FailureLog::default(),
            refusals: LogThrottle::default(),
            wrong_logins: LogThrottle::default(),
            timeout_offset: options.timeout_offset,
            telemetry,
            probe_limiter: ProbeLimiter::new(options.max_probes),
            page_limiter: ProbeLimiter::new(limits.page_probes),
            web_auth: options.web_auth.clone(),
        });
        let shared = state.clone();
        let app = move || {
            let routing = shared.routing.clone();
            App::new()
                .app_data(shared.clone())
                .wrap(from_fn(web_auth::guard))
                .wrap(from_fn(access_log::log))
                .wrap(from_fn(connections::track))
                .configure(move |service| mount(service, &routing))
        };
        let listeners = listen::listen(&options.listen)?;
        let addresses = listeners.iter().map(TcpListener::local_addr).collect::<io::Result<_>>()?;
        let running = serve::serve(options.web_auth.as_ref(), listeners, limits, app)?;
        let Options { shutdown_delay, auto_reload, .. } = *options;
        Ok(Self { running, addresses, state, shutdown_delay, auto_reload })
    }

    /// Returns the addresses it listens on, with the ports that were chosen for 0.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Returns a handle that stops the server.
    #[must_use]
    pub fn handle(&self) -> ServerHandle {
        self.running.handle()
    }

    /// Serves until a signal or the handle stops it.
    ///
    /// # Errors
    /// A server that failed.
    pub async fn run(self) -> Result<(), ServerError> {
        let signals = SignalHandler::listen()?;
        self.state.active_config.log("starting");
        for address in &self.addresses {
            info!(%address, "listening");
        }
        let handle = self.running.handle();
        service_manager::notify_ready();
        let auto_reload = OptionFuture::from(
            self.auto_reload.map(|interval| reload_when_changed(self.state.clone(), interval)),
        );
        tokio::select! {
            result = self.running => result?,
            () = signals.run(self.state, handle, self.shutdown_delay) => {}
            Some(()) = auto_reload => {}
        }
        info!("stopped");
        Ok(())
    }
}

/// Registers every route below the prefix. Paths above it lead to the status page.
fn mount(service: &mut ServiceConfig, routing: &Routing) {
    if routing.prefix().is_empty() {
        return routes(service);
    }
    let redirect = |path| {
        resource(path, "GET, HEAD").route(web::get().to(status::go_home)).route(web::head().to(status::go_home))
    };
    let prefixed = web::scope(routing.prefix()).service(redirect("")).configure(routes);
    service.service(redirect("/")).service(prefixed).default_service(web::to(status::not_found));
}

/// Registers every route.
fn routes(service: &mut ServiceConfig) {
    let get_or_head = |path, get: Route, head: Route| resource(path, "GET, HEAD").route(get).route(head);
    service
        .service(get_or_head("/", web::get().to(pages::overview::get), web::head().to(pages::overview::head)))
        .service(get_or_head(
            "/client",
            web::get().to(pages::client_page::get),
            web::head().to(pages::client_page::head),
        ))
        .service(get_or_head(
            "/runbook",
            web::get().to(pages::runbook::get),
            web::head().to(pages::runbook::get),
        ))
        .service(get_or_head("/probe", web::get().to(probe::answer), web::head().to(probe::head)))
        .service(get_or_head("/metrics", web::get().to(status::metrics), web::head().to(status::metrics)))
        .service(get_or_head("/sd", web::get().to(discovery::answer), web::head().to(discovery::answer)))
        .service(get_or_head("/config", web::get().to(status::config), web::head().to(status::config)))
        .service(get_or_head("/-/healthy", web::get().to(status::healthy), web::head().to(status::healthy)))
        .service(get_or_head("/-/ready", web::get().to(status::ready), web::head().to(status::ready)))
        .service(resource("/-/reload", "POST").route(web::post().to(status::reload)))
        .default_service(web::to(status::not_found));
}

/// Returns a path that answers any but its own methods with a 405.
fn resource(path: &str, allowed: &'static str) -> Resource {
    web::resource(path).default_service(web::to(move || ready(status::method_not_allowed(allowed))))
}

/// Returns a 503 to a request that may be repeated after a second. Probes and password checks take less.
fn busy(why: impl Into<String>) -> HttpResponse {
    let mut answer = HttpResponse::ServiceUnavailable();
    answer.insert_header((header::RETRY_AFTER, "1"));
    text(answer, why)
}

/// Returns a plain-text response. Browsers must not sniff another type, because it may repeat text of the request.
fn text(mut answer: HttpResponseBuilder, text: impl Into<String>) -> HttpResponse {
    answer
        .content_type("text/plain; charset=utf-8")
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(text.into())
}
