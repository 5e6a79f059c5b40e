//! Terminals and their alternate screen.

use std::env;
use std::io::{self, IsTerminal, Stdout, Write as _};
use std::os::fd::AsFd;

use anstream::adapter::strip_str;
use anstream::{AutoStream, ColorChoice};
use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::style::Print;
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, DisableLineWrap, EnableLineWrap, EndSynchronizedUpdate,
    EnterAlternateScreen, LeaveAlternateScreen,
};
use crossterm::{execute, queue};
use rustix::process::{Signal, getpid, kill_process};
use unicode_width::UnicodeWidthStr as _;

/// Fallback size for terminals that do not report one.
const DEFAULT_SIZE: (usize, usize) = (80, 24);

/// Whether the stream is a terminal that can be redrawn in place.
pub(super) fn can_redraw(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && env::var_os("TERM").is_none_or(|terminal| terminal != "dumb")
}

/// Returns the columns and lines of a terminal.
pub(super) fn size(terminal: &impl AsFd) -> (usize, usize) {
    terminal_size::terminal_size_of(terminal)
        .map_or(DEFAULT_SIZE, |(columns, lines)| (usize::from(columns.0), usize::from(lines.0)))
}

/// The alternate screen of the terminal on stdout, with a hidden cursor. Dropping it restores the shell's screen.
pub(super) struct AlternateScreen {
    stdout: Stdout,
    is_coloured: bool,
}

impl AlternateScreen {
    /// Switches to the alternate screen.
    pub(super) fn open() -> io::Result<Self> {
        let stdout = io::stdout();
        let is_coloured = AutoStream::choice(&stdout) != ColorChoice::Never;
        let mut screen = Self { stdout, is_coloured };
        screen.enter()?;
        Ok(screen)
    }

    /// Restores the shell's screen while this process is stopped, and switches back when it continues.
    pub(super) fn suspend(&mut self) -> io::Result<()> {
        self.leave()?;
        kill_process(getpid(), Signal::STOP)?;
        self.enter()
    }

    fn enter(&mut self) -> io::Result<()> {
        execute!(self.stdout, EnterAlternateScreen, Hide, DisableLineWrap, Clear(ClearType::All))
    }

    fn leave(&mut self) -> io::Result<()> {
        execute!(self.stdout, EnableLineWrap, Show, LeaveAlternateScreen)
    }

    /// Returns its columns and lines.
    pub(super) fn size(&self) -> (usize, usize) {
        size(&self.stdout)
    }

    /// Shows only these lines, and moves the cursor to the first of them.
    ///
    /// To avoid flicker, lines are overwritten instead of cleared first, and all are written at once.
    pub(super) fn show(&mut self, lines: &[String]) -> io::Result<()> {
        let (columns, height) = self.size();
        let mut frame = Vec::new();
        queue!(frame, BeginSynchronizedUpdate)?;
        let mut next = 0;
        for line in lines.iter().take(height) {
            let plain = strip_str(line).to_string();
            queue!(frame, MoveTo(0, next), Print(if self.is_coloured { line } else { &plain }))?;
            // After a line of full width the cursor is still on its last character, which must not be cleared.
            if plain.width() < columns {
                queue!(frame, Clear(ClearType::UntilNewLine))?;
            }
            next += 1;
        }
        if usize::from(next) < height {
            queue!(frame, MoveTo(0, next), Clear(ClearType::FromCursorDown))?;
        }
        queue!(frame, MoveTo(0, 0), EndSynchronizedUpdate)?;
        self.stdout.write_all(&frame)?;
        self.stdout.flush()
    }
}

impl Drop for AlternateScreen {
    fn drop(&mut self) {
        // An error cannot be reported once the terminal is gone.
        let _ = self.leave();
    }
}
