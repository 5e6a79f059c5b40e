//! Signs of life by exact topics: the retained messages of each client.

use std::time::Duration;

use fake_emqx::{FakeEmqx, Fault, Request, Retained, Version, When, recorded};

use super::{PROBE, debug_view, group, last_seen, like, of, watching_with};
use crate::support::{Exporter, config_of};

const SEEN: &str = "seen_topics: ['$seen/${clientid}']";

fn retained(topic: &str, at: &str) -> Retained {
    Retained::new(topic, "whoever").at_text(at)
}

/// The topics that the broker was asked for.
fn asked(fake: &FakeEmqx) -> Vec<String> {
    let mut topics: Vec<_> = fake.requests().iter().flat_map(|request| request.parameter("topic")).collect();
    topics.sort();
    topics
}

#[test]
fn an_absent_client_was_seen_when_its_retained_message_was_published() {
    let fake = FakeEmqx::start(Version::V6_2_2);
    fake.add(like("here"));
    fake.retain(retained("$seen/away", "2026-11-27T13:05:34.903+05:30"));
    fake.retain(retained("$seen/here", "2026-11-27T07:00:00+00:00"));
    let families = watching_with(&fake, SEEN, &["away", "here", "silent"]).probe(PROBE);
    assert!(families.success(), "{:?}", families.reasons());
    assert_eq!(last_seen(&families, "away"), Some("1795764934.903"));
    assert_eq!(last_seen(&families, "here"), Some("1795762800"));
    assert_eq!(last_seen(&families, "silent"), None, "there is none");
    assert_eq!(of(&families, "session_present", "away"), Some("0"));
    assert_eq!(group(&families, "seen"), Some("1"));
    let labels = &families.all("emqx_mqtt_client_seen_message_timestamp_seconds", &[])[0].labels;
    let names: Vec<_> = labels.keys().map(String::as_str).collect();
    assert_eq!(names, ["alias", "broker", "client_id"], "no user name: it holds for absent clients too");
    assert_eq!(asked(&fake), ["$seen/away", "$seen/here", "$seen/silent"]);
    assert!(fake.requests().iter().all(|request| !request.path.contains("/message/")), "payloads are not read");
}

#[test]
fn the_newest_message_counts_whoever_published_it() {
    let fake = FakeEmqx::start(Version::V6_2_2);
    // A rule, a will of the lost client, and a client without a user name (`"undefined"`), as recorded.
    fake.retain(Retained::by_rule("a").at_text("2026-11-27T07:00:00.000+00:00"));
    fake.retain(Retained::new("tele/A/LWT", "a").at_text("2026-11-27T07:00:02.000+00:00"));
    fake.retain(Retained::new("own/a", "bridge:1").at_text("2026-11-27T07:00:01.000+00:00"));
    let config = config_of(&fake, "seen_topics: ['$seen/${clientid}', 'tele/${alias}/LWT']", &[("A", "a")])
        .replace("client_id: \"a\"", "client_id: a, seen_topics: [own/a]");
    let families = Exporter::start(&config).probe(PROBE);
    assert_eq!(last_seen(&families, "a"), Some("1795762802"));
    assert_eq!(asked(&fake), ["$seen/a", "own/a", "tele/A/LWT"]);
}

#[test]
fn a_clients_own_topics_may_be_shared_and_are_asked_for_once() {
    let fake = FakeEmqx::start(Version::V6_2_2);
    fake.retain(retained("gateway/STATE", "2026-11-27T07:00:00+00:00"));
    let config = config_of(&fake, "", &[("A", "a"), ("B", "b"), ("C", "c")]);
    let config = ["a", "b"].iter().fold(config, |config, id| {
        config.replace(&format!("client_id: {id:?}"), &format!("client_id: {id}, seen_topics: [gateway/STATE]"))
    });
    let families = Exporter::start(&config).probe(PROBE);
    assert_eq!(["a", "b"].map(|id| last_seen(&families, id)), [Some("1795762800"); 2]);
    assert_eq!(last_seen(&families, "c"), None);
    assert_eq!(asked(&fake), ["gateway/STATE"]);
}

#[test]
fn ids_with_wildcards_have_no_topic_and_ids_with_slashes_do() {
    let fake = FakeEmqx::start(Version::V6_2_2);
    fake.retain(retained("$seen/a/b", "2026-11-27T07:00:00+00:00"));
    fake.retain(retained("$seen/x", "2026-11-27T07:00:00+00:00"));
    let families = watching_with(&fake, SEEN, &["a/b", "+", "x#", "ünï &?%"]).probe(PROBE);
    assert!(families.success(), "{:?}", families.reasons());
    assert_eq!(last_seen(&families, "a/b"), Some("1795762800"));
    assert_eq!(families.all("emqx_mqtt_client_seen_message_timestamp_seconds", &[]).len(), 1);
    assert_eq!(asked(&fake), ["$seen/a/b", "$seen/ünï &?%"]);
}

