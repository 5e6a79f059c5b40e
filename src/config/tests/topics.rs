//! `seen_topics` and `subscriptions` of brokers and clients.

use super::*;
use crate::client::{Group, Groups};

const CLIENT: &str = "monitored_clients:\n- {alias: Room, client_id: room";

fn seen(text: &str) -> String {
    broker_problem(&format!("  seen_topics: ['{text}']\n"))
}

fn own(text: &str) -> String {
    broker_problem(&format!("{CLIENT}, seen_topics: ['{text}']}}\n"))
}

fn subscription(text: &str) -> String {
    broker_problem(&format!("  subscriptions: ['{text}']\n"))
}

#[test]
fn malformed_topics_are_reported_where_they_are() {
    let misplaced = "not a topic filter: `+` must be alone in its level, and `#` alone in the last one";
    for (problem, expected) in [
        (seen(""), "must not be empty"),
        (seen("tele/#/STATE"), misplaced),
        (seen("a+"), misplaced),
        (
            seen("t/${client_id}"),
            "unknown placeholder; ${clientid} and ${alias} stand for those of each client, and variables are not expanded",
        ),
        (
            seen("+/${clientid}"),
            "must be one exact topic, without `+` and `#`: it stands for one retained message of each client",
        ),
        (
            seen("$share/g/t"),
            "must be the topic of a retained message, without $share/, $queue/ and $exclusive/",
        ),
    ] {
        assert_eq!(problem, format!("6:17: emqx.seen_topics[0]: {expected}"));
    }
    assert_eq!(subscription("a#"), format!("6:19: emqx.subscriptions[0]: {misplaced}"));
    assert_eq!(
        subscription("$share/g"),
        "6:19: emqx.subscriptions[0]: must be $share/GROUP/FILTER, the group without wildcards"
    );
    assert_eq!(
        own("tele/+"),
        "7:48: monitored_clients[0].seen_topics[0]: must be one exact topic, without `+` and `#`: it stands for one \
         retained message of each client"
    );
    assert_eq!(
        broker_problem("  seen_topics: {}\n"),
        "6:16: emqx.seen_topics: must be a list of topics of retained messages that are a sign of life"
    );
    assert_eq!(broker_problem("  seen_topics: [[]]\n"), "6:17: emqx.seen_topics[0]: must be a topic");
    assert_eq!(broker_problem("  seen_topics: [a, a]\n"), "6:20: emqx.seen_topics[1]: duplicate entry");
}

#[test]
fn one_topic_needs_no_list() {
    let config = good(&format!("{BROKER}  seen_topics: a/b\n"));
    assert_eq!(config.brokers[0].topics.seen[0].as_str(), "a/b");
    assert_eq!(broker_problem("  seen_topics: a+\n").split(": ").nth(1), Some("emqx.seen_topics"));
}

#[test]
fn placeholders_are_no_variables_and_what_a_tool_left_of_them_is_warned_of() {
    let warnings = |topic: &str| {
        good(&format!("{BROKER}  seen_topics: ['{topic}']\n  subscriptions: ['{topic}']\n")).warnings
    };
    assert_eq!(warnings("$seen/${clientid}/${alias}"), Vec::<String>::new());
    assert_eq!(warnings("/lead"), Vec::<String>::new());
    for topic in ["$seen/", "tele//STATE"] {
        let warnings = warnings(topic);
        assert_eq!(warnings.len(), 2, "{warnings:?}");
        assert!(warnings[0].starts_with("emqx.seen_topics[0]: has an empty level: if a tool"), "{warnings:?}");
        assert!(warnings[1].starts_with("emqx.subscriptions[0]: has an empty level"), "{warnings:?}");
    }
}

#[test]
fn an_alias_in_a_topic_has_no_wildcards() {
    let of_broker = |alias: &str, keys: &str| {
        format!("{BROKER}  {keys}\nmonitored_clients:\n- {{alias: '{alias}', client_id: a}}\n")
    };
    let error = "8:11: monitored_clients[0].alias: must not contain `+` or `#`: ${alias} in seen_topics or subscriptions \
                 puts it into a topic";
    for keys in ["seen_topics: ['t/${alias}']", "subscriptions: ['t/${alias}/#']"] {
        assert_eq!(problem(&of_broker("a+b", keys)), error);
        assert!(good(&of_broker("a/b", keys)).warnings.is_empty());
    }
    assert!(good(&of_broker("a+b", "seen_topics: ['t/${clientid}']")).warnings.is_empty());
    assert_eq!(
        broker_problem("monitored_clients:\n- {alias: a#, client_id: a, subscriptions: ['${alias}']}\n"),
        error.replace("8:11", "7:11")
    );
}

#[test]
fn a_topic_that_does_not_fit_into_a_request_line_is_reported() {
    let topic = "ü".repeat(1_400);
    let long = format!("{CLIENT}, seen_topics: ['{topic}']}}\n");
    assert_eq!(
        broker_problem(&long),
        "7:28: monitored_clients[0].client_id: one of its seen_topics is too long to be asked for on broker \"A\": its \
         request line would have 8467 bytes, and EMQX reads at most 8000"
    );
    let topic = "a".repeat(2_600);
    good(&format!("{BROKER}{CLIENT}, seen_topics: ['{topic}']}}\n"));
}

#[test]
fn the_groups_are_on_for_clients_that_have_them() {
    let groups = |text: &str| {
        let config = good(text);
        let broker = &config.brokers[0];
        broker.configured_groups(&broker.clients)
    };
    let client = |keys: &str| format!("{BROKER}{CLIENT}{keys}}}\n");
    assert_eq!(groups(&client("")), Groups::STATE);
    assert_eq!(groups(&client(", seen_topics: [a]")), Groups::STATE.with(Group::Seen));
    assert_eq!(groups(&client(", subscriptions: [a]")), Groups::STATE.with(Group::Subscriptions));
    let of_broker = format!("{BROKER}  seen_topics: [a]\n");
    assert_eq!(groups(&of_broker), Groups::STATE, "there is nobody to ask for");
    assert_eq!(
        groups(&client("").replace("monitored", "  seen_topics: [a]\nmonitored")),
        Groups::STATE.with(Group::Seen)
    );
}
