//! A healthy fake responds like EMQX 6.2.2 about what it remembers, and like older versions where they are known.
#![allow(clippy::unwrap_used, reason = "tests may fail")]

mod common;

use common::{get, recorded_head};
use fake_emqx::{Ban, FakeEmqx, Fault, Retained, Row, Version, When, recorded};
use serde_json::{Value, json};

const MESSAGES: &str = "/api/v5/mqtt/retainer/messages";

#[track_caller]
fn assert_recorded(fake: &FakeEmqx, target: &str, file: &str) {
    assert_eq!(get(fake, target).text(), str::from_utf8(recorded(Version::V6_2_2, file)).unwrap(), "{target}");
}

fn with_recorded_messages(version: Version) -> FakeEmqx {
    let fake = FakeEmqx::start(version);
    fake.retain_recorded();
    fake
}

fn topics(fake: &FakeEmqx, query: &str) -> Vec<String> {
    let list = get(fake, &format!("{MESSAGES}{query}")).json();
    list["data"].as_array().unwrap().iter().map(|row| row["topic"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn lists_of_retained_messages_are_the_recorded_bytes() {
    let fake = with_recorded_messages(Version::V6_2_2);
    for (query, file) in [
        ("", "303-retained-list"),
        ("?topic=%24SYS%2F%23", "304-retained-list-sys"),
        ("?topic=tele%2F%2B%2FSTATE", "305-retained-plus"),
        ("?topic=tele/+/STATE", "310-retained-exact-missing"),
        ("?topic=tele%2F%23", "307-retained-hash"),
        ("?topic=tele%2Fsleepy-1%2FSTATE", "309-retained-exact"),
        ("?topic=tele%2Fnobody%2FSTATE", "310-retained-exact-missing"),
        ("?page=2&limit=3", "318-retained-page"),
        ("?page=99&limit=10", "319-retained-page-past-end"),
        ("?limit=10001", "321-retained-limit-10001"),
        ("?limit=0", "322-retained-limit-0"),
        ("?topic=tele%2F%2B%2FSENSOR&limit=1", "323-retained-filter-page-exact-end"),
        ("?foo=bar&limit=1", "324-retained-unknown-param"),
        ("?topic=", "328-retained-topic-empty"),
        ("?topic=tele%2F%23%2FSTATE", "329-retained-bad-hash-inside"),
        ("?topic=te%2B%2Fx", "331-retained-bad-plus-glued"),
        ("?topic=a%00b", "333-retained-bad-nul"),
        ("?topic=%24share%2Fg%2Ftele%2F%2B%2FSTATE", "334-retained-bad-shared"),
        ("?topic=tele%2F%23&order=desc&sort=publish_at&limit=2", "343-retained-sort"),
    ] {
        assert_recorded(&fake, &format!("{MESSAGES}{query}"), file);
    }
    let head = include_str!("../../fixtures/6.2.2/303-retained-list.headers.txt");
    assert_eq!(get(&fake, MESSAGES).head, recorded_head(head));
    assert_recorded(&fake, "/api/v5/mqtt/retainer", "301-retained-config");
    assert_recorded(&fake, "/api/v5/mqtt/retainer/message/..", "301-retained-config");
    // After a full page that was the last there is one more, which is empty.
    assert_eq!(topics(&fake, "?topic=tele%2F%2B%2FSENSOR&limit=1&page=2"), [""; 0]);
    assert_eq!(get(&fake, "/api/v5/mqtt/retainer/message/a").status(), 404, "payloads are not implemented");
}

#[test]
fn a_disabled_retainer_looks_empty_and_keeps_its_messages() {
    let fake = with_recorded_messages(Version::V6_2_2);
    fake.enable_retainer(false);
    assert_recorded(&fake, &format!("{MESSAGES}?limit=5"), "364-retained-disabled-list");
    assert_recorded(&fake, &format!("{MESSAGES}?topic=tele%2F%23"), "365-retained-disabled-filter");
    let settings = get(&fake, "/api/v5/mqtt/retainer").json();
    assert_eq!((&settings["enable"], &settings["backend"]["enable"]), (&json!(false), &json!(true)));
    fake.enable_retainer(true);
    assert_recorded(&fake, MESSAGES, "303-retained-list");
}

#[test]
fn messages_are_listed_oldest_first_and_renewed_by_topic() {
    let fake = FakeEmqx::start(Version::V6_2_2);
    fake.retain(Retained::new("a", "x").from_username("user").at_text("2026-11-27T13:05:00.000+05:30"));
    fake.retain(Retained::new("b", "y").at_text("2026-11-27T07:00:00.000+00:00"));
    assert_eq!(topics(&fake, ""), ["b", "a"], "local offsets are taken into account");
    fake.retain(Retained::new("b", "y"));
    assert_eq!(topics(&fake, ""), ["a", "b"], "a rewritten topic moves to the end");
    let row = &get(&fake, &format!("{MESSAGES}?topic=b")).json()["data"][0];
    assert_eq!((&row["from_clientid"], &row["from_username"]), (&json!("y"), &json!("undefined")));
    assert!(fake.clear_retained("a") && !fake.clear_retained("a"));
    assert_eq!(topics(&fake, ""), ["b"]);
    fake.clear_all_retained();
    assert_eq!(topics(&fake, ""), [""; 0]);
}

#[test]
fn retained_messages_follow_the_clients_once_the_rule_is_there() {
    let fake = FakeEmqx::start(Version::V6_2_2);
    let seen = |id: &str| -> Option<String> {
        let list = get(&fake, &format!("{MESSAGES}?topic=%24seen%2F{id}")).json();
        Some(list["data"].as_array()?.first()?["publish_at"].as_str()?.to_owned())
    };
    // Renewals within a millisecond look the same, so each is preceded by an old message.
    let is_renewed = |id: &str| {
        const OLD: &str = "2020-01-01T00:00:00.000+00:00";
        let renewed = seen(id).is_some_and(|at| at != OLD);
        fake.retain(Retained::by_rule(id).at_text(OLD));
        renewed
    };
    fake.add(Row::like("plain-user-1").client_id("before"));
    fake.remember_connections();
    for id in ["dev", "odd id"] {
        fake.add(Row::like("plain-user-1").client_id(id));
    }
    assert_eq!((seen("before"), seen("odd%20id")), (None, None));
    let recorded: Value = serde_json::from_slice(recorded(Version::V6_2_2, "700-seen-rule-exact")).unwrap();
    let row = get(&fake, &format!("{MESSAGES}?topic=%24seen%2Fdev")).json()["data"][0].clone();
    for name in ["qos", "from_username", "from_clientid"] {
        assert_eq!(row[name], recorded["data"][0][name], "{name}");
    }
    assert!(is_renewed("dev"), "connected");
    fake.change("dev", |row| row.set("mqueue_len", 1));
    assert!(!is_renewed("dev"), "neither connected nor disconnected");
    fake.change("dev", |row| row.set("connected_at", "2026-11-27T08:00:00.000+00:00"));
    assert!(is_renewed("dev"), "connected again");
    fake.disconnect("dev");
    assert!(is_renewed("dev"), "disconnected");
    fake.remove("dev");
    assert!(!is_renewed("dev"), "the end of a session is not a disconnect");
    fake.remove("before");
    assert!(is_renewed("before"), "disconnected, without a session");
    fake.add(Row::like("plain-user-1").client_id("before"));
    assert!(is_renewed("before"));
    fake.remove_all();
    assert!(is_renewed("before") && !is_renewed("dev"));
    assert_eq!(topics(&fake, "?topic=%23"), [""; 0], "`#` leaves out topics that begin with `$`");
}

#[test]
fn bans_are_the_recorded_bytes() {
    let fake = FakeEmqx::start(Version::V6_2_2);
    assert_recorded(&fake, "/api/v5/banned", "450-banned-empty");
    let at = |ban: Ban| ban.at_text("2026-11-27T07:24:51+00:00");
    fake.ban(at(Ban::of("username_re", "^evil")));
    fake.ban(at(Ban::of("clientid_re", "^bad-[0-9]+$")));
    fake.ban(at(Ban::of("peerhost_net", "198.51.100.0/24")));
    fake.ban(Ban::client_id("ban-never-seen").at_text("2026-11-01T00:00:00+00:00"));
    fake.ban(at(Ban::client_id("odd id/slash")));
    fake.ban(at(Ban::of("peerhost", "192.0.2.7")));
    fake.ban(at(Ban::client_id("ban-live").by("ops").reason("too chatty")));
    fake.ban(at(Ban::of("username", "\u{dc}n\u{ef} \"q\"")));
    fake.ban(at(Ban::client_id("ban-away").until_text("2030-12-31T22:00:00+00:00")));
    for (query, file) in [
        ("", "453-banned-list"),
        ("?clientid=ban-live", "454-banned-clientid"),
        ("?clientid=bad-7", "456-banned-clientid-re-match"),
        ("?clientid=ban-live&username=u", "460-banned-two-filters"),
        ("?clientid=ban-live&clientid=ban-away", "461-banned-clientid-twice"),
        ("?page=99&limit=3", "465-banned-page-past-end"),
        ("?limit=10001", "466-banned-limit-10001"),
        ("?foo=bar&limit=1", "467-banned-unknown-param"),
    ] {
        assert_recorded(&fake, &format!("/api/v5/banned{query}"), file);
    }
    let old = FakeEmqx::start(Version::V5_0_26);
    old.ban(Ban::client_id("a"));
    old.ban(Ban::client_id("b"));
    let list = get(&old, "/api/v5/banned?clientid=b").json();
    assert_eq!(list["meta"], json!({"count": 2, "limit": 100, "page": 1}), "the filter is ignored");
    assert_ne!(list["data"][0]["until"], "infinity", "every ban has an end");
}

#[test]
fn a_ban_on_a_client_id_kicks_the_client() {
    let fake = FakeEmqx::start(Version::V6_2_2);
    fake.add(Row::like("plain-user-1").client_id("flapper"));
    fake.ban(Ban::of("username", "alice"));
    assert_eq!(get(&fake, "/api/v5/clients/flapper").status(), 200);
    fake.ban(Ban::by_flapping_detection("flapper"));
    assert_recorded(&fake, "/api/v5/clients/flapper", "402-subs-none");
    let response = get(&fake, "/api/v5/banned?clientid=flapper");
    let recorded: Value = serde_json::from_slice(recorded(Version::V6_2_2, "475-banned-flapping")).unwrap();
    let (list, date) = (response.json(), response.head.split("\r\ndate: ").nth(1).unwrap().to_owned());
    for name in ["reason", "who", "by", "as"] {
        assert_eq!(list["data"][0][name], recorded["data"][0][name], "{name}");
    }
    let recorded_date = include_str!("../../fixtures/6.2.2/453-banned-list.headers.txt");
    let year = |text: &str| text.split(" GMT").next().unwrap().len();
    assert_eq!(year(&date), year(recorded_date.split("\ndate: ").nth(1).unwrap()), "{date}");
    assert!(fake.unban("flapper") && !fake.unban("flapper"));
    assert_eq!(get(&fake, "/api/v5/banned").json()["meta"]["count"], 1);
}

#[test]
fn subscriptions_are_those_of_the_row() {
    let fake = FakeEmqx::start(Version::V6_2_2);
    let path = |id: &str| format!("/api/v5/clients/{id}/subscriptions");
    assert_recorded(&fake, &path("nosubs"), "402-subs-none");
    fake.add(Row::like("plain-user-1").client_id("nosubs"));
    assert_recorded(&fake, &path("nosubs"), "403-subs-connected-none");
    let mem = Row::like("plain-user-1").client_id("mem-live").set("node", "rec@127.0.0.1");
    fake.add(mem.subscribed(["m/1"]));
    assert_recorded(&fake, &path("mem-live"), "433-subs-durable-mem");
    assert_eq!(get(&fake, "/api/v5/clients/mem-live").json()["subscriptions_cnt"], 1);
    fake.disconnect("mem-live");
    assert_recorded(&fake, &path("mem-live"), "433-subs-durable-mem");
    fake.add(Row::like("dur-q").client_id("ds-away").subscribed(["ds/1", "$share/g9/ds/#"]));
    assert_recorded(&fake, &path("ds-away"), "431-subs-durable-away");
    fake.change("nosubs", |row| row.subscribed(["$exclusive/x", "$queue/q/#"]));
    let rows = get(&fake, &path("nosubs")).json();
    assert_eq!((&rows[0]["topic"], &rows[1]["topic"]), (&json!("x"), &json!("$queue/q/#")));
    let head = include_str!("../../fixtures/6.2.2/400-subs-kinds.headers.txt");
    let date = |head: &str| {
        head.lines().filter(|line| line.starts_with("date")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(date(&get(&fake, &path("nosubs")).head), date(head));

    let old = FakeEmqx::start(Version::V5_0_26);
    old.add(Row::like("plain-user-1").client_id("a").subscribed(["x"]));
    assert_eq!(get(&old, &path("a")).json()[0].get("durable"), None);
}

#[test]
fn an_old_broker_ignores_the_topic() {
    let old = with_recorded_messages(Version::V5_0_26);
    assert_eq!(topics(&old, "?topic=tele%2Fsleepy-1%2FSTATE").len(), 14);
    let meta = get(&old, &format!("{MESSAGES}?topic=x&limit=3")).json()["meta"].clone();
    assert_eq!(meta, json!({"count": 14, "limit": 3, "page": 1}));
    assert_eq!(get(&old, &format!("{MESSAGES}?limit=1001")).status(), 400);
    let newer = with_recorded_messages(Version::V5_8_9);
    assert_eq!(topics(&newer, "?topic=tele%2Fsleepy-1%2FSTATE"), ["tele/sleepy-1/STATE"]);
}

#[test]
fn requests_of_each_kind_can_fail() {
    let fake = with_recorded_messages(Version::V6_2_2);
    fake.add(Row::like("plain-user-1").client_id("a"));
    fake.inject(When::Retained, Fault::refused_by_namespace().times(1));
    fake.inject(When::Retained, Fault::refused_by_scope());
    fake.inject(When::Retainer, Fault::status(500, "application/json", "{}"));
    fake.inject(When::Bans, Fault::refused_by_scope());
    fake.inject(When::Subscriptions, Fault::status(503, "text/plain", "busy"));
    assert_recorded(&fake, MESSAGES, "381-retained-namespaced-key");
    assert_recorded(&fake, &format!("{MESSAGES}?topic=x"), "340-retained-scope-monitoring");
    assert_eq!(get(&fake, MESSAGES).status(), 403);
    assert_eq!(get(&fake, "/api/v5/mqtt/retainer").status(), 500);
    assert_eq!(get(&fake, "/api/v5/banned?clientid=a").status(), 403);
    assert_eq!(get(&fake, "/api/v5/clients/a/subscriptions").status(), 503);
    assert_eq!(get(&fake, "/api/v5/clients/a").status(), 200);
    let requests = fake.requests();
    let kinds: Vec<_> = requests
        .iter()
        .map(|r| (r.is_retained_list(), r.is_retainer(), r.is_ban_list(), r.subscriptions_of(), r.client_id()))
        .collect();
    let a = || Some("a".to_owned());
    assert_eq!(
        kinds[2..],
        [
            (true, false, false, None, None),
            (false, true, false, None, None),
            (false, false, true, None, None),
            (false, false, false, a(), None),
            (false, false, false, None, a()),
        ]
    );
}
