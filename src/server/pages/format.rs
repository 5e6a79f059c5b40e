//! Formats states, names and times for the page.

use jiff::Timestamp;

use crate::humanize::utc;
use crate::outcome::ClientState;
use crate::table::Severity;

/// Returns a symbol for each state, so that states can be distinguished without colours.
pub(super) fn state_symbol(state: ClientState) -> &'static str {
    match state {
        ClientState::Connected => "●",
        ClientState::Disconnected => "○",
        ClientState::Absent => "✕",
        ClientState::Unknown => "?",
    }
}

/// Returns the CSS class of a severity.
pub(super) fn severity_class(severity: Severity) -> &'static str {
    match severity {
        Severity::Normal => "",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}

/// Cuts a text to this many characters.
pub(super) fn truncated(mut text: String, max_characters: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(max_characters) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// A time in the two forms of an HTML `<time>`, to the second.
pub(super) struct PageTime {
    /// Value of the attribute `datetime`.
    pub(super) datetime: String,
    /// Text for people.
    pub(super) text: String,
}

impl PageTime {
    /// Formats a time.
    pub(super) fn new(time: Timestamp) -> Self {
        Self { datetime: time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(), text: utc(time) }
    }
}
