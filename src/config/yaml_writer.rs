//! Writes YAML whose strings every reader takes for strings. YAML 1.1 gives more words and numbers another type than
//! YAML 1.2, which `serde_yaml` writes.

use serde_json::Value;

/// Words that are not strings in YAML 1.1 or 1.2 without quotes, in lower case.
const RESERVED: [&str; 11] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "~", "<<"];

/// Returns the value as a YAML document.
pub(super) fn to_yaml(value: &Value) -> String {
    let mut yaml = String::new();
    write(value, 0, &mut yaml);
    yaml
}

/// Writes a value and the end of its last line. The first line has its indentation already.
fn write(value: &Value, indentation: usize, yaml: &mut String) {
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            for (index, (key, value)) in entries.iter().enumerate() {
                indent(if index == 0 { 0 } else { indentation }, yaml);
                yaml.push_str(&text(key));
                yaml.push(':');
                write_entry(value, indentation, yaml);
            }
        }
        Value::Array(elements) if !elements.is_empty() => {
            for (index, element) in elements.iter().enumerate() {
                indent(if index == 0 { 0 } else { indentation }, yaml);
                yaml.push_str("- ");
                write(element, indentation + 2, yaml);
            }
        }
        Value::String(string) => yaml.extend([text(string).as_str(), "\n"]),
        // The JSON of anything else is YAML.
        other => yaml.extend([other.to_string().as_str(), "\n"]),
    }
}

/// Writes the value of a mapping at this indentation, whose key has been written.
fn write_entry(value: &Value, indentation: usize, yaml: &mut String) {
    let indentation = match value {
        Value::Object(entries) if !entries.is_empty() => indentation + 2,
        Value::Array(elements) if !elements.is_empty() => indentation,
        _ => {
            yaml.push(' ');
            return write(value, indentation, yaml);
        }
    };
    yaml.push('\n');
    indent(indentation, yaml);
    write(value, indentation, yaml);
}

fn indent(spaces: usize, yaml: &mut String) {
    yaml.extend(std::iter::repeat_n(' ', spaces));
}

/// Writes a text, with quotes unless it cannot be anything else.
fn text(text: &str) -> String {
    if is_plain(text) {
        text.to_owned()
    } else if text.chars().all(|character| character.is_alphanumeric() || (' '..='~').contains(&character)) {
        format!("'{}'", text.replace('\'', "''"))
    } else {
        format!("\"{}\"", text.chars().map(escaped).collect::<String>())
    }
}

fn is_plain(text: &str) -> bool {
    let is_duration_part = |character: char| character.is_ascii_digit() || "ywdhms".contains(character);
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        return text.ends_with(|last: char| last.is_ascii_alphabetic()) && text.chars().all(is_duration_part);
    }
    let is_first = |character: char| character.is_alphabetic() || "/<".contains(character);
    let is_plain = |character: char| character.is_alphanumeric() || "_-./:@<>".contains(character);
    text.starts_with(is_first)
        && text.chars().all(is_plain)
        && !text.ends_with(':')
        && !RESERVED.contains(&text.to_lowercase().as_str())
}

fn escaped(character: char) -> String {
    match character {
        '"' | '\\' => format!("\\{character}"),
        ' '..='~' => character.to_string(),
        _ => format!("\\U{:08x}", u32::from(character)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_that_other_readers_take_for_something_else_are_quoted() {
        for plain in
            ["LocalEMQX", "http://emqx:18083/api", "/run/secrets/key", "<secret>", "1h30m", "Küche", "emqx@a.b"]
        {
            assert_eq!(text(plain), plain);
        }
        for quoted in [
            "yes",
            "No",
            "ON",
            "off",
            "y",
            "N",
            "TRUE",
            "null",
            "~",
            "=",
            "<<",
            "",
            " ",
            "-",
            "a:",
            "a: b",
            "a #b",
            "1",
            "1e3",
            "0x1F",
            "0o7",
            "0123",
            "1_000",
            "12:30:45",
            "2024-01-01",
            ".5",
            ".inf",
            "+1",
            "-1",
            "[",
            "{",
            "&a",
            "*a",
            "!a",
            "|",
            ">",
            "%",
            "@",
            "`",
            "?",
            "#",
            ",",
            "- a",
            "--- a",
            "it's",
        ] {
            assert_eq!(text(quoted), format!("'{}'", quoted.replace('\'', "''")));
        }
        assert_eq!(text("a\n\"\\\u{85}\u{1f600}"), r#""a\U0000000a\"\\\U00000085\U0001f600""#);
    }

    #[test]
    fn collections_are_blocks() {
        let value = json!({"a": {"b": [], "c": {}, "no": [1, [2.5, null], {"d": true, "e": ["x"]}]}, "f": ""});
        let yaml = "a:\n  b: []\n  c: {}\n  'no':\n  - 1\n  - - 2.5\n    - null\n  - d: true\n    e:\n    - x\nf: ''\n";
        assert_eq!(to_yaml(&value), yaml);
        assert_eq!(serde_yaml::from_str::<Value>(yaml).expect("YAML"), value);
    }
}
