//! Reads a mapping whose keys are settings, and reports the keys that are none.

use std::collections::HashSet;
use std::fmt::Display;
use std::ops::RangeInclusive;

use super::document::ScalarKind;
use super::node_ref::{NOT_BOOLEAN, NodeRef};

/// A mapping that is read key by key.
pub(super) struct Mapping<'d> {
    whole: NodeRef<'d>,
    entries: Vec<(NodeRef<'d>, NodeRef<'d>)>,
    known: Vec<&'static str>,
}

impl<'d> Mapping<'d> {
    /// Opens a mapping; reports anything else.
    pub(super) fn open(whole: &NodeRef<'d>, expected: impl Display) -> Option<Self> {
        Some(Self { entries: whole.entries(expected)?, whole: whole.clone(), known: Vec::new() })
    }

    /// Returns the value of `key`; `None` where it is missing or null.
    pub(super) fn optional(&mut self, key: &'static str) -> Option<NodeRef<'d>> {
        self.find(key).filter(|value| !value.is_null())
    }

    /// Returns the value of `key`; reports it where it is missing or null.
    pub(super) fn required(&mut self, key: &'static str, expected: impl Display) -> Option<NodeRef<'d>> {
        let Some(value) = self.find(key) else {
            self.missing(key, expected);
            return None;
        };
        if value.is_null() { value.expected(expected) } else { Some(value) }
    }

    /// Reports that a setting is missing.
    pub(super) fn missing(&self, key: &str, expected: impl Display) {
        self.whole.error(format_args!("{key} is missing; expected {expected}"));
    }

    /// Returns the whole number at `key`, which must lie within a range.
    pub(super) fn integer_or<T>(&mut self, key: &'static str, default: T, range: &RangeInclusive<T>) -> T
    where
        T: TryFrom<u64> + PartialOrd + Display,
    {
        self.optional(key).and_then(|value| value.integer(range)).unwrap_or(default)
    }

    /// Returns the `true` or `false` at `key`.
    pub(super) fn bool_or(&mut self, key: &'static str, default: bool) -> bool {
        self.optional(key)
            .and_then(|value| match value.kind() {
                Some(ScalarKind::Bool(flag)) => Some(flag),
                _ if value.is_boolean_word() => {
                    value.refuse(format_args!("must be true or false; {NOT_BOOLEAN}"))
                }
                _ => value.expected("true or false"),
            })
            .unwrap_or(default)
    }

    /// Drops keys that begin with `x-`, under which people keep what they anchor (`&name`).
    pub(super) fn ignore_extensions(&mut self) {
        self.entries.retain(|(key, _)| !key.as_text().is_some_and(|key| key.starts_with("x-")));
    }

    /// Reports unknown and duplicate keys. To be called when all known keys have been read.
    pub(super) fn finish(self) {
        let mut seen = HashSet::new();
        for (key, value) in &self.entries {
            let Some(text) = key.as_text() else {
                key.error("key must be a text");
                continue;
            };
            let key = if self.known.contains(&text) || (is_setting(text) && !value.is_null()) {
                key.under(text)
            } else {
                key.clone()
            };
            if !self.known.contains(&text) {
                key.error(explain_unknown(text, &self.known));
            } else if !seen.insert(text) {
                key.error("duplicate key; keep one of them");
            }
        }
    }

    pub(super) fn find(&mut self, key: &'static str) -> Option<NodeRef<'d>> {
        self.known.push(key);
        let (_, value) = self.entries.iter().find(|(found, _)| found.as_text() == Some(key))?;
        Some(value.under(key))
    }
}

/// Whether a key looks like the name of a setting. One that does not may be a misplaced secret: of the text
/// `{api_key:SECRET}`, which lacks a space, YAML makes a key.
fn is_setting(key: &str) -> bool {
    const MAX_LENGTH: usize = 40;
    (1..=MAX_LENGTH).contains(&key.len()) && key.bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase())
}

/// Says what to do about an unknown key.
fn explain_unknown(key: &str, known: &[&'static str]) -> String {
    match key {
        // These two are settings of the Python program of the same name.
        "ttl_seconds" => "unknown key; remove it: nothing is cached, every scrape asks EMQX live".to_owned(),
        _ if key.starts_with("enable_") => {
            "unknown key; remove it and list the wanted groups in prometheus.collect".to_owned()
        }
        _ => match nearest(key, known) {
            Some(near) => format!("unknown key; did you mean {near}?"),
            None => format!("unknown key; known keys: {}", known.join(", ")),
        },
    }
}

/// Returns the known key that `key` most likely misspells.
fn nearest(key: &str, known: &[&'static str]) -> Option<&'static str> {
    const MAX_EDITS: usize = 2;
    const MAX_LENGTH: usize = 40;
    if key.len() > MAX_LENGTH {
        return None;
    }
    known
        .iter()
        .map(|candidate| (strsim::osa_distance(key, candidate), *candidate))
        .filter(|(edits, candidate)| *edits <= MAX_EDITS && *edits < candidate.len() / 2)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, candidate)| candidate)
}
