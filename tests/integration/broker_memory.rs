//! The rules with which EMQX remembers when clients were there.

use std::collections::BTreeSet;

use serde_json::Value;

const RULES: [&str; 2] = [
    include_str!("../../examples/emqx/last-seen.json"),
    include_str!("../../examples/emqx/last-published.json"),
];
const HOCON: &str = include_str!("../../examples/emqx/last-seen.conf");
const ACL: &str = include_str!("../../examples/emqx/acl.conf");
const GUIDES: [&str; 2] =
    [include_str!("../../examples/emqx/README.md"), include_str!("../../examples/sleeping-devices.md")];

fn rules() -> impl Iterator<Item = Value> {
    RULES.into_iter().map(|rule| serde_json::from_str(rule).expect("a rule is JSON"))
}

/// The rules of the file for `emqx.conf`, whose values are JSON.
fn rules_in_hocon() -> Vec<Value> {
    let assignments = HOCON.split("rule_engine.rules.").skip(1);
    assignments
        .map(|text| {
            let (id, value) = text.split_once(" = ").expect("ID = {...}");
            let mut values = serde_json::Deserializer::from_str(value).into_iter::<Value>();
            let mut rule = values.next().expect("a value").expect("JSON");
            rule["id"] = id.into();
            rule
        })
        .collect()
}

#[test]
fn both_spellings_of_the_rules_are_the_same() {
    assert_eq!(rules_in_hocon(), rules().collect::<Vec<_>>());
}

#[test]
fn the_rules_are_safe_for_the_broker() {
    for rule in rules() {
        let sql = rule["sql"].as_str().expect("SQL");
        assert!(sql.ends_with(" WHERE regex_match(clientid, '^[A-Za-z0-9._-]{1,64}$')"), "{sql}");
        let args = &rule["actions"][0]["args"];
        assert_eq!(rule["actions"][0]["function"], "republish");
        assert_eq!(args["retain"], true);
        assert_eq!(args["payload"], "${event}", "nothing of the client's own message is kept");
        let topic = args["topic"].as_str().expect("a topic");
        let (root, rest) = topic.split_once('/').expect("levels");
        assert!(root.starts_with('$') && rest == "${clientid}", "subscribers of `#` do not get {topic}");
        assert!(ACL.contains(&format!("\n{{deny, all, all, [\"{root}/#\"]}}.")), "{topic} is not protected");
        let expiry = args["mqtt_properties"]["Message-Expiry-Interval"].as_str().expect("seconds as text");
        assert!(expiry.parse::<u32>().expect("seconds") > longest_offline_after(), "{expiry}");
    }
}

/// The longest `offline_after` of the guides in seconds.
fn longest_offline_after() -> u32 {
    let texts = GUIDES.iter().flat_map(|guide| guide.split("offline_after: ").skip(1));
    let hours = texts.filter_map(|text| text.split_once('h')?.0.parse::<u32>().ok());
    hours.max().expect("the guides have examples in hours") * 3600
}

/// The guides tell the exporter what the rules tell the broker.
#[test]
fn the_guides_name_the_topic_of_the_rules() {
    let topics: BTreeSet<_> =
        rules().map(|rule| rule["actions"][0]["args"]["topic"].as_str().expect("a topic").to_owned()).collect();
    assert_eq!(topics, BTreeSet::from(["$seen/${clientid}".to_owned()]));
    for guide in GUIDES {
        assert!(guide.contains("seen_topics: [\"$seen/${clientid}\"]"));
    }
}
