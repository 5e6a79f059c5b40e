//! The table of a broker's clients on the page.

use jiff::Timestamp;

use super::html_cell::{HtmlCell, alignment_class, name};
use super::links::Links;
use crate::client::Labels;
use crate::humanize::thousands;
use crate::outcome::{Outcome, ProbedClient};
use crate::table::{COLUMNS, Column, TableRow, Visibility};

/// Maximum number of rows if the page shows one broker.
const MAX_ROWS: usize = 5_000;

/// Maximum number of rows of each broker if the page shows several.
const MAX_ROWS_PER_BROKER: usize = 100;

/// The clients that match the view, in its order.
pub(super) struct ClientTable<'a> {
    /// Caption, with the number of clients.
    pub(super) caption: String,
    /// Whether more clients match than are shown.
    pub(super) is_truncated: bool,
    /// Column headers.
    pub(super) headers: Vec<ColumnHeader>,
    columns: Vec<&'static Column>,
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
    /// URL of the page of this client.
    pub(super) link: String,
    /// Cells after the alias.
    pub(super) cells: Vec<HtmlCell>,
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
            headers: columns(outcome).map(|column| header(column, links)).collect(),
            columns: columns(outcome).collect(),
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
            link: self.links.client(row.client.alias()),
            cells: self.columns.iter().skip(1).map(|column| HtmlCell::new(column, *row, self.now)).collect(),
        })
    }
}

/// Returns the columns of the page, the first of which is the alias, and the last the details.
fn columns(outcome: &Outcome) -> impl Iterator<Item = &'static Column> {
    let is_detail = |column: &&Column| column.visibility == Visibility::Detail;
    let outcome = std::slice::from_ref(outcome);
    let on_page = move || COLUMNS.iter().filter(|column| column.is_on_page() && column.is_configured(outcome));
    on_page().filter(move |column| !is_detail(column)).chain(on_page().filter(is_detail))
}

fn caption(shown: usize, matching: usize, watched: usize) -> String {
    let watched_clients = match watched {
        1 => "1 watched client".to_owned(),
        _ => format!("{} watched clients", thousands(watched as u64)),
    };
    let [shown_count, matching_count] = [shown, matching].map(|count| thousands(count as u64));
    if shown < matching {
        format!("First {shown_count} of {matching_count} matching clients, of {watched_clients}")
    } else if matching < watched {
        format!("{matching_count} of {watched_clients}")
    } else {
        watched_clients
    }
}

fn header(column: &'static Column, links: &Links<'_>) -> ColumnHeader {
    let direction = if links.view.selection.order.descending { "descending" } else { "ascending" };
    let sorted = links.view.is_sorted_by(column).then_some(direction);
    let link = links.to(&links.view.sorted_by(column));
    ColumnHeader { title: column.title, class: alignment_class(column), link, sorted }
}

fn labels(client: &ProbedClient) -> Vec<String> {
    client.labels().into_iter().flat_map(Labels::texts).map(|label| name(&label)).collect()
}

fn client_id(client: &ProbedClient) -> Option<String> {
    (client.client_id() != client.alias()).then(|| name(client.client_id()))
}
