//! Logging to stderr, as logfmt or JSON. stdout belongs to the output of `--check`.

use std::io::{self, Write};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::Registry;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::sanitize::sanitized;

/// Lines that wait for stderr; further ones are dropped. The default of the library takes 5 MB at the start.
const MAX_WAITING_LINES: usize = 1_024;

/// The longest line, in bytes.
const MAX_LINE_BYTES: usize = 8 * 1024;

/// How long the end of the program waits for the last lines to be written.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Counts the dropped lines, once logging has been started for a server.
static DROPPED: OnceLock<ErrorCounter> = OnceLock::new();

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
pub enum LogFormat {
    /// `level=info message=...`, as Prometheus and its exporters log.
    Logfmt,
    /// One JSON object per line.
    Json,
}

/// Writes the last lines of a server when it is dropped.
#[derive(Debug)]
pub struct LogGuard(Option<WorkerGuard>);

/// Starts logging for a command: each line is written before the command goes on. A second call changes nothing.
pub fn init(level: Level, format: LogFormat) {
    start(level, format, io::stderr);
}

/// Starts logging for a server, which never waits for the reader of stderr: lines that cannot be written in time are
/// dropped and counted. A second call changes nothing.
#[must_use]
pub fn init_for_server(level: Level, format: LogFormat) -> LogGuard {
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(MAX_WAITING_LINES)
        .thread_name("log")
        .finish(io::stderr());
    let _ = DROPPED.set(writer.error_counter());
    start(level, format, writer);
    LogGuard(Some(guard))
}

/// Returns how many lines were dropped because stderr was not read fast enough.
pub(crate) fn dropped_lines() -> u64 {
    DROPPED.get().map_or(0, |dropped| dropped.dropped_lines() as u64)
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        let Some(guard) = self.0.take() else { return };
        let (sender, written) = mpsc::channel::<()>();
        // On a thread of its own: where stderr takes nothing, dropping it prints to stdout, which may be the same pipe.
        let thread = thread::Builder::new().name("log-end".to_owned()).spawn(move || {
            drop(guard);
            drop(sender);
        });
        if thread.is_ok() {
            let _ = written.recv_timeout(FLUSH_TIMEOUT);
        }
    }
}

fn start<W>(level: Level, format: LogFormat, writer: W)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let (libraries, http) = if level == Level::Trace {
        (LevelFilter::TRACE, LevelFilter::TRACE)
    } else {
        // The server library logs four lines at each start, and the TLS library several at each connection. The HTTP library
        // logs what strangers send as errors, without their address; the server logs that itself.
        (LevelFilter::from(level).min(LevelFilter::WARN), LevelFilter::OFF)
    };
    let targets = Targets::new()
        .with_default(libraries)
        .with_target("actix_http", http)
        .with_target(env!("CARGO_CRATE_NAME"), level);
    let writer = BoundedLines { writer, format };
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match format {
        LogFormat::Logfmt => Box::new(tracing_logfmt::builder().with_target(false).layer().with_writer(writer)),
        LogFormat::Json => Box::new(
            tracing_subscriber::fmt::layer().json().flatten_event(true).with_target(false).with_writer(writer),
        ),
    };
    // It fails only where a test starts the application twice.
    let _ = tracing_subscriber::registry().with(lines.with_filter(targets)).try_init();
}

/// Makes writers of lines of bounded length and without characters that could manipulate a terminal.
struct BoundedLines<W> {
    writer: W,
    format: LogFormat,
}

impl<'a, W: MakeWriter<'a>> MakeWriter<'a> for BoundedLines<W> {
    type Writer = BoundedLine<W::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        BoundedLine { writer: self.writer.make_writer(), format: self.format }
    }
}

/// Writes one line.
struct BoundedLine<W> {
    writer: W,
    format: LogFormat,
}

impl<W: Write> Write for BoundedLine<W> {
    /// Is called once for each line.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        let bounded = bounded(sanitized(text.trim_end_matches('\n')), self.format);
        self.writer.write_all(&[bounded.as_bytes(), b"\n"].concat())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// Shortens a line that is too long. What is left of one in JSON becomes a text in an object of its own.
fn bounded(line: String, format: LogFormat) -> String {
    if line.len() <= MAX_LINE_BYTES {
        return line;
    }
    // Escaping the quotes of a line in JSON may double its length.
    let end = (0..=MAX_LINE_BYTES / 3).rev().find(|end| line.is_char_boundary(*end)).unwrap_or_default();
    let start = &line[..end];
    match format {
        LogFormat::Logfmt => format!("{start}... (shortened from {} bytes)", line.len()),
        LogFormat::Json => {
            serde_json::json!({ "shortened_from_bytes": line.len(), "start": start }).to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(line: &str, format: LogFormat) -> String {
        let mut text = Vec::new();
        BoundedLine { writer: &mut text, format }.write_all(line.as_bytes()).expect("memory takes everything");
        String::from_utf8(text).expect("text")
    }

    #[test]
    fn lines_are_bounded_and_stay_lines() {
        let long = format!("level=info query={}\n", "é".repeat(100_000));
        for format in [LogFormat::Logfmt, LogFormat::Json] {
            assert_eq!(written("level=info message=\"grüß\"\n", format), "level=info message=\"grüß\"\n");
            let line = written(&long, format);
            assert!(line.len() <= MAX_LINE_BYTES && line.ends_with('\n') && line.lines().count() == 1);
        }
        let json: serde_json::Value = serde_json::from_str(&written(&long, LogFormat::Json)).expect("JSON");
        assert_eq!(json["shortened_from_bytes"], long.len() - 1);
    }

    #[test]
    fn no_character_deceives_a_terminal() {
        let line = written("a\u{1b}[31mb\u{9b}c\u{2028}d\u{202e}e\nf\n", LogFormat::Logfmt);
        assert!(
            line.trim_end_matches('\n').chars().all(|c| !c.is_control() && c != '\u{2028}' && c != '\u{202e}'),
            "{line:?}"
        );
    }
}
