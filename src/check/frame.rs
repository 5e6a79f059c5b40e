//! What a terminal shows of an answer that is redrawn in place: as much of it as there is room for.

use std::iter;
use std::time::Duration;

use comfy_table::{ColumnConstraint, Table, TableStyle, Width};

use super::drawing::{Drawing, rows};
use super::{Round, failures, text};
use crate::humanize::moment;
use crate::table::Order;

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
    let notes = text::empty(&round.outcomes).chain(failures::lines(&round.outcomes));
    // There is always a line to say how many clients are hidden.
    let room_for_notes = room.saturating_sub(usize::from(!rows.is_empty()));
    let notes = shortened(notes.flat_map(|note| fold(&note, columns)).collect(), room_for_notes);
    if !rows.is_empty() {
        lines.extend(table(&drawing, rows.len(), columns, room - notes.len()));
    }
    lines.extend(notes);
    lines.truncate(height);
    lines
}

fn title(round: &Round, every: Duration) -> String {
    let took = round.took.as_secs_f64();
    format!("{}. Asked at {}; it took {took:.2} s.", often(every), moment(round.asked_at))
}

fn often(every: Duration) -> String {
    format!("Every {} s", every.as_secs_f64())
}

/// The table, with as many of its rows as there are lines for.
fn table(drawing: &Drawing<'_>, rows: usize, columns: usize, room: usize) -> Vec<String> {
    let hidden = |count: usize| fold(&format!("No room for {count} of {rows} clients."), columns);
    let head = drawing.head();
    let left_out: Vec<_> = drawing.left_out().iter().flat_map(|left_out| fold(left_out, columns)).collect();
    let room_for_rows = room.saturating_sub(head.len() + 1 + left_out.len());
    let (mut body, mut shown) = (Vec::new(), 0);
    while shown < drawing.rows() {
        let row = drawing.body(shown..shown + 1);
        // Where others follow, there must be room left to say that they are not shown.
        let others = if shown + 1 < rows { hidden(rows).len() } else { 0 };
        if body.len() + row.len() + others > room_for_rows {
            break;
        }
        body.extend(row);
        shown += 1;
    }
    let hidden = if shown < rows { hidden(rows - shown) } else { Vec::new() };
    if shown == 0 {
        return hidden.into_iter().take(room).collect();
    }
    head.into_iter().chain(body).chain(iter::once(drawing.foot())).chain(hidden).chain(left_out).collect()
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use anstream::adapter::strip_str;
    use jiff::Timestamp;
    use unicode_width::UnicodeWidthStr as _;

    use super::*;
    use crate::check::CheckStatus;
    use crate::client::Groups;
    use crate::outcome::{
        ClientIdentity, ClientStatus, FailureReason, Failures, Outcome, ProbedClient, RequestStats,
    };

    const EVERY: Duration = Duration::from_secs(5);

    fn round(clients: usize, failures: usize) -> Round {
        let told = |number| ProbedClient {
            identity: ClientIdentity::Listed(Arc::from(format!("client-{number:03}"))),
            status: ClientStatus::Absent,
        };
        let mut outcome = Outcome {
            broker: "LocalEMQX".to_owned(),
            groups: Groups::STATE,
            clients: (0..clients).map(told).collect(),
            is_complete: true,
            failures: Failures::default(),
            requests: RequestStats::default(),
            timeout: Duration::from_secs(15),
            duration: Duration::ZERO,
        };
        for number in 0..failures {
            let text = format!("failure {number} with many a word that nobody wants to miss, and another");
            outcome.failures.add(FailureReason::Decode, &text, 0);
        }
        let at = Timestamp::from_second(1_800_000_000).expect("a time");
        let took = Duration::from_millis(1234);
        Round { outcomes: vec![outcome], verdict: CheckStatus::Answered, asked_at: at, answered_at: at, took }
    }

    fn shown(round: &Round, size: (usize, usize)) -> Vec<String> {
        let lines = frame(round, EVERY, Order::default(), size);
        lines.iter().map(|line| strip_str(line).to_string()).collect()
    }

    #[test]
    fn a_frame_tells_when_it_was_asked_and_shows_everything_there_is_room_for() {
        let lines = shown(&round(3, 1), (160, 24));
        assert_eq!(lines[0], "Every 5 s. Asked at 2027-01-15 08:00:00 UTC; it took 1.23 s.");
        assert!(lines[1].starts_with('┏') && lines[8].starts_with('└'), "{lines:#?}");
        assert!(lines[9].starts_with("LocalEMQX: decode: failure 0 with"), "{lines:#?}");
        assert_eq!(lines.len(), 10);
        let exactly = shown(&round(3, 1), (160, 10));
        assert_eq!(exactly, lines, "and not a line more is needed");
        let less = shown(&round(3, 1), (160, 9));
        assert_eq!((less.len(), less[7].as_str()), (9, "No room for 2 of 3 clients."), "{less:#?}");
    }

    #[test]
    fn a_frame_is_never_larger_than_its_terminal_and_counts_whom_it_hides() {
        for failures in [0, 1, 8] {
            let round = round(30, failures);
            for (columns, height) in
                (1..130).step_by(13).flat_map(|columns| (0..48).map(move |lines| (columns, lines)))
            {
                let lines = shown(&round, (columns, height));
                assert!(lines.len() <= height, "{columns} x {height}: {lines:#?}");
                if columns < 40 {
                    // The least table is wider, and cut by the terminal.
                    continue;
                }
                assert!(lines.iter().all(|line| line.width() <= columns), "{columns} x {height}: {lines:#?}");
                let rows = lines.iter().filter(|line| line.contains("client-")).count();
                let hidden = lines.contains(&format!("No room for {} of 30 clients.", 30 - rows));
                let title = fold(&title(&round, EVERY), columns).len();
                assert!(rows == 30 || hidden || height <= title, "{columns} x {height}: {lines:#?}");
            }
        }
    }

    #[test]
    fn failures_that_have_no_room_are_counted() {
        let lines = shown(&round(0, 8), (160, 5));
        assert_eq!(lines.len(), 5);
        assert_eq!(lines[4], "No room for 5 more lines.");
    }
}
