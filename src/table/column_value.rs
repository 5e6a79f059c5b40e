//! The value of a column: its cell and its sort key for one client.

use jiff::Timestamp;

use super::sort_order::SortKey;
use super::{Cell, Severity, TableRow, session};
use crate::client::{BanEnd, Client};
use crate::humanize;
use crate::outcome::{ClientState, ProbedClient};

/// Where the cells of a column come from.
#[derive(Debug, Clone, Copy)]
pub(super) enum ColumnValue {
    /// A name.
    Name(for<'a> fn(TableRow<'a>) -> Option<&'a str>),
    /// A count.
    Count(fn(&Client) -> Option<u64>),
    /// A count that should be 0, such as dropped messages.
    WarningCount(fn(&Client) -> Option<u64>),
    /// A setting in seconds.
    Seconds(fn(&Client) -> Option<u64>),
    /// A time, shown as its age.
    Age(fn(&ProbedClient) -> Option<Timestamp>),
    /// The client's state.
    State,
    /// How long the client has been in its state.
    StateAge,
    /// How long the client has been connected, or its state if it is not.
    ConnectedFor,
}

impl ColumnValue {
    /// Returns the cell of one client; empty if the broker did not report the value.
    pub(super) fn cell(self, row: TableRow<'_>, now: Timestamp) -> Cell {
        self.known_cell(row, now).unwrap_or_default()
    }

    fn known_cell(self, row: TableRow<'_>, now: Timestamp) -> Option<Cell> {
        let probed = row.client;
        let client = probed.status.client();
        let state = probed.status.state();
        match self {
            Self::Name(name) => name(row).map(Cell::name),
            Self::Count(count) => client.and_then(count).map(Cell::from),
            Self::WarningCount(count) => {
                client.and_then(count).map(|count| Cell::from(count).severity_if(count > 0, Severity::Warning))
            }
            Self::Seconds(seconds) => client.and_then(seconds).map(humanize::short_duration).map(Cell::text),
            Self::Age(time) => time(probed).map(|time| Cell::age(time, now)),
            Self::StateAge => {
                let cell = Cell::age(state_since(probed)?, now);
                Some(cell.severity_if(probed.is_overdue(now), Severity::Critical))
            }
            Self::ConnectedFor if state == ClientState::Connected => {
                state_since(probed).map(|time| Cell::age(time, now))
            }
            Self::State => Some(state_cell(probed, now)),
            Self::ConnectedFor => Some(match probed.away_since().filter(|_| probed.ban_end().is_none()) {
                Some(since) => state_cell(probed, now).since(since, now),
                None => state_cell(probed, now),
            }),
        }
    }

    /// Returns the sort key of one client.
    pub(super) fn sort_key(self, row: TableRow<'_>) -> SortKey<'_> {
        let probed = row.client;
        let client = probed.status.client();
        let state = probed.status.state();
        let key = match self {
            Self::Name(name) => name(row).map(SortKey::Text),
            Self::Count(count) | Self::WarningCount(count) | Self::Seconds(count) => {
                client.and_then(count).map(|count| SortKey::Number(count.into()))
            }
            Self::Age(time) => time(probed).map(age_key),
            Self::State => Some(SortKey::Number(state_rank(state))),
            Self::StateAge => state_since(probed).map(age_key),
            Self::ConnectedFor if state == ClientState::Connected => state_since(probed).map(age_key),
            Self::ConnectedFor => Some(SortKey::Text(state_label(state))),
        };
        key.unwrap_or(SortKey::Missing)
    }
}

fn state_cell(probed: &ProbedClient, now: Timestamp) -> Cell {
    let state = probed.status.state();
    let cell = Cell { state: Some(state), ..Cell::text(state_label(state).to_owned()) };
    match probed.ban_end() {
        Some(end) => Cell { text: ban_label(end), severity: Severity::Critical, ..cell },
        None => Cell { severity: state_severity(state, probed.overdue(now)), ..cell },
    }
}

/// Returns what a table shows in place of the state of a banned client.
fn ban_label(end: BanEnd) -> String {
    match end {
        BanEnd::At(time) => format!("banned until {}", time.strftime("%Y-%m-%d %H:%M UTC")),
        BanEnd::Never => "banned for ever".to_owned(),
    }
}

/// Returns how urgent a state is. A client that is away may be so for its `offline_after`, and nothing is known of an
/// unknown one.
fn state_severity(state: ClientState, overdue: Option<bool>) -> Severity {
    match (state, overdue) {
        (ClientState::Connected, _) => Severity::Normal,
        (ClientState::Unknown, _) | (_, Some(false)) => Severity::Warning,
        (ClientState::Disconnected | ClientState::Absent, _) => Severity::Critical,
    }
}

/// Returns the displayed name of a state: a disconnected client is shown as offline.
#[must_use]
pub(crate) fn state_label(state: ClientState) -> &'static str {
    match state {
        ClientState::Connected => "connected",
        ClientState::Disconnected => "offline",
        ClientState::Absent => "absent",
        ClientState::Unknown => "unknown",
    }
}

/// Returns the sort position of a state, the most severe first.
fn state_rank(state: ClientState) -> i128 {
    match state {
        ClientState::Absent => 0,
        ClientState::Disconnected => 1,
        ClientState::Unknown => 2,
        ClientState::Connected => 3,
    }
}

/// Returns a key that sorts later times first, because they are shown as smaller ages.
fn age_key(time: Timestamp) -> SortKey<'static> {
    SortKey::Number(-i128::from(time.as_millisecond()))
}

/// Returns the time at which the client entered its state.
fn state_since(client: &ProbedClient) -> Option<Timestamp> {
    match client.status.state() {
        ClientState::Connected => session(client)?.connected_at,
        _ => client.away_since(),
    }
}
