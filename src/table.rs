//! The table of columns: what `--check` and the page show of a client.
//!
//! Adding a column is one entry. `check` and `server/pages` decide the layout.

mod cell;
mod column_value;
mod selection;
mod sort_order;

use jiff::Timestamp;

use crate::client::{Group, Groups, Session};
use crate::outcome::{Outcome, ProbedClient};
pub(crate) use cell::{Cell, Severity};
use column_value::ColumnValue;
pub(crate) use column_value::state_label;
pub(crate) use selection::{ClientFilter, Selection, state_named};
use sort_order::SortKey;
pub(crate) use sort_order::{SortOrder, UnknownColumn};

/// A row of the table: a client and its broker.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TableRow<'a> {
    /// The client as probed.
    pub(crate) client: &'a ProbedClient,
    /// Alias of the broker.
    pub(crate) broker: &'a str,
}

/// A column of the table.
#[derive(Debug)]
pub(crate) struct Column {
    /// Name for `--sort` and the page's `sort` parameter.
    pub(crate) name: &'static str,
    /// Heading in a terminal, in two lines.
    pub(crate) heading: [&'static str; 2],
    /// Heading on the page.
    pub(crate) title: &'static str,
    /// Alignment of its cells.
    pub(crate) alignment: Alignment,
    /// Metric group that contains its values.
    pub(crate) group: Group,
    /// Where it is shown.
    pub(crate) visibility: Visibility,
    value: ColumnValue,
}

/// Where a column is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Visibility {
    /// Everywhere.
    Always,
    /// Everywhere, but hidden in a terminal that is too narrow.
    IfRoom,
    /// The same, and last on the page.
    Detail,
    /// Everywhere, if the configuration has something to ask for its group.
    IfConfigured,
    /// In a terminal, when several brokers are shown.
    IfSeveralBrokers,
    /// In a terminal.
    TerminalOnly,
    /// On the page.
    PageOnly,
}

/// Alignment of the cells of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alignment {
    /// Left; for text.
    Left,
    /// Right, and wrapped between words in a narrow terminal; for durations.
    Right,
    /// Right, and never wrapped; for numbers.
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
        visibility: Visibility::Always,
        value: ColumnValue::Name(|row| Some(row.client.alias())),
    },
    Column {
        name: "broker",
        heading: ["", "Broker"],
        title: "Broker",
        alignment: Alignment::Left,
        group: Group::State,
        visibility: Visibility::IfSeveralBrokers,
        value: ColumnValue::Name(|row| Some(row.broker)),
    },
    Column::STATE,
    Column {
        name: "since",
        heading: ["Since", "(time ago)"],
        title: "In state for",
        alignment: Alignment::Right,
        group: Group::Session,
        visibility: Visibility::PageOnly,
        value: ColumnValue::StateAge,
    },
    Column {
        name: "created",
        heading: ["Created", "(time ago)"],
        title: "Session age",
        alignment: Alignment::Right,
        group: Group::Session,
        visibility: Visibility::Detail,
        value: ColumnValue::Age(|client| session(client)?.created_at),
    },
    Column {
        name: "keepalive",
        heading: ["Keep", "alive"],
        title: "Keepalive",
        alignment: Alignment::Digits,
        group: Group::Session,
        visibility: Visibility::Detail,
        value: ColumnValue::Seconds(|client| client.session.as_ref()?.keepalive_seconds),
    },
    Column {
        name: "connected",
        heading: ["Connected", "(time ago)"],
        title: "Connected",
        alignment: Alignment::Right,
        group: Group::Session,
        visibility: Visibility::TerminalOnly,
        value: ColumnValue::ConnectedFor,
    },
    Column {
        name: "seen",
        heading: ["Last seen", "(time ago)"],
        title: "Last seen",
        alignment: Alignment::Right,
        group: Group::Seen,
        visibility: Visibility::IfConfigured,
        value: ColumnValue::Age(ProbedClient::last_seen),
    },
    count("subscriptions", ["Sub", "Cnt"], "Subscriptions", Group::Queue, Visibility::Detail, {
        ColumnValue::Count(|client| client.queue.as_ref()?.subscriptions)
    }),
    count("inflight", ["MsgIn", "Flght"], "In flight", Group::Queue, Visibility::IfRoom, {
        ColumnValue::Count(|client| client.queue.as_ref()?.inflight)
    }),
    count("queue", ["Msg", "Queue"], "Queued", Group::Queue, Visibility::PageOnly, {
        ColumnValue::WarningCount(|client| client.queue.as_ref()?.mqueue)
    }),
    count("received", ["RX", "Msg"], "Received", Group::Traffic, Visibility::IfRoom, {
        ColumnValue::Count(|client| client.traffic.as_ref()?.received_messages.total())
    }),
    count("received-dropped", ["RX", "Drop"], "Received, dropped", Group::Traffic, Visibility::IfRoom, {
        ColumnValue::WarningCount(|client| client.traffic.as_ref()?.received_dropped)
    }),
    count("sent", ["TX", "Msg"], "Sent", Group::Traffic, Visibility::IfRoom, {
        ColumnValue::Count(|client| client.traffic.as_ref()?.sent_messages.total())
    }),
    count("sent-dropped", ["TX", "Drop"], "Sent, dropped", Group::Traffic, Visibility::IfRoom, {
        ColumnValue::WarningCount(|client| client.traffic.as_ref()?.sent_dropped)
    }),
    Column {
        name: "username",
        heading: ["User", "name"],
        title: "User name",
        alignment: Alignment::Left,
        group: Group::State,
        visibility: Visibility::PageOnly,
        value: ColumnValue::Name(|row| row.client.status.client()?.username.as_deref()),
    },
    Column {
        name: "node",
        heading: ["", "Node"],
        title: "Node",
        alignment: Alignment::Left,
        group: Group::Session,
        visibility: Visibility::PageOnly,
        value: ColumnValue::Name(|row| row.client.status.client()?.node.as_deref()),
    },
];

