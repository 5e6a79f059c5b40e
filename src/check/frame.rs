//! A frame of `--watch`: as much of a result as fits into the terminal.

use std::iter;
use std::time::Duration;

use comfy_table::{ColumnConstraint, Table, TableStyle, Width};

use super::summary::{fleet_lines, summary};
use super::text_table::TextTable;
use super::{CheckResult, failures, table_output};
use crate::humanize::utc;
use crate::table::Selection;

/// Returns the lines that are shown until the first result.
pub(super) fn first_frame(interval: Duration, columns: usize) -> Vec<String> {
    wrap(&format!("{}. Waiting for the first result.", every(interval)), columns)
}

/// Returns the lines of a frame: the title, the table, and the failures.
pub(super) fn frame(
    result: &CheckResult,
    interval: Duration,
    selection: &Selection,
    (columns, height): (usize, usize),
) -> Vec<String> {
    let mut lines = wrap(&title(result, interval), columns);
    let rows = selection.rows(&result.outcomes, result.ended_at);
    let room = height.saturating_sub(lines.len());
    // Only rows that may fit are measured.
    let measured = &rows[..rows.len().min(room)];
    let table = TextTable::new(measured, &result.outcomes, result.ended_at, Some(columns));
    let notes = summary(&result.outcomes, rows.len(), result.ended_at)
        .into_iter()
        .chain(fleet_lines(&result.outcomes))
        .chain(table_output::brokers_without_clients(&result.outcomes))
        .chain(failures::lines(&result.outcomes));
    // One line is kept for the number of hidden clients.
    let room_for_notes = room.saturating_sub(usize::from(!rows.is_empty()));
    let notes = truncated(notes.flat_map(|note| wrap(&note, columns)).collect(), room_for_notes);
    if !rows.is_empty() {
        lines.extend(table_lines(&table, rows.len(), columns, room - notes.len()));
    }
    lines.extend(notes);
    lines.truncate(height);
    lines
}

fn title(result: &CheckResult, interval: Duration) -> String {
    let seconds = result.duration.as_secs_f64();
    format!("{}. Last query: {}, took {seconds:.2} s.", every(interval), utc(result.started_at))
}

fn every(interval: Duration) -> String {
    format!("Every {} s", interval.as_secs_f64())
}

/// Returns the table with as many of its rows as fit into `room` lines.
fn table_lines(table: &TextTable<'_>, rows: usize, columns: usize, room: usize) -> Vec<String> {
    let hidden = |count: usize| wrap(&format!("{count} of {rows} clients hidden"), columns);
    let header = table.header();
    let hidden_columns: Vec<_> = table.hidden_columns().iter().flat_map(|line| wrap(line, columns)).collect();
    let room_for_rows = room.saturating_sub(header.len() + 1 + hidden_columns.len());
    let (mut body, mut shown) = (Vec::new(), 0);
    while shown < table.row_count() {
        let row = table.body(shown..shown + 1);
        // Before the last row, there must be room for the number of hidden clients.
        let reserved = if shown + 1 < rows { hidden(rows).len() } else { 0 };
        if body.len() + row.len() + reserved > room_for_rows {
            break;
        }
        body.extend(row);
        shown += 1;
    }
    let hidden = if shown < rows { hidden(rows - shown) } else { Vec::new() };
    if shown == 0 {
        return hidden.into_iter().take(room).collect();
    }
    header
        .into_iter()
        .chain(body)
        .chain(iter::once(table.bottom_border()))
        .chain(hidden)
        .chain(hidden_columns)
        .collect()
}

/// Cuts the lines to `room`, of which the last then gives the number of hidden lines.
fn truncated(mut lines: Vec<String>, room: usize) -> Vec<String> {
    if lines.len() > room {
        let shown = room.saturating_sub(1);
        let hidden = format!("{} more lines hidden", lines.len() - shown);
        lines.truncate(shown);
        lines.extend(iter::once(hidden).take(room));
    }
    lines
}

