//! A YAML text as a tree that keeps what serde's types would lose: the order of keys, duplicate keys, and scalars as
//! they are written (`0x1F`, `1.10` and `1e3` may well be client IDs).
//!
//! The text is read three times. First its syntax is checked: only then are `serde_yaml`'s own messages shown, because
//! only then do they never quote a value, which might be a secret. Then the shape of the tree is read, and last, guided
//! by that shape, the text of each scalar.

mod nesting;
mod surrogates;
mod syntax;

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use serde::Deserialize as _;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IgnoredAny, MapAccess, SeqAccess, VariantAccess as _,
    Visitor,
};

use super::error::SyntaxError;
use super::location::Location;
use super::node_path::NodePath;

/// Maximum size of a document with its aliases expanded, which `serde_yaml` bounds only loosely: the bytes of its texts,
/// and [`NODE_BYTES`] for each node.
const MAX_BYTES: usize = 128 << 20;
const NODE_BYTES: usize = 64;

/// Maximum number of bytes that are read to locate problems, which takes about two seconds.
const MAX_LOCATING_BYTES: usize = 64 << 20;

/// One value of a document.
pub(super) enum Node {
    Scalar(Scalar),
    Sequence(Vec<Self>),
    Mapping(Vec<(Self, Self)>),
    /// A node with an application's own tag, such as `!include`; its content is never used.
    Tagged,
}

/// A text, a number, a boolean or null.
pub(super) struct Scalar {
    pub(super) kind: ScalarKind,
    /// The text as it is written, without its quotes; empty for null.
    pub(super) text: String,
}

/// What YAML takes a scalar for.
#[derive(Clone, Copy)]
pub(super) enum ScalarKind {
    Null,
    Bool(bool),
    Integer(u64),
    /// Any other number.
    Decimal(f64),
    Text,
}

/// A text that is one YAML document.
pub(super) struct Document<'t> {
    /// The text as it was parsed, which locations refer to.
    text: Cow<'t, str>,
    root: Node,
}

impl<'t> Document<'t> {
    /// Parses a text, which may begin with a byte order mark.
    ///
    /// # Errors
    /// A text that is not YAML, more than one document, or one of excessive size or depth.
    pub(super) fn parse(text: &'t str) -> Result<Self, SyntaxError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        nesting::check(text)?;
        let text = syntax::check(text)?;
        let root = read_tree(&text)?;
        Ok(Self { text, root })
    }

    /// Returns the root of the tree.
    pub(super) fn root(&self) -> &Node {
        &self.root
    }

    /// Returns where nodes are written. Each costs a reading of the whole text, so in a large text only the first few are
    /// located; the others are found by their names.
    pub(super) fn locate(&self, nodes: &[NodePath]) -> Vec<Option<Location>> {
        let max = MAX_LOCATING_BYTES / self.text.len().max(1);
        let locations = nodes.iter().take(max).map(|node| node.locate(&self.text));
        locations.chain(std::iter::repeat(None)).take(nodes.len()).collect()
    }
}

fn read_tree(text: &str) -> Result<Node, SyntaxError> {
    let mut root = read_shape(text)?;
    let budget = Budget::default();
    let texts = ScalarTexts { node: &mut root, budget: &budget };
    texts.deserialize(deserializer(text)).map_err(|error| content_error(&error, &budget))?;
    Ok(root)
}

fn read_shape(text: &str) -> Result<Node, SyntaxError> {
    let budget = Budget::default();
    TreeShape(&budget).deserialize(deserializer(text)).map_err(|error| content_error(&error, &budget))
}

fn deserializer(text: &str) -> serde_yaml::Deserializer<'_> {
    serde_yaml::Deserializer::from_str(text)
}

