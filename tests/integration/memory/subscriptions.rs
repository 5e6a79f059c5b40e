//! Expected subscriptions of clients that the broker knows.

use std::collections::BTreeMap;

use fake_emqx::{FakeEmqx, Fault, Request, Version, When, recorded};

use super::{PROBE, debug_view, group, last_seen, like, of, watching_with};
use crate::support::{Exporter, Families, config_of};

const PRESENT: &str = "emqx_mqtt_client_expected_subscription_present";
const COMMANDS: &str = "subscriptions: ['cmd/${clientid}/#']";

/// The expected subscriptions of a client, and whether it has them.
fn expected<'a>(families: &'a Families, client_id: &str) -> BTreeMap<&'a str, &'a str> {
    let samples = families.all(PRESENT, &[("client_id", client_id)]);
    samples.iter().map(|sample| (sample.labels["topic"].as_str(), sample.value.as_str())).collect()
}

fn asked(fake: &FakeEmqx) -> Vec<String> {
    let mut ids: Vec<_> = fake.requests().iter().filter_map(Request::subscriptions_of).collect();
    ids.sort();
    ids
}

#[test]
fn each_expected_subscription_of_a_known_client_is_there_or_not() {
    let fake = FakeEmqx::start(Version::V6_2_2);
    fake.add(like("here").subscribed(["cmd/here/#", "$share/g1/jobs/+", "excl/only"]));
    fake.add(like("held").subscribed(["cmd/+/#"]));
    fake.disconnect("held");
    let keys = "subscriptions: ['cmd/${clientid}/#', 'cmd/${alias}/#']";
    let config = config_of(&fake, keys, &[("here", "here"), ("Held", "held"), ("away", "away")]).replace(
        "client_id: \"here\"",
        r#"client_id: here, subscriptions: ["$share/g1/jobs/+", "$exclusive/excl/only", "a\"b"]"#,
    );
    let families = Exporter::start(&config).probe(PROBE);
    assert!(families.success(), "{:?}", families.reasons());
    assert_eq!(group(&families, "subscriptions"), Some("1"));
    assert_eq!(
        expected(&families, "here"),
        [("cmd/here/#", "1"), ("$share/g1/jobs/+", "1"), ("excl/only", "1"), ("a\"b", "0")].into()
    );
    assert_eq!(
        expected(&families, "held"),
        [("cmd/held/#", "0"), ("cmd/Held/#", "0")].into(),
        "no filter matches"
    );
    assert!(expected(&families, "away").is_empty());
    assert_eq!(asked(&fake), ["held", "here"], "absent clients are not asked for");
    let names: Vec<_> = families.all(PRESENT, &[])[0].labels.keys().map(String::as_str).collect();
    assert_eq!(names, ["alias", "broker", "client_id", "topic"]);
}

#[test]
fn recorded_subscriptions_are_spelled_as_emqx_does() {
    let fake = FakeEmqx::start(Version::V6_2_2);
    fake.add(like("sub-all"));
    let body = recorded(Version::V6_2_2, "400-subs-kinds");
    fake.inject(When::Subscriptions, Fault::status(200, "application/json", body));
    let rows: Vec<serde_json::Value> = serde_json::from_slice(body).expect("it is JSON");
    let topics: Vec<_> = rows.iter().map(|row| row["topic"].as_str().expect("a text")).collect();
    assert!(topics.iter().any(|topic| topic.starts_with("$queue/")), "{topics:?}");
    let quoted: Vec<_> = topics.iter().map(|topic| serde_json::to_string(topic).expect("JSON")).collect();
    let keys = format!("subscriptions: [{}]", quoted.join(", "));
    let families = watching_with(&fake, &keys, &["sub-all"]).probe(PROBE);
    assert!(families.success(), "{:?}", families.reasons());
    assert_eq!(expected(&families, "sub-all").len(), topics.len());
    assert!(expected(&families, "sub-all").values().all(|value| *value == "1"));
}

#[test]
fn they_are_asked_for_last() {
    let fake = FakeEmqx::start(Version::V6_2_2);
    let ids: Vec<_> = (0..20).map(|number| format!("dev-{number}")).collect();
    fake.add_all(ids.iter().map(|id| like(id).subscribed([format!("cmd/{id}/#").as_str()])));
    let mut ids: Vec<_> = ids.iter().map(String::as_str).collect();
    ids.push("away");
    let keys = format!("{COMMANDS}\nseen_topics: ['$seen/${{clientid}}']");
    let families = watching_with(&fake, &keys, &ids).probe(PROBE);
    assert!(families.success(), "{:?}", families.reasons());
    let requests = fake.requests();
    let first = requests.iter().position(|request| request.subscriptions_of().is_some()).expect("asked for");
    let before = &requests[..first];
    assert_eq!(
        before.iter().filter(|request| request.client_id().is_some()).count(),
        22,
        "the absent one twice"
    );
    assert!(
        requests[first..].iter().all(|request| request.subscriptions_of().is_some() || request.is_retainer())
    );
}

