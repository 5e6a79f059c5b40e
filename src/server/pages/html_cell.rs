//! A cell of a column in HTML.

use jiff::Timestamp;

use super::format::{PageTime, severity_class, state_symbol, truncated};
use crate::humanize::thousands;
use crate::sanitize::sanitized;
use crate::table::{Alignment, Column, TableRow};

/// Maximum number of characters of a name: an MQTT client ID or user name may have 65 535 bytes.
const MAX_NAME_CHARACTERS: usize = 160;

/// A cell of the row of a client.
#[derive(Default)]
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

impl HtmlCell {
    /// Formats the cell of a column in a row; ages count up to `now`.
    pub(super) fn new(column: &Column, row: TableRow<'_>, now: Timestamp) -> Self {
        let cell = column.cell(row, now);
        let state = cell.state.map_or(String::new(), |state| format!("state {}", state.name()));
        let classes = [alignment_class(column), severity_class(cell.severity), &state];
        let classes: Vec<_> = classes.into_iter().filter(|class| !class.is_empty()).collect();
        Self {
            text: cell.count.map_or_else(|| truncated(cell.text, MAX_NAME_CHARACTERS), thousands),
            class: classes.join(" "),
            symbol: cell.state.map(state_symbol),
            time: cell.time.map(PageTime::new),
        }
    }
}

/// Returns the CSS class of the alignment of a column.
pub(super) fn alignment_class(column: &Column) -> &'static str {
    if column.alignment == Alignment::Left { "text" } else { "number" }
}

/// Returns a name that is safe to show, cut if it is very long.
pub(super) fn name(name: &str) -> String {
    truncated(sanitized(name), MAX_NAME_CHARACTERS)
}
