//! Logs: to stderr, as logfmt or JSON. stdout belongs to the answer of `--check`.

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
    /// Only what stops the exporter.
    Error,
    /// Failed probes and refused requests too.
    Warn,
    /// Starts and stops too.
    Info,
    /// Each request too.
    Debug,
    /// Whatever the libraries say too.
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

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// `level=info message=...`, the way of Prometheus and its exporters.
    Logfmt,
    /// A JSON object in a line.
    Json,
}

/// Starts logging. A second call changes nothing.
pub fn init(level: Level, format: Format) {
    // The server library reports its every start at info, in four lines.
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
    // Only a test that starts the application twice can fail here.
    let _ = tracing_subscriber::registry().with(lines.with_filter(targets)).try_init();
}
