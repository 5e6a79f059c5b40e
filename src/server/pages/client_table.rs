//! The table of a broker's clients on the page.

use jiff::Timestamp;

use super::format::{PageTime, state_symbol, truncated};
use super::links::Links;
use crate::client::Labels;
use crate::humanize::plural;
use crate::outcome::{Outcome, ProbedClient};
use crate::sanitize::sanitized;
use crate::table::{Alignment, COLUMNS, Column, Severity, TableRow};

/// Maximum number of rows if the page shows one broker.
const MAX_ROWS: usize = 5_000;

/// Maximum number of rows of each broker if the page shows several.
const MAX_ROWS_PER_BROKER: usize = 100;

/// Maximum number of characters of a name: an MQTT client ID or user name may have 65 535 bytes.
pub(super) const MAX_NAME_CHARACTERS: usize = 160;

/// The clients that match the view, in its order.
pub(super) struct ClientTable<'a> {
    /// Caption, with the number of clients.
    pub(super) caption: String,
    /// Whether more clients match than are shown.
    pub(super) is_truncated: bool,
    /// Column headers.
    pub(super) headers: Vec<ColumnHeader>,
    rows: Vec<TableRow<'a>>,
    links: Links<'a>,
    now: Timestamp,
}

/// The header of a column.
pub(super) struct ColumnHeader {
    /// Text.
    pub(super) title: &'static str,
    /// CSS class.
    pub(super) class: &'static str,
    /// URL of the page sorted by this column.
    pub(super) link: String,
    /// Value of `aria-sort`, if the page is sorted by this column.
    pub(super) sorted: Option<&'static str>,
}

/// The row of a client.
pub(super) struct PageRow {
    /// Alias.
    pub(super) alias: String,
    /// Client ID, if it differs from the alias.
    pub(super) client_id: Option<String>,
    /// Labels of the configuration.
    pub(super) labels: Vec<String>,
    /// URL of the debug view of this client.
    pub(super) link: String,
    /// Cells after the alias.
    pub(super) cells: Vec<HtmlCell>,
}

/// A cell of the row of a client.
pub(super) struct HtmlCell {
    /// Text.
    pub(super) text: String,
    /// CSS classes.
    pub(super) class: String,
    /// Symbol of the state that the text names.
    pub(super) symbol: Option<&'static str>,
    /// The time that the text gives as an age.
    pub(super) time: Option<PageTime>,
}

impl<'a> ClientTable<'a> {
    /// Selects and sorts the clients of the outcome.
    pub(super) fn new(outcome: &'a Outcome, links: &Links<'a>, now: Timestamp) -> Self {
        let view = links.view;
        let mut rows = view.selection.rows(std::slice::from_ref(outcome), now);
        let matching = rows.len();
        rows.truncate(if links.is_only_broker { MAX_ROWS } else { MAX_ROWS_PER_BROKER });
        Self {
            caption: caption(rows.len(), matching, outcome.clients.len()),
            is_truncated: rows.len() < matching,
            headers: columns().map(|column| header(column, links)).collect(),
            rows,
            links: links.clone(),
            now,
        }
    }

    /// Whether no client matches.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Renders the rows one by one, so that the text of thousands is never in memory as a whole.
    pub(super) fn rows(&self) -> impl Iterator<Item = PageRow> {
        self.rows.iter().map(|row| PageRow {
            alias: name(row.client.alias()),
            client_id: client_id(row.client),
            labels: labels(row.client),
            link: self.links.client_debug_view(row.client),
            cells: columns().skip(1).map(|column| cell(column, *row, self.now)).collect(),
        })
    }
}

/// Returns the columns of the page, the first of which is the alias.
fn columns() -> impl Iterator<Item = &'static Column> {
    COLUMNS.iter().filter(|column| column.is_on_page())
}

fn caption(shown: usize, matching: usize, watched: usize) -> String {
    let watched_clients = plural(watched as u64, "1 watched client", "watched clients");
    if shown < matching {
        format!("First {shown} of {matching} matching clients, of {watched_clients}")
    } else if matching < watched {
        format!("{matching} of {watched_clients}")
    } else {
        watched_clients
    }
}

fn header(column: &'static Column, links: &Links<'_>) -> ColumnHeader {
    let direction = if links.view.selection.order.descending { "descending" } else { "ascending" };
    let sorted = links.view.is_sorted_by(column).then_some(direction);
    let link = links.to(&links.view.sorted_by(column));
    ColumnHeader { title: column.title, class: class(column), link, sorted }
}

fn name(name: &str) -> String {
    truncated(sanitized(name), MAX_NAME_CHARACTERS)
}

fn labels(client: &ProbedClient) -> Vec<String> {
    client.labels().into_iter().flat_map(Labels::texts).map(|label| name(&label)).collect()
}

fn client_id(client: &ProbedClient) -> Option<String> {
    (client.client_id() != client.alias()).then(|| name(client.client_id()))
}

fn cell(column: &Column, row: TableRow<'_>, now: Timestamp) -> HtmlCell {
    let cell = column.cell(row, now);
    let severity = match cell.severity {
        Severity::Normal => "",
        Severity::Warning => " warning",
        Severity::Critical => " critical",
    };
    let state = cell.state.map_or(String::new(), |state| format!(" state {}", state.name()));
    HtmlCell {
        text: truncated(cell.text, MAX_NAME_CHARACTERS),
        class: format!("{}{severity}{state}", class(column)),
        symbol: cell.state.map(state_symbol),
        time: cell.time.map(PageTime::new),
    }
}

fn class(column: &Column) -> &'static str {
    if column.alignment == Alignment::Left { "text" } else { "number" }
}
