//! A table for people, drawn in pieces: what it is drawn from may be much, and is held once.

use std::ops::Range;

use comfy_table::{
    Attribute, Cell as DrawnCell, CellAlignment, Color, ColumnConstraint, ContentLineStyle, LineStyle, Table,
    TableStyle, Width,
};
use jiff::Timestamp;
use unicode_width::UnicodeWidthStr as _;

use super::layout::{Layout, Needs, fit};
use crate::outcome::Outcome;
use crate::table::{Alignment, COLUMNS, Cell, Column, Order, Row, Shown, Weight};

/// The lines beside the cells of a heavy head over light rows.
const SIDES: TableStyle = TableStyle::new()
    .header_lines(ContentLineStyle::new('┃', '┃', '┃'))
    .content_lines(ContentLineStyle::new('│', '│', '│'));

/// These, and the lines above and below the head.
const HEAD: TableStyle =
    SIDES.top_border(LineStyle::new('┏', '━', '┳', '┓')).header_separator(LineStyle::new('┡', '━', '╇', '┩'));

/// A name that is longer may be broken down to this width.
const LEAST_NAME: usize = 12;

/// The clients of all brokers, in this order.
pub(super) fn rows(outcomes: &[Outcome], order: Order) -> Vec<Row<'_>> {
    let rows = outcomes.iter().flat_map(|outcome| outcome.clients.iter().map(move |told| (told, outcome)));
    let mut rows: Vec<_> = rows.map(|(told, outcome)| Row { told, broker: &outcome.broker }).collect();
    order.sort(&mut rows);
    rows
}

/// How a table is to be drawn.
pub(super) struct Drawing<'a> {
    rows: &'a [Row<'a>],
    now: Timestamp,
    /// The columns that have room, and their widths.
    columns: Vec<(&'static Column, usize)>,
    /// Blanks on either side of a cell.
    padding: usize,
    /// The columns that have none.
    left_out: Vec<&'static Column>,
}

impl<'a> Drawing<'a> {
    /// Measures the rows, and fits them into so much room where it is known how much there is.
    pub(super) fn new(rows: &'a [Row<'a>], has_brokers: bool, now: Timestamp, room: Option<usize>) -> Self {
        let columns: Vec<_> = COLUMNS
            .iter()
            .filter(|column| column.is_in_terminal())
            .filter(|column| column.shown != Shown::IfSeveralBrokers || has_brokers)
            .collect();
        let needs: Vec<_> = columns.iter().map(|column| needs(column, rows, now)).collect();
        let Layout { padding, widths } = fit(&needs, room);
        let (mut shown, mut left_out) = (Vec::new(), Vec::new());
        for (column, width) in columns.into_iter().zip(widths) {
            match width {
                Some(width) => shown.push((column, width)),
                None => left_out.push(column),
            }
        }
        Self { rows, now, columns: shown, padding, left_out }
    }

    /// How many rows there are.
    pub(super) fn rows(&self) -> usize {
        self.rows.len()
    }

    /// The lines above the rows.
    pub(super) fn head(&self) -> Vec<String> {
        let mut table = undrawn(HEAD);
        table.set_header(self.headings());
        self.set(&mut table);
        table.lines().collect()
    }

    /// The lines of these rows.
    pub(super) fn body(&self, rows: Range<usize>) -> Vec<String> {
        let mut table = undrawn(SIDES);
        for row in &self.rows[rows] {
            table.add_row(self.columns.iter().map(|(column, _)| drawn(column.cell(*row, self.now))));
        }
        self.set(&mut table);
        table.lines().collect()
    }

    /// The line below the rows.
    pub(super) fn foot(&self) -> String {
        let rules = self.columns.iter().map(|(_, width)| "─".repeat(width + 2 * self.padding));
        format!("└{}┘", rules.collect::<Vec<_>>().join("┴"))
    }

    /// Says which columns have no room.
    pub(super) fn left_out(&self) -> Option<String> {
        let headings: Vec<_> = self.left_out.iter().map(|column| column.heading.join(" ")).collect();
        (!headings.is_empty()).then(|| format!("No room for: {}", headings.join(", ")))
    }

    /// Gives the columns of a table their widths.
    fn set(&self, table: &mut Table) {
        let blanks = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
        let padding = (blanks(self.padding), blanks(self.padding));
        for (drawn, (column, width)) in table.column_iter_mut().zip(&self.columns) {
            drawn.set_padding(padding);
            drawn.set_constraint(ColumnConstraint::Absolute(Width::Fixed(blanks(width + 2 * self.padding))));
            if column.alignment != Alignment::Left {
                drawn.set_cell_alignment(CellAlignment::Right);
            }
        }
    }

    /// The headings, which end in the same line however many lines each takes.
    fn headings(&self) -> Vec<String> {
        let headings: Vec<_> =
            self.columns.iter().map(|(column, width)| heading_lines(column, *width)).collect();
        let height = headings.iter().map(Vec::len).max().unwrap_or(0);
        headings.iter().map(|lines| "\n".repeat(height - lines.len()) + &lines.join("\n")).collect()
    }
}

fn undrawn(style: TableStyle) -> Table {
    let mut table = Table::new();
    // Everything about the terminal is settled: the widths by the layout, and the stream that this goes to takes the
    // colours out again where they are not wanted.
    table.load_style(style).force_no_tty().enforce_styling();
    table
}

/// What a column with these rows needs. No cell is kept: a hundred thousand rows have a million.
fn needs(column: &Column, rows: &[Row<'_>], now: Timestamp) -> Needs {
    let longest_word = |text: &str| text.split_whitespace().map(str::width).max().unwrap_or(0);
    let (mut natural, mut longest) = (0, 0);
    let mut measure = |text: &str| {
        natural = natural.max(text.width());
        if column.alignment == Alignment::Right {
            longest = longest.max(longest_word(text));
        }
    };
    column.heading.into_iter().for_each(&mut measure);
    for row in rows {
        measure(&column.cell(*row, now).text);
    }
    let least = match column.alignment {
        Alignment::Left => natural.min(LEAST_NAME),
        Alignment::Right => longest,
        Alignment::Digits => natural,
    };
    Needs { natural, least, dispensable: column.shown == Shown::IfRoom }
}

/// The lines of a heading in a column of this width.
fn heading_lines(column: &Column, width: usize) -> Vec<&'static str> {
    let broken = |line: &'static str| {
        if line.width() <= width { vec![line] } else { line.split_whitespace().collect() }
    };
    column.heading.into_iter().flat_map(broken).collect()
}

fn drawn(cell: Cell) -> DrawnCell {
    let drawn = DrawnCell::new(cell.text);
    match cell.weight {
        Weight::Plain => drawn,
        Weight::Notable => drawn.add_attribute(Attribute::Bold),
        Weight::Alarming => drawn.fg(Color::Red),
    }
}
