//! A table drawn with box characters, formatted in chunks of rows, so that only the probed clients are in memory as a
//! whole.

use std::ops::Range;

use comfy_table::{
    Attribute, Cell as StyledCell, CellAlignment, Color, ColumnConstraint, ContentLineStyle, LineStyle, Table,
    TableStyle, Width,
};
use jiff::Timestamp;
use unicode_width::UnicodeWidthStr as _;

use super::column_widths::{ColumnNeeds, ColumnWidths, fit};
use crate::outcome::Outcome;
use crate::table::{Alignment, COLUMNS, Cell, Column, Severity, TableRow, Visibility};

/// Vertical lines: heavy in the header, light between the rows.
const VERTICAL_LINES: TableStyle = TableStyle::new()
    .header_lines(ContentLineStyle::new('┃', '┃', '┃'))
    .content_lines(ContentLineStyle::new('│', '│', '│'));

/// The vertical lines, and the lines above and below the header.
const HEADER_LINES: TableStyle = VERTICAL_LINES
    .top_border(LineStyle::new('┏', '━', '┳', '┓'))
    .header_separator(LineStyle::new('┡', '━', '╇', '┩'));

/// Minimum width to which a longer name is wrapped.
const MIN_NAME_WIDTH: usize = 12;

/// Width at which a name is wrapped even if there is space: a client ID may have 65 535 bytes.
const MAX_NAME_WIDTH: usize = 100;

/// Rows with the columns and widths at which they are drawn.
pub(super) struct TextTable<'a> {
    rows: &'a [TableRow<'a>],
    now: Timestamp,
    /// The shown columns and their widths.
    columns: Vec<(&'static Column, usize)>,
    /// Spaces on either side of a cell.
    padding: usize,
    hidden: Vec<&'static Column>,
}

impl<'a> TextTable<'a> {
    /// Measures the rows and fits the columns into `width`, if that is known.
    pub(super) fn new(
        rows: &'a [TableRow<'a>],
        outcomes: &[Outcome],
        now: Timestamp,
        width: Option<usize>,
    ) -> Self {
        let columns: Vec<_> = COLUMNS.iter().filter(|column| column.is_in_terminal(outcomes)).collect();
        let needs: Vec<_> = columns.iter().map(|column| needs(column, rows, now)).collect();
        let ColumnWidths { padding, widths } = fit(&needs, width);
        let (mut shown, mut hidden) = (Vec::new(), Vec::new());
        for (column, width) in columns.into_iter().zip(widths) {
            match width {
                Some(width) => shown.push((column, width)),
                None => hidden.push(column),
            }
        }
        Self { rows, now, columns: shown, padding, hidden }
    }

    /// Returns the number of rows.
    pub(super) fn row_count(&self) -> usize {
        self.rows.len()
    }

    /// Returns the lines above the rows.
    pub(super) fn header(&self) -> Vec<String> {
        let mut table = plain_table(HEADER_LINES);
        table.set_header(self.headings());
        self.set_columns(&mut table);
        table.lines().collect()
    }

    /// Returns the lines of these rows.
    pub(super) fn body(&self, rows: Range<usize>) -> Vec<String> {
        let mut table = plain_table(VERTICAL_LINES);
        for row in &self.rows[rows] {
            table.add_row(self.columns.iter().map(|(column, _)| styled(column.cell(*row, self.now))));
        }
        self.set_columns(&mut table);
        table.lines().collect()
    }

    /// Returns the line below the rows.
    pub(super) fn bottom_border(&self) -> String {
        let lines = self.columns.iter().map(|(_, width)| "─".repeat(width + 2 * self.padding));
        format!("└{}┘", lines.collect::<Vec<_>>().join("┴"))
    }

    /// Returns a line with the columns that do not fit.
    pub(super) fn hidden_columns(&self) -> Option<String> {
        let headings: Vec<_> = self.hidden.iter().map(|column| column.heading.join(" ")).collect();
        (!headings.is_empty()).then(|| format!("Columns hidden: {}", headings.join(", ")))
    }

    /// Sets width, padding and alignment of the columns.
    fn set_columns(&self, table: &mut Table) {
        let spaces = |count: usize| u16::try_from(count).unwrap_or(u16::MAX);
        let padding = (spaces(self.padding), spaces(self.padding));
        for (styled, (column, width)) in table.column_iter_mut().zip(&self.columns) {
            styled.set_padding(padding);
            styled.set_constraint(ColumnConstraint::Absolute(Width::Fixed(spaces(width + 2 * self.padding))));
            if column.alignment != Alignment::Left {
                styled.set_cell_alignment(CellAlignment::Right);
            }
        }
    }

    /// Returns the headings, aligned at the bottom.
    fn headings(&self) -> Vec<String> {
        let headings: Vec<_> =
            self.columns.iter().map(|(column, width)| heading_lines(column, *width)).collect();
        let height = headings.iter().map(Vec::len).max().unwrap_or(0);
        headings.iter().map(|lines| "\n".repeat(height - lines.len()) + &lines.join("\n")).collect()
    }
}

fn plain_table(style: TableStyle) -> Table {
    let mut table = Table::new();
    // The widths are fixed already, and the output stream removes colours that are not wanted.
    table.load_style(style).force_no_tty().enforce_styling();
    table
}

/// Returns the width needs of a column with these rows. Cells are formatted twice instead of being kept: 100 000 rows
/// have a million.
fn needs(column: &Column, rows: &[TableRow<'_>], now: Timestamp) -> ColumnNeeds {
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
    if column.alignment == Alignment::Left {
        natural = natural.min(MAX_NAME_WIDTH);
    }
    let minimum = match column.alignment {
        Alignment::Left => natural.min(MIN_NAME_WIDTH),
        Alignment::Right => longest,
        Alignment::Digits => natural,
    };
    ColumnNeeds {
        natural,
        minimum,
        can_hide: !matches!(
            column.visibility,
            Visibility::Always | Visibility::IfSeveralBrokers | Visibility::TerminalOnly
        ),
    }
}

/// Returns the lines of a heading in a column of this width.
fn heading_lines(column: &Column, width: usize) -> Vec<&'static str> {
    let wrapped = |line: &'static str| {
        if line.width() <= width { vec![line] } else { line.split_whitespace().collect() }
    };
    column.heading.into_iter().flat_map(wrapped).collect()
}

fn styled(cell: Cell) -> StyledCell {
    let styled = StyledCell::new(cell.text);
    match cell.severity {
        Severity::Normal => styled,
        Severity::Warning => styled.add_attribute(Attribute::Bold).fg(Color::DarkYellow),
        Severity::Critical => styled.fg(Color::Red),
    }
}
