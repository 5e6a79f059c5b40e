//! Patterns for names: `*` stands for any characters, `?` for one, and `\` before either takes it literally.

use std::str::FromStr;

use wildmatch::WildMatchPattern;

/// Stands for `*` in the matcher, so that escaped asterisks remain text. MQTT forbids it in every string.
const ANY: char = '\0';

/// Stands for `?` in the matcher. Unicode has no such character.
const ONE: char = '\u{10FFFF}';

/// A pattern that matches whole names, case-sensitively.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Glob {
    text: String,
    matcher: WildMatchPattern<ANY, ONE>,
}

/// A pattern that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GlobError {
    /// The pattern is empty.
    #[error("must not be empty")]
    Empty,
    /// The pattern has a character that no name can have.
    #[error("must not contain NUL or U+10FFFF")]
    Forbidden,
    /// A `\` is not followed by a character that needs it.
    #[error("`\\` must be followed by `*`, `?` or `\\`")]
    Escape,
}

impl Glob {
    /// Whether the pattern matches the whole name.
    #[must_use]
    pub(crate) fn matches(&self, name: &str) -> bool {
        self.matcher.matches(name)
    }

    /// Returns the longest text that every matching name contains; empty if there is none.
    #[must_use]
    pub(crate) fn longest_literal(&self) -> String {
        self.literals().into_iter().max_by_key(String::len).unwrap_or_default()
    }

    /// Returns the only name that it matches, if there is only one.
    #[must_use]
    pub(crate) fn literal(&self) -> Option<String> {
        match self.literals().as_slice() {
            [only] => Some(only.clone()),
            _ => None,
        }
    }

    /// Returns the texts between the wildcards.
    fn literals(&self) -> Vec<String> {
        let mut literals = vec![String::new()];
        let mut characters = self.text.chars();
        while let Some(character) = characters.next() {
            let literal = match character {
                '*' | '?' => {
                    literals.push(String::new());
                    continue;
                }
                '\\' => characters.next(),
                other => Some(other),
            };
            if let Some(last) = literals.last_mut() {
                last.extend(literal);
            }
        }
        literals
    }

    /// Returns the pattern as written.
    #[must_use]
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Glob {
    type Err = GlobError;

    fn from_str(text: &str) -> Result<Self, GlobError> {
        if text.is_empty() {
            return Err(GlobError::Empty);
        }
        if text.contains([ANY, ONE]) {
            return Err(GlobError::Forbidden);
        }
        let mut pattern = String::with_capacity(text.len());
        let mut characters = text.chars();
        while let Some(character) = characters.next() {
            pattern.push(match character {
                '*' => ANY,
                '?' => ONE,
                '\\' => match characters.next() {
                    Some(escaped @ ('*' | '?' | '\\')) => escaped,
                    _ => return Err(GlobError::Escape),
                },
                other => other,
            });
        }
        Ok(Self { text: text.to_owned(), matcher: WildMatchPattern::new(&pattern) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_names_are_matched_with_wildcards_and_escapes() {
        for (pattern, matching, others) in [
            ("pump", &["pump"][..], &["Pump", "pump1", "a pump", ""][..]),
            ("*", &["", "pump", "a/b", "水"], &[]),
            ("pump-?", &["pump-1", "pump-水"], &["pump-", "pump-12"]),
            ("*room*1", &["room1", "a room 1", "a/room/11"], &["room", "room12"]),
            (r"\*\?\\*", &[r"*?\", r"*?\more"], &["abc", r"*a\"]),
            ("a[b]{c,d}", &["a[b]{c,d}"], &["ab", "abc"]),
        ] {
            let glob: Glob = pattern.parse().expect("a pattern");
            for name in matching {
                assert!(glob.matches(name), "{pattern} {name}");
            }
            for name in others {
                assert!(!glob.matches(name), "{pattern} {name}");
            }
        }
    }

    #[test]
    fn patterns_that_can_match_nothing_are_refused() {
        let error = |text: &str| text.parse::<Glob>().expect_err("no pattern");
        assert_eq!(error(""), GlobError::Empty);
        assert_eq!((error("a\0"), error("\u{10FFFF}")), (GlobError::Forbidden, GlobError::Forbidden));
        assert_eq!((error(r"a\"), error(r"a\b")), (GlobError::Escape, GlobError::Escape));
    }

    #[test]
    fn many_wildcards_take_no_time() {
        let glob: Glob = "*a".repeat(60).parse().expect("a pattern");
        assert!(!glob.matches(&("a".repeat(20_000) + "b")));
    }
}
