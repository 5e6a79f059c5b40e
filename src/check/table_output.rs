//! The result of `--check` as a table.

#[cfg(test)]
mod tests;

use std::io::{self, BufWriter, Write};

use anstream::AutoStream;
use jiff::Timestamp;

use super::summary::{fleet_lines, summary};
use super::text_table::TextTable;
use crate::outcome::Outcome;
use crate::sanitize::sanitized;
use crate::table::Selection;

/// Number of rows formatted at once.
const CHUNK_ROWS: usize = 256;

/// Prints the outcomes to stdout as one table, coloured if stdout is a terminal.
pub(super) fn print(outcomes: &[Outcome], selection: &Selection, now: Timestamp) -> io::Result<()> {
    let stdout = io::stdout();
    let width = terminal_size::terminal_size_of(&stdout).map(|(width, _)| usize::from(width.0));
    let mut stdout = BufWriter::new(AutoStream::auto(stdout.lock()));
    write(outcomes, selection, now, width, &mut stdout)?;
    stdout.flush()
}

/// Writes the table, the closing line, and one line for each broker without clients.
fn write(
    outcomes: &[Outcome],
    selection: &Selection,
    now: Timestamp,
    width: Option<usize>,
    to: &mut impl Write,
) -> io::Result<()> {
    let rows = selection.rows(outcomes, now);
    if !rows.is_empty() {
        let table = TextTable::new(&rows, outcomes, now, width);
        write_lines(to, table.header())?;
        for start in (0..rows.len()).step_by(CHUNK_ROWS) {
            write_lines(to, table.body(start..rows.len().min(start + CHUNK_ROWS)))?;
        }
        write_lines(to, [table.bottom_border()].into_iter().chain(table.hidden_columns()))?;
    }
    let closing = summary(outcomes, rows.len(), now).into_iter().chain(fleet_lines(outcomes));
    write_lines(to, closing.chain(brokers_without_clients(outcomes)))
}

/// Returns a line for each broker that was probed successfully and has no clients.
pub(super) fn brokers_without_clients(outcomes: &[Outcome]) -> impl Iterator<Item = String> {
    let empty = outcomes.iter().filter(|outcome| outcome.clients.is_empty() && outcome.is_success());
    empty.map(|outcome| format!("{} is reachable and has no clients to show.", sanitized(&outcome.broker)))
}

fn write_lines(to: &mut impl Write, lines: impl IntoIterator<Item = String>) -> io::Result<()> {
    lines.into_iter().try_for_each(|line| writeln!(to, "{line}"))
}
