//! MQTT topic filters.

/// Returns whether a filter is well-formed: `+` and `#` fill a level, and `#` is the last one.
fn is_valid(filter: &str) -> bool {
    let levels: Vec<_> = filter.split('/').collect();
    let last = levels.len() - 1;
    let is_whole = |level: &str| level.len() == 1 || !level.contains(['+', '#']);
    levels.iter().enumerate().all(|(at, level)| is_whole(level) && (*level != "#" || at == last))
}

/// Returns whether a topic matches a filter. Wildcards on the first level leave out topics that begin with `$`, and
/// `$share` and the like are no prefixes here. Nothing matches a malformed filter.
pub(crate) fn matches(filter: &str, topic: &str) -> bool {
    let starts_with_wildcard = filter.starts_with(['+', '#']);
    if !is_valid(filter) || starts_with_wildcard && topic.starts_with('$') {
        return false;
    }
    let mut levels = topic.split('/');
    for part in filter.split('/') {
        match (part, levels.next()) {
            ("#", _) => return true,
            ("+", Some(_)) => {}
            (part, Some(level)) if part == level => {}
            _ => return false,
        }
    }
    levels.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_match_as_mqtt_says() {
        for (filter, topic) in [
            ("tele/+/STATE", "tele/dev/STATE"),
            ("tele/#", "tele"),
            ("tele/#", "tele/a/b"),
            ("#", "a/b"),
            ("+/b", "/b"),
            ("$seen/+", "$seen/dev"),
            ("a//b", "a//b"),
            ("..", ".."),
        ] {
            assert!(matches(filter, topic), "{filter} {topic}");
        }
        for (filter, topic) in [
            ("tele/+/STATE", "tele/a/b/STATE"),
            ("tele/+", "tele"),
            ("#", "$seen/dev"),
            ("+/dev", "$seen/dev"),
            ("tele/#/STATE", "tele/a/STATE"),
            ("tele#", "tele#"),
            ("te+/x", "te+/x"),
            ("tele/ /STATE", "tele/a/STATE"),
            ("", "a"),
            ("a", "a/b"),
        ] {
            assert!(!matches(filter, topic), "{filter} {topic}");
        }
    }
}
