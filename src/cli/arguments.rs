//! Every option of the command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, ValueEnum, ValueHint};
use clap_complete::Shell;

use super::values::{OrderParser, listen_address, max_probes, seconds, seconds_or_none, watch_seconds};
use crate::logging::{Format, Level};
use crate::table::Order;
use crate::version;

/// Prometheus exporter for the state of individual MQTT clients of EMQX brokers.
///
/// Asks the brokers live at each scrape of /probe?broker=ALIAS and keeps nothing in between. With --check it asks
/// once and prints a table.
#[derive(Debug, Parser)]
#[command(name = "emqx-client-monitor", version = version::LINE, max_term_width = 100)]
pub(super) struct Arguments {
    /// What to do
    #[arg(value_enum, value_name = "check|prometheus")]
    pub(super) word: Option<Word>,

    /// The configuration [default: ~/.config/emqx-client-monitor/config.yaml]
    #[arg(
        long = "cfg",
        alias = "config.file",
        value_name = "FILE",
        env = "EMQX_CLIENT_MONITOR_CFG",
        value_hint = ValueHint::FilePath
    )]
    pub(super) config_file: Option<PathBuf>,

    /// Ask every broker once, print what it says, and exit
    #[arg(long, help_heading = "Tasks, instead of answering Prometheus")]
    pub(super) check: bool,

    /// Say what is wrong with the configuration, and exit
    #[arg(long = "config.check", help_heading = "Tasks, instead of answering Prometheus")]
    pub(super) config_check: bool,

    /// Ask the exporter that listens there whether it is up, and exit: for a container's health check
    #[arg(
        long,
        value_name = "ADDRESS:PORT",
        value_parser = listen_address,
        help_heading = "Tasks, instead of answering Prometheus"
    )]
    pub(super) healthcheck: Option<SocketAddr>,

    /// Print the completions of a shell, or the manual page, and exit
    #[arg(long, value_enum, value_name = "WHAT", help_heading = "Tasks, instead of answering Prometheus")]
    pub(super) generate: Option<Generated>,

    #[command(flatten)]
    pub(super) checking: Checking,

    #[command(flatten)]
    pub(super) serving: Serving,

    #[command(flatten)]
    pub(super) logging: Logging,
}

/// The words the program this one succeeds had for its sub-commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Word {
    /// Ask every broker once, print what it says, and exit
    Check,
    /// Answer Prometheus (the default)
    Prometheus,
}

/// What is made from these definitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Generated {
    /// Completions for bash
    Bash,
    /// Completions for elvish
    Elvish,
    /// Completions for fish
    Fish,
    /// Completions for Microsoft's shell
    Powershell,
    /// Completions for zsh
    Zsh,
    /// The manual page, for man(1)
    Man,
}

impl Generated {
    /// The shell it is for, unless it is for people.
    pub(super) fn shell(self) -> Option<Shell> {
        match self {
            Self::Bash => Some(Shell::Bash),
            Self::Elvish => Some(Shell::Elvish),
            Self::Fish => Some(Shell::Fish),
            Self::Powershell => Some(Shell::PowerShell),
            Self::Zsh => Some(Shell::Zsh),
            Self::Man => None,
        }
    }
}

/// How `--check` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// A table for people
    Table,
    /// One JSON object for each broker, each in its line
    Json,
}

/// What goes with `--check`.
#[derive(Debug, Args)]
#[command(next_help_heading = "Check")]
pub(super) struct Checking {
    /// Only this broker; may be repeated
    #[arg(long = "broker", value_name = "ALIAS")]
    pub(super) brokers: Vec<String>,

    /// Every client of the brokers, not only the watched ones
    #[arg(long)]
    pub(super) all: bool,

    /// How to print [default: table]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(super) output: Option<Output>,

    /// By which column the clients are sorted, with a `-` before it for the largest first [default: alias]
    #[arg(long = "sort", value_name = "COLUMN", value_parser = OrderParser, allow_hyphen_values = true)]
    pub(super) order: Option<Order>,

    /// Ask again every so many seconds, until stopped by Ctrl-C
    #[arg(long, value_name = "SECONDS", value_parser = watch_seconds)]
    pub(super) watch: Option<Duration>,

    /// Exit with status 3 when a watched client is not connected
    #[arg(long)]
    pub(super) strict: bool,

    /// How long one query may take [default: `timeout_seconds` x `attempts`; 60 with --all]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(super) timeout: Option<Duration>,
}

impl Checking {
    /// The first of these options that is given.
    pub(super) fn first(&self) -> Option<&'static str> {
        given(&[
            ("--broker", !self.brokers.is_empty()),
            ("--all", self.all),
            ("--output", self.output.is_some()),
            ("--sort", self.order.is_some()),
            ("--watch", self.watch.is_some()),
            ("--strict", self.strict),
            ("--timeout", self.timeout.is_some()),
        ])
    }
}

/// What goes with answering Prometheus.
#[derive(Debug, Args)]
#[command(next_help_heading = "Serving")]
pub(super) struct Serving {
    /// Where to listen, instead of where the configuration says; may be repeated
    #[arg(long = "web.listen-address", value_name = "ADDRESS:PORT", value_parser = listen_address)]
    pub(super) listen: Vec<SocketAddr>,

    /// TLS and basic authentication for the exporter itself, in the format of Prometheus' exporter-toolkit
    #[arg(long = "web.config.file", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) web_config_file: Option<PathBuf>,

    /// What is taken off Prometheus' scrape timeout, so that the answer is there in time [default: 0.5]
    #[arg(long, value_name = "SECONDS", value_parser = seconds_or_none)]
    pub(super) timeout_offset: Option<Duration>,

    /// How many probes may be under way at once; more are answered with a 503 [default: 64]
    #[arg(long = "web.max-probes", value_name = "N", value_parser = max_probes)]
    pub(super) max_probes: Option<usize>,

    /// How long requests are still taken after SIGTERM while /-/ready says 503, for load balancers [default: 0]
    #[arg(long = "web.shutdown-delay", value_name = "SECONDS", value_parser = seconds_or_none)]
    pub(super) shutdown_delay: Option<Duration>,
}

impl Serving {
    /// The first of these options that is given and means nothing to any other task.
    pub(super) fn first(&self) -> Option<&'static str> {
        given(&[
            ("--web.listen-address", !self.listen.is_empty()),
            ("--timeout-offset", self.timeout_offset.is_some()),
            ("--web.max-probes", self.max_probes.is_some()),
            ("--web.shutdown-delay", self.shutdown_delay.is_some()),
        ])
    }
}

/// How it is logged.
#[derive(Debug, Args)]
#[command(next_help_heading = "Logging, to stderr")]
pub(super) struct Logging {
    /// The least important level that is logged
    #[arg(long = "log.level", value_enum, value_name = "LEVEL", default_value = "info")]
    pub(super) level: Level,

    /// How it is logged
    #[arg(long = "log.format", value_enum, value_name = "FORMAT", default_value = "logfmt")]
    pub(super) format: Format,
}

fn given(options: &[(&'static str, bool)]) -> Option<&'static str> {
    options.iter().find(|(_, given)| *given).map(|(option, _)| *option)
}
