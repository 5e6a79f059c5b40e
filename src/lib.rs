//! A stateless Prometheus exporter for the state of individual MQTT clients of EMQX brokers.
//!
//! Prometheus asks `/probe?broker=ALIAS`; the exporter asks that broker's REST API there and then, and answers
//! with what it heard. Data flows one way, and nothing knows who calls it:
//!
//! ```text
//! main -> cli, logging -> server | check
//! server/probe, check -> probe -> emqx -> emqx/http -> emqx/transport
//!                        |        +-----> emqx/wire -> client
//!                        +-> outcome -> client
//!                        +-> config -> emqx (what can be asked for), client, tls
//! server/probe -> metrics/exposition -> metrics -> outcome, client
//! check -> table -> humanize, outcome, client
//! ```

mod causes;
pub mod check;
pub mod cli;
pub mod client;
pub mod config;
pub mod emqx;
pub mod healthcheck;
mod humanize;
pub mod logging;
pub mod metrics;
pub mod outcome;
pub mod probe;
pub mod server;
mod table;
pub mod tls;
pub mod version;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use actix_web::rt::System;
use tracing::warn;

use check::CheckError;
use cli::{ServeTask, Task};
use config::Config;
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
    if let Task::Healthcheck(address) = invocation.task {
        return match healthcheck::healthcheck(address) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error),
        };
    }
    let config = match Config::load(&invocation.config_file) {
        Ok(config) => Arc::new(config),
        Err(error) => return fail(&error),
    };
    for warning in &config.warnings {
        warn!("{warning}");
    }
    match invocation.task {
        Task::CheckConfig => match say_valid(&invocation.config_file) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&CheckError::from(error)),
        },
        Task::Check(task) => match System::new().block_on(check::check(&config, &task)) {
            Ok(verdict) => verdict.into(),
            Err(error) => fail(&error),
        },
        Task::Healthcheck(_) => unreachable!("it needs no configuration and was answered before"),
        Task::Serve(task) => match serve(config, task) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error),
        },
    }
}

fn serve(config: Arc<Config>, task: ServeTask) -> Result<(), server::ServerError> {
    let ServeTask { mut listen, timeout_offset, max_probes } = task;
    if listen.is_empty() {
        listen.push(SocketAddr::new(config.prometheus.address, config.prometheus.port));
    }
    let options = Options { listen, timeout_offset, max_probes };
    System::new().block_on(async move { Server::bind(config, &options)?.run().await })
}

/// Says that the configuration has passed. Whoever reads no further has read enough.
fn say_valid(config_file: &Path) -> io::Result<()> {
    match writeln!(anstream::stdout(), "{}: the configuration is valid", config_file.display()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        said => said,
    }
}

/// Says why the program cannot do its work.
fn fail(error: &dyn std::error::Error) -> ExitCode {
    let _ = writeln!(anstream::stderr(), "{}", causes::chain(error));
    FAILED.into()
}
