//! The answer of `--check` as a table for people.

#[cfg(test)]
mod tests;

use std::io::{self, BufWriter, Write};

use anstream::AutoStream;
use jiff::Timestamp;

use super::drawing::{Drawing, rows};
use crate::outcome::Outcome;
use crate::table::{Order, harmless};

/// How many rows are drawn at once.
const PIECE: usize = 256;

/// Prints the outcomes to stdout as one table. Colours go to terminals only.
pub(super) fn print(outcomes: &[Outcome], order: Order, now: Timestamp) -> io::Result<()> {
    let stdout = io::stdout();
    let room = terminal_size::terminal_size_of(&stdout).map(|(width, _)| usize::from(width.0));
    let mut stdout = BufWriter::new(AutoStream::auto(stdout.lock()));
    tell(outcomes, order, now, room, &mut stdout)?;
    stdout.flush()
}

/// The table, if there is anyone to stand in it, and what it cannot say.
fn tell(
    outcomes: &[Outcome],
    order: Order,
    now: Timestamp,
    room: Option<usize>,
    to: &mut impl Write,
) -> io::Result<()> {
    let rows = rows(outcomes, order);
    if !rows.is_empty() {
        let drawing = Drawing::new(&rows, outcomes.len() > 1, now, room);
        write_lines(to, drawing.head())?;
        for first in (0..rows.len()).step_by(PIECE) {
            write_lines(to, drawing.body(first..rows.len().min(first + PIECE)))?;
        }
        write_lines(to, [drawing.foot()].into_iter().chain(drawing.left_out()))?;
    }
    write_lines(to, empty(outcomes))
}

/// Says which brokers answer and have nobody to show.
pub(super) fn empty(outcomes: &[Outcome]) -> impl Iterator<Item = String> {
    let empty = outcomes.iter().filter(|outcome| outcome.clients.is_empty() && outcome.is_success());
    empty.map(|outcome| format!("{} answers; there are no clients to show.", harmless(&outcome.broker)))
}

fn write_lines(to: &mut impl Write, lines: impl IntoIterator<Item = String>) -> io::Result<()> {
    lines.into_iter().try_for_each(|line| writeln!(to, "{line}"))
}
