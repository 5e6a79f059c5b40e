//! A mapping whose keys are settings: reads them one by one, then reports those that nobody asked for.

use std::collections::HashSet;
use std::fmt::Display;
use std::ops::RangeInclusive;

use super::document::Kind;
use super::value::Value;

/// A mapping that is being read.
pub(super) struct Section<'d> {
    whole: Value<'d>,
    entries: Vec<(Value<'d>, Value<'d>)>,
    known: Vec<&'static str>,
}

impl<'d> Section<'d> {
    /// Begins to read a mapping.
    pub(super) fn open(whole: &Value<'d>, right: impl Display) -> Option<Self> {
        Some(Self { entries: whole.entries(right)?, whole: whole.clone(), known: Vec::new() })
    }

    /// The value of `key`, unless there is none.
    pub(super) fn optional(&mut self, key: &'static str) -> Option<Value<'d>> {
        self.find(key).filter(|value| !value.is_null())
    }

    /// The value of `key`, which must be there.
    pub(super) fn required(&mut self, key: &'static str, right: impl Display) -> Option<Value<'d>> {
        let Some(value) = self.find(key) else {
            self.whole.error(format_args!("{key} is missing: {right}"));
            return None;
        };
        if value.is_null() { value.expected(right) } else { Some(value) }
    }

    /// The whole number that `key` leads to, within a range.
    pub(super) fn integer_or<T>(&mut self, key: &'static str, default: T, range: &RangeInclusive<T>) -> T
    where
        T: TryFrom<u64> + PartialOrd + Display,
    {
        self.optional(key).and_then(|value| value.integer(range)).unwrap_or(default)
    }

    /// `true` or `false`.
    pub(super) fn bool_or(&mut self, key: &'static str, default: bool) -> bool {
        self.optional(key)
            .and_then(|value| match value.kind() {
                Some(Kind::Bool(answer)) => Some(answer),
                _ => value.expected("true or false"),
            })
            .unwrap_or(default)
    }

    /// Reports `key`, should it be there, as one that means nothing here.
    pub(super) fn refuse(&mut self, key: &'static str, why: impl Display) {
        self.entries.retain(|(found, value)| {
            let refused = found.as_text() == Some(key);
            if refused {
                value.under(key).error(&why);
            }
            !refused
        });
    }

    /// Reports keys that nobody asked for and keys that stand there twice. To be called when all are read.
    pub(super) fn finish(self) {
        let mut seen = HashSet::new();
        for (key, value) in &self.entries {
            let Some(text) = key.as_text() else {
                key.error("a key must be a text");
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
                key.error("stands here twice; keep one of them");
            }
        }
    }

    pub(super) fn find(&mut self, key: &'static str) -> Option<Value<'d>> {
        self.known.push(key);
        let (_, value) = self.entries.iter().find(|(found, _)| found.as_text() == Some(key))?;
        Some(value.under(key))
    }
}

/// Whether a key looks like the name of a setting. One that does not may be a misplaced secret: of the text
/// `{api_key:SECRET}`, which lacks a space, YAML makes a key.
fn is_setting(key: &str) -> bool {
    const LONGEST: usize = 40;
    (1..=LONGEST).contains(&key.len()) && key.bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase())
}

/// Says what to do about a key that is no setting here.
fn explain_unknown(key: &str, known: &[&'static str]) -> String {
    match key {
        // These two are settings of the Python program of the same name.
        "ttl_seconds" => {
            "ttl_seconds means nothing here: remove it, nothing is cached and every scrape asks EMQX live"
                .to_owned()
        }
        _ if key.starts_with("enable_") => {
            "enable_... keys mean nothing here: remove it and list the wanted groups in prometheus.collect"
                .to_owned()
        }
        "<<" => "merge keys (<<) are not read: write the settings out".to_owned(),
        _ => match nearest(key, known) {
            Some(near) => format!("unknown key; did you mean {near}?"),
            None => format!("unknown key; the keys here are {}", known.join(", ")),
        },
    }
}

/// The known key that `key` is most likely a slip of.
fn nearest(key: &str, known: &[&'static str]) -> Option<&'static str> {
    const MOST_SLIPS: usize = 2;
    const LONGEST: usize = 40;
    if key.len() > LONGEST {
        return None;
    }
    known
        .iter()
        .map(|candidate| (strsim::osa_distance(key, candidate), *candidate))
        .filter(|(slips, candidate)| *slips <= MOST_SLIPS && *slips < candidate.len() / 2)
        .min_by_key(|(slips, _)| *slips)
        .map(|(_, candidate)| candidate)
}
