//! The command line: what it offers, and what it asks for once the options agree with each other.

use std::ffi::OsString;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser, ValueEnum};

use crate::logging::{Format, Level};
use crate::version;

/// What the program is asked to do.
#[derive(Debug)]
pub struct Invocation {
    /// Where the configuration lies.
    pub config_file: PathBuf,
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
    /// Ask every broker once and print what it says.
    Check(CheckTask),
    /// Say what is wrong with the configuration.
    CheckConfig {
        /// The web configuration that is to be looked at as well.
        web_config_file: Option<PathBuf>,
    },
    /// Ask the exporter that listens there whether it is up.
    Healthcheck(SocketAddr),
}

/// How Prometheus is to be answered.
#[derive(Debug)]
pub struct ServeTask {
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
    /// Only these brokers; all of them when empty.
    pub brokers: Vec<String>,
    /// Whether every client of the brokers is asked for, not only the watched ones.
    pub all: bool,
    /// How to print.
    pub output: Output,
    /// Whether a client that is not connected is a failure.
    pub strict: bool,
    /// The deadline of the whole query, where it is not the brokers' own.
    pub timeout: Option<Duration>,
}

/// How `--check` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// A table for people.
    Table,
    /// One JSON object for each broker, each in its line.
    Json,
}

/// The words the program this one succeeds had for its sub-commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Word {
    /// Ask every broker once, print what it says, and exit
    Check,
    /// Answer Prometheus (the default)
    Prometheus,
}

/// Prometheus exporter for the state of individual MQTT clients of EMQX brokers.
///
/// Asks the brokers live at each scrape of /probe?broker=ALIAS and keeps nothing in between. With --check it asks
/// once and prints a table.
#[derive(Debug, Parser)]
#[command(version = version::LINE, max_term_width = 100)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
struct Arguments {
    /// What to do
    #[arg(value_enum, value_name = "check|prometheus")]
    word: Option<Word>,

    /// The configuration [default: ~/.config/emqx-client-monitor/config.yaml]
    #[arg(long = "cfg", alias = "config.file", value_name = "FILE", env = "EMQX_CLIENT_MONITOR_CFG")]
    config_file: Option<PathBuf>,

    /// Say what is wrong with the configuration, and exit
    #[arg(long = "config.check")]
    config_check: bool,

    /// Ask the exporter that listens there whether it is up, and exit: for a container's health check
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = listen_address)]
    healthcheck: Option<SocketAddr>,

    /// Ask every broker once, print what it says, and exit
    #[arg(long)]
    check: bool,

    /// With check: only this broker; may be repeated
    #[arg(long = "broker", value_name = "ALIAS")]
    brokers: Vec<String>,

    /// With check: every client of the brokers, not only the watched ones
    #[arg(long)]
    all: bool,

    /// With check: how to print [default: table]
    #[arg(long, value_enum, value_name = "FORMAT")]
    output: Option<Output>,

    /// With check: exit with status 3 when a watched client is not connected
    #[arg(long)]
    strict: bool,

    /// With check: how long the whole query may take [default: `timeout_seconds` x `attempts`; 60 with --all]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    timeout: Option<Duration>,

    /// Where to listen, instead of where the configuration says; may be repeated
    #[arg(long = "web.listen-address", value_name = "ADDRESS:PORT", value_parser = listen_address)]
    listen: Vec<SocketAddr>,

    /// TLS and basic authentication for the exporter itself, in the format of Prometheus' exporter-toolkit
    #[arg(long = "web.config.file", value_name = "FILE")]
    web_config_file: Option<PathBuf>,

    /// What is taken off Prometheus' scrape timeout, so that the answer is there in time [default: 0.5]
    #[arg(long, value_name = "SECONDS", value_parser = seconds_or_none)]
    timeout_offset: Option<Duration>,

    /// How many probes may be under way at once; more are answered with a 503 [default: 64]
    #[arg(long = "web.max-probes", value_name = "N", value_parser = max_probes)]
    max_probes: Option<usize>,

    /// How long requests are still taken after SIGTERM while /-/ready says 503, for load balancers [default: 0]
    #[arg(long = "web.shutdown-delay", value_name = "SECONDS", value_parser = seconds_or_none)]
    shutdown_delay: Option<Duration>,

    /// The least important level that is logged
    #[arg(long = "log.level", value_enum, value_name = "LEVEL", default_value = "info")]
    log_level: Level,

    /// How it is logged; logs go to stderr
    #[arg(long = "log.format", value_enum, value_name = "FORMAT", default_value = "logfmt")]
    log_format: Format,
}

