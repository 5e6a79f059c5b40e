//! The answer of `--check` as a table for people.

#[cfg(test)]
mod tests;

use std::fmt::Write as _;
use std::io::{self, Write as _};

use comfy_table::{
    Attribute, Cell as DrawnCell, CellAlignment, Color, ColumnConstraint, ContentLineStyle, LineStyle, Table,
    TableStyle, Width,
};
use jiff::Timestamp;
use unicode_width::UnicodeWidthStr as _;

use super::layout::{Layout, Needs, fit};
use crate::outcome::Outcome;
use crate::table::{Alignment, COLUMNS, Cell, Order, Row, Shown, Weight};

/// A heavy head over light rows.
const HEAVY_HEAD: TableStyle = TableStyle::new()
    .top_border(LineStyle::new('┏', '━', '┳', '┓'))
    .header_lines(ContentLineStyle::new('┃', '┃', '┃'))
    .header_separator(LineStyle::new('┡', '━', '╇', '┩'))
    .content_lines(ContentLineStyle::new('│', '│', '│'))
    .bottom_border(LineStyle::new('└', '─', '┴', '┘'));

/// A name that is longer may be broken down to this width.
const LEAST_NAME: usize = 12;

/// Prints the outcomes to stdout as one table, sorted by alias. Colours go to terminals only.
pub(super) fn print(outcomes: &[Outcome], now: Timestamp) -> io::Result<()> {
    let stdout = io::stdout();
    let room = terminal_size::terminal_size_of(&stdout).map(|(width, _)| usize::from(width.0));
    let mut stdout = anstream::AutoStream::auto(stdout);
    stdout.write_all(tell(outcomes, now, room).as_bytes())?;
    stdout.flush()
}

/// The table, if there is anyone to stand in it, and what it cannot say.
fn tell(outcomes: &[Outcome], now: Timestamp, room: Option<usize>) -> String {
    let mut text = String::new();
    if outcomes.iter().any(|outcome| !outcome.clients.is_empty()) {
        let columns = columns(outcomes, Order::default(), now);
        let needs: Vec<_> = columns.iter().map(Column::needs).collect();
        let layout = fit(&needs, room);
        let _ = writeln!(text, "{}", draw(&columns, &layout));
        let left_out: Vec<_> = columns
            .iter()
            .zip(&layout.widths)
            .filter(|(_, width)| width.is_none())
            .map(|(column, _)| column.heading.join(" "))
            .collect();
        if !left_out.is_empty() {
            let _ = writeln!(text, "No room for: {}", left_out.join(", "));
        }
    }
    for outcome in outcomes.iter().filter(|outcome| outcome.clients.is_empty() && outcome.is_success()) {
        let _ = writeln!(text, "{} answers; there are no clients to show.", outcome.broker);
    }
    text
}

/// A column with the cells of all rows.
struct Column {
    heading: [&'static str; 2],
    alignment: Alignment,
    dispensable: bool,
    cells: Vec<Cell>,
}

fn columns(outcomes: &[Outcome], order: Order, now: Timestamp) -> Vec<Column> {
    let rows = outcomes.iter().flat_map(|outcome| outcome.clients.iter().map(move |told| (told, outcome)));
    let mut rows: Vec<_> = rows.map(|(told, outcome)| Row { told, broker: &outcome.broker }).collect();
    order.sort(&mut rows);
    COLUMNS
        .iter()
        .filter(|column| column.is_in_terminal())
        .filter(|column| column.shown != Shown::IfSeveralBrokers || outcomes.len() > 1)
        .map(|column| Column {
            heading: column.heading,
            alignment: column.alignment,
            dispensable: column.shown == Shown::IfRoom,
            cells: rows.iter().map(|row| column.cell(*row, now)).collect(),
        })
        .collect()
}

impl Column {
    fn needs(&self) -> Needs {
        let texts = || self.heading.into_iter().chain(self.cells.iter().map(|cell| cell.text.as_str()));
        let natural = texts().map(str::width).max().unwrap_or(0);
        let least = match self.alignment {
            Alignment::Left => natural.min(LEAST_NAME),
            Alignment::Right => texts().flat_map(str::split_whitespace).map(str::width).max().unwrap_or(0),
            Alignment::Digits => natural,
        };
        Needs { natural, least, dispensable: self.dispensable }
    }

    /// The lines of the heading in a column of this width.
    fn heading_lines(&self, width: usize) -> Vec<&'static str> {
        let broken = |line: &'static str| {
            if line.width() <= width { vec![line] } else { line.split_whitespace().collect() }
        };
        self.heading.into_iter().flat_map(broken).collect()
    }
}

fn draw(columns: &[Column], layout: &Layout) -> Table {
    let shown: Vec<(&Column, usize)> =
        columns.iter().zip(&layout.widths).filter_map(|(column, width)| Some((column, (*width)?))).collect();

    let mut table = Table::new();
    // Everything about the terminal is settled: the widths by the layout, and the stream behind `print` takes the
    // colours out again where they are not wanted.
    table.load_style(HEAVY_HEAD).force_no_tty().enforce_styling();
    table.set_header(headings(&shown));
    let rows = columns.first().map_or(0, |column| column.cells.len());
    for row in 0..rows {
        table.add_row(shown.iter().map(|(column, _)| drawn(&column.cells[row])));
    }
    for (drawn, (column, width)) in table.column_iter_mut().zip(&shown) {
        let blanks = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
        drawn.set_padding((blanks(layout.padding), blanks(layout.padding)));
        drawn.set_constraint(ColumnConstraint::Absolute(Width::Fixed(blanks(width + 2 * layout.padding))));
        if column.alignment != Alignment::Left {
            drawn.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// The headings, which end in the same line however many lines each takes.
fn headings(shown: &[(&Column, usize)]) -> Vec<String> {
    let headings: Vec<_> = shown.iter().map(|(column, width)| column.heading_lines(*width)).collect();
    let height = headings.iter().map(Vec::len).max().unwrap_or(0);
    headings.iter().map(|lines| "\n".repeat(height - lines.len()) + &lines.join("\n")).collect()
}

fn drawn(cell: &Cell) -> DrawnCell {
    let drawn = DrawnCell::new(&cell.text);
    match cell.weight {
        Weight::Plain => drawn,
        Weight::Notable => drawn.add_attribute(Attribute::Bold),
        Weight::Alarming => drawn.fg(Color::Red),
    }
}
