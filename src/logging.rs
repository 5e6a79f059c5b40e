//! Logging to stderr, as logfmt or JSON. stdout belongs to the output of `--check`.

use std::io;

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::SubscriberInitExt as _;

/// The least important level that is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Level {
    /// Only errors.
    Error,
    /// Also failed probes and refused requests.
    Warn,
    /// Also starts, stops and reloads.
    Info,
    /// Also each request.
    Debug,
    /// Also everything the libraries log.
    Trace,
}

impl From<Level> for LevelFilter {
    fn from(level: Level) -> Self {
        match level {
            Level::Error => Self::ERROR,
            Level::Warn => Self::WARN,
            Level::Info => Self::INFO,
            Level::Debug => Self::DEBUG,
            Level::Trace => Self::TRACE,
        }
    }
}

/// The format of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// `level=info message=...`, as Prometheus and its exporters log.
    Logfmt,
    /// One JSON object per line.
    Json,
}

/// Starts logging. A second call changes nothing.
pub fn init(level: Level, format: Format) {
    // The server library logs each start at info level, in four lines.
    let libraries = if level == Level::Info { LevelFilter::WARN } else { level.into() };
    let targets = Targets::new().with_default(libraries).with_target(env!("CARGO_CRATE_NAME"), level);
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match format {
        Format::Logfmt => {
            Box::new(tracing_logfmt::builder().with_target(false).layer().with_writer(io::stderr))
        }
        Format::Json => Box::new(
            tracing_subscriber::fmt::layer()
                .json()
                .flatten_event(true)
                .with_target(false)
                .with_writer(io::stderr),
        ),
    };
    // It fails only where a test starts the application twice.
    let _ = tracing_subscriber::registry().with(lines.with_filter(targets)).try_init();
}
