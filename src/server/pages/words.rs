//! How the page says things.

use jiff::Timestamp;

use crate::outcome::ClientState;

/// A mark for each state, by which they can be told apart without colour.
pub(super) fn mark(state: ClientState) -> &'static str {
    match state {
        ClientState::Connected => "●",
        ClientState::Disconnected => "○",
        ClientState::Absent => "✕",
        ClientState::Unknown => "?",
    }
}

/// As much of somebody's words as is shown.
pub(super) fn shortened(mut words: String, most_characters: usize) -> String {
    if let Some((end, _)) = words.char_indices().nth(most_characters) {
        words.truncate(end);
        words.push('…');
    }
    words
}

/// A moment as HTML has it for programs: to the second.
pub(super) fn machine_moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