/// Reads the command line.
///
/// # Errors
/// The text to print, which may also be the help or the version that was asked for.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Invocation, clap::Error> {
    let arguments = Arguments::try_parse_from(arguments)?;
    let config_file = match &arguments.config_file {
        Some(path) => path.clone(),
        None => default_config_file()?,
    };
    Ok(Invocation {
        config_file,
        log_level: arguments.log_level,
        log_format: arguments.log_format,
        task: task(arguments)?,
    })
}

/// Options that do not belong together are an error: none is ever ignored.
fn task(arguments: Arguments) -> Result<Task, clap::Error> {
    let check = arguments.check || arguments.word == Some(Word::Check);
    if arguments.check && arguments.word == Some(Word::Prometheus) {
        return Err(conflict("--check and `prometheus` exclude each other"));
    }
    let of_check = [
        ("--broker", !arguments.brokers.is_empty()),
        ("--all", arguments.all),
        ("--output", arguments.output.is_some()),
        ("--strict", arguments.strict),
        ("--timeout", arguments.timeout.is_some()),
    ];
    let of_serving = [
        ("--web.listen-address", !arguments.listen.is_empty()),
        ("--timeout-offset", arguments.timeout_offset.is_some()),
        ("--web.max-probes", arguments.max_probes.is_some()),
        ("--web.shutdown-delay", arguments.shutdown_delay.is_some()),
    ];
    let first =
        |options: &[(&'static str, bool)]| options.iter().find(|(_, given)| *given).map(|(option, _)| *option);
    if !check && let Some(option) = first(&of_check) {
        return Err(conflict(&format!("{option} goes with --check")));
    }
    if check && arguments.web_config_file.is_some() {
        return Err(conflict("--web.config.file has no meaning with --check"));
    }
    if check && let Some(option) = first(&of_serving) {
        return Err(conflict(&format!("{option} has no meaning with --check")));
    }
    if let Some(address) = arguments.healthcheck {
        if check || arguments.config_check || first(&of_serving).is_some() {
            return Err(conflict("--healthcheck goes with no other task"));
        }
        return Ok(Task::Healthcheck(address));
    }
    if arguments.config_check {
        if check || first(&of_serving).is_some() {
            return Err(conflict("--config.check goes with no other task"));
        }
        return Ok(Task::CheckConfig { web_config_file: arguments.web_config_file });
    }
    if arguments.all && arguments.strict {
        return Err(conflict("--strict is about the watched clients and does not go with --all"));
    }
    if check {
        return Ok(Task::Check(CheckTask {
            brokers: arguments.brokers,
            all: arguments.all,
            output: arguments.output.unwrap_or(Output::Table),
            strict: arguments.strict,
            timeout: arguments.timeout,
        }));
    }
    Ok(Task::Serve(ServeTask {
        listen: arguments.listen,
        timeout_offset: arguments.timeout_offset.unwrap_or(Duration::from_millis(500)),
        max_probes: arguments.max_probes.unwrap_or(64),
        shutdown_delay: arguments.shutdown_delay.unwrap_or_default(),
        web_config_file: arguments.web_config_file,
    }))
}

fn conflict(what: &str) -> clap::Error {
    Arguments::command().error(ErrorKind::ArgumentConflict, what)
}

fn default_config_file() -> Result<PathBuf, clap::Error> {
    let home = std::env::home_dir().filter(|home| !home.as_os_str().is_empty()).ok_or_else(|| {
        Arguments::command().error(
            ErrorKind::MissingRequiredArgument,
            "there is no home directory; name the configuration with --cfg",
        )
    })?;
    Ok(home.join(".config/emqx-client-monitor/config.yaml"))
}

fn seconds(text: &str) -> Result<Duration, String> {
    seconds_or_none(text).and_then(|duration| {
        if duration.is_zero() { Err("must be more than 0 seconds".to_owned()) } else { Ok(duration) }
    })
}

fn seconds_or_none(text: &str) -> Result<Duration, String> {
    let wanted = || "must be a number of seconds, such as 0.5".to_owned();
    let number: f64 = text.parse().map_err(|_| wanted())?;
    if number > 86_400.0 {
        return Err("must be at most 86400 seconds, a day".to_owned());
    }
    Duration::try_from_secs_f64(number).map_err(|_| wanted())
}

fn max_probes(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=10_000).contains(number));
    number.ok_or_else(|| "must be a number from 1 to 10000".to_owned())
}

/// `:9671` listens on all IPv4 addresses.
fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let full = if text.starts_with(':') { format!("0.0.0.0{text}") } else { text.to_owned() };
    full.to_socket_addrs()
        .ok()
        .and_then(|mut addresses| addresses.next())
        .ok_or_else(|| "must be an address and a port, such as 127.0.0.1:9671, [::1]:9671 or :9671".to_owned())
}
