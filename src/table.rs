//! The table of columns: what people see of a client, and where it comes from.
//!
//! Adding a column is one entry. How the table is drawn is the business of those who show it.

mod cell;
mod order;

use jiff::Timestamp;

use crate::client::{Client, Group, Groups, Session};
use crate::humanize;
use crate::outcome::{State, Told};
pub(crate) use cell::{Cell, Weight, harmless, is_command};
use order::Key;
pub(crate) use order::Order;

/// A line of a table: a client, and the broker that was asked for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    /// What was found out about the client.
    pub(crate) told: &'a Told,
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

/// What the cells of a column say of one client.
#[derive(Debug, Clone, Copy)]
enum Content {
    /// A name somebody chose.
    Name(for<'a> fn(Row<'a>) -> Option<&'a str>),
    /// A count.
    Count(fn(&Client) -> Option<u64>),
    /// A count of what was lost.
    Losses(fn(&Client) -> Option<u64>),
    /// A setting in seconds.
    Interval(fn(&Client) -> Option<u64>),
    /// When something happened.
    Time(fn(&Told) -> Option<Timestamp>),
    /// The state.
    State,
    /// How long the client has been in its state.
    Since,
    /// How long it has been connected, or the word for what it is instead.
    Presence,
    /// Messages that wait for it.
    Queue,
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
    Column {
        name: "state",
        heading: ["", "State"],
        title: "State",
        alignment: Alignment::Left,
        group: Group::State,
        shown: Shown::OnPage,
        content: Content::State,
    },
    Column {
        name: "since",
        heading: ["Since", "(time ago)"],
        title: "For",
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
    digits("queue", ["Msg", "Queue"], "Queued", Group::Queue, Shown::OnPage, Content::Queue),
    digits("received", ["RX", "Msg"], "Received", Group::Traffic, Shown::IfRoom, {
        Content::Count(|client| client.traffic.as_ref()?.received_messages.total())
    }),
    digits("received-dropped", ["RX", "Drop"], "Received, dropped", Group::Traffic, Shown::IfRoom, {
        Content::Losses(|client| client.traffic.as_ref()?.received_dropped)
    }),
    digits("sent", ["TX", "Msg"], "Sent", Group::Traffic, Shown::IfRoom, {
        Content::Count(|client| client.traffic.as_ref()?.sent_messages.total())
    }),
    digits("sent-dropped", ["TX", "Drop"], "Sent, dropped", Group::Traffic, Shown::IfRoom, {
        Content::Losses(|client| client.traffic.as_ref()?.sent_dropped)
    }),
    Column {
        name: "username",
        heading: ["User", "name"],
        title: "User name",
        alignment: Alignment::Left,
        group: Group::State,
        shown: Shown::OnPage,
        content: Content::Name(|row| row.told.finding.client()?.username.as_deref()),
    },
    Column {
        name: "node",
        heading: ["", "Node"],
        title: "Node",
        alignment: Alignment::Left,
        group: Group::Session,
        shown: Shown::OnPage,
        content: Content::Name(|row| row.told.finding.client()?.node.as_deref()),
    },
];

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
        let client = row.told.finding.client();
        match self.content {
            Content::Name(name) => name(row).map_or_else(Cell::default, Cell::name),
            Content::Count(count) => client.and_then(count).map_or_else(Cell::default, Cell::from),
            Content::Losses(count) => client
                .and_then(count)
                .map_or_else(Cell::default, |count| Cell::from(count).notable_if(count > 0)),
            Content::Interval(seconds) => client
                .and_then(seconds)
                .map_or_else(Cell::default, |seconds| Cell::plain(humanize::interval(seconds))),
            Content::Time(time) => time(row.told).map_or_else(Cell::default, |at| Cell::ago(at, now)),
            Content::State => state(row.told.finding.state()),
            Content::Since => since(row.told).map_or_else(Cell::default, |at| {
                Cell::ago(at, now).alarming_if(is_away_too_long(row.told, at, now))
            }),
            Content::Presence if row.told.finding.state() == State::Connected => {
                since(row.told).map_or_else(Cell::default, |at| Cell::ago(at, now))
            }
            Content::Presence => state(row.told.finding.state()),
            Content::Queue => client
                .and_then(queued)
                .map_or_else(Cell::default, |count| Cell::from(count).notable_if(count > 0)),
        }
    }

    /// What its cell is sorted by.
    fn key<'a>(&self, row: Row<'a>) -> Key<'a> {
        let client = row.told.finding.client();
        let count = |count: Option<u64>| count.map_or(Key::Missing, |count| Key::Number(count.into()));
        // What happened lately comes first, as it says the smaller number.
        let age =
            |at: Option<Timestamp>| at.map_or(Key::Missing, |at| Key::Number(-i128::from(at.as_millisecond())));
        let state = row.told.finding.state();
        match self.content {
            Content::Name(name) => name(row).map_or(Key::Missing, Key::Text),
            Content::Count(of) | Content::Losses(of) | Content::Interval(of) => count(client.and_then(of)),
            Content::Time(time) => age(time(row.told)),
            Content::State => Key::Number(rank(state)),
            Content::Since => age(since(row.told)),
            Content::Presence if state == State::Connected => age(since(row.told)),
            Content::Presence => Key::Text(word(state)),
            Content::Queue => count(client.and_then(queued)),
        }
    }
}

/// A state as a word.
fn state(state: State) -> Cell {
    Cell { state: Some(state), ..Cell::plain(word(state).to_owned()) }.alarming_if(state != State::Connected)
}

/// What people call a state. Whose session is held and who is away is simply offline.
fn word(state: State) -> &'static str {
    match state {
        State::Connected => "connected",
        State::Disconnected => "offline",
        State::Absent => "absent",
        State::Unknown => "unknown",
    }
}

/// Whom to look after first.
fn rank(state: State) -> i128 {
    match state {
        State::Absent => 0,
        State::Disconnected => 1,
        State::Unknown => 2,
        State::Connected => 3,
    }
}

/// When the client's present state began.
fn since(told: &Told) -> Option<Timestamp> {
    let session = session(told)?;
    match told.finding.state() {
        State::Connected => session.connected_at,
        State::Disconnected => session.disconnected_at,
        State::Absent | State::Unknown => None,
    }
}

/// Whether the client is away, since then, for longer than the configuration lets it.
fn is_away_too_long(told: &Told, since: Timestamp, now: Timestamp) -> bool {
    let away = u64::try_from(now.as_second().saturating_sub(since.as_second())).unwrap_or(0);
    told.finding.state() == State::Disconnected
        && told.offline_after().is_some_and(|offline_after| away > offline_after.as_secs())
}

fn queued(client: &Client) -> Option<u64> {
    client.queue.as_ref()?.mqueue
}

fn session(told: &Told) -> Option<&Session> {
    told.finding.client()?.session.as_deref()
}
