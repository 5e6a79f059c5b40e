//! A stateless Prometheus exporter for the state of individual MQTT clients of EMQX brokers.
//!
//! Prometheus requests `/probe?broker=ALIAS`; the exporter queries that broker's REST API live and answers with the
//! clients' metrics. Data flows one way, and no module knows its callers:
//!
//! ```text
//! main -> cli, logging -> server | check
//! server/probe, check, server/pages -> probe -> emqx -> emqx/http -> emqx/transport
//!                                      |        +---> emqx/wire -> client
//!                                      +-> outcome -> client, connection_stats
//!                                      +-> config -> emqx (how long a request line is), client (groups), tls
//! emqx -> tls (explains failed handshakes), client, connection_stats (phases, certificates)
//! server/probe -> metrics/exposition -> metrics (the table of metrics) -> outcome, client
//! config, probe, outcome, metrics -> fleet (groups of clients by pattern, and their counts) -> client, glob
//! server/query, server/discovery -> shard (shares of the watched clients)
//! check, server/pages -> table (the table of columns, filters and order) -> glob, humanize, outcome, client
//! cli -> table (filters and order), config (the default file), server (the prefix of the routes)
//! server, server/pages, check -> failure_help (what each failure reason means and what to do)
//! config/web (own port), tls, config -> watched_files (whether files have changed) -> file_glob
//! tls -> certificate (what a certificate states), humanize
//! server, check/watch -> signals
//! emqx/transport, config (secrets), server, tls -> blocking (names, files and reloads, on detached threads)
//! ```

mod blocking;
mod certificate;
mod check;
mod cli;
pub mod client;
mod closed_set;
pub mod config;
pub mod connection_stats;
pub mod emqx;
mod error_chain;
pub mod failure_help;
mod file_glob;
pub mod fleet;
mod glob;
mod healthcheck;
mod humanize;
pub mod logging;
pub mod metrics;
pub mod outcome;
pub mod probe;
mod sanitize;
pub mod server;
mod shard;
mod signals;
mod table;
pub mod tls;
pub mod version;
mod watched_files;

use std::error::Error;
use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use actix_web::rt::System;
use tokio::signal::unix::{SignalKind, signal};
use tracing::warn;

use check::CheckError;
use cli::{Invocation, ServeTask, Task};
use config::web::WebConfig;
use config::{Config, ConfigError};
use error_chain::chain;
use logging::LogGuard;
use server::web_auth::WebAuth;
use server::{ListenOn, Options, Server};

/// Exit status of a configuration or usage error, and of any other error that ends the program.
const FAILED: u8 = 1;

/// Runs the program with these command-line arguments, and returns its exit status.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let invocation = match cli::parse(arguments, std::env::vars_os()) {
        Ok(invocation) => invocation,
        Err(answer) => {
            // clap returns help and version as errors too. Printing fails only if stderr is closed.
            let _ = answer.print();
            return if answer.use_stderr() { FAILED.into() } else { ExitCode::SUCCESS };
        }
    };
    // Kept to the end of this function, where the last lines are written.
    let _log = start_logging(&invocation);
    invocation.warnings.iter().for_each(|warning| warn!("{warning}"));
    perform(invocation).unwrap_or_else(|error| {
        // Printing fails only if stderr is closed.
        let _ = writeln!(anstream::stderr(), "{}", chain(error.as_ref()));
        FAILED.into()
    })
}

/// Starts logging in the way that suits the task.
fn start_logging(invocation: &Invocation) -> Option<LogGuard> {
    let Invocation { log_level, log_format, .. } = *invocation;
    if let Task::Serve(_) = invocation.task {
        return Some(logging::init_for_server(log_level, log_format));
    }
    logging::init(log_level, log_format);
    None
}

/// Performs the task of the command line, and returns the exit status.
fn perform(invocation: Invocation) -> Result<ExitCode, Box<dyn Error>> {
    match invocation.task {
        Task::Healthcheck { address, routing } => healthcheck::healthcheck(address, routing.prefix())?,
        Task::CheckConfig { config_file, web_config_file } => {
            check_config(&config_file, web_config_file.as_deref())?;
        }
        Task::Generate(target) => print(&cli::generate(target)?)?,
        Task::Check(task) => {
            let config = load(&task.config_file)?;
            return Ok(System::new().block_on(check::check(&config, &task))?.into());
        }
        Task::Serve(task) => serve(task)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Loads the configuration, and logs its warnings.
fn load(file: &Path) -> Result<Config, ConfigError> {
    let config = Config::load(file)?;
    config.warnings.iter().for_each(|warning| warn!("{warning}"));
    Ok(config)
}

/// Validates the configuration, and the web configuration if there is one.
fn check_config(file: &Path, web_config_file: Option<&Path>) -> Result<(), Box<dyn Error>> {
    load(file)?;
    if let Some(file) = web_config_file {
        WebConfig::load(file)?.warnings.iter().for_each(|warning| warn!("{warning}"));
    }
    for file in [Some(file), web_config_file].into_iter().flatten() {
        print(format!("{}: the configuration is valid\n", file.display()).as_bytes())?;
    }
    Ok(())
}

/// Serves until a signal stops it.
fn serve(task: ServeTask) -> Result<(), Box<dyn Error>> {
    let system = System::new();
    // Until the server obeys it, SIGHUP is ignored: the configuration is only being read.
    let _hangup = system.block_on(async { signal(SignalKind::hangup()) })?;
    let ServeTask {
        config_file,
        listen,
        systemd_socket,
        routing,
        timeout_offset,
        max_probes,
        shutdown_delay,
        auto_reload,
        web_config_file,
    } = task;
    let config = load(&config_file)?;
    let web_auth = web_config_file.map(|file| WebAuth::open(&file)).transpose()?;
    let listen = if systemd_socket {
        ListenOn::SystemdSockets
    } else if listen.is_empty() {
        ListenOn::Addresses(vec![config.prometheus.listens_at()])
    } else {
        ListenOn::Addresses(listen)
    };
    let options =
        Options { listen, routing, timeout_offset, max_probes, shutdown_delay, auto_reload, web_auth };
    system.block_on(async move { Server::bind(&config_file, Arc::new(config), &options)?.run().await })?;
    Ok(())
}

/// Prints to stdout. A closed pipe is no error.
fn print(text: &[u8]) -> Result<(), CheckError> {
    let mut stdout = anstream::stdout();
    match stdout.write_all(text).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