/// Explains an error in a text of good syntax without the message of `serde_yaml`, which may quote a value.
fn content_error(error: &serde_yaml::Error, budget: &Budget) -> SyntaxError {
    let quoting_values = error.to_string();
    let message = if budget.is_exhausted() {
        "too large with its aliases (*name) expanded; list very many clients in CSV files (monitored_client_files)"
    } else if quoting_values.starts_with("repetition limit") {
        "too many repetitions of aliases (*name)"
    } else if quoting_values.starts_with("recursion limit") {
        nesting::TOO_DEEP
    } else {
        "value does not match its tag (such as !!int)"
    };
    SyntaxError::new(error.location().map(|location| Location::from(&location)), message)
}

/// What one reading has left of [`MAX_BYTES`].
struct Budget(Cell<usize>);

impl Default for Budget {
    fn default() -> Self {
        Self(Cell::new(MAX_BYTES))
    }
}

impl Budget {
    fn spend<E: Error>(&self, bytes: usize) -> Result<(), E> {
        self.0.set(self.0.get().saturating_sub(bytes));
        if self.is_exhausted() { Err(E::custom("too large")) } else { Ok(()) }
    }

    fn is_exhausted(&self) -> bool {
        self.0.get() == 0
    }
}

/// Reads a node without the texts of its scalars.
#[derive(Clone, Copy)]
struct TreeShape<'b>(&'b Budget);

impl<'de> DeserializeSeed<'de> for TreeShape<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        self.0.spend(NODE_BYTES)?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for TreeShape<'_> {
    type Value = Node;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        scalar(ScalarKind::Null)
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        scalar(ScalarKind::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        scalar(ScalarKind::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        scalar(ScalarKind::Integer(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        scalar(ScalarKind::Decimal(value as f64))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Node, E> {
        scalar(ScalarKind::Decimal(value as f64))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Node, E> {
        scalar(ScalarKind::Decimal(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        scalar(ScalarKind::Decimal(value))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Node, E> {
        self.0.spend(text.len())?;
        scalar(ScalarKind::Text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Node, A::Error> {
        let mut nodes = Vec::new();
        while let Some(node) = elements.next_element_seed(self)? {
            nodes.push(node);
        }
        Ok(Node::Sequence(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = pairs.next_entry_seed(self, self)? {
            entries.push(entry);
        }
        Ok(Node::Mapping(entries))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<Node, A::Error> {
        let (IgnoredAny, content) = tagged.variant()?;
        content.newtype_variant::<IgnoredAny>()?;
        Ok(Node::Tagged)
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the return type of visitors")]
fn scalar<E>(kind: ScalarKind) -> Result<Node, E> {
    Ok(Node::Scalar(Scalar { kind, text: String::new() }))
}

/// Fills in the texts of the scalars of a node.
struct ScalarTexts<'n> {
    node: &'n mut Node,
    budget: &'n Budget,
}

impl<'de> DeserializeSeed<'de> for ScalarTexts<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.node {
            Node::Tagged | Node::Scalar(Scalar { kind: ScalarKind::Null, .. }) => {
                IgnoredAny::deserialize(deserializer).map(|IgnoredAny| ())
            }
            Node::Scalar(scalar) => {
                scalar.text = String::deserialize(deserializer)?;
                self.budget.spend(scalar.text.len())
            }
            Node::Sequence(_) => deserializer.deserialize_seq(self),
            Node::Mapping(_) => deserializer.deserialize_map(self),
        }
    }
}

impl<'de> Visitor<'de> for ScalarTexts<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the same value as before")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let Node::Sequence(nodes) = self.node else {
            return Err(A::Error::custom("a sequence where there was none"));
        };
        for node in nodes {
            elements.next_element_seed(ScalarTexts { node, budget: self.budget })?;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<(), A::Error> {
        let Node::Mapping(entries) = self.node else {
            return Err(A::Error::custom("a mapping where there was none"));
        };
        for (key, value) in entries {
            pairs.next_entry_seed(
                ScalarTexts { node: key, budget: self.budget },
                ScalarTexts { node: value, budget: self.budget },
            )?;
        }
        Ok(())
    }
}
