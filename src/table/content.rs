//! What the cells of a column say of a client, and what they are sorted by.

use jiff::Timestamp;

use super::order::Key;
use super::{Cell, Row, session};
use crate::client::Client;
use crate::humanize;
use crate::outcome::{ClientState, ProbedClient};

/// What the cells of a column say of one client.
#[derive(Debug, Clone, Copy)]
pub(super) enum Content {
    /// A name somebody chose.
    Name(for<'a> fn(Row<'a>) -> Option<&'a str>),
    /// A count.
    Count(fn(&Client) -> Option<u64>),
    /// A count of what should be none: what waits, or was lost.
    Burden(fn(&Client) -> Option<u64>),
    /// A setting in seconds.
    Interval(fn(&Client) -> Option<u64>),
    /// When something happened.
    Time(fn(&ProbedClient) -> Option<Timestamp>),
    /// The state.
    State,
    /// How long the client has been in its state.
    Since,
    /// How long it has been connected, or the word for what it is instead.
    Presence,
}

impl Content {
    /// The cell of one client in a table that is made `now`; empty where the broker said nothing.
    pub(super) fn cell(self, row: Row<'_>, now: Timestamp) -> Cell {
        self.known(row, now).unwrap_or_default()
    }

    fn known(self, row: Row<'_>, now: Timestamp) -> Option<Cell> {
        let told = row.told;
        let client = told.status.client();
        let state = told.status.state();
        match self {
            Self::Name(name) => name(row).map(Cell::name),
            Self::Count(count) => client.and_then(count).map(Cell::from),
            Self::Burden(count) => client.and_then(count).map(|count| Cell::from(count).notable_if(count > 0)),
            Self::Interval(seconds) => client.and_then(seconds).map(humanize::interval).map(Cell::plain),
            Self::Time(time) => time(told).map(|at| Cell::ago(at, now)),
            Self::State if may_still_be_away(told, now) => Some(state_cell(state).notable_if(true)),
            Self::Since => {
                let is_overdue = state == ClientState::Disconnected && !may_still_be_away(told, now);
                since(told).map(|at| Cell::ago(at, now).alarming_if(is_overdue))
            }
            Self::Presence if state == ClientState::Connected => since(told).map(|at| Cell::ago(at, now)),
            Self::State | Self::Presence => Some(state_cell(state)),
        }
    }

    /// What the cell of one client is sorted by.
    pub(super) fn key(self, row: Row<'_>) -> Key<'_> {
        let told = row.told;
        let client = told.status.client();
        let state = told.status.state();
        let key = match self {
            Self::Name(name) => name(row).map(Key::Text),
            Self::Count(count) | Self::Burden(count) | Self::Interval(count) => {
                client.and_then(count).map(|count| Key::Number(count.into()))
            }
            Self::Time(time) => time(told).map(age),
            Self::State => Some(Key::Number(rank(state))),
            Self::Since => since(told).map(age),
            Self::Presence if state == ClientState::Connected => since(told).map(age),
            Self::Presence => Some(Key::Text(word(state))),
        };
        key.unwrap_or(Key::Missing)
    }
}

/// A state as a word.
fn state_cell(state: ClientState) -> Cell {
    Cell { state: Some(state), ..Cell::plain(word(state).to_owned()) }
        .alarming_if(state != ClientState::Connected)
}

/// What people call a state. Whose session is held and who is away is simply offline.
#[must_use]
pub(crate) fn word(state: ClientState) -> &'static str {
    match state {
        ClientState::Connected => "connected",
        ClientState::Disconnected => "offline",
        ClientState::Absent => "absent",
        ClientState::Unknown => "unknown",
    }
}

/// Whom to look after first.
fn rank(state: ClientState) -> i128 {
    match state {
        ClientState::Absent => 0,
        ClientState::Disconnected => 1,
        ClientState::Unknown => 2,
        ClientState::Connected => 3,
    }
}

/// What happened lately comes first: a table says the smaller number of it.
fn age(at: Timestamp) -> Key<'static> {
    Key::Number(-i128::from(at.as_millisecond()))
}

/// When the client's present state began.
fn since(told: &ProbedClient) -> Option<Timestamp> {
    let session = session(told)?;
    match told.status.state() {
        ClientState::Connected => session.connected_at,
        ClientState::Disconnected => session.disconnected_at,
        ClientState::Absent | ClientState::Unknown => None,
    }
}

/// Whether the client is away for no longer than the configuration lets it.
fn may_still_be_away(told: &ProbedClient, now: Timestamp) -> bool {
    let Some((at, offline_after)) = since(told).zip(told.offline_after()) else {
        return false;
    };
    let away = u64::try_from(now.as_second().saturating_sub(at.as_second())).unwrap_or(0);
    told.status.state() == ClientState::Disconnected && away <= offline_after.as_secs()
}
