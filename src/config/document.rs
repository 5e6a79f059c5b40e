//! A YAML text as a tree that keeps what serde's types would lose: the order of keys, duplicate keys, and scalars as
//! they are written (`0x1F`, `1.10` and `1e3` may well be client IDs).
//!
//! The text is read three times. First its syntax is checked: only then are `serde_yaml`'s own messages shown, because
//! only then do they never quote a value, which might be a secret. Then the shape of the tree is read, and last, guided
//! by that shape, the text of each scalar.

use std::cell::Cell;
use std::fmt;

use serde::Deserialize as _;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IgnoredAny, MapAccess, SeqAccess, VariantAccess as _,
    Visitor,
};

use super::error::SyntaxError;
use super::location::Location;

/// Maximum size of a document with its aliases expanded, which `serde_yaml` bounds only loosely: the bytes of its texts,
/// and [`NODE_BYTES`] for each node.
const MAX_BYTES: usize = 128 << 20;
const NODE_BYTES: usize = 64;

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

/// Reads a text that holds one YAML document.
pub(super) fn read(text: &str) -> Result<Node, SyntaxError> {
    check_syntax(text)?;
    let budget = Budget::default();
    let mut root =
        TreeShape(&budget).deserialize(document(text)).map_err(|error| content_error(&error, &budget))?;
    let budget = Budget::default();
    let texts = ScalarTexts { node: &mut root, budget: &budget };
    texts.deserialize(document(text)).map_err(|error| content_error(&error, &budget))?;
    Ok(root)
}

fn document(text: &str) -> serde_yaml::Deserializer<'_> {
    serde_yaml::Deserializer::from_str(text)
}

fn check_syntax(text: &str) -> Result<(), SyntaxError> {
    let mut documents = document(text);
    if let Some(first) = documents.next() {
        IgnoredAny::deserialize(first).map_err(|error| parser_error(&error, text))?;
    }
    if documents.next().is_some() {
        return Err(SyntaxError::new(None, "more than one YAML document; expected one"));
    }
    Ok(())
}

/// Returns what `serde_yaml` reports about the syntax of `text`, with the location taken out of the message.
fn parser_error(error: &serde_yaml::Error, text: &str) -> SyntaxError {
    let message = error.to_string();
    // A character that YAML forbids is reported by its offset alone.
    if let Some((message, offset)) = message.rsplit_once(" at position ") {
        let location = offset.parse().ok().map(|offset| Location::of_byte(text.as_bytes(), offset));
        return SyntaxError::new(location, message);
    }
    let Some(location) = error.location() else {
        return SyntaxError::new(None, message);
    };
    let suffix = format!(" at line {} column {}", location.line(), location.column());
    SyntaxError::new(Some(Location::from(&location)), message.replacen(&suffix, "", 1))
}

/// Explains an error in a text of good syntax without the message of `serde_yaml`, which may quote a value.
fn content_error(error: &serde_yaml::Error, budget: &Budget) -> SyntaxError {
    let quoting_values = error.to_string();
    let message = if budget.is_exhausted() {
        "too large with its aliases (*name) expanded"
    } else if quoting_values.starts_with("repetition limit") {
        "too many repetitions of aliases (*name)"
    } else if quoting_values.starts_with("recursion limit") {
        "nested too deeply"
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
