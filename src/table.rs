//! The table of columns: what people see of a client, and where it comes from.
//!
//! Adding a column is one entry. How the table is drawn is the business of those who show it.

mod cell;
mod content;
mod order;

use jiff::Timestamp;

use crate::client::{Group, Groups, Session};
use crate::outcome::ProbedClient;
pub(crate) use cell::{Cell, Weight, harmless, is_command};
use content::Content;
pub(crate) use content::word;
use order::Key;
pub(crate) use order::{Order, UnknownColumn};

/// A line of a table: a client, and the broker that was asked for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    /// What was found out about the client.
    pub(crate) told: &'a ProbedClient,
    /// Alias of the broker.
    pub(crate) broker: &'a str,
}

/// A column of the table.
#[derive(Debug)]
pub(crate) struct Column {
    /// What it is called where one asks to sort by it.
    pub(crate) name: &'static str,
    /// Its heading in a terminal, in two lines.
    pub(crate) heading: [&'static str; 2],
    /// Its heading in words.
    pub(crate) title: &'static str,
    /// How its cells are set.
    pub(crate) alignment: Alignment,
    /// The group its cells come from.
    pub(crate) group: Group,
    /// Who shows it.
    pub(crate) shown: Shown,
    /// What its cells say.
    content: Content,
}

/// Who shows a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Everyone.
    Always,
    /// Everyone who has the room.
    IfRoom,
    /// A terminal with the clients of several brokers.
    IfSeveralBrokers,
    /// A terminal.
    InTerminal,
    /// A page, which has more room than a terminal.
    OnPage,
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

/// Every column, from left to right.
pub(crate) static COLUMNS: &[Column] = &[
    Column {
        name: "alias",
        heading: ["", "Alias"],
        title: "Alias",
        alignment: Alignment::Left,
        group: Group::State,
        shown: Shown::Always,
        content: Content::Name(|row| Some(row.told.alias())),
    },
    Column {
        name: "broker",
        heading: ["", "Broker"],
        title: "Broker",
        alignment: Alignment::Left,
        group: Group::State,
        shown: Shown::IfSeveralBrokers,
        content: Content::Name(|row| Some(row.broker)),
    },
    STATE,
    Column {
        name: "since",
        heading: ["Since", "(time ago)"],
        title: "For how long",
        alignment: Alignment::Right,
        group: Group::Session,
        shown: Shown::OnPage,
        content: Content::Since,
    },
    Column {
        name: "created",
        heading: ["Created", "(time ago)"],
        title: "Session age",
        alignment: Alignment::Right,
        group: Group::Session,
        shown: Shown::IfRoom,
        content: Content::Time(|told| session(told)?.created_at),
    },
    Column {
        name: "keepalive",
        heading: ["Keep", "alive"],
        title: "Keepalive",
        alignment: Alignment::Digits,
        group: Group::Session,
        shown: Shown::IfRoom,
        content: Content::Interval(|client| client.session.as_ref()?.keepalive_seconds),
    },
    Column {
        name: "connected",
        heading: ["Connected", "(time ago)"],
        title: "Connected",
        alignment: Alignment::Right,
        group: Group::Session,
        shown: Shown::InTerminal,
        content: Content::Presence,
    },
    digits("subscriptions", ["Sub", "Cnt"], "Subscriptions", Group::Queue, Shown::IfRoom, {
        Content::Count(|client| client.queue.as_ref()?.subscriptions)
    }),
    digits("inflight", ["MsgIn", "Flght"], "In flight", Group::Queue, Shown::IfRoom, {
        Content::Count(|client| client.queue.as_ref()?.inflight)
    }),
    digits("queue", ["Msg", "Queue"], "Queued", Group::Queue, Shown::OnPage, {
        Content::Burden(|client| client.queue.as_ref()?.mqueue)
    }),
    digits("received", ["RX", "Msg"], "Received", Group::Traffic, Shown::IfRoom, {
        Content::Count(|client| client.traffic.as_ref()?.received_messages.total())
    }),
    digits("received-dropped", ["RX", "Drop"], "Received, dropped", Group::Traffic, Shown::IfRoom, {
        Content::Burden(|client| client.traffic.as_ref()?.received_dropped)
    }),
    digits("sent", ["TX", "Msg"], "Sent", Group::Traffic, Shown::IfRoom, {
        Content::Count(|client| client.traffic.as_ref()?.sent_messages.total())
    }),
    digits("sent-dropped", ["TX", "Drop"], "Sent, dropped", Group::Traffic, Shown::IfRoom, {
        Content::Burden(|client| client.traffic.as_ref()?.sent_dropped)
    }),
    Column {
        name: "username",
        heading: ["User", "name"],
        title: "User name",
        alignment: Alignment::Left,
        group: Group::State,
        shown: Shown::OnPage,
        content: Content::Name(|row| row.told.status.client()?.username.as_deref()),
    },
    Column {
        name: "node",
        heading: ["", "Node"],
        title: "Node",
        alignment: Alignment::Left,
        group: Group::Session,
        shown: Shown::OnPage,
        content: Content::Name(|row| row.told.status.client()?.node.as_deref()),
    },
];

const STATE: Column = Column {
    name: "state",
    heading: ["", "State"],
    title: "State",
    alignment: Alignment::Left,
    group: Group::State,
    shown: Shown::OnPage,
    content: Content::State,
};

const fn digits(
    name: &'static str,
    heading: [&'static str; 2],
    title: &'static str,
    group: Group,
    shown: Shown,
    content: Content,
) -> Column {
    Column { name, heading, title, alignment: Alignment::Digits, group, shown, content }
}

/// The groups that fill the columns which `is_shown`.
#[must_use]
pub(crate) fn groups(is_shown: impl Fn(&Column) -> bool) -> Groups {
    COLUMNS.iter().filter(|column| is_shown(column)).map(|column| column.group).collect()
}

impl Column {
    /// The column that tells the state.
    pub(crate) fn of_state() -> &'static Self {
        &STATE
    }

    /// Whether its cells are numbers of which the largest are of interest.
    #[must_use]
    pub(crate) fn is_count(&self) -> bool {
        matches!(self.content, Content::Count(_) | Content::Burden(_))
    }

    /// Whether a terminal shows it, if there is room.
    #[must_use]
    pub(crate) fn is_in_terminal(&self) -> bool {
        self.shown != Shown::OnPage
    }

    /// Whether a page shows it.
    #[must_use]
    pub(crate) fn is_on_page(&self) -> bool {
        matches!(self.shown, Shown::Always | Shown::IfRoom | Shown::OnPage)
    }

    /// Its cell in the row of one client, in a table that is made `now`.
    #[must_use]
    pub(crate) fn cell(&self, row: Row<'_>, now: Timestamp) -> Cell {
        self.content.cell(row, now)
    }

    /// What its cell is sorted by.
    fn key<'a>(&self, row: Row<'a>) -> Key<'a> {
        self.content.key(row)
    }
}

fn session(told: &ProbedClient) -> Option<&Session> {
    told.status.client()?.session.as_deref()
}
