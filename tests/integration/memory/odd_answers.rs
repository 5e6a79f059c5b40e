//! Answers about what the broker remembers that are odd, late, or another request's: they cost nobody else's.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fake_emqx::{FakeEmqx, Fault, Request, Retained, Version, When};

use super::{PROBE, debug_view, group, last_seen, like, of, watching_with};
use crate::support::{Exporter, RawServer, Step};

const JSON: &str = "application/json";

fn message(topic: &str, publisher: &str, published_at: &str) -> String {
    format!(r#"{{"topic":{topic},"from_clientid":{publisher},"publish_at":{published_at}}}"#)
}

fn list(rows: &[String]) -> Fault {
    Fault::status(200, JSON, format!(r#"{{"data":[{}],"meta":{{"count":{}}}}}"#, rows.join(","), rows.len()))
}

#[test]
fn a_message_whose_time_cannot_be_read_costs_its_client_alone() {
    let at = r#""2026-11-27T07:00:00.000+00:00""#;
    let fake = FakeEmqx::start(Version::V6_2_2);
    fake.inject(
        When::Retained,
        list(&[
            message(r#""tele/a/STATE""#, r#""a""#, at),
            message(r#""tele/b/STATE""#, r#""b""#, "5"),
            message(r#""tele/b/STATE""#, r#""b""#, at),
            message(r#""tele/x/STATE""#, r#""stranger""#, "null"),
            message(r#""tele/y/STATE""#, "null", at),
        ]),
    );
    let exporter = watching_with(&fake, "seen_topics: ['tele/+/STATE']", &["a", "b", "c"]);
    let families = exporter.probe(PROBE);
    assert_eq!(["a", "b", "c"].map(|id| last_seen(&families, id)), [Some("1795762800"), None, None]);
    assert_eq!((families.reasons(), group(&families, "seen")), (vec!["decode"], Some("0")));
    assert_eq!(families.value("emqx_mqtt_clients", &[("state", "absent")]), Some("3"));
    let view = debug_view(&exporter, PROBE);
    assert!(view.contains("`publish_at` must be an RFC 3339 time"), "{view}");
}

#[test]
fn a_message_that_may_be_anyones_leaves_nobody_without_one() {
    let at = r#""2026-11-27T07:00:00.000+00:00""#;
    for odd in [message(r#""tele/b/STATE""#, "7", at), "5".to_owned()] {
        let fake = FakeEmqx::start(Version::V6_2_2);
        fake.inject(When::Retained, list(&[message(r#""tele/a/STATE""#, r#""a""#, at), odd]));
        let families = watching_with(&fake, "seen_topics: ['tele/+/STATE']", &["a", "b"]).probe(PROBE);
        assert_eq!(["a", "b"].map(|id| last_seen(&families, id)), [None, None], "it may be newer");
        assert_eq!((families.reasons(), group(&families, "seen")), (vec!["decode"], Some("0")));
    }
}

#[test]
fn an_exact_topic_needs_no_publisher() {
    let fake = FakeEmqx::start(Version::V6_2_2);
    let row = message(r#""$seen/a""#, "{}", r#""2026-11-27T07:00:00.000+05:30""#);
    fake.inject(When::Retained, list(&[row]));
    let families = watching_with(&fake, "seen_topics: ['$seen/${clientid}']", &["a"]).probe(PROBE);
    assert_eq!(last_seen(&families, "a"), Some("1795743000"));
    assert!(families.success(), "{:?}", families.reasons());
}

#[test]
fn a_ban_that_cannot_be_read_costs_its_client_alone() {
    let bans = |odd: &str| {
        let rows = [
            r#"{"as":"clientid","who":"a","until":"infinity"}"#,
            odd,
            r#"{"as":"clientid","who":"stranger","until":5}"#,
            r#"{"as":"username_of_2030","who":{"x":1}}"#,
        ];
        list(&rows.map(ToOwned::to_owned))
    };
    for (odd, free) in [
        (r#"{"as":"clientid","who":"b","until":5}"#, Some("0")),
        (r#"{"as":"clientid","who":"b"}"#, Some("0")),
        (r#"{"as":5,"who":"b","until":"infinity"}"#, Some("0")),
        // It may be a ban on anyone.
        (r#"{"as":"clientid","who":5,"until":"infinity"}"#, None),
        ("null", None),
    ] {
        let fake = FakeEmqx::start(Version::V6_2_2);
        fake.inject(When::Bans, bans(odd));
        let families = watching_with(&fake, "", &["a", "b", "c"]).probe("broker=LocalEMQX&collect[]=banned");
        assert_eq!(["a", "b", "c"].map(|id| of(&families, "id_banned", id)), [Some("1"), None, free], "{odd}");
        assert_eq!((families.reasons(), group(&families, "banned")), (vec!["decode"], Some("0")));
    }
}

#[test]
fn ids_that_cannot_be_asked_for_fail_nothing() {
    let fake = FakeEmqx::start(Version::V6_2_2);
    fake.add(like("tab\t"));
    let keys = "seen_topics: ['$seen/${clientid}']\nsubscriptions: ['cmd/${clientid}']";
    let clients = [("plain", "plain"), ("tab", "tab\t")];
    let exporter = Exporter::start(&crate::support::config_of(&fake, keys, &clients));
    let families = exporter.probe(PROBE);
    assert!(families.success(), "{:?}", families.reasons());
    assert_eq!(group(&families, "seen"), Some("1"));
    assert!(fake.requests().iter().all(|request| !request.target.contains("%09")), "EMQX refuses it");
    assert!(debug_view(&exporter, PROBE).contains("topics that cannot be asked for"));
}

#[test]
fn a_topic_that_begins_with_a_dollar_is_asked_for_where_a_filter_would_not_list_it() {
    let fake = FakeEmqx::start(Version::V6_2_2);
    for topic in ["$dev/STATE", "dev-0/STATE"] {
        fake.retain(Retained::new(topic, "x").at_text("2026-11-27T07:00:00+00:00"));
    }
    let ids: Vec<_> = (0..1_001).map(|number| format!("dev-{number}")).collect();
    let ids: Vec<_> = ids.iter().map(String::as_str).chain(["$dev"]).collect();
    let keys = "seen_topics: ['${clientid}/STATE']\ntimeout_seconds: 40";
    let families = watching_with(&fake, keys, &ids).probe(PROBE);
    assert!(families.success(), "{:?}", families.reasons());
    assert_eq!(["$dev", "dev-0"].map(|id| last_seen(&families, id).is_some()), [true, true]);
    let mut topics: Vec<_> = fake.requests().iter().flat_map(|request| request.parameter("topic")).collect();
    topics.sort();
    assert_eq!(topics, ["$dev/STATE", "+/STATE"]);
}

#[test]
fn a_list_that_hangs_leaves_the_state_of_clients_alone() {
    for (kind, keys, query) in [
        (When::Bans, "", "broker=LocalEMQX&collect[]=banned"),
        (When::Retained, "seen_topics: ['a/+']", PROBE),
        (When::matching(Request::is_retainer), "seen_topics: ['a/${clientid}']", PROBE),
    ] {
        let fake = FakeEmqx::start(Version::V6_2_2);
        fake.add(like("here"));
        fake.inject(kind, Fault::Silent);
        let exporter = watching_with(&fake, &format!("concurrency: 1\n{keys}"), &["here", "away", "gone"]);
        let families = exporter.probe_within(query, "3");
        assert_eq!(families.reasons(), ["timeout"]);
        for (state, count) in [("connected", "1"), ("absent", "2"), ("unknown", "0")] {
            assert_eq!(
                families.value("emqx_mqtt_clients", &[("state", state)]),
                Some(count),
                "{query}: {state}"
            );
        }
    }
}

#[test]
fn a_pause_for_a_list_leaves_the_state_of_clients_alone() {
    let fake = FakeEmqx::start(Version::V6_2_2);
    fake.set_latency(Duration::from_millis(1));
    fake.inject(When::Bans, Fault::response(503, &[("retry-after", "2")], "{}"));
    let families =
        watching_with(&fake, "", &["away", "gone"]).probe_within("broker=LocalEMQX&collect[]=banned", "3");
    assert_eq!(families.value("emqx_mqtt_clients", &[("state", "absent")]), Some("2"));
    assert_eq!(group(&families, "banned"), Some("0"));
}

/// A broker with a client that is subscribed to `cmd`, whose answer comes after an empty one where `is_shifted` says so.
fn shifted(is_shifted: impl Fn() -> bool + Send + Sync + 'static) -> (RawServer, String) {
    let server = RawServer::start(move |request| {
        let response = |body: &str| format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        if request.client_id.contains("subscriptions") {
            let answer = response(r#"[{"topic":"cmd","clientid":"a"}]"#);
            let stray = if is_shifted() { response("[]") } else { String::new() };
            return vec![Step::send(stray + &answer)];
        }
        vec![Step::send(response(r#"{"clientid":"a","connected":true}"#))]
    });
    let config = server.config(", subscriptions: [cmd]", &["a"]);
    (server, config)
}

#[test]
fn an_answer_to_another_request_is_asked_for_again() {
    let has_been_shifted = AtomicBool::new(false);
    let (_server, config) = shifted(move || !has_been_shifted.swap(true, Ordering::SeqCst));
    let families = Exporter::start(&config).probe(PROBE);
    assert!(families.success(), "{:?}", families.reasons());
    assert_eq!(of(&families, "expected_subscription_present", "a"), Some("1"));
    assert_eq!(group(&families, "subscriptions"), Some("1"));
}

#[test]
fn a_group_whose_answers_are_not_to_be_trusted_fails() {
    let (_server, config) = shifted(|| true);
    let families = Exporter::start(&config).probe(PROBE);
    assert_eq!(families.reasons(), ["protocol"]);
    assert_eq!(of(&families, "expected_subscription_present", "a"), None);
    assert_eq!(group(&families, "subscriptions"), Some("0"));
    assert_eq!(of(&families, "connected", "a"), Some("1"));
}
