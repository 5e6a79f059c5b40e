//! What a cell of the table says, and how much it matters.

use jiff::Timestamp;

use crate::humanize;
use crate::outcome::ClientState;

/// What a cell says; empty where nothing is known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Cell {
    /// In words.
    pub(crate) text: String,
    /// How much it matters.
    pub(crate) weight: Weight,
    /// The moment it tells of.
    pub(crate) at: Option<Timestamp>,
    /// The state it tells.
    pub(crate) state: Option<ClientState>,
}

/// How much a cell matters to somebody who looks for trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Weight {
    /// It is as it should be.
    #[default]
    Plain,
    /// It may be worth a look.
    Notable,
    /// It should be looked after.
    Alarming,
}

impl Cell {
    /// Something that is as it should be.
    pub(super) fn plain(text: String) -> Self {
        Self { text, ..Self::default() }
    }

    /// A name, without anything that a terminal or a browser would obey: MQTT clients choose their IDs and user names
    /// themselves.
    pub(super) fn name(name: &str) -> Self {
        Self::plain(harmless(name))
    }

    /// How long ago something was. The clocks of a broker and of this machine differ; what seems to lie ahead is now.
    pub(super) fn ago(at: Timestamp, now: Timestamp) -> Self {
        let seconds = now.as_second().saturating_sub(at.as_second());
        let text = humanize::time_ago(u64::try_from(seconds).unwrap_or(0));
        Self { at: Some(at), ..Self::plain(text) }
    }

    /// The same, worth a look if so.
    pub(super) fn notable_if(self, is_notable: bool) -> Self {
        if is_notable { Self { weight: Weight::Notable, ..self } } else { self }
    }

    /// The same, to be looked after if so.
    pub(super) fn alarming_if(self, is_alarming: bool) -> Self {
        if is_alarming { Self { weight: Weight::Alarming, ..self } } else { self }
    }
}

impl From<u64> for Cell {
    fn from(count: u64) -> Self {
        Self::plain(count.to_string())
    }
}

/// Somebody's words, without anything that a terminal or a browser would obey.
pub(crate) fn harmless(words: &str) -> String {
    words.replace(is_command, "\u{FFFD}")
}

/// Whether it is no character to be read but one that moves the cursor or turns the direction of writing (the
/// `Bidi_Control` of Unicode), by which a name could pass for another.
pub(crate) fn is_command(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_commands_neither_terminal_nor_browser() {
        let name = Cell::name("Pump\u{1b}[2J\n\u{202E}1\u{2066} \u{9b}ü 水");
        assert_eq!(name.text, "Pump\u{FFFD}[2J\u{FFFD}\u{FFFD}1\u{FFFD} \u{FFFD}ü 水");
    }

    #[test]
    fn a_broker_whose_clock_is_ahead_tells_of_now() {
        let at = |second| Timestamp::from_second(second).expect("a time");
        assert_eq!(Cell::ago(at(100), at(40)).text, "a moment");
        assert_eq!(Cell::ago(at(40), at(100)).text, "a minute");
    }
}
