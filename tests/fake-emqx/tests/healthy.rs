//! A healthy fake responds like the real brokers.
#![allow(clippy::unwrap_used, reason = "tests may fail")]

mod common;

use std::net::TcpStream;

use common::{AUTHORIZATION, connect, get, receive, recorded_head, send, send_as};
use fake_emqx::{FakeEmqx, Row, Version, recorded};

const ODD: &str = "odd%20id%2Fslash%20%22quote%22%20%C3%BCn%C3%AF%2B%26%3F%23%25%3C%C3%A9";
const ODD_PLUS: &str = "odd%20id%2Fslash%20%22quote%22%20%C3%BCn%C3%AF+%26%3F%23%25%3C%C3%A9";

fn with_recorded_clients(version: Version) -> FakeEmqx {
    let fake = FakeEmqx::start(version);
    fake.add_recorded_clients();
    fake
}

#[track_caller]
fn assert_recorded(fake: &FakeEmqx, version: Version, target: &str, file: &str) {
    assert_eq!(get(fake, target).text(), str::from_utf8(recorded(version, file)).unwrap(), "{target}");
}

#[test]
fn lookups_are_the_recorded_bytes() {
    for version in [Version::V6_2_2, Version::V5_8_9, Version::V5_0_26] {
        let fake = with_recorded_clients(version);
        for (id, file) in [
            ("plain-user-1", "08-client-plain"),
            ("plain-nouser-1", "09-client-nouser"),
            ("persist-v5", "10-client-persist-gone"),
            (ODD, "11-client-odd"),
            (ODD_PLUS, "12-client-odd-plus-unescaped"),
            ("never-acks", "13-client-neveracks"),
            ("nope", "14-client-missing"),
        ] {
            assert_recorded(&fake, version, &format!("/api/v5/clients/{id}"), file);
        }
    }
}

#[test]
fn heads_are_the_recorded_ones() {
    let fake = with_recorded_clients(Version::V5_8_9);
    let plain = include_str!("../../fixtures/5.8.9/08-client-plain.headers.txt");
    assert_eq!(get(&fake, "/api/v5/clients/plain-user-1").head, recorded_head(plain));
    let missing = include_str!("../../fixtures/5.8.9/14-client-missing.headers.txt");
    assert_eq!(get(&fake, "/api/v5/clients/nope").head, recorded_head(missing));
}