/// Wraps a text between its words to lines of this width.
fn wrap(text: &str, columns: usize) -> Vec<String> {
    let width = u16::try_from(columns.max(1)).unwrap_or(u16::MAX);
    let mut table = Table::new();
    table.load_style(TableStyle::new()).force_no_tty().add_row([text]);
    for column in table.column_iter_mut() {
        column.set_padding((0, 0));
        column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(width)));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use anstream::adapter::strip_str;
    use jiff::Timestamp;
    use unicode_width::UnicodeWidthStr as _;

    use super::*;
    use crate::check::CheckStatus;
    use crate::client::Groups;

    use crate::outcome::{ClientIdentity, ClientStatus, FailureReason, Outcome, ProbedClient};

    const INTERVAL: Duration = Duration::from_secs(5);

    fn result(clients: usize, failures: usize) -> CheckResult {
        let probed = |number| {
            ProbedClient::new(
                ClientIdentity::Listed(Arc::from(format!("client-{number:03}"))),
                ClientStatus::Absent,
            )
        };
        let mut outcome = Outcome {
            timeout: Duration::from_secs(15),
            ..Outcome::new("LocalEMQX", Groups::STATE, (0..clients).map(probed).collect())
        };
        for number in 0..failures {
            let text = format!("failure {number} with many a word that nobody wants to miss, and another");
            outcome.failures.add(FailureReason::Decode, &text, 0);
        }
        let at = Timestamp::from_second(1_800_000_000).expect("a time");
        let duration = Duration::from_millis(1234);
        CheckResult {
            outcomes: vec![outcome],
            status: CheckStatus::Success,
            started_at: at,
            ended_at: at,
            duration,
        }
    }

    fn shown(result: &CheckResult, size: (usize, usize)) -> Vec<String> {
        let lines = frame(result, INTERVAL, &Selection::default(), size);
        lines.iter().map(|line| strip_str(line).to_string()).collect()
    }

    #[test]
    fn a_frame_has_the_time_of_the_query_and_everything_that_fits() {
        let lines = shown(&result(3, 1), (160, 24));
        assert_eq!(lines[0], "Every 5 s. Last query: 2027-01-15 08:00:00 UTC, took 1.23 s.");
        assert!(lines[1].starts_with('┏') && lines[8].starts_with('└'), "{lines:#?}");
        assert_eq!(lines[9], "3 clients: 3 absent");
        assert!(lines[10].starts_with("LocalEMQX: decode: failure 0 with"), "{lines:#?}");
        assert!(lines[11].starts_with("help: decode: The response was complete, but"), "{lines:#?}");
        assert_eq!(lines.len(), 13);
        let exactly = shown(&result(3, 1), (160, 13));
        assert_eq!(exactly, lines, "and not a line more is needed");
        let less = shown(&result(3, 1), (160, 12));
        assert_eq!((less.len(), less[7].as_str()), (12, "2 of 3 clients hidden"), "{less:#?}");
    }

    #[test]
    fn a_frame_is_never_larger_than_its_terminal_and_counts_hidden_clients() {
        for failures in [0, 1, 8] {
            let result = result(30, failures);
            for (columns, height) in
                (1..130).step_by(13).flat_map(|columns| (0..48).map(move |lines| (columns, lines)))
            {
                let lines = shown(&result, (columns, height));
                assert!(lines.len() <= height, "{columns} x {height}: {lines:#?}");
                if columns < 40 {
                    // The narrowest table is wider, and cut by the terminal.
                    continue;
                }
                assert!(lines.iter().all(|line| line.width() <= columns), "{columns} x {height}: {lines:#?}");
                let rows = lines.iter().filter(|line| line.contains("client-")).count();
                let hidden = lines.contains(&format!("{} of 30 clients hidden", 30 - rows));
                let title = wrap(&title(&result, INTERVAL), columns).len();
                assert!(rows == 30 || hidden || height <= title, "{columns} x {height}: {lines:#?}");
            }
        }
    }

    #[test]
    fn failures_that_do_not_fit_are_counted() {
        let lines = shown(&result(0, 8), (160, 5));
        assert_eq!(lines.len(), 5);
        assert_eq!(lines[4], "7 more lines hidden", "two of them explain the reason");
    }
}
