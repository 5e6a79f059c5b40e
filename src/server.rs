//! The exporter's own HTTP side: every route is in one list.

mod debug_view;
mod probe;
pub mod query;
mod telemetry;

use std::io;
use std::net::SocketAddr;
use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use actix_web::dev::{Server as RunningServer, ServerHandle};
use actix_web::http::header;
use actix_web::middleware::Compress;
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{App, HttpResponse, HttpServer, Responder};
use tokio::sync::Semaphore;
use tracing::info;

use crate::config::Config;
use telemetry::Telemetry;

/// More threads would not answer a fleet's scrapes sooner, only take memory.
const MAX_WORKERS: usize = 4;

/// How long probes under way may go on after the exporter was told to stop, in seconds.
const SHUTDOWN_SECONDS: u64 = 10;

/// What the command line says about serving.
#[derive(Debug)]
pub struct Options {
    /// Where to listen. Port 0 takes any free one.
    pub listen: Vec<SocketAddr>,
    /// What is taken off Prometheus' scrape timeout.
    pub timeout_offset: Duration,
    /// How many probes may be under way at once.
    pub max_probes: usize,
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
struct State {
    config: Arc<Config>,
    timeout_offset: Duration,
    telemetry: Telemetry,
    /// One for each probe that may be under way.
    places: Arc<Semaphore>,
}

/// An exporter that listens.
pub struct Server {
    running: RunningServer,
    addresses: Vec<SocketAddr>,
}

impl Server {
    /// Listens and prepares to answer. Must be called within an actix or tokio runtime.
    ///
    /// # Errors
    /// An address that cannot be listened on.
    pub fn bind(config: Arc<Config>, options: &Options) -> Result<Self, ServerError> {
        let telemetry = Telemetry::new()?;
        let state = Data::new(State {
            config,
            timeout_offset: options.timeout_offset,
            telemetry,
            places: Arc::new(Semaphore::new(options.max_probes)),
        });
        let mut server = HttpServer::new(move || {
            App::new().app_data(state.clone()).wrap(Compress::default()).configure(routes)
        })
        .workers(available_parallelism().map_or(1, NonZero::get).min(MAX_WORKERS))
        .tcp_nodelay(true)
        // Whoever hangs up wants no answer, and no broker is asked for nobody.
        .h1_allow_half_closed(false)
        .shutdown_timeout(SHUTDOWN_SECONDS);
        for address in &options.listen {
            server =
                server.bind(address).map_err(|source| ServerError::Listen { address: *address, source })?;
        }
        let addresses = server.addrs();
        Ok(Self { running: server.run(), addresses })
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
        for address in &self.addresses {
            info!(%address, "listening");
        }
        self.running.await?;
        info!("stopped");
        Ok(())
    }
}

/// All there is to ask the exporter.
fn routes(service: &mut ServiceConfig) {
    service
        .service(only_get("/probe", web::get().to(probe::answer)))
        .service(only_get("/metrics", web::get().to(metrics)))
        .service(
            web::resource("/-/healthy")
                .route(web::get().to(healthy))
                .route(web::head().to(healthy))
                .default_service(web::to(async || method_not_allowed("GET, HEAD"))),
        )
        .default_service(web::to(not_found));
}

fn only_get(path: &str, route: actix_web::Route) -> actix_web::Resource {
    web::resource(path).route(route).default_service(web::to(async || method_not_allowed("GET")))
}

async fn metrics(state: Data<State>) -> actix_web::Result<impl Responder> {
    let text = state.telemetry.expose().map_err(actix_web::error::ErrorInternalServerError)?;
    Ok(HttpResponse::Ok().content_type(crate::metrics::exposition::CONTENT_TYPE).body(text))
}

async fn healthy() -> impl Responder {
    text(HttpResponse::Ok(), "emqx-client-monitor is healthy\n")
}

async fn not_found() -> impl Responder {
    text(
        HttpResponse::NotFound(),
        "There is nothing here. Ask /probe?broker=ALIAS for the clients of a broker, /metrics for the metrics of \
         this exporter itself, or /-/healthy whether it is up.\n",
    )
}

fn method_not_allowed(allowed: &'static str) -> HttpResponse {
    let mut answer = HttpResponse::MethodNotAllowed();
    answer.insert_header((header::ALLOW, allowed));
    text(answer, "This can only be asked for with GET.\n")
}

/// An answer for people, which no browser shall take for anything but text: it may hold what the request said.
fn text(mut answer: actix_web::HttpResponseBuilder, text: impl Into<String>) -> HttpResponse {
    answer
        .content_type("text/plain; charset=utf-8")
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(text.into())
}
