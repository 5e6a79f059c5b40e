//! A YAML text as a tree that keeps what types of serde would lose: the order of the keys, keys that stand
//! there twice, and scalars as they are written (`0x1F`, `1.10` and `1e3` may well be client IDs).
//!
//! The text is read three times. First for its syntax alone: only there are `serde_yaml`'s own words shown,
//! because only there they never quote a value, which might be a secret. Then for its shape, and then, guided
//! by that shape, for the text of each scalar.

use std::cell::Cell;
use std::fmt;

use serde::Deserialize as _;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IgnoredAny, MapAccess, SeqAccess, VariantAccess as _,
    Visitor,
};

use super::location::{Location, SyntaxError};

/// How large a document may be when its aliases are written out, which `serde_yaml` bounds but loosely:
/// the bytes of its texts, and [`NODE_SIZE`] for each node.
const SIZE_LIMIT: usize = 128 << 20;
const NODE_SIZE: usize = 64;

/// One value of a document.
pub(super) enum Node {
    Scalar(Scalar),
    Sequence(Vec<Self>),
    Mapping(Vec<(Self, Self)>),
    /// Anything with a tag of somebody's own, such as `!include`; what it holds is of no use to us.
    Tagged,
}

/// A value that holds no others.
pub(super) struct Scalar {
    pub(super) kind: Kind,
    /// As it is written, without its quotes; empty when it is null.
    pub(super) text: String,
}

/// What YAML takes a scalar for.
#[derive(Clone, Copy)]
pub(super) enum Kind {
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
    let size = Size::default();
    let mut root = Shape(&size).deserialize(document(text)).map_err(|error| explain_content(&error, &size))?;
    let size = Size::default();
    let texts = Texts { node: &mut root, size: &size };
    texts.deserialize(document(text)).map_err(|error| explain_content(&error, &size))?;
    Ok(root)
}

fn document(text: &str) -> serde_yaml::Deserializer<'_> {
    serde_yaml::Deserializer::from_str(text)
}

fn check_syntax(text: &str) -> Result<(), SyntaxError> {
    let mut documents = document(text);
    if let Some(first) = documents.next() {
        IgnoredAny::deserialize(first).map_err(|error| SyntaxError::from_parser(&error, text))?;
    }
    if documents.next().is_some() {
        return Err(SyntaxError::new(None, "holds more than one YAML document; there must be only one"));
    }
    Ok(())
}

/// Says what is wrong with a text of good syntax, in words of our own.
fn explain_content(error: &serde_yaml::Error, size: &Size) -> SyntaxError {
    let quoting_values = error.to_string();
    let message = if size.is_exhausted() {
        "is too large, with its aliases (*name) written out"
    } else if quoting_values.starts_with("repetition limit") {
        "its aliases (*name) repeat too much"
    } else if quoting_values.starts_with("recursion limit") {
        "is nested too deeply"
    } else {
        "a value does not fit the tag before it (such as !!int)"
    };
    SyntaxError::new(error.location().map(|location| Location::from(&location)), message)
}

/// What one reading has left of [`SIZE_LIMIT`].
struct Size(Cell<usize>);

impl Default for Size {
    fn default() -> Self {
        Self(Cell::new(SIZE_LIMIT))
    }
}

impl Size {
    fn spend<E: Error>(&self, bytes: usize) -> Result<(), E> {
        self.0.set(self.0.get().saturating_sub(bytes));
        if self.is_exhausted() { Err(E::custom("too large")) } else { Ok(()) }
    }

    fn is_exhausted(&self) -> bool {
        self.0.get() == 0
    }
}

/// Reads a node; the texts of its scalars are left empty.
#[derive(Clone, Copy)]
struct Shape<'s>(&'s Size);

impl<'de> DeserializeSeed<'de> for Shape<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        self.0.spend(NODE_SIZE)?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Shape<'_> {
    type Value = Node;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        scalar(Kind::Null)
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        scalar(Kind::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        scalar(Kind::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        scalar(Kind::Integer(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        scalar(Kind::Decimal(value as f64))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Node, E> {
        scalar(Kind::Decimal(value as f64))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Node, E> {
        scalar(Kind::Decimal(value as f64))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        scalar(Kind::Decimal(value))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Node, E> {
        self.0.spend(text.len())?;
        scalar(Kind::Text)
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

#[expect(clippy::unnecessary_wraps, reason = "it is the last word of visitors")]
fn scalar<E>(kind: Kind) -> Result<Node, E> {
    Ok(Node::Scalar(Scalar { kind, text: String::new() }))
}

/// Fills in the texts of the scalars of a node.
struct Texts<'n> {
    node: &'n mut Node,
    size: &'n Size,
}

impl<'de> DeserializeSeed<'de> for Texts<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.node {
            Node::Tagged | Node::Scalar(Scalar { kind: Kind::Null, .. }) => {
                IgnoredAny::deserialize(deserializer).map(|IgnoredAny| ())
            }
            Node::Scalar(scalar) => {
                scalar.text = String::deserialize(deserializer)?;
                self.size.spend(scalar.text.len())
            }
            Node::Sequence(_) => deserializer.deserialize_seq(self),
            Node::Mapping(_) => deserializer.deserialize_map(self),
        }
    }
}

impl<'de> Visitor<'de> for Texts<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the same value as before")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let Node::Sequence(nodes) = self.node else {
            return Err(A::Error::custom("a sequence where there was none"));
        };
        for node in nodes {
            elements.next_element_seed(Texts { node, size: self.size })?;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut pairs: A) -> Result<(), A::Error> {
        let Node::Mapping(entries) = self.node else {
            return Err(A::Error::custom("a mapping where there was none"));
        };
        for (key, value) in entries {
            pairs.next_entry_seed(
                Texts { node: key, size: self.size },
                Texts { node: value, size: self.size },
            )?;
        }
        Ok(())
    }
}
