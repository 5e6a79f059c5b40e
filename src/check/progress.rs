//! A line that says how far a long query has come.

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
use crate::table::harmless;

/// How long a query may take before anybody wonders.
const PATIENCE: Duration = Duration::from_secs(1);

/// From one drawing of the line to the next.
const STEP: Duration = Duration::from_millis(200);

/// How far the query of one broker has come.
pub(super) struct Track {
    broker: String,
    pub(super) progress: Progress,
    has_ended: Cell<bool>,
}

impl Track {
    pub(super) fn new(broker: &str) -> Self {
        Self { broker: harmless(broker), progress: Progress::default(), has_ended: Cell::new(false) }
    }

    pub(super) fn end(&self) {
        self.has_ended.set(true);
    }

    fn told(&self) -> String {
        match (self.progress.read(), self.progress.count()) {
            // A list that has not begun to come, or lookups, of which each is too short to tell of.
            (0, _) => format!("waiting for {}", self.broker),
            (read, Some(count)) => format!("{}: {read} of {count} clients read", self.broker),
            (read, None) => format!("{}: {read} clients read", self.broker),
        }
    }
}

/// The line, which is drawn over itself and erased at the end.
pub(super) struct Line {
    terminal: Box<dyn Write>,
    columns: usize,
    is_drawn: bool,
}

impl Line {
    /// A line on stderr, if that is a terminal which nothing else is written to meanwhile.
    pub(super) fn on_stderr() -> Option<Self> {
        let stderr = io::stderr();
        if !screen::can_redraw(&stderr) || tracing::enabled!(Level::DEBUG) {
            return None;
        }
        let (columns, _) = screen::size(&stderr);
        Some(Self { terminal: Box::new(stderr), columns, is_drawn: false })
    }

    /// A line where the cursor is on the terminal that is stdout.
    pub(super) fn on_stdout() -> Self {
        let stdout = io::stdout();
        let (columns, _) = screen::size(&stdout);
        Self { terminal: Box::new(stdout), columns, is_drawn: false }
    }

    /// Waits for the answer, and says from time to time how far it has come.
    pub(super) async fn follow<T>(mut self, tracks: &[Track], asking: impl Future<Output = T>) -> T {
        let mut asking = pin!(asking);
        let mut steps = interval_at(Instant::now() + PATIENCE, STEP);
        loop {
            tokio::select! {
                biased;
                answer = &mut asking => return answer,
                _ = steps.tick() => self.draw(tracks),
            }
        }
    }

    fn draw(&mut self, tracks: &[Track]) {
        let under_way: Vec<_> = tracks.iter().filter(|track| !track.has_ended.get()).map(Track::told).collect();
        // The last column stays free: some terminals go to the next line with it.
        let line = cut(&under_way.join(", "), self.columns.saturating_sub(1));
        self.is_drawn = true;
        // The cursor stays behind it: there a shell goes on when Ctrl-C ends this. A terminal that takes no progress may
        // still take the answer.
        let _ = queue!(self.terminal, MoveToColumn(0), Print(line), Clear(ClearType::UntilNewLine))
            .and_then(|()| self.terminal.flush());
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.is_drawn {
            let _ = queue!(self.terminal, MoveToColumn(0), Clear(ClearType::UntilNewLine))
                .and_then(|()| self.terminal.flush());
        }
    }
}

/// As much of a text as fits into so many columns.
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
    fn a_broker_cannot_be_named_so_that_a_terminal_obeys() {
        assert_eq!(Track::new("A\u{9b}2J\u{202E}B").told(), "waiting for A\u{FFFD}2J\u{FFFD}B");
    }
}
