//! Positions in the text of a file.

use std::fmt;

/// A line and a column of a text, both counted from 1; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Location {
    line: usize,
    column: usize,
}

impl Location {
    /// Returns the location of the byte at `offset`.
    pub(super) fn of_byte(text: &[u8], offset: usize) -> Self {
        let before = String::from_utf8_lossy(&text[..offset.min(text.len())]);
        let last_line = before.rsplit('\n').next().unwrap_or_default();
        Self { line: before.matches('\n').count() + 1, column: last_line.chars().count() + 1 }
    }
}

impl From<&serde_yaml::Location> for Location {
    fn from(location: &serde_yaml::Location) -> Self {
        Self { line: location.line(), column: location.column() }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.line, self.column)
    }
}