#[test]
fn the_group_is_on_where_topics_are_configured() {
    let fake = FakeEmqx::start(Version::V6_2_2);
    fake.retain(retained("$seen/a", "2026-11-27T07:00:00+00:00"));
    let exporter = watching_with(&fake, SEEN, &["a"]);
    for query in ["", "&collect[]=session", "&all=true"] {
        let families = exporter.probe(&format!("{PROBE}{query}"));
        assert_eq!(last_seen(&families, "a").is_some(), query.is_empty(), "{query}");
        assert_eq!(group(&families, "seen").is_some(), query.is_empty(), "{query}");
    }
    let families = exporter.probe(&format!("{PROBE}&collect[]=seen"));
    assert!(last_seen(&families, "a").is_some());
    let refused = exporter.get(&format!("/probe?{PROBE}&all=true&collect[]=seen"));
    assert_eq!(refused.status, 400);
    assert!(
        refused.text().starts_with("`collect[]=seen` and `all=true` exclude each other"),
        "{}",
        refused.text()
    );

    let without = watching_with(&fake, "", &["a"]);
    fake.reset_counters();
    let families = without.probe(&format!("{PROBE}&collect[]=seen"));
    assert!(families.success());
    assert_eq!(group(&families, "seen"), None, "it has nothing to ask");
    assert!(asked(&fake).is_empty());
}

#[test]
fn a_disabled_retainer_is_not_taken_for_silence() {
    let fake = FakeEmqx::start(Version::V6_2_2);
    fake.add(like("here"));
    let exporter = watching_with(&fake, SEEN, &["here", "away"]);
    let retainer_questions = || fake.requests().iter().filter(|request| request.is_retainer()).count();
    let families = exporter.probe(PROBE);
    assert!(families.success(), "{:?}", families.reasons());
    assert_eq!(group(&families, "seen"), Some("1"), "nothing is retained");
    assert_eq!(retainer_questions(), 1);

    fake.retain(retained("$seen/away", "2026-11-27T07:00:00+00:00"));
    let families = exporter.probe(PROBE);
    assert!(last_seen(&families, "away").is_some());
    assert_eq!(retainer_questions(), 1, "not where there is a message");

    fake.enable_retainer(false);
    let families = exporter.probe(PROBE);
    assert_eq!(group(&families, "seen"), Some("0"));
    assert_eq!(families.reasons(), ["decode"]);
    assert_eq!(last_seen(&families, "away"), None);
    assert_eq!(of(&families, "connected", "here"), Some("1"), "nothing else is touched");
    let view = debug_view(&exporter, PROBE);
    assert!(
        view.contains(
            "group `seen`: GET /mqtt/retainer: unexpected response from EMQX: the retainer is disabled"
        )
    );
}

#[test]
fn a_refusal_ends_the_group_and_not_the_probe() {
    let namespaced = recorded(Version::V6_2_2, "381-retained-namespaced-key");
    let backend = r#"{"code":"BAD_REQUEST","message":"This API only support built in database"}"#;
    for (fault, reason, status) in [
        (Fault::refused_by_scope(), "forbidden", "403"),
        (Fault::status(403, "application/json", namespaced), "forbidden", "403"),
        (Fault::status(401, "application/json", "{}"), "unauthorized", "401"),
        (Fault::status(400, "application/json", backend), "http_status", "400"),
        (Fault::booting_html_404(), "http_status", "404"),
    ] {
        let fake = FakeEmqx::start(Version::V6_2_2);
        let ids: Vec<_> = (0..200).map(|number| format!("dev-{number}")).collect();
        fake.add_all(ids.iter().map(|id| like(id)));
        fake.inject(When::Retained, fault);
        let ids: Vec<_> = ids.iter().map(String::as_str).collect();
        let exporter = watching_with(&fake, SEEN, &ids);
        let families = exporter.probe(PROBE);
        assert_eq!(families.reasons(), [reason]);
        assert_eq!(families.value("emqx_probe_http_status_code", &[]), Some(status));
        assert_eq!(families.value("emqx_mqtt_clients", &[("state", "connected")]), Some("200"));
        assert_eq!(group(&families, "seen"), Some("0"));
        assert!(families.all("emqx_mqtt_client_seen_message_timestamp_seconds", &[]).is_empty());
        let questions = fake.requests().iter().filter(|request| request.is_retained_list()).count();
        assert!(questions <= 8, "what is queued is dropped: {questions}");
        assert!(
            debug_view(&exporter, PROBE).contains("group `seen`: GET /mqtt/retainer/messages: HTTP status")
        );
    }
}

