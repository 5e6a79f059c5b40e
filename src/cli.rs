//! The command line: parses the options and checks that they can be combined.

mod arguments;
mod generate;
mod manual;
mod value_parsers;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser as _};

use crate::config;
use crate::logging::{Format, Level};
use crate::table::SortOrder;
use arguments::{Arguments, Subcommand};
pub(crate) use arguments::{GenerateTarget, OutputFormat};
pub(crate) use generate::generate;

/// Default of `--config.auto-reload-interval`, that of Prometheus and the blackbox exporter.
const DEFAULT_AUTO_RELOAD_INTERVAL: Duration = Duration::from_secs(30);

/// The parsed command line.
#[derive(Debug)]
pub(crate) struct Invocation {
    /// Lowest level that is logged.
    pub log_level: Level,
    /// Format of log messages.
    pub log_format: Format,
    /// The task.
    pub task: Task,
}

/// A task of the program.
#[derive(Debug)]
pub(crate) enum Task {
    /// Serve Prometheus until stopped.
    Serve(ServeTask),
    /// Probe the brokers and print the result.
    Check(CheckTask),
    /// Validate the configuration.
    CheckConfig {
        /// Configuration file.
        config_file: PathBuf,
        /// Web configuration file to validate as well.
        web_config_file: Option<PathBuf>,
    },
    /// Check whether the exporter at this address is healthy.
    Healthcheck(SocketAddr),
    /// Print a generated file.
    Generate(GenerateTarget),
}

/// Settings for serving Prometheus.
#[derive(Debug)]
pub(crate) struct ServeTask {
    /// Configuration file.
    pub config_file: PathBuf,
    /// Addresses to listen on; if empty, the configured one.
    pub listen: Vec<SocketAddr>,
    /// Subtracted from Prometheus' scrape timeout.
    pub timeout_offset: Duration,
    /// Maximum number of concurrent probes.
    pub max_probes: usize,
    /// How long to keep serving after a stop signal.
    pub shutdown_delay: Duration,
    /// How often the files of the configuration are checked for changes; never without it.
    pub auto_reload: Option<Duration>,
    /// Web configuration file.
    pub web_config_file: Option<PathBuf>,
}

/// Settings of `--check`.
#[derive(Debug)]
pub(crate) struct CheckTask {
    /// Configuration file.
    pub config_file: PathBuf,
    /// Aliases of the brokers to probe; if empty, all.
    pub brokers: Vec<String>,
    /// Whether to show every client of the brokers, not only the watched ones.
    pub all: bool,
    /// Output format.
    pub output: OutputFormat,
    /// Order of the clients.
    pub(crate) order: SortOrder,
    /// Whether a watched client that is not connected changes the exit status.
    pub strict: bool,
    /// Timeout of the whole query; if `None`, that of each broker.
    pub timeout: Option<Duration>,
    /// Time between the starts of two queries; `None` for a single query.
    pub watch: Option<Duration>,
}

/// Parses the command line.
///
/// # Errors
/// A usage error, or the text of `--help` or `--version`.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Invocation, clap::Error> {
    let arguments = Arguments::try_parse_from(arguments)?;
    Ok(Invocation {
        log_level: arguments.log_options.level,
        log_format: arguments.log_options.format,
        task: task(arguments)?,
    })
}

/// Returns the task. Options that do not apply to it are an error.
fn task(arguments: Arguments) -> Result<Task, clap::Error> {
    let Arguments {
        subcommand,
        config_file,
        config_check,
        healthcheck,
        generate,
        check,
        check_options,
        serve_options,
        ..
    } = arguments;
    if check && subcommand == Some(Subcommand::Prometheus) {
        return Err(conflict("--check cannot be used with `prometheus`"));
    }
    let check = check || subcommand == Some(Subcommand::Check);
    if !check && let Some(option) = check_options.first() {
        return Err(conflict(&format!("{option} requires --check")));
    }
    if check && serve_options.web_config_file.is_some() {
        return Err(conflict("--web.config.file cannot be used with --check"));
    }
    if check && let Some(option) = serve_options.first() {
        return Err(conflict(&format!("{option} cannot be used with --check")));
    }
    let checks_or_serves = check || serve_options.first().is_some();
    let has_other_task = checks_or_serves || config_check || serve_options.web_config_file.is_some();
    if let Some(target) = generate {
        if has_other_task || healthcheck.is_some() {
            return Err(conflict("--generate cannot be combined with another task"));
        }
        return Ok(Task::Generate(target));
    }
    if let Some(address) = healthcheck {
        if has_other_task {
            return Err(conflict("--healthcheck cannot be combined with another task"));
        }
        return Ok(Task::Healthcheck(address));
    }
    if config_check && checks_or_serves {
        return Err(conflict("--config.check cannot be combined with another task"));
    }
    if check_options.all && check_options.strict {
        return Err(conflict("--strict applies to watched clients and cannot be used with --all"));
    }
    let config_file = config_file.map_or_else(default_config_file, Ok)?;
    if config_check {
        return Ok(Task::CheckConfig { config_file, web_config_file: serve_options.web_config_file });
    }
    if check {
        return Ok(Task::Check(CheckTask {
            config_file,
            brokers: check_options.brokers,
            all: check_options.all,
            output: check_options.output.unwrap_or(OutputFormat::Table),
            order: check_options.order.unwrap_or_default(),
            strict: check_options.strict,
            timeout: check_options.timeout,
            watch: check_options.watch,
        }));
    }
    Ok(Task::Serve(ServeTask {
        config_file,
        listen: serve_options.listen,
        timeout_offset: serve_options.timeout_offset.unwrap_or(Duration::from_millis(500)),
        max_probes: serve_options.max_probes.unwrap_or(64),
        shutdown_delay: serve_options.shutdown_delay.unwrap_or_default(),
        auto_reload: serve_options
            .enable_auto_reload
            .then(|| serve_options.auto_reload_interval.unwrap_or(DEFAULT_AUTO_RELOAD_INTERVAL)),
        web_config_file: serve_options.web_config_file,
    }))
}

fn conflict(message: &str) -> clap::Error {
    Arguments::command().error(ErrorKind::ArgumentConflict, message)
}

fn default_config_file() -> Result<PathBuf, clap::Error> {
    config::default_path()
        .map_err(|error| clap::Error::raw(ErrorKind::MissingRequiredArgument, format!("{error}\n")))
}
