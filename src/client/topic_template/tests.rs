//! What is a topic template, and what it stands for.

use super::*;

fn client(alias: &str, client_id: &str) -> WatchedClient {
    WatchedClient { alias: alias.into(), client_id: client_id.into(), ..WatchedClient::default() }
}

#[test]
fn placeholders_stand_for_each_client() {
    let topic = |template: &str, alias: &str, client_id: &str| {
        TopicTemplate::seen(template).expect("it is valid").topic_of(&client(alias, client_id))
    };
    assert_eq!(topic("$seen/${clientid}", "A", "a-1").as_deref(), Some("$seen/a-1"));
    assert_eq!(topic("x${alias}y/${clientid}${alias}", "A", "b").as_deref(), Some("xAy/bA"));
    assert_eq!(topic("t/${clientid}", "A", "${alias}").as_deref(), Some("t/${alias}"), "replaced once");
    assert_eq!(topic("t/${clientid}", "A", "a/b").as_deref(), Some("t/a/b"));
    for wild in ["a+b", "#", "a\0"] {
        assert_eq!(topic("t/${clientid}", "A", wild), None, "{wild:?}");
    }
    assert_eq!(topic("t/${alias}", "A", "a+b").as_deref(), Some("t/A"));
}

#[test]
fn malformed_topics_are_refused() {
    for (text, error) in [
        ("", TopicError::Empty),
        ("a\0b", TopicError::ControlCharacter),
        ("tele/#/STATE", TopicError::MisplacedWildcard),
        ("tele#", TopicError::MisplacedWildcard),
        ("te+/x", TopicError::MisplacedWildcard),
        ("#/#", TopicError::MisplacedWildcard),
        ("t/${client_id}", TopicError::UnknownPlaceholder),
        ("t/${clientid", TopicError::UnknownPlaceholder),
        ("t/${}", TopicError::UnknownPlaceholder),
        ("+/${clientid}", TopicError::NotExact),
        ("$share/g/t", TopicError::NotRetained),
        ("$exclusive/t", TopicError::NotRetained),
    ] {
        assert_eq!(TopicTemplate::seen(text), Err(error), "{text:?}");
    }
    assert_eq!(TopicTemplate::seen(&"a".repeat(MAX_BYTES + 1)), Err(TopicError::TooLong));
    for text in ["tele/+/STATE", "#", "+/+", "$SYS/#", "/lead", "a b/ü", "a/${clientid}/${alias}x"] {
        assert!(TopicTemplate::seen(text).is_ok(), "{text:?}");
    }
    assert_eq!(TopicTemplate::seen_of_client("tele/+"), Err(TopicError::NotExact));
}

#[test]
fn subscriptions_may_be_shared() {
    for text in ["cmd/${clientid}/#", "$share/g/a/+", "$queue/a/#", "$exclusive/a", "#"] {
        assert!(TopicTemplate::subscription(text).is_ok(), "{text:?}");
    }
    for (text, error) in [
        ("$share/g", TopicError::IncompleteShare),
        ("$share//a", TopicError::IncompleteShare),
        ("$share/+/a", TopicError::IncompleteShare),
        ("$share/g/", TopicError::IncompleteShare),
        ("$share/g/a#", TopicError::MisplacedWildcard),
        ("$queue/", TopicError::EmptyAfterPrefix),
        ("$exclusive/", TopicError::EmptyAfterPrefix),
    ] {
        assert_eq!(TopicTemplate::subscription(text), Err(error), "{text:?}");
    }
    let exclusive = TopicTemplate::subscription("$exclusive/x/${clientid}").expect("it is valid");
    assert_eq!(exclusive.subscription_of(&client("A", "a")).as_deref(), Some("x/a"));
    let shared = TopicTemplate::subscription("$share/g/x").expect("it is valid");
    assert_eq!(shared.subscription_of(&client("A", "a")).as_deref(), Some("$share/g/x"));
}

#[test]
fn a_placeholder_that_fills_a_level_can_be_listed() {
    let listing = |text: &str| TopicTemplate::seen(text).expect("it is valid").listing();
    let seen = listing("$seen/${clientid}").expect("it fills a level");
    assert_eq!((seen.filter.as_str(), seen.level, seen.placeholder), ("$seen/+", 1, Placeholder::ClientId));
    let two = listing("${alias}/${clientid}/s").expect("both fill a level");
    assert_eq!((two.filter.as_str(), two.level, two.placeholder), ("+/+/s", 0, Placeholder::Alias));
    assert_eq!(listing("tele/tasmota_${clientid}/STATE"), None);
    assert_eq!(listing("${clientid}/x${alias}"), None);
    assert_eq!(listing("tele/+/STATE"), None);
}

#[test]
fn filters_match_as_mqtt_says() {
    for (filter, topic) in
        [("a/+", "a/b"), ("a/#", "a"), ("a/#", "a/b/c"), ("+/+", "/a"), ("#", "a"), ("$SYS/#", "$SYS/x")]
    {
        assert!(levels_match(filter, topic), "{filter} {topic}");
    }
    for (filter, topic) in [("a/+", "a"), ("a/+", "a/b/c"), ("+/x", "x"), ("a", "a/b"), ("a/b", "a")] {
        assert!(!levels_match(filter, topic), "{filter} {topic}");
    }
}
