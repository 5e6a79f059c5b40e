//! Refuses texts that are nested too deeply, before the parser spends time on them that grows with the square of the
//! depth.

use super::read_shape;
use crate::config::error::SyntaxError;

/// The message of a text that is nested more deeply than `serde_yaml` allows.
pub(super) const TOO_DEEP: &str = "nested too deeply";

/// Maximum number of unclosed brackets up to which a text needs no closer look: the parser takes 20 ms for them.
const MAX_UNCLOSED: usize = 1_000;
/// The same for all brackets, closed ones included: the parser takes 100 ms where all of them are nested.
const MAX_OPENED: usize = 4_000;

/// Checks the depth of flow collections (`[...]` and `{...}`); that of block collections costs the parser little.
///
/// Brackets in strings and comments are counted too. So the count decides only when the parser has to
/// look at the text so far, and each time twice as many brackets are left for the next look.
pub(super) fn check(text: &str) -> Result<(), SyntaxError> {
    let (mut unclosed, mut opened) = (0_usize, 0_usize);
    let (mut max_unclosed, mut max_opened) = (MAX_UNCLOSED, MAX_OPENED);
    for (offset, byte) in text.bytes().enumerate() {
        match byte {
            b'[' | b'{' => {
                unclosed += 1;
                opened += 1;
            }
            b']' | b'}' => unclosed = unclosed.saturating_sub(1),
            _ => {}
        }
        if unclosed > max_unclosed || opened > max_opened {
            check_prefix(&text[..=offset])?;
            max_unclosed = max_unclosed.max(2 * unclosed);
            max_opened = max_opened.max(2 * opened);
        }
    }
    Ok(())
}

/// Fails only for the depth of a text: what else is wrong with its beginning says nothing about the whole.
fn check_prefix(text: &str) -> Result<(), SyntaxError> {
    match read_shape(text) {
        Err(error) if error.message == TOO_DEEP => Err(error),
        _ => Ok(()),
    }
}
