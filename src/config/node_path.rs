//! The path from the root of a document to one of its nodes, and where that is in the text.
//!
//! `serde_yaml` reports positions only in its errors. So a node is located by reading the text once more, following the
//! path and failing there. That costs one reading each, which is why only reported problems are located.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::location::Location;

/// The path to a key or a value. Paths compare in the order of the document.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NodePath {
    /// The index of the element or entry in each sequence or mapping on the way, the outermost first.
    steps: Vec<usize>,
    part: EntryPart,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum EntryPart {
    Key,
    #[default]
    Value,
}

impl NodePath {
    /// Returns the path to the value of the element or entry number `index` of this node.
    pub(super) fn value(&self, index: usize) -> Self {
        Self { steps: self.steps.iter().copied().chain([index]).collect(), part: EntryPart::Value }
    }

    /// Returns the path to the key of the entry number `index` of this mapping.
    pub(super) fn key(&self, index: usize) -> Self {
        Self { part: EntryPart::Key, ..self.value(index) }
    }

    /// Returns the indexes on the way, the outermost first.
    pub(super) fn steps(&self) -> &[usize] {
        &self.steps
    }

    /// Returns where in `text` the node is; for an alias (`*name`), where the value it stands for is written.
    pub(super) fn locate(&self, text: &str) -> Option<Location> {
        let seeker = Seeker { steps: &self.steps, part: self.part };
        let arrived = seeker.deserialize(serde_yaml::Deserializer::from_str(text)).err()?;
        arrived.location().map(|location| Location::from(&location))
    }
}

/// Follows the steps of a path and fails at their end.
#[derive(Clone, Copy)]
struct Seeker<'p> {
    steps: &'p [usize],
    part: EntryPart,
}

impl<'de> DeserializeSeed<'de> for Seeker<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Scalars have no method here: visiting one fails, which is what the end of a path needs.
impl<'de> Visitor<'de> for Seeker<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the node that is located")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let Some((index, steps)) = self.steps.split_first() else {
            return Err(A::Error::custom("here"));
        };
        for _ in 0..*index {
            elements.next_element::<IgnoredAny>()?;
        }
        elements.next_element_seed(Seeker { steps, ..self })?;
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let Some((index, steps)) = self.steps.split_first() else {
            return Err(A::Error::custom("here"));
        };
        for _ in 0..*index {
            entries.next_entry::<IgnoredAny, IgnoredAny>()?;
        }
        if steps.is_empty() && self.part == EntryPart::Key {
            entries.next_key_seed(Seeker { steps, ..self })?;
        } else if entries.next_key::<IgnoredAny>()?.is_some() {
            entries.next_value_seed(Seeker { steps, ..self })?;
        }
        Ok(())
    }
}
