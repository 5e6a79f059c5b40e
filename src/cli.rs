//! The command line: what it offers, and what it asks for once the options agree with each other.

mod arguments;
mod generated;
mod manual;
mod values;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser as _};

use crate::config;
use crate::logging::{Format, Level};
use crate::table::Order;
use arguments::{Arguments, Word};
pub use arguments::{Generated, Output};
pub use generated::generated;

/// What the program is asked to do.
#[derive(Debug)]
pub struct Invocation {
    /// The least important level that is logged.
    pub log_level: Level,
    /// How it is logged.
    pub log_format: Format,
    /// The work itself.
    pub task: Task,
}

/// What there is to do.
#[derive(Debug)]
pub enum Task {
    /// Answer Prometheus until told to stop.
    Serve(ServeTask),
    /// Ask the brokers and print what they say.
    Check(CheckTask),
    /// Say what is wrong with the configuration.
    CheckConfig {
        /// Where the configuration lies.
        config_file: PathBuf,
        /// The web configuration that is to be looked at as well.
        web_config_file: Option<PathBuf>,
    },
    /// Ask the exporter that listens there whether it is up.
    Healthcheck(SocketAddr),
    /// Print what is made from the definitions of the command line.
    Generate(Generated),
}

/// How Prometheus is to be answered.
#[derive(Debug)]
pub struct ServeTask {
    /// Where the configuration lies.
    pub config_file: PathBuf,
    /// Where to listen instead of where the configuration says; empty for the latter.
    pub listen: Vec<SocketAddr>,
    /// What is taken off Prometheus' scrape timeout.
    pub timeout_offset: Duration,
    /// How many probes may be under way at once.
    pub max_probes: usize,
    /// How long requests are still taken after a stop was asked for.
    pub shutdown_delay: Duration,
    /// How the exporter's own port is guarded.
    pub web_config_file: Option<PathBuf>,
}

/// What `--check` is to print.
#[derive(Debug)]
pub struct CheckTask {
    /// Where the configuration lies.
    pub config_file: PathBuf,
    /// Only these brokers; all of them when empty.
    pub brokers: Vec<String>,
    /// Whether every client of the brokers is asked for, not only the watched ones.
    pub all: bool,
    /// How to print.
    pub output: Output,
    /// In which order the clients stand.
    pub(crate) order: Order,
    /// Whether a client that is not connected is a failure.
    pub strict: bool,
    /// The deadline of the whole query, where it is not the brokers' own.
    pub timeout: Option<Duration>,
    /// From the beginning of one query to that of the next; `None` for a single one.
    pub watch: Option<Duration>,
}

/// Reads the command line.
///
/// # Errors
/// The text to print, which may also be the help or the version that was asked for.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Invocation, clap::Error> {
    let arguments = Arguments::try_parse_from(arguments)?;
    Ok(Invocation {
        log_level: arguments.logging.level,
        log_format: arguments.logging.format,
        task: task(arguments)?,
    })
}

/// Options that do not belong together are an error: none is ever ignored.
fn task(arguments: Arguments) -> Result<Task, clap::Error> {
    let Arguments { word, config_file, config_check, healthcheck, generate, check, checking, serving, .. } =
        arguments;
    if check && word == Some(Word::Prometheus) {
        return Err(conflict("--check and `prometheus` exclude each other"));
    }
    let check = check || word == Some(Word::Check);
    if !check && let Some(option) = checking.first() {
        return Err(conflict(&format!("{option} goes with --check")));
    }
    if check && serving.web_config_file.is_some() {
        return Err(conflict("--web.config.file has no meaning with --check"));
    }
    if check && let Some(option) = serving.first() {
        return Err(conflict(&format!("{option} has no meaning with --check")));
    }
    let checks_or_serves = check || serving.first().is_some();
    let is_more_to_do = checks_or_serves || config_check || serving.web_config_file.is_some();
    if let Some(what) = generate {
        if is_more_to_do || healthcheck.is_some() {
            return Err(conflict("--generate goes with no other task"));
        }
        return Ok(Task::Generate(what));
    }
    if let Some(address) = healthcheck {
        if is_more_to_do {
            return Err(conflict("--healthcheck goes with no other task"));
        }
        return Ok(Task::Healthcheck(address));
    }
    if config_check && checks_or_serves {
        return Err(conflict("--config.check goes with no other task"));
    }
    if checking.all && checking.strict {
        return Err(conflict("--strict is about the watched clients and does not go with --all"));
    }
    let config_file = config_file.map_or_else(default_config_file, Ok)?;
    if config_check {
        return Ok(Task::CheckConfig { config_file, web_config_file: serving.web_config_file });
    }
    if check {
        return Ok(Task::Check(CheckTask {
            config_file,
            brokers: checking.brokers,
            all: checking.all,
            output: checking.output.unwrap_or(Output::Table),
            order: checking.order.unwrap_or_default(),
            strict: checking.strict,
            timeout: checking.timeout,
            watch: checking.watch,
        }));
    }
    Ok(Task::Serve(ServeTask {
        config_file,
        listen: serving.listen,
        timeout_offset: serving.timeout_offset.unwrap_or(Duration::from_millis(500)),
        max_probes: serving.max_probes.unwrap_or(64),
        shutdown_delay: serving.shutdown_delay.unwrap_or_default(),
        web_config_file: serving.web_config_file,
    }))
}

fn conflict(what: &str) -> clap::Error {
    Arguments::command().error(ErrorKind::ArgumentConflict, what)
}

fn default_config_file() -> Result<PathBuf, clap::Error> {
    config::default_path()
        .map_err(|error| Arguments::command().error(ErrorKind::MissingRequiredArgument, error))
}
