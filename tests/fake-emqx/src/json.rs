//! Splits recorded JSON into its parts without changing a byte.

/// The members of an object or the elements of an array, as written.
pub(crate) fn parts(container: &str) -> Vec<&str> {
    let inner = &container[1..container.len() - 1];
    let (mut depth, mut in_string, mut escaped, mut start) = (0_usize, false, false, 0);
    let mut parts = Vec::new();
    for (at, byte) in inner.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            b',' if depth == 0 => {
                parts.push(&inner[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    if start < inner.len() {
        parts.push(&inner[start..]);
    }
    parts
}

/// The name (without its quotes) and the value of a member; EMQX escapes no name.
pub(crate) fn member(part: &str) -> (&str, &str) {
    part.strip_prefix('"').and_then(|rest| rest.split_once("\":")).expect("a member is \"name\":value")
}

/// The text of a JSON string; `None` for other values.
pub(crate) fn string(value: &str) -> Option<String> {
    serde_json::from_str(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_split_as_written() {
        assert_eq!(
            parts(r#"{"a":1,"b":{"c":[1,2]},"d":",\"}"}"#),
            [r#""a":1"#, r#""b":{"c":[1,2]}"#, r#""d":",\"}""#]
        );
        assert_eq!(parts("[[1,2],3]"), ["[1,2]", "3"]);
        assert!(parts("{}").is_empty());
        assert_eq!(member(r#""recv_msg.qos0":{"a":1}"#), ("recv_msg.qos0", r#"{"a":1}"#));
        assert_eq!(string(r#""d\"7""#).as_deref(), Some("d\"7"));
        assert_eq!(string("7"), None);
    }
}
