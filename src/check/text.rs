//! The answer of `--check` as a table for people.

use std::io::{self, Write as _};

use comfy_table::{
    Cell as DrawnCell, CellAlignment, Color, Column, ColumnConstraint, ContentArrangement, ContentLineStyle,
    LineStyle, Table, TableStyle,
};
use jiff::Timestamp;

use crate::outcome::{Outcome, Told};
use crate::table::{Alignment, COLUMNS, Cell};

/// A heavy head over light rows.
const HEAVY_HEAD: TableStyle = TableStyle::new()
    .top_border(LineStyle::new('┏', '━', '┳', '┓'))
    .header_lines(ContentLineStyle::new('┃', '┃', '┃'))
    .header_separator(LineStyle::new('┡', '━', '╇', '┩'))
    .content_lines(ContentLineStyle::new('│', '│', '│'))
    .bottom_border(LineStyle::new('└', '─', '┴', '┘'));

/// Prints the outcomes to stdout as one table, sorted by alias. Colours go to terminals only.
pub(super) fn print(outcomes: &[Outcome], now: Timestamp) -> io::Result<()> {
    writeln!(anstream::stdout().lock(), "{}", draw(outcomes, now))
}

fn draw(outcomes: &[Outcome], now: Timestamp) -> Table {
    let mut rows: Vec<(&Told, &Outcome)> =
        outcomes.iter().flat_map(|outcome| outcome.clients.iter().map(move |told| (told, outcome))).collect();
    rows.sort_by_key(|(told, outcome)| (told.alias(), &outcome.broker));
    let several_brokers = outcomes.len() > 1;

    let mut table = Table::new();
    // The stream behind `print` takes the colours out again where they are not wanted.
    table.load_style(HEAVY_HEAD).enforce_styling().set_content_arrangement(ContentArrangement::Dynamic);
    if table.width() == Some(0) {
        // A terminal that does not tell its width.
        table.force_no_tty();
    }
    let heading = |[upper, lower]: [&str; 2]| DrawnCell::new(format!("{upper}\n{lower}"));
    let mut headings: Vec<_> = COLUMNS.iter().map(|column| heading(column.heading)).collect();
    if several_brokers {
        headings.insert(1, heading(["", "Broker"]));
    }
    table.set_header(headings);
    for (told, outcome) in rows {
        let mut cells: Vec<_> = COLUMNS.iter().map(|column| drawn(column.cell(told, now))).collect();
        if several_brokers {
            cells.insert(1, DrawnCell::new(&outcome.broker));
        }
        table.add_row(cells);
    }

    let mut alignments: Vec<_> = COLUMNS.iter().map(|column| column.alignment).collect();
    if several_brokers {
        alignments.insert(1, Alignment::Left);
    }
    for (column, alignment) in table.column_iter_mut().zip(alignments) {
        align(column, alignment);
    }
    table
}

fn drawn(cell: Cell) -> DrawnCell {
    match cell {
        Cell::Plain(text) => DrawnCell::new(text),
        Cell::Alarming(text) => DrawnCell::new(text).fg(Color::Red),
    }
}

fn align(column: &mut Column, alignment: Alignment) {
    if alignment != Alignment::Left {
        column.set_cell_alignment(CellAlignment::Right);
    }
    if alignment == Alignment::Digits {
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
}
