//! The table of columns: what people see of a client, and where it comes from.
//!
//! Adding a column is one entry. How the table is drawn is the business of those who show it.

use jiff::Timestamp;

use crate::client::{Client, Group, Groups, Session};
use crate::humanize;
use crate::outcome::{State, Told};

/// A column of the table.
pub(crate) struct Column {
    /// Its heading, in two lines.
    pub(crate) heading: [&'static str; 2],
    /// How its cells are set.
    pub(crate) alignment: Alignment,
    /// The group its cells come from.
    pub(crate) group: Group,
    /// Whether it may be left out where there is little room.
    pub(crate) dispensable: bool,
    /// What its cells say.
    cell: Content,
}

/// What the cells of a column say of one client.
enum Content {
    /// A count the broker gave.
    Count(fn(&Client) -> Option<u64>),
    /// Words, at the moment the table is made.
    Words(fn(&Told, Timestamp) -> Cell),
}

impl Column {
    /// The cell of one client in a table that is made `now`.
    #[must_use]
    pub(crate) fn cell(&self, told: &Told, now: Timestamp) -> Cell {
        match self.cell {
            Content::Count(count) => {
                Cell::known(told.finding.client().and_then(count).map(|count| count.to_string()))
            }
            Content::Words(words) => words(told, now),
        }
    }
}

/// How the cells of a column are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alignment {
    /// Words.
    Left,
    /// Durations: to the right, and broken between words where there is little room.
    Right,
    /// Counts: to the right, and never broken.
    Digits,
}

/// What a cell says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell {
    /// A value; empty where there is none.
    Plain(String),
    /// Something to look after.
    Alarming(String),
}

impl Cell {
    fn known(value: Option<String>) -> Self {
        Self::Plain(value.unwrap_or_default())
    }

    /// Its text.
    #[must_use]
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Plain(text) | Self::Alarming(text) => text,
        }
    }
}

/// Every column, from left to right.
pub(crate) const COLUMNS: &[Column] = &[
    Column {
        heading: ["", "Alias"],
        alignment: Alignment::Left,
        group: Group::State,
        dispensable: false,
        cell: Content::Words(|told, _| Cell::Plain(harmless(told.alias()))),
    },
    Column {
        heading: ["Created", "(time ago)"],
        alignment: Alignment::Right,
        group: Group::Session,
        dispensable: true,
        cell: Content::Words(|told, now| {
            Cell::known(session(told).and_then(|session| session.created_at).map(|at| ago(at, now)))
        }),
    },
    Column {
        heading: ["Keep", "alive"],
        alignment: Alignment::Digits,
        group: Group::Session,
        dispensable: true,
        cell: Content::Words(|told, _| {
            Cell::known(session(told).and_then(|session| session.keepalive_seconds).map(humanize::interval))
        }),
    },
    Column {
        heading: ["Connected", "(time ago)"],
        alignment: Alignment::Right,
        group: Group::Session,
        dispensable: false,
        cell: Content::Words(connected),
    },
    digits(["Sub", "Cnt"], Group::Queue, |client| client.queue.as_ref()?.subscriptions),
    digits(["MsgIn", "Flght"], Group::Queue, |client| client.queue.as_ref()?.inflight),
    digits(["RX", "Msg"], Group::Traffic, |client| client.traffic.as_ref()?.received_messages.total()),
    digits(["RX", "Drop"], Group::Traffic, |client| client.traffic.as_ref()?.received_dropped),
    digits(["TX", "Msg"], Group::Traffic, |client| client.traffic.as_ref()?.sent_messages.total()),
    digits(["TX", "Drop"], Group::Traffic, |client| client.traffic.as_ref()?.sent_dropped),
];

/// A name without anything that a terminal would obey: a client that is told by its ID has chosen that itself.
fn harmless(name: &str) -> String {
    name.replace(char::is_control, "\u{FFFD}")
}

/// The groups that fill the table.
#[must_use]
pub(crate) fn groups() -> Groups {
    COLUMNS.iter().map(|column| column.group).collect()
}

const fn digits(heading: [&'static str; 2], group: Group, count: fn(&Client) -> Option<u64>) -> Column {
    Column { heading, alignment: Alignment::Digits, group, dispensable: true, cell: Content::Count(count) }
}

/// How long the client has been connected, or the word for what it is instead.
fn connected(told: &Told, now: Timestamp) -> Cell {
    let word = match told.finding.state() {
        State::Connected => {
            return Cell::known(session(told).and_then(|session| session.connected_at).map(|at| ago(at, now)));
        }
        State::Disconnected => "offline",
        State::Absent => "absent",
        State::Unknown => "unknown",
    };
    Cell::Alarming(word.to_owned())
}

fn session(told: &Told) -> Option<&Session> {
    told.finding.client()?.session.as_deref()
}

/// The clocks of a broker and of this machine differ; what seems to lie ahead is now.
fn ago(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(at.as_second());
    humanize::time_ago(u64::try_from(seconds).unwrap_or(0))
}
