//! Lookups of clients: which requests the broker receives, and how its responses are interpreted.

use std::collections::BTreeMap;
use std::time::Duration;

use fake_emqx::{FakeEmqx, Fault, Request, Row, Version, When};

use crate::support::{Exporter, config_of, watching};

const ODD: &str = "odd id/slash \"quote\" ünï+&?#%<é";

fn like(id: &str) -> Row {
    Row::like("plain-user-1").client_id(id)
}

#[test]
fn any_client_id_can_be_looked_up() {
    for version in [Version::V5_8_9, Version::V5_0_26] {
        let fake = FakeEmqx::start(version);
        fake.add(Row::recorded(version, ODD));
        let ids = ["a/b", "50%", "%2F", "a+b", "ünï", "\"'`", "a?b=c&d", "...", " ", "🛰", "\\"];
        fake.add_all(ids.iter().map(|id| like(id)));
        let families = watching(&fake, &[&[ODD], &ids[..]].concat()).probe("broker=LocalEMQX");
        assert!(families.success(), "{:?}", families.reasons());
        for id in ids.iter().chain([&ODD]) {
            let labels = [("alias", *id), ("client_id", *id)];
            assert_eq!(families.value("emqx_mqtt_client_connected", &labels), Some("1"), "{id:?}");
        }
    }
}

#[test]
fn dot_ids_are_looked_up_by_the_filter_where_the_broker_has_one() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add_recorded_clients();
    fake.add(like("."));
    let exporter = watching(&fake, &[".", ".."]);
    let families = exporter.probe("broker=LocalEMQX");
    assert!(families.success());
    assert_eq!(families.value("emqx_mqtt_client_session_present", &[("alias", ".")]), Some("1"));
    assert_eq!(families.value("emqx_mqtt_client_session_present", &[("alias", "..")]), Some("0"));
}

#[test]
fn a_broker_that_ignores_the_filter_is_listed() {
    let fake = FakeEmqx::start(Version::V5_0_26);
    fake.add_recorded_clients();
    fake.add(like(".").known_as(".."));
    let families = watching(&fake, &[".", ".."]).probe("broker=LocalEMQX");
    assert!(families.success(), "{:?}", families.reasons());
    assert_eq!(families.value("emqx_mqtt_client_connected", &[("alias", ".")]), Some("1"));
    assert_eq!(families.value("emqx_mqtt_client_session_present", &[("alias", "..")]), Some("0"));
}

#[test]
fn control_characters_are_found_in_the_list_and_others_looked_up() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add_recorded_clients();
    fake.add(like("bell\u{7}"));
    let is_lookup_of_control = |request: &Request| request.target.contains("bell");
    fake.inject(
        When::matching(is_lookup_of_control),
        Fault::status(400, "application/json", "{\"code\":\"BAD_REQUEST\"}"),
    );
    let clients = [("Bell", "bell\u{7}"), ("Gone", "gone\u{1}"), ("Plain", "plain-user-1")];
    let families = Exporter::start(&config_of(&fake, "", &clients)).probe("broker=LocalEMQX");
    assert!(families.success(), "{:?}", families.reasons());
    let connected = |alias| families.value("emqx_mqtt_client_connected", &[("alias", alias)]);
    assert_eq!([connected("Bell"), connected("Gone"), connected("Plain")], [Some("1"), Some("0"), Some("1")]);
    // A page, a second one because a client is missing from the first, and the lookup.
    assert_eq!(fake.request_count(), 3);
}

#[test]
fn of_two_rows_during_a_takeover_the_connected_one_counts() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add(Row::like("persist-v5").client_id("."));
    fake.add(like("."));
    let families = watching(&fake, &["."]).probe("broker=LocalEMQX");
    assert_eq!(families.value("emqx_mqtt_client_connected", &[]), Some("1"));
}

#[test]
fn a_row_of_another_client_is_refused() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add(like("somebody-else").known_as("mine"));
    let families = watching(&fake, &["mine"]).probe("broker=LocalEMQX");
    assert_eq!(families.value("emqx_mqtt_client_connected", &[]), None);
    assert_eq!(families.reasons(), ["decode"]);
}

#[test]
fn only_a_404_of_emqx_means_absent() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    // As of EMQX 5.0.0 to 5.0.17.
    let of_old = Fault::status(404, "application/json", r#"{"code":"RESOURCE_NOT_FOUND","reason":"x"}"#);
    fake.inject(When::Lookup("of-old".into()), of_old);
    let families = watching(&fake, &["of-old", "gone"]).probe("broker=LocalEMQX");
    assert!(families.success());
    assert_eq!(families.value("emqx_mqtt_clients", &[("state", "absent")]), Some("2"));
    assert_eq!(families.value("emqx_probe_http_status_code", &[]), Some("200"));

    fake.clear_faults();
    fake.inject(When::Any, Fault::booting_html_404());
    let families = watching(&fake, &["of-old", "gone"]).probe("broker=LocalEMQX");
    assert_eq!(families.value("emqx_mqtt_client_session_present", &[]), None);
    assert_eq!(families.reasons(), ["http_status"]);
    assert_eq!(families.value("emqx_probe_http_status_code", &[]), Some("404"));
}

