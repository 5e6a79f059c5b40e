//! The command line: parses the options and checks that they can be combined.

mod arguments;
mod environment;
mod generate;
mod manual;
mod value_parsers;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, CommandFactory as _, FromArgMatches as _};

use crate::config;
use crate::logging::{Level, LogFormat};
use crate::server::Routing;
use crate::table::{ClientFilter, Selection};
use arguments::{Arguments, CheckOptions, ServeOptions, Subcommand};
pub(crate) use arguments::{GenerateTarget, OutputFormat, Strictness};
use environment::Environment;
pub(crate) use generate::generate;

/// Default of `--config.auto-reload-interval`, that of Prometheus and the blackbox exporter.
const DEFAULT_AUTO_RELOAD_INTERVAL: Duration = Duration::from_secs(30);

/// The parsed command line.
#[derive(Debug)]
pub(crate) struct Invocation {
    /// Lowest level that is logged.
    pub log_level: Level,
    /// Format of log messages.
    pub log_format: LogFormat,
    /// What is suspicious about the environment, a sentence each.
    pub warnings: Vec<String>,
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
    /// Check whether a running exporter is healthy.
    Healthcheck {
        /// Its address.
        address: SocketAddr,
        /// The prefix of its routes.
        routing: Routing,
    },
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
    /// Whether to listen on the sockets that systemd passes instead.
    pub systemd_socket: bool,
    /// The prefix of the routes, and the URL under which others reach them.
    pub routing: Routing,
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
    /// Aliases of the fleets whose clients are shown; if empty, watched clients are.
    pub fleets: Vec<String>,
    /// Output format.
    pub output: OutputFormat,
    /// Which clients are shown, in which order.
    pub(crate) selection: Selection,
    /// Whether and when a watched client that is not connected changes the exit status.
    pub(crate) strict: Option<Strictness>,
    /// Timeout of the whole query; if `None`, that of each broker.
    pub timeout: Option<Duration>,
    /// Time between the starts of two queries; `None` for a single query.
    pub watch: Option<Duration>,
}

/// Parses the command line, and takes the settings that are missing on it from the environment.
///
/// # Errors
/// A usage error, or the text of `--help` or `--version`.
pub(crate) fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Invocation, clap::Error> {
    let (command, environment) = (command(), Environment::new(environment));
    let arguments: Vec<_> = arguments.into_iter().collect();
    let given = command.clone().try_get_matches_from(&arguments)?;
    let kind = TaskKind::of(&Arguments::from_arg_matches(&given)?)?;
    kind.refuse_others(&command, &given)?;
    let applies = |option: &Arg| kind.takes(&command, &given, option);
    let arguments = environment.complete(&command, arguments, &given, applies)?;
    let arguments = Arguments::from_arg_matches(&command.clone().try_get_matches_from(arguments)?)?;
    Ok(Invocation {
        log_level: arguments.log_options.level,
        log_format: arguments.log_options.format,
        warnings: environment.warnings(&command),
        task: task(kind, arguments)?,
    })
}

/// Returns the command line as clap describes it, with the environment variables of the options in their help.
fn command() -> Command {
    environment::document(Arguments::command())
}

/// Whether an option is one of a struct of [`Arguments`].
fn is_in_group(command: &Command, group: &str, option: &Arg) -> bool {
    let mut groups = command.get_groups().filter(|one| one.get_id() == group);
    groups.any(|group| group.get_args().any(|id| id == option.get_id()))
}

/// Whether an option is written on the command line.
fn is_on_command_line(given: &ArgMatches, option: &Arg) -> bool {
    given.value_source(option.get_id().as_str()) == Some(ValueSource::CommandLine)
}

/// Which task the command line asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TaskKind {
    Serve,
    Check,
    CheckConfig,
    Healthcheck,
    Generate,
}

impl TaskKind {
    /// Options for serving that other tasks take too.
    const SHARED: [(&str, Self); 3] = [
        ("web_config_file", Self::CheckConfig),
        ("external_url", Self::Healthcheck),
        ("route_prefix", Self::Healthcheck),
    ];

    fn of(arguments: &Arguments) -> Result<Self, clap::Error> {
        let Arguments { subcommand, task_options, .. } = arguments;
        if task_options.check && *subcommand == Some(Subcommand::Prometheus) {
            return Err(conflict("--check cannot be used with `prometheus`"));
        }
        let checks = task_options.check || *subcommand == Some(Subcommand::Check);
        let mut wanted = [
            (task_options.generate.is_some(), Self::Generate),
            (task_options.healthcheck.is_some(), Self::Healthcheck),
            (task_options.config_check, Self::CheckConfig),
            (checks, Self::Check),
        ]
        .into_iter()
        .filter_map(|(is_wanted, kind)| is_wanted.then_some(kind));
        match (wanted.next(), wanted.next()) {
            (Some(kind), Some(_)) => {
                Err(conflict(&format!("{} cannot be combined with another task", kind.option())))
            }
            (kind, _) => Ok(kind.unwrap_or(Self::Serve)),
        }
    }

