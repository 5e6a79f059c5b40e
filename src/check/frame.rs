//! What a terminal shows of an answer that is redrawn in place: as much of it as there is room for.

use std::iter;
use std::time::Duration;

use comfy_table::{ColumnConstraint, Table, TableStyle, Width};

use super::drawing::{Drawing, rows};
use super::{Round, failures, text};
use crate::table::{Order, Row};

/// The lines of a frame while there is no answer yet.
pub(super) fn waiting(every: Duration, columns: usize) -> Vec<String> {
    fold(&format!("{}. Asking for the first time.", often(every)), columns)
}

/// The lines of a frame: when it was asked, the table, and what it cannot say.
pub(super) fn frame(
    round: &Round,
    every: Duration,
    order: Order,
    (columns, height): (usize, usize),
) -> Vec<String> {
    let mut lines = fold(&title(round, every), columns);
    let rows = rows(&round.outcomes, order);
    let room = height.saturating_sub(lines.len());
    // More rows than lines are never shown.
    let drawing =
        Drawing::new(&rows[..rows.len().min(room)], round.outcomes.len() > 1, round.answered_at, Some(columns));
    let left_out = drawing.left_out().filter(|_| !rows.is_empty());
    let notes =
        left_out.into_iter().chain(text::empty(&round.outcomes)).chain(failures::lines(&round.outcomes));
    let notes = shortened(notes.flat_map(|note| fold(&note, columns)).collect(), room);
    if !rows.is_empty() {
        lines.extend(table(&drawing, &rows, columns, room - notes.len()));
    }
    lines.extend(notes);
    lines
}

fn title(round: &Round, every: Duration) -> String {
    // Whole seconds are what people read.
    let asked_at = (round.answered_at - round.took).strftime("%Y-%m-%d %H:%M:%S");
    format!("{}. Asked at {asked_at} UTC; it took {:.2} s.", often(every), round.took.as_secs_f64())
}

fn often(every: Duration) -> String {
    format!("Every {} s", every.as_secs_f64())
}

/// The table, with as many of its rows as there are lines for.
fn table(drawing: &Drawing<'_>, rows: &[Row<'_>], columns: usize, room: usize) -> Vec<String> {
    let head = drawing.head();
    let room_for_rows = room.saturating_sub(head.len() + 1);
    let (mut body, mut shown) = (Vec::new(), 0);
    while shown < rows.len() {
        let row = drawing.body(shown..shown + 1);
        // Where others follow, a line must be left to say that they are not shown.
        let others = usize::from(shown + 1 < rows.len());
        if body.len() + row.len() + others > room_for_rows {
            break;
        }
        body.extend(row);
        shown += 1;
    }
    let hidden = (shown < rows.len())
        .then(|| format!("No room for {} of {} clients.", rows.len() - shown, rows.len()))
        .into_iter()
        .flat_map(|hidden| fold(&hidden, columns));
    if shown == 0 {
        return hidden.take(room).collect();
    }
    head.into_iter().chain(body).chain(iter::once(drawing.foot())).chain(hidden).collect()
}

/// So many of the lines, the last of which says how many are left out.
fn shortened(mut lines: Vec<String>, room: usize) -> Vec<String> {
    if lines.len() > room {
        let shown = room.saturating_sub(1);
        let left_out = format!("No room for {} more lines.", lines.len() - shown);
        lines.truncate(shown);
        lines.extend(iter::once(left_out).take(room));
    }
    lines
}

/// A text in lines of so many columns, broken between its words.
fn fold(text: &str, columns: usize) -> Vec<String> {
    let width = u16::try_from(columns.max(1)).unwrap_or(u16::MAX);
    let mut table = Table::new();
    table.load_style(TableStyle::new()).force_no_tty().add_row([text]);
    for column in table.column_iter_mut() {
        column.set_padding((0, 0));
        column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width)));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}
