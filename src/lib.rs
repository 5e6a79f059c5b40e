//! A stateless Prometheus exporter for the state of individual MQTT clients of EMQX brokers.
//!
//! Prometheus asks `/probe?broker=ALIAS`; the exporter asks that broker's REST API there and then, and answers
//! with what it heard. Data flows one way, and nothing knows who calls it:
//!
//! ```text
//! main -> cli, logging -> server | check
//! cli -> table (what can be sorted by), logging
//! server, check -> probe -> emqx -> emqx/http -> emqx/transport
//!                  |        +-----> emqx/wire -> client
//!                  +-> outcome -> client
//!                  +-> config -> emqx (what can be asked for), client, tls
//! server/probe -> metrics/exposition -> metrics -> outcome, client
//! server/pages, check -> table -> humanize, outcome, client
//! server -> failure_help (what people are told of each reason) -> outcome
//! server/web_auth -> config/web (TLS and users of the exporter's own port)
//! tls, config/web -> watched_files (whether files have changed)
//! server/lifecycle, check/watch -> signals (by which a process is asked to stop)
//! ```

mod blocking;
mod certificate;
pub mod check;
pub mod cli;
pub mod client;
pub mod config;
pub mod emqx;
mod error_chain;
pub mod failure_help;

pub mod healthcheck;
mod humanize;
pub mod logging;
pub mod metrics;
pub mod outcome;
pub mod probe;
pub mod server;
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
use tracing::warn;

use check::CheckError;
use cli::{Invocation, ServeTask, Task};
use config::web::WebConfig;
use config::{Config, ConfigError};
use error_chain::chain;
use server::web_auth::WebAuth;
use server::{Options, Server};

/// Exit status of a configuration or usage error, and of anything else that keeps the program from its work.
const FAILED: u8 = 1;

/// Does what the command line asks for.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let invocation = match cli::parse(arguments) {
        Ok(invocation) => invocation,
        Err(answer) => {
            // Help and version come as errors too; printing fails only where nobody reads.
            let _ = answer.print();
            return if answer.use_stderr() { FAILED.into() } else { ExitCode::SUCCESS };
        }
    };
    logging::init(invocation.log_level, invocation.log_format);
    perform(invocation).unwrap_or_else(|error| {
        // Printing fails only where nobody reads.
        let _ = writeln!(anstream::stderr(), "{}", chain(error.as_ref()));
        FAILED.into()
    })
}

/// Does it, and says with which status the program ends.
fn perform(invocation: Invocation) -> Result<ExitCode, Box<dyn Error>> {
    match invocation.task {
        Task::Healthcheck(address) => healthcheck::healthcheck(address)?,
        Task::CheckConfig { config_file, web_config_file } => {
            check_config(&config_file, web_config_file.as_deref())?;
        }
        Task::Generate(what) => say(&cli::generated(what)?)?,
        Task::Check(task) => {
            let config = load(&task.config_file)?;
            return Ok(System::new().block_on(check::check(&config, &task))?.into());
        }
        Task::Serve(task) => serve(task)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads the configuration, and logs what is odd about it.
fn load(file: &Path) -> Result<Config, ConfigError> {
    let config = Config::load(file)?;
    config.warnings.iter().for_each(|warning| warn!("{warning}"));
    Ok(config)
}

/// Says what is wrong with the configuration, and with the web configuration if there is one, or that all is well.
fn check_config(file: &Path, web_config_file: Option<&Path>) -> Result<(), Box<dyn Error>> {
    load(file)?;
    if let Some(file) = web_config_file {
        WebConfig::load(file)?.warnings.iter().for_each(|warning| warn!("{warning}"));
    }
    for file in [Some(file), web_config_file].into_iter().flatten() {
        say(format!("{}: the configuration is valid\n", file.display()).as_bytes())?;
    }
    Ok(())
}

fn serve(task: ServeTask) -> Result<(), Box<dyn Error>> {
    let ServeTask { config_file, mut listen, timeout_offset, max_probes, shutdown_delay, web_config_file } =
        task;
    let config = load(&config_file)?;
    let web_auth = web_config_file.map(|file| WebAuth::open(&file)).transpose()?;
    if listen.is_empty() {
        listen.push(config.prometheus.listens_at());
    }
    let options = Options { listen, timeout_offset, max_probes, shutdown_delay, web_auth };
    System::new()
        .block_on(async move { Server::bind(&config_file, Arc::new(config), &options)?.run().await })?;
    Ok(())
}

/// Prints to stdout. Whoever reads no further has read enough.
fn say(text: &[u8]) -> Result<(), CheckError> {
    let mut stdout = anstream::stdout();
    match stdout.write_all(text).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