const fn count(
    name: &'static str,
    heading: [&'static str; 2],
    title: &'static str,
    group: Group,
    visibility: Visibility,
    value: ColumnValue,
) -> Column {
    Column { name, heading, title, alignment: Alignment::Digits, group, visibility, value }
}

/// Returns the metric groups needed for the columns that match `is_shown`. The state of a client says that it is banned
/// where the configuration collects that.
#[must_use]
pub(crate) fn groups(collect: Groups, is_shown: impl Fn(&Column) -> bool) -> Groups {
    let columns = COLUMNS.iter().filter(|column| is_shown(column)).map(|column| column.group);
    columns.chain(collect.contains(Group::Banned).then_some(Group::Banned)).collect()
}

impl Column {
    /// The column with the client's state.
    pub(crate) const STATE: Self = Self {
        name: "state",
        heading: ["", "State"],
        title: "State",
        alignment: Alignment::Left,
        group: Group::State,
        visibility: Visibility::PageOnly,
        value: ColumnValue::State,
    };

    /// Whether its cells are counts, which are usually sorted in descending order.
    #[must_use]
    pub(crate) fn is_count(&self) -> bool {
        matches!(self.value, ColumnValue::Count(_) | ColumnValue::WarningCount(_))
    }

    /// Whether a terminal shows it with these outcomes.
    #[must_use]
    pub(crate) fn is_in_terminal(&self, outcomes: &[Outcome]) -> bool {
        match self.visibility {
            Visibility::PageOnly => false,
            Visibility::IfSeveralBrokers => outcomes.len() > 1,
            Visibility::IfConfigured => self.is_configured(outcomes),
            Visibility::Always | Visibility::IfRoom | Visibility::Detail | Visibility::TerminalOnly => true,
        }
    }

    /// Whether the page of a broker can show it.
    #[must_use]
    pub(crate) fn is_on_page(&self) -> bool {
        !matches!(self.visibility, Visibility::IfSeveralBrokers | Visibility::TerminalOnly)
    }

    /// Whether there was something to ask for it.
    #[must_use]
    pub(crate) fn is_configured(&self, outcomes: &[Outcome]) -> bool {
        let was_asked = |outcome: &Outcome| outcome.group_result(self.group).is_some();
        self.visibility != Visibility::IfConfigured || outcomes.iter().any(was_asked)
    }

    /// Returns its cell in a row; ages count up to `now`.
    #[must_use]
    pub(crate) fn cell(&self, row: TableRow<'_>, now: Timestamp) -> Cell {
        self.value.cell(row, now)
    }

    /// Returns the key by which rows are sorted.
    fn sort_key<'a>(&self, row: TableRow<'a>) -> SortKey<'a> {
        self.value.sort_key(row)
    }
}

fn session(client: &ProbedClient) -> Option<&Session> {
    client.status.client()?.session.as_deref()
}
