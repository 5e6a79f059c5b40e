//! Characters written as two escapes, as JSON writes those beyond U+FFFF: `"\ud83d\ude00"`. YAML knows no such pairs.

use std::fmt::Write as _;

/// How the parser refuses an escape that is one half of a pair.
pub(super) const PARSER_MESSAGE: &str = "found invalid Unicode character escape code";

/// Bytes of an escape such as `\ud83d`.
const ESCAPE_BYTES: usize = 6;

/// Rewrites each pair of escapes as one escape of YAML: `"\U0001f600"`.
pub(super) fn rewrite(text: &str) -> String {
    let mut rewritten = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('\\') {
        let (before, escape) = rest.split_at(start);
        rewritten.push_str(before);
        if let Some(character) = read_pair(escape) {
            // Writing to a `String` never fails.
            let _ = write!(rewritten, "\\U{:08x}", u32::from(character));
            rest = &escape[2 * ESCAPE_BYTES..];
        } else {
            // The character behind the backslash belongs to it: `\\\\ud83d` is no escape of a surrogate.
            let length = escape.chars().take(2).map(char::len_utf8).sum();
            rewritten.push_str(&escape[..length]);
            rest = &escape[length..];
        }
    }
    rewritten.push_str(rest);
    rewritten
}

/// Returns the character of the pair of escapes that `text` begins with.
fn read_pair(text: &str) -> Option<char> {
    let unit = |text: &str| {
        let digits = text.strip_prefix("\\u")?.get(..4)?;
        u16::from_str_radix(digits, 16).ok()
    };
    let pair = [unit(text)?, unit(text.get(ESCAPE_BYTES..)?)?];
    // A second unit that is no low surrogate makes an error; a first one that needs no second is no pair.
    char::decode_utf16(pair).next()?.ok().filter(|character| character.len_utf16() == 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_rewritten_and_nothing_else() {
        assert_eq!(rewrite(r#""\ud83d\ude00 and \uD83D\uDE00""#), r#""\U0001f600 and \U0001f600""#);
        for other in [
            r#""\\ud83d\ude00""#,
            r#""\ud83d""#,
            r#""\ude00\ud83d""#,
            r#""\u0041\u0042""#,
            r#""\ud83d\u0041""#,
            r#""\ud83d\u+e00""#,
            r"\u",
            r"\é\ud83dé",
            "\\",
        ] {
            assert_eq!(rewrite(other), other);
        }
    }
}
