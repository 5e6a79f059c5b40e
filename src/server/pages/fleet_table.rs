//! The table of a broker's fleets on the page.

use askama::Template;

use super::html_cell::name;
use crate::fleet::FleetResult;
use crate::outcome::Outcome;

/// The fleets of a broker, each with a bar of its connected clients.
#[derive(Template)]
#[template(path = "fleet_table.html")]
pub(super) struct FleetTable {
    broker: String,
    pub(super) fleets: Vec<FleetRow>,
}

/// A fleet.
pub(super) struct FleetRow {
    alias: String,
    labels: Vec<String>,
    text: String,
    /// CSS class.
    class: &'static str,
    /// The number of connected clients and the length of the bar; `None` if they are not known.
    bar: Option<(u64, u64)>,
}

impl FleetTable {
    /// Prepares the table from the outcome of the probe.
    pub(super) fn new(outcome: &Outcome) -> Self {
        let fleets = outcome.fleets.iter().flatten().map(FleetRow::from).collect();
        Self { broker: name(&outcome.broker), fleets }
    }
}

impl From<&FleetResult> for FleetRow {
    fn from(result: &FleetResult) -> Self {
        let expected = result.fleet.expected_connected.max(result.fleet.expected_sessions).unwrap_or_default();
        Self {
            alias: name(&result.fleet.alias),
            labels: result.fleet.labels.texts().map(|label| name(&label)).collect(),
            text: result.describe(),
            class: match result.is_short() {
                Some(true) => "critical",
                Some(false) => "",
                None => "warning",
            },
            bar: result.counts.as_ref().map(|counts| {
                let known = counts.connected.saturating_add(counts.disconnected);
                (counts.connected, known.max(expected).max(1))
            }),
        }
    }
}
