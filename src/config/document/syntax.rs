//! The syntax of a text, and its errors as people read them.

use std::borrow::Cow;

use serde::Deserialize as _;
use serde::de::IgnoredAny;

use super::{deserializer, surrogates};
use crate::config::error::SyntaxError;
use crate::config::location::Location;

/// Checks that a text is one YAML document. Returns the text, with surrogate pairs rewritten where there are any.
pub(super) fn check(text: &str) -> Result<Cow<'_, str>, SyntaxError> {
    let Err(error) = check_as_written(text) else {
        return Ok(Cow::Borrowed(text));
    };
    // Only a text that was refused is rewritten: without an error no surrogate was meant.
    if !error.message.starts_with(surrogates::PARSER_MESSAGE) {
        return Err(error);
    }
    let rewritten = surrogates::rewrite(text);
    check_as_written(&rewritten)?;
    Ok(Cow::Owned(rewritten))
}

fn check_as_written(text: &str) -> Result<(), SyntaxError> {
    let mut documents = deserializer(text);
    if let Some(first) = documents.next() {
        IgnoredAny::deserialize(first).map_err(|error| explain(&error, text))?;
    }
    if documents.next().is_some() {
        return Err(SyntaxError::new(None, "more than one YAML document; expected one"));
    }
    Ok(())
}

/// Returns what `serde_yaml` reports about the syntax of `text`, with the location taken out of the message.
fn explain(error: &serde_yaml::Error, text: &str) -> SyntaxError {
    let message = error.to_string();
    // A character that YAML forbids is reported by its offset alone.
    if let Some((message, offset)) = message.rsplit_once(" at position ") {
        let location = offset.parse().ok().map(|offset| Location::of_byte(text.as_bytes(), offset));
        return SyntaxError::new(location, message);
    }
    let Some(location) = error.location() else {
        return SyntaxError::new(None, message);
    };
    let line = text.lines().nth(location.line() - 1);
    if line.and_then(|line| line.chars().nth(location.column() - 1)) == Some('\t') {
        let message = "tab character where YAML allows only spaces; indent with spaces";
        return SyntaxError::new(Some(Location::from(&location)), message);
    }
    let suffix = format!(" at line {} column {}", location.line(), location.column());
    SyntaxError::new(Some(Location::from(&location)), message.replacen(&suffix, "", 1))
}
