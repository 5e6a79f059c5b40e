//! Makes text of unknown origin safe to print: MQTT clients choose their IDs and user names themselves.

/// Returns the text with each unsafe character replaced by U+FFFD.
pub(crate) fn sanitized(text: &str) -> String {
    text.replace(is_unsafe, "\u{FFFD}")
}

/// Whether a terminal or browser would act on the character instead of showing it: control characters, line and
/// paragraph separators, and Unicode's `Bidi_Control`, with which one name could pass for another.
pub(crate) fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_characters_that_are_shown_are_kept() {
        let name = "Pump\u{1b}[2J\n\u{202E}1\u{2066} \u{9b}\u{2028}ü 水";
        assert_eq!(sanitized(name), "Pump\u{FFFD}[2J\u{FFFD}\u{FFFD}1\u{FFFD} \u{FFFD}\u{FFFD}ü 水");
    }
}
