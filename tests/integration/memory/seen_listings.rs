//! Signs of life by lists of retained messages.

use std::fmt::Write as _;

use fake_emqx::{FakeEmqx, Fault, Request, Retained, Version, When};

use super::{PROBE, debug_view, group, last_seen, watching_with};
use crate::support::{Exporter, config_of};

fn device(number: usize) -> String {
    format!("dev-{number:05}")
}

/// Starts an exporter that watches this many devices.
fn watching_devices(fake: &FakeEmqx, keys: &str, count: usize, more: &[&str]) -> Exporter {
    let ids: Vec<_> = (0..count).map(device).collect();
    let ids: Vec<_> = ids.iter().map(String::as_str).chain(more.iter().copied()).collect();
    watching_with(fake, &format!("{keys}\ntimeout_seconds: 40"), &ids)
}

/// The filters, pages and limits that the broker was asked for.
fn asked(fake: &FakeEmqx) -> Vec<String> {
    let lists = fake.requests().into_iter().filter(Request::is_retained_list);
    let shown =
        lists.map(|request| ["topic", "page", "limit"].map(|name| request.parameter(name).concat()).join(" "));
    shown.collect()
}

/// A page of messages at `$seen/ID`, each of the time in seconds since 07:00.
fn page(ids: impl IntoIterator<Item = (String, usize)>) -> Fault {
    let mut rows = String::new();
    for (id, seconds) in ids {
        let separator = if rows.is_empty() { "" } else { "," };
        let _ = write!(
            rows,
            r#"{separator}{{"topic":"$seen/{id}","qos":0,"from_username":"","from_clientid":"last_seen","publish_at":"2026-11-27T07:{:02}:{:02}.000+00:00","msgid":"0"}}"#,
            seconds / 60 % 60,
            seconds % 60
        );
    }
    Fault::status(200, "application/json", format!("{{\"data\":[{rows}],\"meta\":{{}}}}"))
}

fn on_page(number: &'static str) -> When {
    When::matching(move |request: &Request| {
        request.parameter("topic") == ["$seen/+"] && request.parameter("page") == [number]
    })
}

#[test]
fn a_filter_without_a_placeholder_is_listed_by_publisher() {
    let fake = FakeEmqx::start(Version::V6_2_2);
    fake.retain_recorded();
    let families =
        watching_with(&fake, "seen_topics: ['tele/+/STATE']", &["sleepy-1", "sleepy-2", "rest"]).probe(PROBE);
    assert!(families.success(), "{:?}", families.reasons());
    assert_eq!(last_seen(&families, "sleepy-1"), Some("1795763846.176"));
    assert_eq!(last_seen(&families, "sleepy-2"), Some("1795763846.218"));
    assert_eq!(last_seen(&families, "rest"), None, "messages of the REST API count for nobody");
    assert_eq!(asked(&fake), ["tele/+/STATE 1 10000"]);
}

#[test]
fn topics_that_begin_with_a_dollar_are_passed_over_where_an_old_version_lists_them() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    // As EMQX 5.5 to 5.8.1 answers for a filter that begins with a wildcard.
    let rows = ["$own/x", "tele/x"].map(|topic| {
        format!(
            r#"{{"topic":"{topic}","from_clientid":"a","publish_at":"2026-11-27T07:00:0{}.000+00:00"}}"#,
            topic.len()
        )
    });
    let body = format!("{{\"data\":[{}],\"meta\":{{}}}}", rows.join(","));
    fake.inject(When::Retained, Fault::status(200, "application/json", body));
    let families = watching_with(&fake, "seen_topics: ['+/x']", &["a"]).probe(PROBE);
    assert!(families.success(), "{:?}", families.reasons());
    assert_eq!(last_seen(&families, "a"), Some("1795762806"));
}

#[test]
fn a_list_that_is_not_read_to_its_end_gives_no_series_to_whom_it_could_still_name() {
    let fake = FakeEmqx::start(Version::V6_2_2);
    let old =
        (0..40_000).map(|n| Retained::new(&format!("t/{n}"), "a").at_text("2026-11-27T07:00:00.000+00:00"));
    fake.retain_all(old);
    fake.retain(Retained::new("$seen/b", "x").at_text("2026-11-27T07:00:00.000+00:00"));
    let config = config_of(&fake, "seen_topics: ['t/+']\ntimeout_seconds: 60", &[("A", "a"), ("B", "b")])
        .replace("client_id: \"b\"", "client_id: b, seen_topics: [$seen/b]");
    let exporter = Exporter::start(&config);
    let families = exporter.probe(PROBE);
    assert_eq!(families.reasons(), ["too_large"]);
    assert_eq!(group(&families, "seen"), Some("0"));
    assert_eq!(["a", "b"].map(|id| last_seen(&families, id)), [None, None]);
    let pages: Vec<_> = asked(&fake).into_iter().filter(|one| one.starts_with("t/+")).collect();
    assert_eq!(pages, ["t/+ 1 10000", "t/+ 2 10000", "t/+ 3 10000", "t/+ 4 10000"]);
}