#[test]
fn a_broker_that_ignores_the_topic_filter_fails_the_group() {
    let fake = FakeEmqx::start(Version::V5_0_26);
    fake.add(like("a"));
    fake.retain(retained("$seen/other", "2026-11-27T07:00:00+00:00"));
    let exporter = watching_with(&fake, SEEN, &["a"]);
    let families = exporter.probe(PROBE);
    assert_eq!(families.reasons(), ["decode"]);
    assert_eq!(group(&families, "seen"), Some("0"));
    assert_eq!(last_seen(&families, "a"), None);
    assert_eq!(of(&families, "connected", "a"), Some("1"));
    assert!(
        debug_view(&exporter, PROBE).contains("the broker ignores the topic filter (EMQX before 5.5 does)")
    );
}

#[test]
fn one_failed_question_leaves_the_others_and_their_retries() {
    let fake = FakeEmqx::start(Version::V6_2_2);
    for id in ["a", "b", "c", "d"] {
        fake.retain(retained(&format!("$seen/{id}"), "2026-11-27T07:00:00+00:00"));
    }
    let of_topic = |topic: &'static str| {
        When::matching(move |request: &Request| request.parameter("topic") == [topic.to_owned()])
    };
    fake.inject(of_topic("$seen/a"), Fault::status(500, "application/json", "{}"));
    fake.inject(of_topic("$seen/b"), Fault::status(503, "application/json", "{}").times(1));
    let no_time = r#"{"data":[{"topic":"$seen/c","publish_at":"soon"}],"meta":{}}"#;
    fake.inject(of_topic("$seen/c"), Fault::status(200, "application/json", no_time));
    let families = watching_with(&fake, SEEN, &["a", "b", "c", "d"]).probe(PROBE);
    assert_eq!(["a", "b", "c", "d"].map(|id| last_seen(&families, id).is_some()), [false, true, false, true]);
    assert_eq!(families.reasons(), ["http_status", "decode"]);
    assert_eq!(group(&families, "seen"), Some("0"));
    assert_eq!(families.value("emqx_mqtt_clients", &[("state", "absent")]), Some("4"));
}

#[test]
fn what_does_not_fit_into_the_deadline_has_no_series() {
    let fake = FakeEmqx::start(Version::V6_2_2);
    fake.retain(retained("$seen/a", "2026-11-27T07:00:00+00:00"));
    fake.inject(When::Retained, Fault::Silent);
    let families = watching_with(&fake, SEEN, &["a", "b"]).probe_within(PROBE, "4");
    assert_eq!(families.reasons(), ["timeout"]);
    assert_eq!(group(&families, "seen"), Some("0"));
    assert_eq!(last_seen(&families, "a"), None);
    assert_eq!(
        families.value("emqx_mqtt_clients", &[("state", "absent")]),
        Some("2"),
        "confirmed all the same"
    );
}

#[test]
fn a_broker_that_cannot_be_asked_fails_the_group_too() {
    let fake = FakeEmqx::start(Version::V6_2_2);
    let exporter = watching_with(&fake, SEEN, &["a"]);
    fake.set_credentials("other", "other");
    let families = exporter.probe(PROBE);
    families.assert_nothing_known(&["unauthorized"]);
    assert_eq!(group(&families, "seen"), Some("0"));
}

#[test]
fn every_client_is_looked_up_before_its_signs_of_life_are_asked_for() {
    let fake = FakeEmqx::start(Version::V6_2_2);
    fake.set_latency(Duration::from_millis(2));
    let ids: Vec<_> = (0..50).map(|number| format!("dev-{number}")).collect();
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    let families = watching_with(&fake, SEEN, &ids).probe(PROBE);
    assert!(families.success(), "{:?}", families.reasons());
    let requests = fake.requests();
    let first = requests.iter().position(Request::is_retained_list).expect("messages are asked for");
    let looked_up = requests[..first].iter().filter(|request| request.client_id().is_some()).count();
    assert!(looked_up >= 46, "all but those in flight: {looked_up}");
    assert!(fake.max_in_flight() <= 8);
}
