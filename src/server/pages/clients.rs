//! The table of a broker's clients on the page.

use jiff::Timestamp;

use super::links::Links;
use super::words::{machine_moment, mark, shortened};
use crate::humanize::{counted, moment};
use crate::outcome::{Outcome, ProbedClient};
use crate::table::{Alignment, COLUMNS, Column, Row, Weight, harmless};

/// How many rows a broker has that stands alone on the page.
const MAX_ROWS: usize = 5_000;

/// How many rows each broker has on a page of several.
const MAX_ROWS_OF_EACH: usize = 100;

/// As much of a name as is shown: an MQTT client ID or user name may have 65 535 bytes.
const MAX_NAME_CHARACTERS: usize = 160;

/// The clients that are wanted, in the order that is wanted.
pub(super) struct Clients<'a> {
    /// What the table shows.
    pub(super) caption: String,
    /// Whether there are more than it shows.
    pub(super) is_cut: bool,
    /// The heads of its columns.
    pub(super) headings: Vec<Heading>,
    rows: Vec<Row<'a>>,
    links: Links<'a>,
    now: Timestamp,
}

/// The head of a column.
pub(super) struct Heading {
    /// What it says.
    pub(super) title: &'static str,
    /// The class it has in the style sheet.
    pub(super) class: &'static str,
    /// The view sorted by it.
    pub(super) link: String,
    /// How it is sorted, in the words of ARIA; nothing where it is not.
    pub(super) sorted: Option<&'static str>,
}

/// A client, as it is shown.
pub(super) struct Line {
    /// What people call it.
    pub(super) alias: String,
    /// Its client ID, where that is another.
    pub(super) client_id: Option<String>,
    /// What was asked and answered of it.
    pub(super) link: String,
    /// What is known of it.
    pub(super) cells: Vec<LineCell>,
}

/// A cell, as it is shown.
pub(super) struct LineCell {
    /// What it says.
    pub(super) text: String,
    /// The class it has in the style sheet.
    pub(super) class: String,
    /// The mark of the state it tells.
    pub(super) mark: Option<&'static str>,
    /// The moment it tells of: for programs, and for people.
    pub(super) time: Option<(String, String)>,
}

impl<'a> Clients<'a> {
    /// Those of the outcome that the view asks for.
    pub(super) fn new(outcome: &'a Outcome, links: &Links<'a>, now: Timestamp) -> Self {
        let view = links.view;
        let wanted = outcome.clients.iter().filter(|told| view.shows(told));
        let mut rows: Vec<_> = wanted.map(|told| Row { told, broker: &outcome.broker }).collect();
        view.order.sort(&mut rows);
        let matching = rows.len();
        rows.truncate(if links.is_alone { MAX_ROWS } else { MAX_ROWS_OF_EACH });
        Self {
            caption: caption(rows.len(), matching, outcome.clients.len()),
            is_cut: rows.len() < matching,
            headings: columns().map(|column| heading(column, links)).collect(),
            rows,
            links: links.clone(),
            now,
        }
    }

    /// Whether there is nobody to show.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The clients, one after the other: thousands are not held as text.
    pub(super) fn lines(&self) -> impl Iterator<Item = Line> {
        self.rows.iter().map(|row| Line {
            alias: name(row.told.alias()),
            client_id: other_name(row.told),
            link: self.links.debug_view_of(row.told),
            cells: columns().skip(1).map(|column| cell(column, *row, self.now)).collect(),
        })
    }
}

/// The columns of the page. The first one says whom a line is about.
fn columns() -> impl Iterator<Item = &'static Column> {
    COLUMNS.iter().filter(|column| column.is_on_page())
}

fn caption(shown: usize, matching: usize, watched: usize) -> String {
    let of = |number: usize| counted(number as u64, "1 watched client", "watched clients");
    if shown < matching {
        format!("The first {shown} of {matching} clients that match, of {}", of(watched))
    } else if matching < watched {
        format!("{matching} of {}", of(watched))
    } else {
        of(watched)
    }
}

fn heading(column: &'static Column, links: &Links<'_>) -> Heading {
    let direction = if links.view.order.descending { "descending" } else { "ascending" };
    let sorted = links.view.is_sorted_by(column).then_some(direction);
    Heading { title: column.title, class: class(column), link: links.to(&links.view.sorted_by(column)), sorted }
}

fn name(name: &str) -> String {
    shortened(harmless(name), MAX_NAME_CHARACTERS)
}

fn other_name(told: &ProbedClient) -> Option<String> {
    (told.client_id() != told.alias()).then(|| name(told.client_id()))
}

fn cell(column: &Column, row: Row<'_>, now: Timestamp) -> LineCell {
    let cell = column.cell(row, now);
    let weight = match cell.weight {
        Weight::Plain => "",
        Weight::Notable => " notable",
        Weight::Alarming => " alarming",
    };
    let state = cell.state.map_or(String::new(), |state| format!(" state {}", state.name()));
    LineCell {
        text: shortened(cell.text, MAX_NAME_CHARACTERS),
        class: format!("{}{weight}{state}", class(column)),
        mark: cell.state.map(mark),
        time: cell.at.map(|at| (machine_moment(at), moment(at))),
    }
}

fn class(column: &Column) -> &'static str {
    if column.alignment == Alignment::Left { "words" } else { "digits" }
}