#[test]
fn above_a_thousand_clients_a_placeholder_that_fills_a_level_is_listed() {
    let fake = FakeEmqx::start(Version::V6_2_2);
    fake.retain_all(
        (0..500).map(|number| Retained::by_rule(&device(number)).at_text("2026-11-27T07:00:00.000+00:00")),
    );
    for topic in ["$seen/a/b", "tele/x-dev-00007", "$seen/stranger"] {
        fake.retain(Retained::new(topic, "x").at_text("2026-11-27T07:00:01.000+00:00"));
    }
    let keys = "seen_topics: ['$seen/${clientid}']";
    let families = watching_devices(&fake, keys, 1_001, &["a/b", "x+y"]).probe(PROBE);
    assert!(families.success(), "{:?}", families.reasons());
    assert_eq!(last_seen(&families, &device(499)), Some("1795762800"));
    assert_eq!(last_seen(&families, &device(500)), None);
    assert_eq!(last_seen(&families, "a/b"), Some("1795762801"), "asked for exactly");
    assert_eq!(last_seen(&families, "x+y"), None);
    assert_eq!(families.all("emqx_mqtt_client_seen_message_timestamp_seconds", &[]).len(), 501);
    let mut lists = asked(&fake);
    lists.sort();
    assert_eq!(lists, ["$seen/+ 1 10000", "$seen/a/b 1 1"]);
    // They come after the clients themselves.
    let requests = fake.requests();
    let first = requests.iter().position(Request::is_retained_list).expect("they are asked for");
    assert!(requests[..first].iter().any(Request::is_list), "the count, and what was chosen after it");
}

#[test]
fn below_that_and_within_a_level_topics_are_asked_for_exactly() {
    let fake = FakeEmqx::start(Version::V6_2_2);
    let keys = "seen_topics: ['x-${clientid}']";
    assert!(watching_devices(&fake, keys, 1_001, &[]).probe(PROBE).success());
    assert_eq!(asked(&fake).len(), 1_001);
    fake.reset_counters();
    assert!(watching_devices(&fake, "seen_topics: ['$seen/${clientid}']", 100, &[]).probe(PROBE).success());
    assert_eq!(asked(&fake).len(), 100);
}

#[test]
fn a_list_mostly_of_strangers_is_given_up() {
    let fake = FakeEmqx::start(Version::V6_2_2);
    let strangers = (0..9_000).map(|number| (format!("stranger-{number}"), 0));
    fake.inject(on_page("1"), page(strangers.chain((0..1_000).map(|number| (device(number), 1)))));
    fake.retain(Retained::by_rule(&device(1_000)).at_text("2026-11-27T07:00:02.000+00:00"));
    let exporter = watching_devices(&fake, "seen_topics: ['$seen/${clientid}']", 1_002, &[]);
    let families = exporter.probe(PROBE);
    assert!(families.success(), "{:?}", families.reasons());
    assert_eq!(last_seen(&families, &device(0)), Some("1795762801"), "of the first page");
    assert_eq!(last_seen(&families, &device(1_000)), Some("1795762802"), "asked for exactly");
    assert_eq!(last_seen(&families, &device(1_001)), None);
    let mut lists = asked(&fake);
    lists.sort();
    assert_eq!(lists, ["$seen/+ 1 10000", "$seen/dev-01000 1 1", "$seen/dev-01001 1 1"]);
    let view = debug_view(&exporter, PROBE);
    assert!(view.contains("$seen/+: of the first 10000 messages only 1000 are of requested clients"), "{view}");
}

#[test]
fn of_a_long_list_of_topics_those_that_were_read_count() {
    let fake = FakeEmqx::start(Version::V6_2_2);
    // Each page repeats the first client with a later time, as if it published meanwhile.
    for (index, number) in ["1", "2", "3", "4"].into_iter().enumerate() {
        let rest =
            (1..10_000).map(move |n| (device(if n < 6_000 { index * 6_000 + n } else { 90_000 + n }), index));
        fake.inject(on_page(number), page([(device(0), index)].into_iter().chain(rest)));
    }
    let config: Vec<_> = (0..24_001).map(device).collect();
    let ids: Vec<_> = config.iter().map(String::as_str).collect();
    let exporter = watching_with(&fake, "seen_topics: ['$seen/${clientid}']\ntimeout_seconds: 40", &ids);
    let families = exporter.probe(PROBE);
    assert_eq!(families.reasons(), ["too_large"]);
    assert_eq!(group(&families, "seen"), Some("0"));
    assert_eq!(last_seen(&families, &device(0)), Some("1795762803"));
    assert_eq!(last_seen(&families, &device(23_999)), Some("1795762803"));
    assert_eq!(last_seen(&families, &device(24_000)), None, "the list could still have named it");
    assert_eq!(asked(&fake).len(), 4, "{:?}", asked(&fake));
}

#[test]
fn a_refused_limit_is_lowered_once() {
    let fake = FakeEmqx::start(Version::V6_2_2);
    fake.retain_recorded();
    let over_limit = |request: &Request| request.is_retained_list() && request.parameter("limit") == ["10000"];
    fake.inject(When::matching(over_limit), Fault::status(400, "application/json", "{}"));
    let families = watching_with(&fake, "seen_topics: ['tele/+/STATE']", &["sleepy-1"]).probe(PROBE);
    assert!(families.success(), "{:?}", families.reasons());
    assert!(last_seen(&families, "sleepy-1").is_some());
    assert_eq!(asked(&fake), ["tele/+/STATE 1 10000", "tele/+/STATE 1 1000"]);
}
