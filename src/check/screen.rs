//! Terminals, and one whose whole screen is ours for a while.

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

/// What a terminal has that does not say.
const USUAL_SIZE: (usize, usize) = (80, 24);

/// Whether it is a terminal that lets itself be drawn over.
pub(super) fn can_redraw(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && env::var_os("TERM").is_none_or(|terminal| terminal != "dumb")
}

/// Columns and lines of a terminal.
pub(super) fn size(terminal: &impl AsFd) -> (usize, usize) {
    terminal_size::terminal_size_of(terminal)
        .map_or(USUAL_SIZE, |(columns, lines)| (usize::from(columns.0), usize::from(lines.0)))
}

/// The screen of stdout, which is another one than that of the shell, and has no cursor. It is given back when this is
/// dropped.
pub(super) struct Screen {
    stdout: Stdout,
    is_coloured: bool,
}

impl Screen {
    /// Takes the screen.
    pub(super) fn take() -> io::Result<Self> {
        let stdout = io::stdout();
        let is_coloured = AutoStream::choice(&stdout) != ColorChoice::Never;
        let mut screen = Self { stdout, is_coloured };
        screen.enter()?;
        Ok(screen)
    }

    /// Gives it back while this process is stopped, and takes it again when it goes on.
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

    /// Its columns and lines.
    pub(super) fn size(&self) -> (usize, usize) {
        size(&self.stdout)
    }

    /// Shows these lines and nothing else. The cursor stands in the first of them afterwards.
    ///
    /// Nothing is cleared before it is written over, and all is written at once: nothing flickers.
    pub(super) fn show(&mut self, lines: &[String]) -> io::Result<()> {
        let (columns, height) = self.size();
        let mut frame = Vec::new();
        queue!(frame, BeginSynchronizedUpdate)?;
        let mut next = 0;
        for line in lines.iter().take(height) {
            let plain = strip_str(line).to_string();
            queue!(frame, MoveTo(0, next), Print(if self.is_coloured { line } else { &plain }))?;
            // Behind a line that fills the terminal the cursor stands on its last character.
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

impl Drop for Screen {
    fn drop(&mut self) {
        // Nobody is left to tell when the terminal has gone.
        let _ = self.leave();
    }
}
