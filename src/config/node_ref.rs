//! A node of the configuration file together with its path, so that its reader can report what is wrong with it.
//!
//! Messages never show values, which may be secrets.

use std::collections::HashSet;
use std::error::Error;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use super::diagnostics::Diagnostics;
use super::document::{Node, ScalarKind};
use super::node_path::NodePath;
use crate::error_chain::chain;

/// Hint for a text that looks like a boolean.
pub(super) const NOT_BOOLEAN: &str = "words such as `yes`, and `true` in quotes, are texts in YAML 1.2";

/// A value or a key of the file.
#[derive(Clone)]
pub(super) struct NodeRef<'d> {
    node: &'d Node,
    path: NodePath,
    /// The path as people write it, such as `emqx[1].api_url`; empty for the whole file.
    name: String,
    diagnostics: &'d Diagnostics,
}

impl<'d> NodeRef<'d> {
    /// Returns the root of the file.
    pub(super) fn root(node: &'d Node, diagnostics: &'d Diagnostics) -> Self {
        Self { node, path: NodePath::default(), name: String::new(), diagnostics }
    }

    /// Returns the node at this path, which messages call by the names of its parts.
    pub(super) fn at(path: NodePath, node: &'d Node, diagnostics: &'d Diagnostics) -> Self {
        Self { path, ..Self::root(node, diagnostics) }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn diagnostics(&self) -> &'d Diagnostics {
        self.diagnostics
    }

    /// Reports what is wrong with this node.
    pub(super) fn error(&self, message: impl Display) {
        let message =
            if self.name.is_empty() { message.to_string() } else { format!("{}: {message}", self.name) };
        self.diagnostics.problem(self.path.clone(), message);
    }

    /// Reports an error with all its causes.
    pub(super) fn error_from(&self, error: &dyn Error) {
        self.error(chain(error));
    }

    /// Returns what a result holds; reports its error with all causes.
    pub(super) fn ok_or_error<T>(&self, result: Result<T, impl Error>) -> Option<T> {
        result.map_err(|error| self.error_from(&error)).ok()
    }

    /// Warns of this node.
    pub(super) fn warn(&self, message: impl Display) {
        let message =
            if self.name.is_empty() { message.to_string() } else { format!("{}: {message}", self.name) };
        self.diagnostics.warning_at(self.path.clone(), message);
    }

    /// Reports what is wrong with this node, and returns nothing.
    pub(super) fn refuse<T>(&self, message: impl Display) -> Option<T> {
        self.error(message);
        None
    }

    /// Reports what this node must be, and returns nothing.
    pub(super) fn expected<T>(&self, expected: impl Display) -> Option<T> {
        self.refuse(format_args!("must be {expected}"))
    }

    /// Whether this is null, as behind a key without a value.
    pub(super) fn is_null(&self) -> bool {
        matches!(self.kind(), Some(ScalarKind::Null))
    }

    /// Whether this is a text without a character.
    pub(super) fn is_empty_text(&self) -> bool {
        self.as_text().is_some_and(str::is_empty)
    }

    /// Returns what YAML takes a scalar for; `None` for anything else.
    pub(super) fn kind(&self) -> Option<ScalarKind> {
        match self.node {
            Node::Scalar(scalar) => Some(scalar.kind),
            Node::Sequence(_) | Node::Mapping(_) | Node::Tagged => None,
        }
    }

    /// Whether this is a text that looks like a boolean: a word of YAML 1.1, or `true` in quotes.
    pub(super) fn is_boolean_word(&self) -> bool {
        const WORDS: [&str; 8] = ["y", "n", "yes", "no", "on", "off", "true", "false"];
        let is_text = matches!(self.kind(), Some(ScalarKind::Text));
        is_text && self.as_text().is_some_and(|text| WORDS.contains(&text.to_ascii_lowercase().as_str()))
    }