#[test]
fn a_refusal_ends_the_group_alone() {
    let fake = FakeEmqx::start(Version::V6_2_2);
    let ids: Vec<_> = (0..30).map(|number| format!("dev-{number}")).collect();
    fake.add_all(ids.iter().map(|id| like(id)));
    fake.inject(When::Subscriptions, Fault::refused_by_scope());
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    let exporter = watching_with(&fake, COMMANDS, &ids);
    let families = exporter.probe(PROBE);
    assert_eq!(families.reasons(), ["forbidden"]);
    assert_eq!(group(&families, "subscriptions"), Some("0"));
    assert!(families.all(PRESENT, &[]).is_empty());
    assert_eq!(families.value("emqx_mqtt_clients", &[("state", "connected")]), Some("30"));
    assert!(asked(&fake).len() <= 8, "{:?}", asked(&fake));
    assert!(
        debug_view(&exporter, PROBE)
            .contains("group `subscriptions`: GET /clients/{clientid}/subscriptions: HTTP status 403")
    );
}

#[test]
fn the_first_two_time_outs_end_the_group() {
    let fake = FakeEmqx::start(Version::V6_2_2);
    let ids: Vec<_> = (0..20).map(|number| format!("dev-{number}")).collect();
    fake.add_all(ids.iter().map(|id| like(id)));
    fake.inject(When::Subscriptions, Fault::Silent);
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    let exporter = watching_with(&fake, &format!("{COMMANDS}\ntimeout_seconds: 2"), &ids);
    let families = exporter.probe_within(PROBE, "30");
    assert_eq!(families.reasons(), ["timeout"]);
    assert_eq!(group(&families, "subscriptions"), Some("0"));
    assert!(families.all(PRESENT, &[]).is_empty());
    assert!(asked(&fake).len() <= 8, "what is queued is dropped, and nothing asked again: {:?}", asked(&fake));
    assert_eq!(families.value("emqx_mqtt_clients", &[("state", "connected")]), Some("20"));

    // One time-out leaves the other clients.
    fake.clear_faults();
    fake.inject(When::Subscriptions, Fault::Silent.times(1));
    let families = exporter.probe_within(PROBE, "30");
    assert_eq!(families.reasons(), ["timeout"]);
    assert_eq!(group(&families, "subscriptions"), Some("0"));
    assert_eq!(families.all(PRESENT, &[]).len(), 19);
}

#[test]
fn a_client_that_left_meanwhile_or_cannot_be_asked_for_has_no_series() {
    let fake = FakeEmqx::start(Version::V6_2_2);
    for id in ["left", "here", "bell\u{7}"] {
        fake.add(like(id).subscribed([format!("cmd/{id}/#").as_str()]));
    }
    let of_left = |request: &Request| request.subscriptions_of().is_some_and(|id| id == "left");
    let absent = recorded(Version::V6_2_2, "402-subs-none");
    fake.inject(When::matching(of_left), Fault::status(404, "application/json", absent));
    let clients = [("left", "left"), ("here", "here"), ("Bell", "bell\u{7}")];
    let exporter = Exporter::start(&config_of(&fake, COMMANDS, &clients));
    let families = exporter.probe(PROBE);
    assert!(families.success(), "{:?}", families.reasons());
    assert_eq!(group(&families, "subscriptions"), Some("1"));
    assert_eq!(families.all(PRESENT, &[]).len(), 1);
    assert_eq!(of(&families, "connected", "bell\u{7}"), Some("1"));
    assert!(debug_view(&exporter, PROBE).contains("clients whose subscriptions cannot be asked for"));
}

#[test]
fn a_body_may_have_four_mebibytes() {
    let fake = FakeEmqx::start(Version::V6_2_2);
    let topics: Vec<_> = (0..20_000).map(|number| format!("cmd/many/{number:0200}")).collect();
    let many = |count: usize| topics[..count].iter().map(String::as_str).chain(["cmd/many/#"]);
    fake.add(like("many").subscribed(many(12_000)));
    let exporter = watching_with(&fake, &format!("{COMMANDS}\ntimeout_seconds: 40"), &["many"]);
    let families = exporter.probe(PROBE);
    assert!(families.success(), "{:?}", families.reasons());
    assert_eq!(expected(&families, "many"), [("cmd/many/#", "1")].into());
    fake.change("many", |row| row.subscribed(many(20_000)));
    let families = exporter.probe(PROBE);
    assert_eq!(families.reasons(), ["too_large"]);
    assert_eq!(group(&families, "subscriptions"), Some("0"));
    assert!(expected(&families, "many").is_empty());
}

#[test]
fn a_group_that_fails_does_not_touch_the_others() {
    let fake = FakeEmqx::start(Version::V6_2_2);
    fake.add(like("a").subscribed(["cmd/a/#"]));
    fake.retain(fake_emqx::Retained::by_rule("a"));
    fake.inject(When::Bans, Fault::refused_by_scope());
    let keys = format!("{COMMANDS}\nseen_topics: ['$seen/${{clientid}}']");
    let query = format!("{PROBE}&collect[]=seen&collect[]=banned&collect[]=subscriptions");
    let families = watching_with(&fake, &keys, &["a"]).probe(&query);
    assert_eq!(families.reasons(), ["forbidden"]);
    assert_eq!(
        ["seen", "banned", "subscriptions"].map(|name| group(&families, name)),
        [Some("1"), Some("0"), Some("1")]
    );
    assert!(last_seen(&families, "a").is_some());
    assert_eq!(expected(&families, "a"), [("cmd/a/#", "1")].into());
}
