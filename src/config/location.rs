//! Where in a text something stands.
//!
//! `serde_yaml` tells positions only in its errors. So a place is found by reading the text once more,
//! walking to that place and failing there. That costs a reading each, which is why only the problems that
//! are told are located.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A line and a column of a text, both counted from 1; columns are characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Location {
    line: usize,
    column: usize,
}

impl Location {
    /// The location of the byte at `offset`.
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

/// Why a text is no YAML document that we read.
#[derive(Debug)]
pub(super) struct SyntaxError {
    pub(super) location: Option<Location>,
    pub(super) message: String,
}

impl SyntaxError {
    pub(super) fn new(location: Option<Location>, message: impl Into<String>) -> Self {
        Self { location, message: message.into() }
    }

    /// What `serde_yaml` says about the syntax of `text`, less the location in it, which is told apart.
    pub(super) fn from_parser(error: &serde_yaml::Error, text: &str) -> Self {
        let message = error.to_string();
        // Characters that no YAML text may hold are told by their offset alone.
        if let Some((message, offset)) = message.rsplit_once(" at position ") {
            let location = offset.parse().ok().map(|offset| Location::of_byte(text.as_bytes(), offset));
            return Self::new(location, message);
        }
        let Some(location) = error.location().map(|location| Location::from(&location)) else {
            return Self::new(None, message);
        };
        let told_twice = format!(" at line {} column {}", location.line, location.column);
        Self::new(Some(location), message.replacen(&told_twice, "", 1))
    }
}

/// The way from the root of a document to a key or a value. Places compare in the order of the document.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NodePath {
    /// How many elements or entries come before, in the outermost sequence or mapping first.
    steps: Vec<usize>,
    part: Part,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Key,
    #[default]
    Value,
}

impl NodePath {
    /// The value of the element or entry number `index` of what stands here.
    pub(super) fn value(&self, index: usize) -> Self {
        Self { steps: self.steps.iter().copied().chain([index]).collect(), part: Part::Value }
    }

    /// The key of the entry number `index` of the mapping that stands here.
    pub(super) fn key(&self, index: usize) -> Self {
        Self { part: Part::Key, ..self.value(index) }
    }

    /// Where in `text` this is. Of an alias (`*name`), where the value it stands for is written.
    pub(super) fn locate(&self, text: &str) -> Option<Location> {
        let walk = Walk { steps: &self.steps, part: self.part };
        let arrived = walk.deserialize(serde_yaml::Deserializer::from_str(text)).err()?;
        arrived.location().map(|location| Location::from(&location))
    }
}

/// Walks along the steps and fails at the end of them.
#[derive(Clone, Copy)]
struct Walk<'p> {
    steps: &'p [usize],
    part: Part,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// At a scalar the walk ends in any case: visiting one fails unless a visitor says otherwise.
impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the place that is looked for")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let Some((index, steps)) = self.steps.split_first() else {
            return Err(A::Error::custom("here"));
        };
        for _ in 0..*index {
            elements.next_element::<IgnoredAny>()?;
        }
        elements.next_element_seed(Walk { steps, ..self })?;
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let Some((index, steps)) = self.steps.split_first() else {
            return Err(A::Error::custom("here"));
        };
        for _ in 0..*index {
            entries.next_entry::<IgnoredAny, IgnoredAny>()?;
        }
        if steps.is_empty() && self.part == Part::Key {
            entries.next_key_seed(Walk { steps, ..self })?;
        } else if entries.next_key::<IgnoredAny>()?.is_some() {
            entries.next_value_seed(Walk { steps, ..self })?;
        }
        Ok(())
    }
}
