//! How the page says things.

use jiff::Timestamp;

use crate::outcome::State;
use crate::table::harmless;

/// A mark for each state, by which they can be told apart without colour.
pub(super) fn mark(state: State) -> &'static str {
    match state {
        State::Connected => "●",
        State::Disconnected => "○",
        State::Absent => "✕",
        State::Unknown => "?",
    }
}

/// So many of them.
pub(super) fn counted(number: u64, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

/// As much of somebody's words as is shown, without anything a browser would obey besides HTML, which the templates
/// escape.
pub(super) fn shortened(words: &str, most_characters: usize) -> String {
    match words.char_indices().nth(most_characters) {
        Some((end, _)) => harmless(&words[..end]) + "…",
        None => harmless(words),
    }
}

/// A moment. Brokers, exporters and people may be in different places: it is UTC.
pub(super) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A moment as HTML has it for programs: to the second.
pub(super) fn machine_moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