    /// Returns the option that asks for the task.
    fn option(self) -> &'static str {
        match self {
            Self::Serve => "prometheus",
            Self::Check => "--check",
            Self::CheckConfig => "--config.check",
            Self::Healthcheck => "--healthcheck",
            Self::Generate => "--generate",
        }
    }

    /// Whether an option applies to the task that is `given`.
    fn takes(self, command: &Command, given: &ArgMatches, option: &Arg) -> bool {
        if is_in_group(command, "CheckOptions", option) {
            self == Self::Check && !is_for_watched_with_all(given, option)
        } else if is_in_group(command, "ServeOptions", option) {
            self == Self::Serve || Self::SHARED.contains(&(option.get_id().as_str(), self))
        } else {
            true
        }
    }

    /// Refuses options on the command line that do not apply to the task.
    fn refuse_others(self, command: &Command, given: &ArgMatches) -> Result<(), clap::Error> {
        let is_other = |option: &&Arg| is_on_command_line(given, option) && !self.takes(command, given, option);
        let Some(option) = command.get_arguments().find(is_other) else { return Ok(()) };
        let long = option.get_long().unwrap_or_default();
        Err(conflict(&if self == Self::Check && is_for_watched_with_all(given, option) {
            format!("--{long} applies to watched clients and cannot be used with --all")
        } else if is_in_group(command, "CheckOptions", option) {
            format!("--{long} requires --check")
        } else {
            format!("--{long} cannot be used with {}", self.option())
        }))
    }
}

/// Whether an option that applies to watched clients is given together with `--all`.
fn is_for_watched_with_all(given: &ArgMatches, option: &Arg) -> bool {
    ["strict", "overdue"].contains(&option.get_id().as_str()) && given.get_flag("all")
}

fn task(kind: TaskKind, arguments: Arguments) -> Result<Task, clap::Error> {
    let Arguments { config_file, task_options, check_options, serve_options, .. } = arguments;
    match (task_options.generate, task_options.healthcheck) {
        (Some(target), _) => return Ok(Task::Generate(target)),
        (_, Some(address)) => return Ok(Task::Healthcheck { address, routing: serve_options.routing() }),
        _ => {}
    }
    let config_file = config_file.map_or_else(default_config_file, Ok)?;
    Ok(match kind {
        TaskKind::Check => Task::Check(check_task(config_file, check_options)),
        TaskKind::CheckConfig => {
            Task::CheckConfig { config_file, web_config_file: serve_options.web_config_file }
        }
        _ => Task::Serve(serve_task(config_file, serve_options)),
    })
}

fn check_task(config_file: PathBuf, options: CheckOptions) -> CheckTask {
    CheckTask {
        config_file,
        brokers: options.brokers,
        all: options.all,
        fleets: options.fleets,
        output: options.output.unwrap_or(OutputFormat::Table),
        selection: Selection {
            filter: ClientFilter {
                names: options.clients,
                states: options.states,
                overdue: options.overdue,
                ..ClientFilter::default()
            },
            order: options.order.unwrap_or_default(),
        },
        strict: options.strict,
        timeout: options.timeout,
        watch: options.watch,
    }
}

fn serve_task(config_file: PathBuf, options: ServeOptions) -> ServeTask {
    ServeTask {
        config_file,
        routing: options.routing(),
        listen: options.listen,
        systemd_socket: options.systemd_socket,
        timeout_offset: options.timeout_offset.unwrap_or(Duration::from_millis(500)),
        max_probes: options.max_probes.unwrap_or(64),
        shutdown_delay: options.shutdown_delay.unwrap_or_default(),
        auto_reload: options
            .enable_auto_reload
            .then(|| options.auto_reload_interval.unwrap_or(DEFAULT_AUTO_RELOAD_INTERVAL)),
        web_config_file: options.web_config_file,
    }
}

fn conflict(message: &str) -> clap::Error {
    command().error(ErrorKind::ArgumentConflict, message)
}

fn default_config_file() -> Result<PathBuf, clap::Error> {
    config::default_path()
        .map_err(|error| clap::Error::raw(ErrorKind::MissingRequiredArgument, format!("{error}\n")))
}
