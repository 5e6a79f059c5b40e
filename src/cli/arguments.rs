//! The options of the command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, ValueEnum, ValueHint};
use url::Url;

use super::value_parsers::{
    SortOrderParser, check_interval, client_state, external_url, listen_address, max_probes, route_prefix,
    seconds, seconds_or_zero, watch_seconds,
};
use crate::glob::Glob;
use crate::logging::{Level, LogFormat};
use crate::outcome::ClientState;
use crate::server::Routing;
use crate::table::SortOrder;
use crate::version;

/// Prometheus exporter for the state of individual MQTT clients of EMQX brokers.
///
/// Queries the brokers live at each scrape of /probe?broker=ALIAS and stores nothing in between. With --check it
/// queries them once and prints a table.
#[derive(Debug, Parser)]
#[command(name = "emqx-client-monitor", version = version::LINE, max_term_width = 100)]
pub(super) struct Arguments {
    /// Command to run
    #[arg(value_enum, value_name = "check|prometheus")]
    pub(super) subcommand: Option<Subcommand>,

    /// Configuration file [default: ~/.config/emqx-client-monitor/config.yaml]
    #[arg(
        long = "cfg",
        alias = "config.file",
        value_name = "FILE",
        value_hint = ValueHint::FilePath
    )]
    pub(super) config_file: Option<PathBuf>,

    #[command(flatten)]
    pub(super) task_options: TaskOptions,

    #[command(flatten)]
    pub(super) check_options: CheckOptions,

    #[command(flatten)]
    pub(super) serve_options: ServeOptions,

    #[command(flatten)]
    pub(super) log_options: LogOptions,
}

/// Options that choose a task.
#[derive(Debug, Args)]
#[command(next_help_heading = "Tasks (instead of serving)")]
pub(super) struct TaskOptions {
    /// Query every broker once, print the result and exit
    #[arg(long)]
    pub(super) check: bool,

    /// Validate the configuration and exit
    #[arg(long = "config.check")]
    pub(super) config_check: bool,

    /// Check whether the exporter at this address is healthy and exit; for container health checks
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = listen_address)]
    pub(super) healthcheck: Option<SocketAddr>,

    /// Print shell completions, the manual page or a commented configuration and exit
    #[arg(long, value_enum, value_name = "TARGET")]
    pub(super) generate: Option<GenerateTarget>,
}

/// The sub-commands of the program that this one succeeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Subcommand {
    /// Query every broker once, print the result and exit
    Check,
    /// Serve Prometheus (the default)
    Prometheus,
}

/// What `--generate` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GenerateTarget {
    /// Completions for bash
    Bash,
    /// Completions for elvish
    Elvish,
    /// Completions for fish
    Fish,
    /// Completions for PowerShell
    Powershell,
    /// Completions for zsh
    Zsh,
    /// The manual page, for man(1)
    Man,
    /// A commented configuration with every key
    Config,
}

/// Output format of `--check`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    /// A table
    Table,
    /// One JSON object per broker, one per line
    Json,
    /// One line per client, for spreadsheets
    Csv,
}

/// Which clients that are not connected `--strict` fails for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Strictness {
    /// Any of them
    Connected,
    /// Those that are away for longer than their `offline_after`
    Overdue,
}

/// Options of `--check`.
#[derive(Debug, Args)]
#[command(next_help_heading = "Check options")]
pub(super) struct CheckOptions {
    /// Query only this broker; can be repeated
    #[arg(long = "broker", value_name = "ALIAS")]
    pub(super) brokers: Vec<String>,

    /// Show every client of the brokers, not only the watched ones
    #[arg(long)]
    pub(super) all: bool,

    /// Show every client of this fleet; can be repeated
    #[arg(long = "fleet", value_name = "ALIAS", conflicts_with = "all")]
    pub(super) fleets: Vec<String>,

    /// Show only clients whose alias or client ID matches this pattern (`*`, `?`); can be repeated
    #[arg(long = "client", value_name = "GLOB")]
    pub(super) clients: Vec<Glob>,

    /// Show only clients in this state; can be repeated
    #[arg(long = "state", value_name = "STATE", value_parser = client_state())]
    pub(super) states: Vec<ClientState>,