#[test]
fn lookups_share_a_few_kept_connections() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.set_latency(Duration::from_millis(5));
    let ids: Vec<_> = (0..60).map(|n| format!("device-{n}")).collect();
    fake.add_all(ids.iter().map(|id| like(id)));
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    let families = watching(&fake, &ids).probe("broker=LocalEMQX");
    assert!(families.success());
    assert_eq!(families.value("emqx_probe_api_requests", &[]), Some("60"));
    assert_eq!(families.value("emqx_probe_api_retries", &[]), Some("0"));
    assert_eq!(fake.request_count(), 60);
    assert!(fake.max_in_flight() <= 4 && fake.connections() <= 4, "{} connections", fake.connections());
}

#[test]
fn requests_have_host_credentials_and_accept_json() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add(Row::recorded(Version::V5_8_9, "plain-user-1"));
    watching(&fake, &["plain-user-1"]).probe("broker=LocalEMQX");
    let request = fake.requests().remove(0);
    assert_eq!((request.method.as_str(), request.target.as_str()), ("GET", "/api/v5/clients/plain-user-1"));
    assert_eq!(request.header("host").map(ToOwned::to_owned), Some(fake.address().to_string()));
    assert_eq!(request.header("accept"), Some("application/json"));
    assert!(request.header("user-agent").is_some_and(|agent| agent.starts_with("emqx-client-monitor/")));
    assert!(request.header("authorization").is_some_and(|value| value.starts_with("Basic ")));
    assert!(request.header("accept-encoding").is_none_or(|encoding| encoding == "identity"));
}

#[test]
fn transient_faults_are_retried() {
    let faults = [
        Fault::status(503, "text/plain", ""),
        Fault::status(429, "text/plain", ""),
        Fault::status(408, "text/plain", ""),
        Fault::node_down(),
        Fault::Reset,
        Fault::CloseBeforeResponse,
        Fault::CutBody(fake_emqx::Cut::Length),
        Fault::CutBody(fake_emqx::Cut::WithinChunk),
        Fault::raw("SSH-2.0-OpenSSH_9.2\r\n"),
    ];
    for fault in faults {
        let fake = FakeEmqx::start(Version::V5_8_9);
        fake.add(Row::recorded(Version::V5_8_9, "plain-user-1"));
        let name = format!("{fault:?}");
        fake.inject(When::Any, fault.times(1));
        let families = watching(&fake, &["plain-user-1"]).probe("broker=LocalEMQX");
        assert!(families.success(), "{name}: {:?}", families.reasons());
        assert_eq!(families.value("emqx_probe_api_requests", &[]), Some("2"), "{name}");
        assert_eq!(families.value("emqx_probe_api_retries", &[]), Some("1"), "{name}");
        assert_eq!(families.value("emqx_mqtt_client_connected", &[]), Some("1"), "{name}");
    }
}

#[test]
fn permanent_errors_are_not_retried() {
    for (status, reason) in [
        (400, "http_status"),
        (401, "unauthorized"),
        (403, "forbidden"),
        (404, "http_status"),
        (414, "http_status"),
    ] {
        let fake = FakeEmqx::start(Version::V5_8_9);
        fake.inject(When::Any, Fault::status(status, "text/plain", ""));
        let families = watching(&fake, &["any"]).probe("broker=LocalEMQX");
        assert_eq!(families.reasons(), [reason]);
        assert_eq!(fake.request_count(), 1, "{status}");
        assert_eq!(
            families.value("emqx_probe_http_status_code", &[]).map(ToOwned::to_owned),
            Some(status.to_string())
        );
    }
}

#[test]
fn the_configuration_sets_the_number_of_attempts() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.inject(When::Any, Fault::status(503, "text/plain", ""));
    let config = config_of(&fake, "attempts: 2", &[("any", "any")]);
    let families = Exporter::start(&config).probe("broker=LocalEMQX");
    assert_eq!(families.reasons(), ["http_status"]);
    assert_eq!(fake.request_count(), 2);
}

#[test]
fn refused_credentials_end_the_probe() {
    for status in [401, 403] {
        let fake = FakeEmqx::start(Version::V5_8_9);
        let ids: Vec<_> = (0..50).map(|n| format!("device-{n}")).collect();
        let ids: Vec<_> = ids.iter().map(String::as_str).collect();
        fake.inject(When::Any, Fault::status(status, "text/plain", ""));
        let families = watching(&fake, &ids).probe("broker=LocalEMQX");
        assert!(!families.success());
        assert!(fake.request_count() <= 4, "{} requests with {status}", fake.request_count());
        assert_eq!(families.value("emqx_mqtt_clients", &[("state", "unknown")]), Some("50"));
        assert_eq!(families.all("emqx_mqtt_clients", &[]).len(), 1);
    }
}

