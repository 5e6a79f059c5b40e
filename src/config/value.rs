//! A value of the configuration file together with its place in it, so that whoever reads it can say what is
//! wrong.
//!
//! Messages never show values, which may be secrets.

use std::error::Error;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use super::diagnostics::Diagnostics;
use super::document::{Kind, Node};
use super::location::NodePath;
use crate::error_chain::chain;

/// One value, or one key, of the file.
#[derive(Clone)]
pub(super) struct Value<'d> {
    node: &'d Node,
    place: NodePath,
    /// The path to it as people write it, such as `emqx[1].api_url`; empty for the whole file.
    name: String,
    diagnostics: &'d Diagnostics,
}

impl<'d> Value<'d> {
    /// The whole file.
    pub(super) fn root(node: &'d Node, diagnostics: &'d Diagnostics) -> Self {
        Self { node, place: NodePath::default(), name: String::new(), diagnostics }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn diagnostics(&self) -> &'d Diagnostics {
        self.diagnostics
    }

    /// Says what is wrong with this value.
    pub(super) fn error(&self, message: impl Display) {
        let message =
            if self.name.is_empty() { message.to_string() } else { format!("{}: {message}", self.name) };
        self.diagnostics.problem(self.place.clone(), message);
    }

    /// Says what went wrong with what this value names, with all its causes.
    pub(super) fn error_from(&self, error: &dyn Error) {
        self.error(chain(error));
    }

    /// Says what this value would have to be.
    pub(super) fn expected<T>(&self, right: impl Display) -> Option<T> {
        self.error(format_args!("must be {right}"));
        None
    }

    /// Whether there is nothing behind the key.
    pub(super) fn is_null(&self) -> bool {
        matches!(self.kind(), Some(Kind::Null))
    }

    pub(super) fn kind(&self) -> Option<Kind> {
        match self.node {
            Node::Scalar(scalar) => Some(scalar.kind),
            Node::Sequence(_) | Node::Mapping(_) | Node::Tagged => None,
        }
    }

    /// The text of a scalar, as it is written; none of anything else.
    pub(super) fn as_text(&self) -> Option<&'d str> {
        match self.node {
            Node::Scalar(scalar) if !self.is_null() => Some(&scalar.text),
            Node::Scalar(_) | Node::Sequence(_) | Node::Mapping(_) | Node::Tagged => None,
        }
    }

    /// A text that is not empty.
    pub(super) fn text(&self, right: impl Display) -> Option<&'d str> {
        self.as_text().filter(|text| !text.is_empty()).or_else(|| self.expected(right))
    }

    /// A text that is not empty and holds no control characters.
    pub(super) fn line(&self, right: impl Display) -> Option<&'d str> {
        let text = self.text(right)?;
        if text.chars().any(char::is_control) {
            self.error("must not hold control characters");
            return None;
        }
        Some(text)
    }

    /// The name of a file, which counts from the directory of the configuration.
    pub(super) fn file(&self) -> Option<PathBuf> {
        self.line("the name of a file").map(|name| self.diagnostics.resolve(name))
    }

    /// A whole number within a range.
    pub(super) fn integer<T>(&self, range: &RangeInclusive<T>) -> Option<T>
    where
        T: TryFrom<u64> + PartialOrd + Display,
    {
        let number = match self.kind() {
            Some(Kind::Integer(number)) => T::try_from(number).ok(),
            _ => None,
        };
        number
            .filter(|number| range.contains(number))
            .or_else(|| self.expected(format_args!("a whole number from {} to {}", range.start(), range.end())))
    }

    /// The elements of a list.
    pub(super) fn elements(&self, right: impl Display) -> Option<Vec<Self>> {
        let Node::Sequence(nodes) = self.node else {
            return self.expected(right);
        };
        let element = |(index, node)| {
            let name = format!("{}[{index}]", self.name);
            Self { node, place: self.place.value(index), name, diagnostics: self.diagnostics }
        };
        Some(nodes.iter().enumerate().map(element).collect())
    }

    /// Whether this is a list.
    pub(super) fn is_list(&self) -> bool {
        matches!(self.node, Node::Sequence(_))
    }

    /// Whether this is a mapping.
    pub(super) fn is_mapping(&self) -> bool {
        matches!(self.node, Node::Mapping(_))
    }

    /// The keys and values of a mapping, still under its own name.
    pub(super) fn entries(&self, right: impl Display) -> Option<Vec<(Self, Self)>> {
        let Node::Mapping(entries) = self.node else {
            return self.expected(right);
        };
        let part = |node, place| Self { node, place, name: self.name.clone(), diagnostics: self.diagnostics };
        let parts = entries.iter().enumerate().map(|(index, (key, value))| {
            (part(key, self.place.key(index)), part(value, self.place.value(index)))
        });
        Some(parts.collect())
    }

    /// This value, known to people as the one that `key` leads to.
    pub(super) fn under(&self, key: &str) -> Self {
        let name = if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) };
        Self { name, ..self.clone() }
    }
}
