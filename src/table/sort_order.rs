//! The order of the rows of a table.

use std::cmp::{Ordering, Reverse};
use std::fmt;

use super::{COLUMNS, Column, TableRow};

/// The key of a cell. Missing values come last in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SortKey<'a> {
    /// A count, or seconds.
    Number(i128),
    /// Text; after the numbers in a column that has both.
    Text(&'a str),
    /// No value.
    Missing,
}

/// The order of the rows of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SortOrder {
    /// The column to sort by.
    pub(crate) column: &'static Column,
    /// Whether the largest value comes first.
    pub(crate) descending: bool,
}

impl SortOrder {
    /// Parses the name of a column that matches `can_sort`, with a `-` before it for descending order.
    ///
    /// # Errors
    /// An unknown column.
    pub(crate) fn parse(text: &str, can_sort: fn(&Column) -> bool) -> Result<Self, UnknownColumn> {
        let (name, descending) = match text.strip_prefix('-') {
            Some(name) => (name, true),
            None => (text, false),
        };
        let columns = || COLUMNS.iter().filter(|column| can_sort(column));
        columns().find(|column| column.name == name).map(|column| Self { column, descending }).ok_or_else(
            || {
                let available: Vec<_> = columns().map(|column| column.name).collect();
                UnknownColumn { name: name.chars().take(80).collect(), available: available.join(", ") }
            },
        )
    }

    /// Sorts the rows. Equal ones are sorted by alias, then by broker.
    pub(crate) fn sort(self, rows: &mut [TableRow<'_>]) {
        rows.sort_by(|one, other| {
            self.compare(*one, *other)
                .then_with(|| (one.client.alias(), one.broker).cmp(&(other.client.alias(), other.broker)))
        });
    }

    fn compare(self, one: TableRow<'_>, other: TableRow<'_>) -> Ordering {
        match (self.column.sort_key(one), self.column.sort_key(other)) {
            (SortKey::Missing, other) => SortKey::Missing.cmp(&other),
            (one, SortKey::Missing) => one.cmp(&SortKey::Missing),
            (one, other) if self.descending => Reverse(one).cmp(&Reverse(other)),
            (one, other) => one.cmp(&other),
        }
    }
}

/// No such column has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown column {name:?}; available columns: {available}")]
pub(crate) struct UnknownColumn {
    name: String,
    available: String,
}

impl fmt::Display for SortOrder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.descending { "-" } else { "" };
        write!(formatter, "{sign}{}", self.column.name)
    }
}

/// By alias.
impl Default for SortOrder {
    fn default() -> Self {
        Self { column: &COLUMNS[0], descending: false }
    }
}

impl PartialEq for SortOrder {
    fn eq(&self, other: &Self) -> bool {
        self.column.name == other.column.name && self.descending == other.descending
    }
}