#[test]
fn lists_of_5_8_9_are_the_recorded_bytes() {
    let fake = with_recorded_clients(Version::V5_8_9);
    for (query, file) in [
        ("?page=1&limit=100", "06-clients"),
        ("?clientid=a&clientid=b", "24-multi-clientid"),
        ("?clientid=a&clientid=zzz", "25-multi-clientid-miss"),
        ("?clientid=zzz", "29-clientid-one-missing"),
        ("?fields=clientid,connected", "33-fields-two"),
        ("?fields=clientid&fields=connected&limit=2", "35-fields-multi"),
        ("?fields=clientid,bogus&limit=2", "36-fields-unknown"),
        ("?fields=clientid,recv_msg.qos0,send_msg.dropped&limit=2", "37-fields-dotted"),
        (
            "?clientid=a&clientid=plain-nouser-1&fields=clientid,username,connected,created_at",
            "38-fields-two-multi-clientid",
        ),
        ("?limit=10001", "40-limit-10001"),
        ("?limit=0", "41-limit-0"),
        ("?limit=-1", "42-limit-neg"),
        ("?limit=abc", "43-limit-abc"),
        ("?page=1&limit=5", "44-page-1-of-4"),
        ("?page=4&limit=5", "46-page-4"),
        ("?page=99&limit=5", "47-page-past-end"),
        ("?page=0&limit=5", "48-page-0"),
        ("?foo=bar", "06-clients"),
    ] {
        assert_recorded(&fake, Version::V5_8_9, &format!("/api/v5/clients{query}"), file);
    }
    let other = get(&fake, "/api/v5/clients?fields=listener");
    let message = other.json()["message"].as_str().unwrap().to_owned();
    assert!(message.contains(r#""value":["listener"]"#) && message.contains("fields.1"), "{message}");
}

#[test]
fn lists_of_6_2_2_are_the_recorded_bytes() {
    let fake = with_recorded_clients(Version::V6_2_2);
    for (query, file) in [
        ("?page=1&limit=100", "06-clients"),
        ("?clientid=a&clientid=b", "24-multi-clientid"),
        ("?clientid=a&clientid=zzz", "25-multi-clientid-miss"),
        ("?clientid=zzz", "29-clientid-one-missing"),
        ("?fields=clientid&fields=connected&limit=2", "35-fields-multi"),
        ("?fields=clientid,bogus&limit=2", "36-fields-unknown"),
        ("?limit=10001", "40-limit-10001"),
        ("?limit=0", "41-limit-0"),
        ("?limit=-1", "42-limit-neg"),
        ("?limit=abc", "43-limit-abc"),
        ("?page=1&limit=5", "44-page-1-of-4"),
        ("?page=4&limit=5", "46-page-4"),
        ("?page=99&limit=5", "47-page-past-end"),
        ("?page=0&limit=5", "48-page-0"),
    ] {
        assert_recorded(&fake, Version::V6_2_2, &format!("/api/v5/clients{query}"), file);
    }
    // OTP 26 and later order the members of small maps by chance.
    for (query, file) in [
        ("?fields=clientid,connected", "33-fields-two"),
        ("?fields=clientid,recv_msg.qos0,send_msg.dropped&limit=2", "37-fields-dotted"),
    ] {
        let expected: serde_json::Value = serde_json::from_slice(recorded(Version::V6_2_2, file)).unwrap();
        assert_eq!(get(&fake, &format!("/api/v5/clients{query}")).json(), expected, "{query}");
    }
}

#[test]
fn client_ids_with_control_characters_are_refused_by_6_2_2() {
    let fake = FakeEmqx::start(Version::V6_2_2);
    fake.add(Row::like("a").client_id("\u{1}ctl"));
    let v = Version::V6_2_2;
    assert_recorded(&fake, v, "/api/v5/clients/%01ctl", "320-control-char-id");
    assert_recorded(&fake, v, "/api/v5/clients?clientid=%7Fdel", "321-control-char-filter");
    let other = get(&fake, "/api/v5/clients?clientid=a&clientid=tab%09");
    let message = other.json()["message"].as_str().unwrap().to_owned();
    assert_eq!(other.status(), 400);
    assert!(message.contains(r#""value":"tab\t""#) && message.contains("clientid.2"), "{message}");
    assert_eq!(get(&fake, "/api/v5/clients").ids(), ["\u{1}ctl"]);
    let old = FakeEmqx::start(Version::V5_8_9);
    assert_eq!(get(&old, "/api/v5/clients/%01ctl").status(), 404);
}

#[test]
fn rows_of_durable_sessions_are_the_recorded_bytes() {
    for (version, folder) in [
        (Version::V6_2_2, include_str!("../../fixtures/6.2.2-durable/10-client-gone-queued.json")),
        (Version::V5_8_9, include_str!("../../fixtures/5.10.4-durable/10-client-gone-queued.json")),
    ] {
        let fake = FakeEmqx::start(version);
        fake.add(Row::like("dur-q"));
        assert_eq!(get(&fake, "/api/v5/clients/dur-q").text(), folder);
        fake.add_recorded_clients();
        assert_eq!(fake.len(), 21, "the recorded list has 20 rows");
    }
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add(Row::like("ws-gone"));
    assert_eq!(get(&fake, "/api/v5/clients/ws-gone").json()["port"], serde_json::Value::Null);
}

#[test]
fn rows_can_be_any_text() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add(Row::raw("a", r#"{"clientid":"a"}"#));
    fake.add(Row::like("a"));
    assert_eq!(get(&fake, "/api/v5/clients/a").text(), r#"{"clientid":"a"}"#);
    let rows = get(&fake, "/api/v5/clients?fields=clientid,connected").json()["data"].clone();
    assert_eq!(rows, serde_json::json!([{"clientid": "a", "connected": true}, {"clientid": "a"}]));
}

#[test]
fn lists_of_5_0_26_are_the_recorded_bytes() {
    let fake = with_recorded_clients(Version::V5_0_26);
    for (query, file) in [
        ("?page=1&limit=100", "06-clients"),
        // 5.0.26 has neither parameter and lists every client.
        ("?clientid=zzz", "06-clients"),
        ("?fields=clientid,bogus", "06-clients"),
        ("?limit=10001", "40-limit-10001"),
        ("?limit=0", "41-limit-0"),
        ("?limit=-1", "42-limit-neg"),
        ("?limit=abc", "43-limit-abc"),
        ("?page=1&limit=5", "44-page-1-of-4"),
        ("?page=4&limit=5", "46-page-4"),
        ("?page=99&limit=5", "47-page-past-end"),
        ("?page=0&limit=5", "48-page-0"),
    ] {
        assert_recorded(&fake, Version::V5_0_26, &format!("/api/v5/clients{query}"), file);
    }
    assert_eq!(get(&fake, "/api/v5/clients?limit=1001").status(), 400);
}

#[test]
fn other_paths_get_the_recorded_responses() {
    let fake = with_recorded_clients(Version::V5_8_9);
    let v = Version::V5_8_9;
    assert_recorded(&fake, v, "/api/v5/clients/%2E", "06-clients");
    assert_recorded(&fake, v, "/api/v5/clients/.", "06-clients");
    assert_recorded(&fake, v, "/api/v5/clients/", "06-clients");
    assert_recorded(&fake, v, "/api/v5/clients/%2E%2E", "97-unknown-path");
    assert_recorded(&fake, v, "/api/v5//clients", "102-double-slash");
    assert_recorded(&fake, v, "/api/v4/clients", "105-api-v4");
    assert_eq!(get(&fake, "/").status(), 406);
    assert_eq!(get(&fake, "/api/v5/clients/%zz").status(), 400);
    let old = with_recorded_clients(Version::V5_0_26);
    assert_recorded(&old, Version::V5_0_26, "/api/v5/nosuchthing", "93-unknown-path");
    assert_eq!(get(&old, "/api/v4/clients").status(), 406);
}

#[test]
fn other_methods_and_overlong_lines_are_refused() {
    let fake = with_recorded_clients(Version::V5_8_9);
    let mut stream = connect(&fake);
    send(&mut stream, "HEAD", "/api/v5/clients");
    let head = include_str!("../../fixtures/5.8.9/99-head.headers.txt");
    assert_eq!(receive(&mut stream).head, recorded_head(head));
    send_as(&mut stream, "POST", "/api/v5/clients", "Content-Length: 5\r\n");
    std::io::Write::write_all(&mut stream, b"hello").unwrap();
    assert_eq!(receive(&mut stream).status(), 405);
    send(&mut stream, "GET", "/api/v5/clients/a");
    assert_eq!(receive(&mut stream).status(), 200, "the body was read");

    let long = get(&fake, &format!("/api/v5/clients/{}", "a".repeat(8_000)));
    assert_eq!((long.status(), long.body.len()), (414, 0));
}

#[test]
fn only_the_api_key_and_its_secret_are_accepted() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    for (header, status, file) in [
        ("", 401, "19-unauth-none"),
        ("Authorization: Basic bm86Ym9keQ==\r\n", 401, "20-unauth-bad"),
        ("Authorization: Basic !!!\r\n", 400, "22-unauth-garbage"),
        ("Authorization: garbage\r\n", 400, "22-unauth-garbage"),
        ("Authorization: Bearer x\r\n", 401, "23-unauth-bearer"),
    ] {
        let mut stream = connect(&fake);
        send_as(&mut stream, "GET", "/api/v5/clients/x", header);
        let response = receive(&mut stream);
        assert_eq!(response.status(), status, "{header}");
        assert_eq!(response.body, recorded(Version::V5_8_9, file), "{header}");
    }
    let mut stream = connect(&fake);
    send_as(&mut stream, "GET", "/api/v5/clients/x", "");
    let head = include_str!("../../fixtures/5.8.9/19-unauth-none.headers.txt");
    assert_eq!(receive(&mut stream).head, recorded_head(head));
    fake.set_credentials("other", "secret");
    assert_eq!(get(&fake, "/api/v5/clients/x").status(), 401);
}

#[test]
fn clients_can_be_changed_between_requests() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    assert!(get(&fake, "/api/v5/clients").ids().is_empty());
    fake.add(Row::recorded(Version::V5_8_9, "plain-user-1"));
    fake.add(
        Row::like("plain-user-1")
            .client_id("dev \"7\"")
            .username(None)
            .set("keepalive", 10)
            .set_raw("mqueue_len", "18446744073709551615")
            .set("brand_new", "x")
            .unset("recv_oct"),
    );
    let body = get(&fake, "/api/v5/clients/dev%20%227%22");
    let text = str::from_utf8(recorded(Version::V5_8_9, "08-client-plain")).unwrap();
    let expected = text
        .replace("\"plain-user-1\"", r#""dev \"7\"""#)
        .replace("\"alice\"", "null")
        .replace("\"keepalive\":60", "\"keepalive\":10")
        .replace("\"mqueue_len\":0", "\"mqueue_len\":18446744073709551615")
        .replace("\"recv_oct\":101,", "")
        .replace(
            "\"send_msg.dropped.queue_full\":0}",
            "\"send_msg.dropped.queue_full\":0,\"brand_new\":\"x\"}",
        );
    assert_eq!(body.text(), expected);

    assert_eq!(get(&fake, "/api/v5/clients?fields=keepalive").json()["data"][0]["keepalive"], 60);
    fake.change("plain-user-1", |row| row.set("keepalive", 61));
    assert_eq!(get(&fake, "/api/v5/clients?fields=keepalive").json()["data"][0]["keepalive"], 61);
    fake.change("plain-user-1", |row| row.client_id("moved"));
    assert_eq!(get(&fake, "/api/v5/clients").ids(), ["moved", "dev \"7\""]);
    assert!(fake.remove("moved"));
    assert_eq!(get(&fake, "/api/v5/clients/moved").status(), 404);
    fake.add(Row::like("a").unset("clientid").known_as("nameless"));
    assert_eq!(get(&fake, "/api/v5/clients/nameless").json().get("clientid"), None);
    assert_eq!(fake.len(), 2);
}

#[test]
fn a_disconnected_client_has_the_recorded_shape() {
    for version in [Version::V5_8_9, Version::V5_0_26] {
        let fake = FakeEmqx::start(version);
        fake.add(Row::like("plain-user-1").set("recv_pkt", 77).set("brand_new", 1));
        fake.disconnect("plain-user-1");
        let row = get(&fake, "/api/v5/clients/plain-user-1").json();
        let gone: serde_json::Value =
            serde_json::from_slice(recorded(version, "10-client-persist-gone")).unwrap();
        let names = |row: &serde_json::Value| row.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let mut expected = names(&gone);
        expected.push("brand_new".into());
        assert_eq!(names(&row), expected);
        assert_eq!(row["connected"], false);
        assert_eq!(row["disconnected_at"], gone["disconnected_at"]);
        assert_eq!((&row["recv_pkt"], &row["username"]), (&77.into(), &"alice".into()));
        assert_eq!(row["expiry_interval"], 3600);
        fake.add(Row::like("persist-v5"));
        fake.disconnect("persist-v5");
        assert_recorded(&fake, version, "/api/v5/clients/persist-v5", "10-client-persist-gone");
    }
}

#[test]
fn a_client_can_have_two_rows() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add_recorded_duplicate();
    let file = "200-duplicate-clientid-filtered";
    assert_recorded(&fake, Version::V5_8_9, "/api/v5/clients?clientid=flap-clean", file);
    assert_eq!(get(&fake, "/api/v5/clients").ids(), ["flap-clean", "flap-clean"]);
    let first = get(&fake, "/api/v5/clients/flap-clean").json();
    assert_eq!(first["connected_at"], "2026-11-22T12:23:00.713+00:00", "the older row");
}

#[test]
fn connections_are_kept_and_counted() {
    let fake = with_recorded_clients(Version::V5_8_9);
    let mut stream = connect(&fake);
    for number in 1..=1_000 {
        send(&mut stream, "GET", "/api/v5/clients/a?x=1");
        let response = receive(&mut stream);
        assert_eq!(response.head.contains("\r\nconnection: close\r\n"), number == 1_000, "{number}");
    }
    assert_eq!(std::io::Read::read(&mut stream, &mut [0]).unwrap(), 0, "it ends after 1000 requests");
    let mut stream = connect(&fake);
    send_as(&mut stream, "GET", "/api/v5/clients/b", "Connection: close\r\n");
    assert!(receive(&mut stream).head.contains("\r\nconnection: close\r\ncontent-length: "));
    assert_eq!(std::io::Read::read(&mut stream, &mut [0]).unwrap(), 0);

    assert_eq!((fake.connections(), fake.request_count(), fake.max_in_flight()), (2, 1_001, 1));
    let requests = fake.requests();
    let last = &requests[1_000];
    assert_eq!((last.connection, last.client_id().as_deref()), (2, Some("b")));
    assert_eq!(requests[0].path, "/api/v5/clients/a");
    assert_eq!(requests[0].parameter("x"), ["1"]);
    assert_eq!(requests[0].header("authorization"), Some(AUTHORIZATION));
    fake.reset_counters();
    assert_eq!((fake.connections(), fake.request_count()), (0, 0));
}

#[test]
fn a_broker_stops_and_restarts() {
    let fake = with_recorded_clients(Version::V5_8_9);
    let mut kept = connect(&fake);
    send(&mut kept, "GET", "/api/v5/clients/a");
    receive(&mut kept);
    fake.stop();
    let error = std::io::Read::read(&mut kept, &mut [0]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    let error = TcpStream::connect(fake.address()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    fake.restart();
    assert_eq!(get(&fake, "/api/v5/clients/a").status(), 200);
}

#[test]
fn ten_thousand_rows_fill_a_page() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add_all((0..20_000).map(|n| Row::like("plain-user-1").client_id(&format!("dev-{n:05}"))));
    let first = get(&fake, "/api/v5/clients?limit=10000&fields=clientid,connected").ids();
    let second = get(&fake, "/api/v5/clients?limit=10000&fields=clientid,connected&page=2").ids();
    assert_eq!((first.len(), first[0].as_str()), (10_000, "dev-19999"));
    assert_eq!((second.len(), second[9_999].as_str()), (10_000, "dev-00000"));
}