#[test]
fn every_client_is_looked_up_before_any_retry() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    let ids: Vec<_> = (0..30).map(|n| format!("device-{n}")).collect();
    fake.add_all(ids.iter().map(|id| like(id)));
    fake.inject(When::Lookup("device-3".into()), Fault::status(503, "text/plain", "").times(2));
    let refs: Vec<_> = ids.iter().map(String::as_str).collect();
    let families = watching(&fake, &refs).probe("broker=LocalEMQX");
    assert!(families.success());
    let looked_up: Vec<_> = fake.requests().iter().filter_map(Request::client_id).collect();
    let mut first_time = BTreeMap::new();
    for (position, id) in looked_up.iter().enumerate() {
        first_time.entry(id.clone()).or_insert(position);
    }
    assert_eq!(looked_up.len(), 32);
    assert!(first_time.values().all(|position| *position < 30), "{looked_up:?}");
}

#[test]
fn an_undecodable_client_does_not_affect_others() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add_all(["a", "b", "c"].map(like));
    fake.inject(When::Lookup("b".into()), Fault::status(500, "text/plain", ""));
    let families = watching(&fake, &["a", "b", "c"]).probe("broker=LocalEMQX");
    let connected = |alias| families.value("emqx_mqtt_client_connected", &[("alias", alias)]);
    assert_eq!([connected("a"), connected("b"), connected("c")], [Some("1"), None, Some("1")]);
    assert_eq!(families.reasons(), ["http_status"]);
    assert!(!families.success());
}

#[test]
fn redirects_are_not_followed() {
    let (fake, elsewhere) = (FakeEmqx::start(Version::V5_8_9), FakeEmqx::start(Version::V5_8_9));
    fake.inject(When::Any, Fault::redirect(&format!("{}v5/clients/any", elsewhere.url())));
    let families = watching(&fake, &["any"]).probe("broker=LocalEMQX");
    assert_eq!(families.reasons(), ["http_status"]);
    assert_eq!(families.value("emqx_probe_http_status_code", &[]), Some("302"));
    assert_eq!((fake.request_count(), elsewhere.connections()), (1, 0));
}

#[test]
fn the_size_of_responses_is_bounded() {
    let too_large = [Fault::EndlessBody, Fault::body(vec![b' '; 2 << 20])];
    for fault in too_large {
        let fake = FakeEmqx::start(Version::V5_8_9);
        fake.inject(When::Any, fault);
        let families = watching(&fake, &["any"]).probe("broker=LocalEMQX");
        assert_eq!(families.reasons(), ["too_large"]);
        assert_eq!(fake.request_count(), 1);
    }
}

#[test]
fn unexpected_responses_are_distinguished_from_truncated_ones() {
    let nested = "[".repeat(200_000);
    let bodies: [&[u8]; 7] = [
        b"{not json",
        b"null",
        b"[]",
        b"{}",
        b"{\"clientid\":\"any\",\"connected\":true} trailing",
        b"{\"clientid\":\"any\xff\",\"connected\":true}",
        nested.as_bytes(),
    ];
    for body in bodies {
        let fake = FakeEmqx::start(Version::V5_8_9);
        fake.inject(When::Any, Fault::body(body));
        let families = watching(&fake, &["any"]).probe("broker=LocalEMQX");
        assert_eq!(
            families.reasons(),
            ["decode"],
            "{:?}",
            String::from_utf8_lossy(&body[..body.len().min(60)])
        );
        assert_eq!(fake.request_count(), 1, "a retry would give the same result");
    }
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.inject(When::Any, Fault::encoded("gzip", b"\x1f\x8b"));
    assert_eq!(watching(&fake, &["any"]).probe("broker=LocalEMQX").reasons(), ["decode"]);
}

#[test]
fn a_good_and_a_bad_row_of_a_filtered_client_are_one_client() {
    let bad = r#"{"clientid":"..","connected":"yes"}"#;
    for rows in [format!(r#"{bad},{{"clientid":"..","connected":true}}"#), bad.to_owned()] {
        let is_good = rows.len() > bad.len();
        let fake = FakeEmqx::start(Version::V5_8_9);
        fake.inject(When::List, Fault::body(format!(r#"{{"data":[{rows}],"meta":{{"count":2}}}}"#)));
        let families = watching(&fake, &[".."]).probe("broker=LocalEMQX");
        assert_eq!(families.success(), is_good, "{rows}: {:?}", families.reasons());
        let connected = families.value("emqx_mqtt_client_connected", &[("alias", "..")]);
        assert_eq!(connected, is_good.then_some("1"), "{rows}");
    }
}
