//! In which order the rows of a table stand.

use std::cmp::{Ordering, Reverse};
use std::fmt;

use super::{COLUMNS, Column, Row};

/// What a cell is sorted by. What is not known stands last, whichever way the others are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key<'a> {
    /// A count, or seconds.
    Number(i128),
    /// Words; after the numbers, where a column has both.
    Text(&'a str),
    /// Nothing.
    Missing,
}

/// In which order the rows of a table stand.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order {
    /// The column they are sorted by.
    pub(crate) column: &'static Column,
    /// Whether the largest comes first.
    pub(crate) descending: bool,
}

impl Order {
    /// Reads the name of a column which `is_shown`, with a `-` before it for the largest first.
    ///
    /// # Errors
    /// Any other text.
    pub(crate) fn parse(text: &str, is_shown: fn(&Column) -> bool) -> Result<Self, UnknownColumn> {
        let (name, descending) = match text.strip_prefix('-') {
            Some(name) => (name, true),
            None => (text, false),
        };
        let columns = || COLUMNS.iter().filter(|column| is_shown(column));
        columns().find(|column| column.name == name).map(|column| Self { column, descending }).ok_or_else(
            || {
                let known: Vec<_> = columns().map(|column| column.name).collect();
                UnknownColumn { name: name.chars().take(80).collect(), known: known.join(", ") }
            },
        )
    }

    /// The rows in this order. Those that are equal in it stand by alias, then by broker.
    pub(crate) fn sort(self, rows: &mut [Row<'_>]) {
        rows.sort_by(|one, other| {
            self.compare(*one, *other)
                .then_with(|| (one.told.alias(), one.broker).cmp(&(other.told.alias(), other.broker)))
        });
    }

    fn compare(self, one: Row<'_>, other: Row<'_>) -> Ordering {
        match (self.column.key(one), self.column.key(other)) {
            (Key::Missing, other) => Key::Missing.cmp(&other),
            (one, Key::Missing) => one.cmp(&Key::Missing),
            (one, other) if self.descending => Reverse(one).cmp(&Reverse(other)),
            (one, other) => one.cmp(&other),
        }
    }
}

/// No column that is shown is called so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no column {name:?} to sort by; there are {known}")]
pub(crate) struct UnknownColumn {
    name: String,
    known: String,
}

impl fmt::Display for Order {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.descending { "-" } else { "" };
        write!(formatter, "{sign}{}", self.column.name)
    }
}

/// By alias.
impl Default for Order {
    fn default() -> Self {
        Self { column: &COLUMNS[0], descending: false }
    }
}

impl PartialEq for Order {
    fn eq(&self, other: &Self) -> bool {
        self.column.name == other.column.name && self.descending == other.descending
    }
}