    /// Show only clients that are away for longer than their `offline_after`
    #[arg(long)]
    pub(super) overdue: bool,

    /// Output format [default: table]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(super) output: Option<OutputFormat>,

    /// Sort by this column; `-COLUMN` sorts in descending order [default: alias]
    #[arg(long = "sort", value_name = "COLUMN", value_parser = SortOrderParser, allow_hyphen_values = true)]
    pub(super) order: Option<SortOrder>,

    /// Repeat the query at this interval until stopped by Ctrl-C
    #[arg(long, value_name = "SECONDS", value_parser = watch_seconds)]
    pub(super) watch: Option<Duration>,

    /// Exit with status 3 if a watched client is not connected, with `=overdue` only if it is away for longer than its
    /// `offline_after`
    #[arg(
        long,
        value_enum,
        value_name = "WHEN",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "connected"
    )]
    pub(super) strict: Option<Strictness>,

    /// Timeout of the whole query [default: `timeout_seconds` x `attempts`; 60 with --all]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(super) timeout: Option<Duration>,
}

/// Options for serving Prometheus.
#[derive(Debug, Args)]
#[command(next_help_heading = "Server options")]
pub(super) struct ServeOptions {
    /// Address to listen on instead of the configured one; can be repeated
    #[arg(long = "web.listen-address", value_name = "ADDRESS:PORT", value_parser = listen_address)]
    pub(super) listen: Vec<SocketAddr>,

    /// Listen on the sockets that systemd passes (socket activation) instead of any address
    #[arg(long = "web.systemd-socket")]
    pub(super) systemd_socket: bool,

    /// File with TLS and basic authentication for the exporter itself, in the format of Prometheus' exporter-toolkit
    #[arg(long = "web.config.file", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) web_config_file: Option<PathBuf>,

    /// URL under which people and Prometheus reach the exporter, if that is not its own address; its path is the default
    /// of --web.route-prefix
    #[arg(long = "web.external-url", value_name = "URL", value_parser = external_url)]
    pub(super) external_url: Option<Url>,

    /// Prefix of the paths of all routes [default: path of --web.external-url]
    #[arg(long = "web.route-prefix", value_name = "PATH", value_parser = route_prefix)]
    pub(super) route_prefix: Option<String>,

    /// Reload the configuration when one of its files has changed
    #[arg(long = "config.enable-auto-reload")]
    pub(super) enable_auto_reload: bool,

    /// How often the files of the configuration are checked for changes; a number of seconds, or a duration such as
    /// 30s [default: 30]
    #[arg(long = "config.auto-reload-interval", value_name = "SECONDS", value_parser = check_interval)]
    pub(super) auto_reload_interval: Option<Duration>,

    /// Subtracted from Prometheus' scrape timeout, so that the response arrives in time [default: 0.5]
    #[arg(long, value_name = "SECONDS", value_parser = seconds_or_zero)]
    pub(super) timeout_offset: Option<Duration>,

    /// Maximum number of concurrent probes; further ones are answered with 503 [default: 64]
    #[arg(long = "web.max-probes", value_name = "N", value_parser = max_probes)]
    pub(super) max_probes: Option<usize>,

    /// How long to keep serving after SIGTERM while /-/ready returns 503, for load balancers [default: 0]
    #[arg(long = "web.shutdown-delay", value_name = "SECONDS", value_parser = seconds_or_zero)]
    pub(super) shutdown_delay: Option<Duration>,
}

impl ServeOptions {
    /// Returns the prefix of the routes, and the URL under which others reach them.
    pub(super) fn routing(&self) -> Routing {
        Routing::new(self.external_url.clone(), self.route_prefix.as_deref())
    }
}

/// Options for logging.
#[derive(Debug, Args)]
#[command(next_help_heading = "Logging options (logs go to stderr)")]
pub(super) struct LogOptions {
    /// Lowest level that is logged
    #[arg(long = "log.level", value_enum, value_name = "LEVEL", default_value = "info")]
    pub(super) level: Level,

    /// Format of log messages
    #[arg(long = "log.format", value_enum, value_name = "FORMAT", default_value = "logfmt")]
    pub(super) format: LogFormat,
}
