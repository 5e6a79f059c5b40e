//! A cell of the table: its text and how urgent it is.

use jiff::Timestamp;

use crate::humanize;
use crate::outcome::ClientState;
use crate::sanitize::sanitized;

/// The content of a cell; empty where the value is not known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Cell {
    /// Text to show.
    pub(crate) text: String,
    /// The number that the text is.
    pub(crate) count: Option<u64>,
    /// How urgent it is.
    pub(crate) severity: Severity,
    /// The time that the text gives as an age.
    pub(crate) time: Option<Timestamp>,
    /// The state that the text names.
    pub(crate) state: Option<ClientState>,
}

/// How urgent the content of a cell is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Severity {
    /// As expected.
    #[default]
    Normal,
    /// Worth a look.
    Warning,
    /// Needs attention.
    Critical,
}

impl Cell {
    /// Returns a cell with this text and normal severity.
    pub(super) fn text(text: String) -> Self {
        Self { text, ..Self::default() }
    }

    /// Returns a cell with a name, which is sanitized.
    pub(super) fn name(name: &str) -> Self {
        Self::text(sanitized(name))
    }

    /// Returns a cell with the age of `time`. A time in the future counts as now: clocks differ.
    pub(super) fn age(time: Timestamp, now: Timestamp) -> Self {
        let seconds = now.as_second().saturating_sub(time.as_second());
        let text = humanize::age(u64::try_from(seconds).unwrap_or(0));
        Self { time: Some(time), ..Self::text(text) }
    }

    /// Returns the cell with the age of `time` after its text.
    pub(super) fn since(self, time: Timestamp, now: Timestamp) -> Self {
        let age = Self::age(time, now);
        Self { text: format!("{} {}", self.text, age.text), time: age.time, ..self }
    }

    /// Returns the cell with this severity if the condition holds.
    pub(super) fn severity_if(self, condition: bool, severity: Severity) -> Self {
        if condition { Self { severity, ..self } } else { self }
    }
}

impl From<u64> for Cell {
    fn from(count: u64) -> Self {
        Self { count: Some(count), ..Self::text(count.to_string()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_in_the_future_counts_as_now() {
        let at = |second| Timestamp::from_second(second).expect("a time");
        assert_eq!(Cell::age(at(100), at(40)).text, "a moment");
        assert_eq!(Cell::age(at(40), at(100)).text, "a minute");
    }
}
