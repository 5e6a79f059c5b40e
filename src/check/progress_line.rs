//! A line that shows the progress of a long query.

use std::cell::Cell;
use std::io::{self, Write};
use std::pin::pin;
use std::time::Duration;

use crossterm::cursor::MoveToColumn;
use crossterm::queue;
use crossterm::style::Print;
use crossterm::terminal::{Clear, ClearType};
use tokio::time::{Instant, interval_at};
use tracing::Level;
use unicode_width::UnicodeWidthChar as _;

use super::screen;
use crate::probe::Progress;
use crate::sanitize::sanitized;

/// Duration of a query after which its progress is shown.
const DELAY: Duration = Duration::from_secs(1);

/// Interval between updates of the line.
const UPDATE_INTERVAL: Duration = Duration::from_millis(200);

/// The progress of probing one broker.
pub(super) struct BrokerProgress {
    broker: String,
    pub(super) clients: Progress,
    has_ended: Cell<bool>,
}

impl BrokerProgress {
    pub(super) fn new(broker: &str) -> Self {
        Self { broker: sanitized(broker), clients: Progress::default(), has_ended: Cell::new(false) }
    }

    pub(super) fn end(&self) {
        self.has_ended.set(true);
    }

    fn text(&self) -> String {
        match (self.clients.read(), self.clients.count()) {
            // Nothing listed yet, or lookups, which report no progress.
            (0, _) => format!("waiting for {}", self.broker),
            (read, Some(count)) => format!("{}: {read} of {count} clients read", self.broker),
            (read, None) => format!("{}: {read} clients read", self.broker),
        }
    }
}

/// The line, which is redrawn in place and erased at the end.
pub(super) struct ProgressLine {
    terminal: Box<dyn Write>,
    columns: usize,
    is_drawn: bool,
}

impl ProgressLine {
    /// Returns a line on stderr, if that is a terminal to which no debug log is written meanwhile.
    pub(super) fn on_stderr() -> Option<Self> {
        let stderr = io::stderr();
        if !screen::can_redraw(&stderr) || tracing::enabled!(Level::DEBUG) {
            return None;
        }
        let (columns, _) = screen::size(&stderr);
        Some(Self { terminal: Box::new(stderr), columns, is_drawn: false })
    }

    /// Returns a line at the cursor of stdout, which must be a terminal.
    pub(super) fn on_stdout() -> Self {
        let stdout = io::stdout();
        let (columns, _) = screen::size(&stdout);
        Self { terminal: Box::new(stdout), columns, is_drawn: false }
    }

    /// Shows the progress until the future ends.
    pub(super) async fn show_until<T>(
        mut self,
        progress: &[BrokerProgress],
        future: impl Future<Output = T>,
    ) -> T {
        let mut future = pin!(future);
        let mut updates = interval_at(Instant::now() + DELAY, UPDATE_INTERVAL);
        loop {
            tokio::select! {
                biased;
                result = &mut future => return result,
                _ = updates.tick() => self.draw(progress),
            }
        }
    }

    fn draw(&mut self, progress: &[BrokerProgress]) {
        let running: Vec<_> =
            progress.iter().filter(|progress| !progress.has_ended.get()).map(BrokerProgress::text).collect();
        // The last column stays free: some terminals wrap when it is written.
        let line = cut(&running.join(", "), self.columns.saturating_sub(1));
        self.is_drawn = true;
        // The cursor stays behind the text, where a shell continues after Ctrl-C. A failed write is ignored: the
        // result may still be printed.
        let _ = queue!(self.terminal, MoveToColumn(0), Print(line), Clear(ClearType::UntilNewLine))
            .and_then(|()| self.terminal.flush());
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        if self.is_drawn {
            let _ = queue!(self.terminal, MoveToColumn(0), Clear(ClearType::UntilNewLine))
                .and_then(|()| self.terminal.flush());
        }
    }
}

/// Cuts a text to this many columns of a terminal.
fn cut(text: &str, columns: usize) -> String {
    let mut room = columns;
    let fits = |character: &char| {
        let width = character.width().unwrap_or(0);
        let fits = width <= room;
        room = room.saturating_sub(width);
        fits
    };
    text.chars().take_while(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_never_wider_than_its_terminal() {
        assert_eq!(cut("Broker: 5 clients", 7), "Broker:");
        assert_eq!(cut("水水水", 5), "水水");
        assert_eq!(cut("short", 80), "short");
        assert_eq!(cut("short", 0), "");
    }

    #[test]
    fn the_name_of_a_broker_is_sanitized() {
        assert_eq!(BrokerProgress::new("A\u{9b}2J\u{202E}B").text(), "waiting for A\u{FFFD}2J\u{FFFD}B");
    }
}