    /// Returns the text of a scalar as it is written; `None` for null and for anything else.
    pub(super) fn as_text(&self) -> Option<&'d str> {
        match self.node {
            Node::Scalar(scalar) if !self.is_null() => Some(&scalar.text),
            Node::Scalar(_) | Node::Sequence(_) | Node::Mapping(_) | Node::Tagged => None,
        }
    }

    /// Returns a text that is not empty. Warns of one that looks as if a variable were to be expanded in it.
    pub(super) fn text(&self, expected: impl Display) -> Option<&'d str> {
        let Some(text) = self.as_text().filter(|text| !text.is_empty()) else {
            return self.expected(expected);
        };
        if refers_to_variable(text) {
            self.warn("${NAME} is taken literally: variables are not expanded; a secret can be {env: NAME}");
        }
        Some(text)
    }

    /// Returns a text that is not empty and contains no control characters.
    pub(super) fn line(&self, expected: impl Display) -> Option<&'d str> {
        let text = self.text(expected)?;
        if text.chars().any(char::is_control) {
            return self.refuse("must not contain control characters");
        }
        Some(text)
    }

    /// Returns the path of the file that this names.
    pub(super) fn file(&self) -> Option<PathBuf> {
        self.line("the path of a file").map(|name| self.diagnostics.resolve(name))
    }

    /// Returns a whole number within a range.
    pub(super) fn integer<T>(&self, range: &RangeInclusive<T>) -> Option<T>
    where
        T: TryFrom<u64> + PartialOrd + Display,
    {
        let number = match self.kind() {
            Some(ScalarKind::Integer(number)) => T::try_from(number).ok(),
            _ => None,
        };
        number
            .filter(|number| range.contains(number))
            .or_else(|| self.expected(format_args!("a whole number from {} to {}", range.start(), range.end())))
    }

    /// Returns the elements of a list.
    pub(super) fn elements(&self, expected: impl Display) -> Option<Vec<Self>> {
        let Node::Sequence(nodes) = self.node else {
            return self.expected(expected);
        };
        let element = |(index, node)| {
            let name = format!("{}[{index}]", self.name);
            Self { node, path: self.path.value(index), name, diagnostics: self.diagnostics }
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

    /// Returns the keys and values of a mapping, each still under the name of the mapping. Entries merged into it (`<<`)
    /// come last, without those whose key it sets itself.
    pub(super) fn entries(&self, expected: impl Display) -> Option<Vec<(Self, Self)>> {
        let Node::Mapping(entries) = self.node else {
            return self.expected(expected);
        };
        let part = |node, path| Self { node, path, name: self.name.clone(), diagnostics: self.diagnostics };
        let parts = entries.iter().enumerate().map(|(index, (key, value))| {
            (part(key, self.path.key(index)), part(value, self.path.value(index)))
        });
        let (merge_keys, mut own): (Vec<_>, Vec<_>) = parts.partition(|(key, _)| key.as_text() == Some("<<"));
        let mut keys: HashSet<_> = own.iter().filter_map(|(key, _)| key.as_text()).collect();
        let merged = merge_keys.iter().flat_map(|(_, value)| value.merged_entries());
        own.extend(merged.filter(|(key, _)| key.as_text().is_none_or(|key| keys.insert(key))));
        Some(own)
    }

    /// Returns the entries of a mapping, or of each mapping in a list, that is merged into the mapping of this name.
    fn merged_entries(&self) -> Vec<(Self, Self)> {
        const EXPECTED: &str = "a mapping or a list of mappings, to be merged (<<)";
        if !self.is_list() {
            return self.entries(EXPECTED).unwrap_or_default();
        }
        let elements = self.elements(EXPECTED).unwrap_or_default();
        let renamed = elements.into_iter().map(|element| Self { name: self.name.clone(), ..element });
        renamed.flat_map(|element| element.entries(EXPECTED).unwrap_or_default()).collect()
    }

    /// Returns this node under the name of `key`.
    pub(super) fn under(&self, key: &str) -> Self {
        let name = if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) };
        Self { name, ..self.clone() }
    }
}

/// Whether a text contains `${NAME}`, the name of a variable in the syntax of shells, or consists of `$NAME`. The names
/// that stand for the client itself are reserved.
fn refers_to_variable(text: &str) -> bool {
    const RESERVED: [&str; 2] = ["clientid", "alias"];
    let is_name = |name: &str| {
        name.starts_with(|first: char| first == '_' || first.is_ascii_alphabetic())
            && name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
    };
    let mut braced = text.split("${").skip(1).filter_map(|rest| {
        let (content, _) = rest.split_once('}')?;
        // `${NAME:-default}` and its kin.
        content.split([':', '-', '?', '+', '=']).next()
    });
    braced.any(|name| is_name(name) && !RESERVED.contains(&name))
        || text.strip_prefix('$').is_some_and(|name| is_name(name) && !name.contains(char::is_lowercase))
}
