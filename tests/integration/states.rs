//! The four states of clients, and every value compared with the recorded responses of real brokers.

use fake_emqx::{FakeEmqx, Fault, Row, Version, When, recorded};
use serde_json::Value;

use crate::support::{Exporter, Families, config_of, watching};

const VERSIONS: [Version; 2] = [Version::V5_8_9, Version::V5_0_26];
const ALL_GROUPS: &str =
    "collect[]=session&collect[]=queue&collect[]=traffic&collect[]=process&collect[]=address";

/// The series of a group: the name without prefix, the extra label, and EMQX's field.
type ExpectedSample = (&'static str, Option<(&'static str, &'static str)>, &'static str);

const FACTS: &[ExpectedSample] = &[
    ("keepalive_seconds", None, "keepalive"),
    ("session_expiry_interval_seconds", None, "expiry_interval"),
    ("session_expired", None, "is_expired"),
    ("subscriptions", None, "subscriptions_cnt"),
    ("subscriptions_limit", None, "subscriptions_max"),
    ("inflight_messages", None, "inflight_cnt"),
    ("inflight_messages_limit", None, "inflight_max"),
    ("mqueue_messages", None, "mqueue_len"),
    ("mqueue_messages_limit", None, "mqueue_max"),
    ("awaiting_pubrel_messages", None, "awaiting_rel_cnt"),
    ("awaiting_pubrel_messages_limit", None, "awaiting_rel_max"),
    ("mqueue_dropped_messages_total", None, "mqueue_dropped"),
    ("received_messages_total", Some(("qos", "0")), "recv_msg.qos0"),
    ("received_messages_total", Some(("qos", "1")), "recv_msg.qos1"),
    ("received_messages_total", Some(("qos", "2")), "recv_msg.qos2"),
    ("sent_messages_total", Some(("qos", "0")), "send_msg.qos0"),
    ("sent_messages_total", Some(("qos", "1")), "send_msg.qos1"),
    ("sent_messages_total", Some(("qos", "2")), "send_msg.qos2"),
    ("received_messages_dropped_total", None, "recv_msg.dropped"),
    ("sent_messages_dropped_total", None, "send_msg.dropped"),
    (
        "received_messages_dropped_by_reason_total",
        Some(("reason", "await_pubrel_timeout")),
        "recv_msg.dropped.await_pubrel_timeout",
    ),
    ("sent_messages_dropped_by_reason_total", Some(("reason", "expired")), "send_msg.dropped.expired"),
    ("sent_messages_dropped_by_reason_total", Some(("reason", "queue_full")), "send_msg.dropped.queue_full"),
    ("sent_messages_dropped_by_reason_total", Some(("reason", "too_large")), "send_msg.dropped.too_large"),
    ("received_bytes_total", None, "recv_oct"),
    ("sent_bytes_total", None, "send_oct"),
    ("received_packets_total", None, "recv_pkt"),
    ("sent_packets_total", None, "send_pkt"),
    ("process_mailbox_messages", None, "mailbox_len"),
    ("process_reductions_total", None, "reductions"),
    ("port", None, "port"),
];

fn client_value<'a>(
    families: &'a Families,
    alias: &str,
    name: &str,
    label: Option<(&str, &str)>,
) -> Option<&'a str> {
    let mut labels = vec![("alias", alias)];
    labels.extend(label);
    families.value(&format!("emqx_mqtt_client_{name}"), &labels)
}

/// The expected sample value for a recorded JSON value.
fn expected(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::Null => None,
        Value::Bool(flag) => Some(if *flag { "1" } else { "0" }.to_owned()),
        Value::String(text) if text == "infinity" => Some("+Inf".to_owned()),
        other => Some(other.to_string()),
    }
}

#[test]
fn every_value_of_a_recorded_client_is_reported() {
    for version in VERSIONS {
        for (file, id) in [
            ("08-client-plain", "plain-user-1"),
            ("09-client-nouser", "plain-nouser-1"),
            ("10-client-persist-gone", "persist-v5"),
            ("13-client-neveracks", "never-acks"),
        ] {
            let fake = FakeEmqx::start(version);
            fake.add(Row::recorded(version, id));
            let families = watching(&fake, &[id]).probe(&format!("broker=LocalEMQX&{ALL_GROUPS}"));
            let row: Value = serde_json::from_slice(recorded(version, file)).expect("a recorded row is JSON");
            assert!(families.success());
            for (name, label, field) in FACTS {
                let reported = client_value(&families, id, name, *label).map(ToOwned::to_owned);
                assert_eq!(reported, expected(row.get(*field)), "{version:?} {id} {name} {field}");
            }
            assert_eq!(
                client_value(&families, id, "connected", None).map(ToOwned::to_owned),
                expected(row.get("connected"))
            );
        }
    }
}

#[test]
fn times_are_unix_timestamps_with_milliseconds() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add(Row::recorded(Version::V5_8_9, "persist-v5"));
    fake.add(
        Row::like("plain-user-1").client_id("offset").set("connected_at", "2026-11-22T17:52:15.217+05:30"),
    );
    let families = watching(&fake, &["persist-v5", "offset"]).probe("broker=LocalEMQX");
    let value = |alias, name| client_value(&families, alias, name, None);
    // 2026-11-22T12:22:15.604Z by `date -u -d ... +%s.%3N`.
    assert_eq!(value("persist-v5", "session_created_timestamp_seconds"), Some("1795350135.604"));
    assert_eq!(value("persist-v5", "connected_timestamp_seconds"), Some("1795350135.604"));
    assert_eq!(value("persist-v5", "disconnected_timestamp_seconds"), Some("1795350136.175"));
    assert_eq!(value("offset", "connected_timestamp_seconds"), Some("1795350135.217"));
    assert_eq!(value("offset", "disconnected_timestamp_seconds"), None);
}

#[test]
fn the_four_states_are_distinguished() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add(Row::recorded(Version::V5_8_9, "plain-user-1"));
    fake.add(Row::recorded(Version::V5_8_9, "persist-v5"));
    fake.inject(When::Lookup("poisoned".into()), Fault::body("null"));
    let families =
        watching(&fake, &["plain-user-1", "persist-v5", "nope", "poisoned"]).probe("broker=LocalEMQX");

    let state = |alias| {
        (
            client_value(&families, alias, "connected", None),
            client_value(&families, alias, "session_present", None),
        )
    };
    assert_eq!(state("plain-user-1"), (Some("1"), Some("1")));
    assert_eq!(state("persist-v5"), (Some("0"), Some("1")));
    assert_eq!(state("nope"), (Some("0"), Some("0")));
    assert_eq!(state("poisoned"), (None, None));

    let threshold = "emqx_mqtt_client_offline_threshold_seconds";
    assert_eq!(families.series_names("poisoned").into_iter().collect::<Vec<_>>(), [threshold]);
    assert_eq!(families.all(threshold, &[]).len(), 4);
    assert!(families.all(threshold, &[]).iter().all(|sample| sample.value == "900"));
    for (state, count) in [("connected", "1"), ("disconnected", "1"), ("absent", "1"), ("unknown", "1")] {
        let labels = [("broker", "LocalEMQX"), ("state", state)];
        assert_eq!(families.value("emqx_mqtt_clients", &labels), Some(count), "{state}");
    }
    assert!(!families.success());
    assert_eq!(families.reasons(), ["decode"]);
}

#[test]
fn labels_identify_a_client_and_do_not_change() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add(Row::recorded(Version::V5_8_9, "plain-user-1"));
    fake.add(Row::recorded(Version::V5_8_9, "plain-nouser-1"));
    let config = config_of(&fake, "", &[("Room 1", "plain-user-1"), ("Room 2", "plain-nouser-1")]);
    let families = Exporter::start(&config).probe(&format!("broker=LocalEMQX&{ALL_GROUPS}"));
    for sample in families.samples.iter().filter(|sample| sample.name.starts_with("emqx_mqtt_client_")) {
        let labels: Vec<_> = sample.labels.keys().map(String::as_str).collect();
        let identity: &[&str] = match sample.name.as_str() {
            "emqx_mqtt_client_connected"
            | "emqx_mqtt_client_session_present"
            | "emqx_mqtt_client_offline_threshold_seconds" => &["alias", "broker", "client_id"],
            "emqx_mqtt_client_info" => {
                &["alias", "broker", "clean_start", "client_id", "node", "proto_name", "proto_ver", "username"]
            }
            name if name.ends_with("_by_reason_total") => {
                &["alias", "broker", "client_id", "reason", "username"]
            }
            "emqx_mqtt_client_received_messages_total" | "emqx_mqtt_client_sent_messages_total" => {
                &["alias", "broker", "client_id", "qos", "username"]
            }
            _ => &["alias", "broker", "client_id", "username"],
        };
        assert_eq!(labels, identity, "{}", sample.name);
    }
    let of = |alias| {
        let sample = families.all("emqx_mqtt_client_keepalive_seconds", &[("alias", alias)])[0];
        (
            sample.labels["broker"].as_str(),
            sample.labels["client_id"].as_str(),
            sample.labels["username"].as_str(),
        )
    };
    assert_eq!(of("Room 1"), ("LocalEMQX", "plain-user-1", "alice"));
    assert_eq!(of("Room 2"), ("LocalEMQX", "plain-nouser-1", ""));
    let info = [("alias", "Room 1"), ("node", "emqx@127.0.0.1"), ("proto_name", "MQTT"), ("proto_ver", "4")];
    assert_eq!(families.value("emqx_mqtt_client_info", &info), Some("1"));
}

#[test]
fn missing_null_and_new_fields_do_not_affect_others() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add(
        Row::like("plain-user-1")
            .client_id("odd")
            .unset("mqueue_len")
            .null("keepalive")
            .set_raw("invented_in_7_0", r#"{"deeply": [{"nested": 1.5}]}"#),
    );
    let families = watching(&fake, &["odd"]).probe("broker=LocalEMQX");
    assert!(families.success());
    assert_eq!(client_value(&families, "odd", "mqueue_messages", None), None);
    assert_eq!(client_value(&families, "odd", "keepalive_seconds", None), None);
    assert_eq!(client_value(&families, "odd", "mqueue_messages_limit", None), Some("1000"));
}

#[test]
fn a_field_of_an_unexpected_type_does_not_affect_others() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    let row = |id: &str, field: &str, raw: &str| {
        fake.add(Row::like("plain-user-1").client_id(id).set_raw(field, raw));
    };
    row("largest", "recv_oct", "18446744073709551615");
    row("never", "expiry_interval", "4294967295");
    row("unlimited", "mqueue_max", "0");
    row("infinity", "awaiting_rel_max", "\"infinity\"");
    let bad = ["negative", "fractional", "too-large", "text", "list", "flag", "no-limit", "no-time"];
    row("negative", "recv_oct", "-1");
    row("fractional", "recv_oct", "1.5");
    row("too-large", "recv_oct", "18446744073709551616");
    row("text", "recv_oct", "\"12\"");
    row("list", "recv_oct", "[1]");
    row("flag", "connected", "1");
    row("no-limit", "mqueue_max", "\"lots\"");
    row("no-time", "created_at", "\"yesterday\"");

    let good = ["largest", "never", "unlimited", "infinity"];
    let families = watching(&fake, &[&good[..], &bad[..]].concat()).probe("broker=LocalEMQX");
    let value = |alias, name| client_value(&families, alias, name, None);
    assert_eq!(value("largest", "received_bytes_total"), Some("18446744073709551615"));
    assert_eq!(value("never", "session_expiry_interval_seconds"), Some("+Inf"));
    assert_eq!(value("unlimited", "mqueue_messages_limit"), Some("+Inf"));
    assert_eq!(value("infinity", "awaiting_pubrel_messages_limit"), Some("+Inf"));
    for alias in ["negative", "fractional", "too-large", "text", "list"] {
        assert_eq!(value(alias, "connected"), Some("1"), "{alias}");
        assert_eq!(value(alias, "received_bytes_total"), None, "{alias}");
        assert_eq!(value(alias, "keepalive_seconds"), Some("60"), "{alias}");
    }
    assert_eq!(value("no-limit", "mqueue_messages_limit"), None);
    assert_eq!(value("no-time", "session_created_timestamp_seconds"), None);
    assert_eq!(value("flag", "connected"), None, "without a state nothing is known");
    assert_eq!(families.value("emqx_mqtt_clients", &[("state", "unknown")]), Some("1"));
    assert_eq!(families.value("emqx_mqtt_clients", &[("state", "connected")]), Some("11"));
    assert_eq!(families.reasons(), ["decode"]);
}

#[test]
fn an_odd_field_of_another_group_is_not_read() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add(Row::like("plain-user-1").client_id("odd").set("mailbox_len", "many"));
    let exporter = watching(&fake, &["odd"]);
    assert!(exporter.probe("broker=LocalEMQX").success());
    assert!(!exporter.probe("broker=LocalEMQX&collect[]=process").success());
}

#[test]
fn only_the_requested_groups_are_reported() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add(Row::recorded(Version::V5_8_9, "plain-user-1"));
    let exporter = watching(&fake, &["plain-user-1"]);
    let has = |query: &str, name: &str| {
        exporter.probe(query).series_names("plain-user-1").contains(format!("emqx_mqtt_client_{name}").as_str())
    };
    let defaults = "broker=LocalEMQX";
    for (name, reported) in [
        ("connected", true),
        ("info", true),
        ("subscriptions", true),
        ("received_bytes_total", true),
        ("process_mailbox_messages", false),
        ("port", false),
    ] {
        assert_eq!(has(defaults, name), reported, "{name} by default");
    }
    let only_queue = "broker=LocalEMQX&collect[]=queue";
    for (name, reported) in
        [("connected", true), ("info", false), ("subscriptions", true), ("received_bytes_total", false)]
    {
        assert_eq!(has(only_queue, name), reported, "{name} with queue");
    }
    assert!(!has("broker=LocalEMQX&collect[]=state", "subscriptions"));
}

#[test]
fn addresses_and_nodes_are_reported_as_numbers() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add(Row::like("plain-user-1").client_id("v4").set("ip_address", "192.168.1.2"));
    fake.add(
        Row::like("plain-user-1").client_id("v6").set("ip_address", "fe80::1").set("node", "elsewhere@host"),
    );
    let config = config_of(&fake, "nodes: {\"emqx@127.0.0.1\": 7}", &[("v4", "v4"), ("v6", "v6")]);
    let families = Exporter::start(&config).probe("broker=LocalEMQX&collect[]=address");
    let value = |alias, name| client_value(&families, alias, name, None);
    assert_eq!(value("v4", "ip_address"), Some("3232235778"));
    assert_eq!(value("v4", "node_number"), Some("7"));
    assert_eq!(value("v6", "ip_address"), None);
    assert_eq!(value("v6", "node_number"), None);
    assert!(value("v6", "port").is_some());
}

#[test]
fn without_watched_clients_the_broker_is_still_probed() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    let exporter = watching(&fake, &[]);
    let families = exporter.probe("broker=LocalEMQX");
    assert!(families.success());
    assert_eq!(families.value("emqx_probe_http_status_code", &[]), Some("200"));
    assert_eq!(families.value("emqx_mqtt_clients", &[("state", "unknown")]), Some("0"));
    assert_eq!(families.all("emqx_mqtt_clients", &[]).len(), 1);
    assert_eq!(fake.requests()[0].target, "/api/v5/clients?limit=1");

    fake.set_credentials("another", "pair");
    let families = exporter.probe("broker=LocalEMQX");
    assert!(!families.success());
    assert_eq!(families.reasons(), ["unauthorized"]);
}

#[test]
fn the_odd_field_is_named() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add(Row::like("plain-user-1").client_id("odd").set("keepalive", "60"));
    let exporter = watching(&fake, &["odd"]);
    let families = exporter.probe("broker=LocalEMQX");
    assert_eq!(families.reasons(), ["decode"]);
    assert_eq!(client_value(&families, "odd", "connected", None), Some("1"));
    let debug_view = exporter.get("/probe?broker=LocalEMQX&debug=true").text();
    let said = "unexpected response from EMQX: `keepalive` must be a non-negative integer";
    assert!(debug_view.contains(said), "{debug_view:.2000}");
}

#[test]
fn a_user_name_that_is_not_a_string_is_ignored() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add(Row::like("plain-user-1").client_id("odd").set_raw("username", "17"));
    let families = watching(&fake, &["odd"]).probe("broker=LocalEMQX");
    assert_eq!(families.reasons(), ["decode"]);
    assert_eq!(client_value(&families, "odd", "connected", None), Some("1"));
    assert!(client_value(&families, "odd", "keepalive_seconds", None).is_some());
}

/// EMQX sends it for a durable session whose metadata is being removed.
#[test]
fn a_row_with_only_a_client_id_is_unknown_in_a_lookup_and_skipped_in_a_list() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add(Row::like("plain-user-1").client_id("whole"));
    fake.inject(When::Lookup("bare".to_owned()), Fault::body(r#"{"clientid":"bare"}"#));
    let exporter = watching(&fake, &["bare", "whole"]);
    let families = exporter.probe("broker=LocalEMQX");
    assert_eq!(families.reasons(), ["decode"]);
    assert_eq!(client_value(&families, "bare", "connected", None), None);
    assert_eq!(client_value(&families, "whole", "connected", None), Some("1"));

    let list = r#"{"data":[{"clientid":"bare"},{"clientid":"whole","connected":true}],"meta":{"count":2}}"#;
    fake.inject(When::List, Fault::body(list));
    let families = exporter.probe("broker=LocalEMQX&all=true");
    assert!(families.success(), "{:?}", families.reasons());
    assert_eq!(families.value("emqx_mqtt_clients", &[("state", "connected")]), Some("1"));
    assert_eq!(families.value("emqx_mqtt_clients", &[("state", "unknown")]), Some("0"));
}

#[test]
fn a_good_and_a_bad_row_of_one_client_are_one_client() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    let list = r#"{"data":[{"clientid":"a","connected":"yes"},{"clientid":"a","connected":true},
        {"clientid":"a","connected":[]}],"meta":{"count":3}}"#;
    fake.inject(When::List, Fault::body(list));
    let families = watching(&fake, &[]).probe("broker=LocalEMQX&all=true");
    assert!(families.success(), "{:?}", families.reasons());
    assert_eq!(families.value("emqx_mqtt_clients", &[("state", "connected")]), Some("1"));
    assert_eq!(families.value("emqx_mqtt_clients", &[("state", "unknown")]), Some("0"));
}

#[test]
fn an_ipv4_address_that_a_dual_stack_listener_reports_is_one() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add(Row::like("plain-user-1").client_id("mapped").set("ip_address", "::ffff:192.168.1.2"));
    fake.add(Row::like("plain-user-1").client_id("v6").set("ip_address", "2001:db8::1"));
    let families = watching(&fake, &["mapped", "v6"]).probe("broker=LocalEMQX&collect[]=address");
    assert_eq!(client_value(&families, "mapped", "ip_address", None), Some("3232235778"));
    assert_eq!(client_value(&families, "v6", "ip_address", None), None);
}

#[test]
fn an_offline_durable_session_has_no_process_state() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    let recorded = recorded_durable("10-client-gone-queued");
    fake.inject(When::Lookup("dur-q".to_owned()), Fault::body(&recorded));
    let query = "broker=LocalEMQX&collect[]=queue&collect[]=process&collect[]=session";
    let exporter = watching(&fake, &["dur-q"]);
    let assert_no_process_state = |families: &Families| {
        assert!(families.success(), "{:?}", families.reasons());
        let of_client = families.series_names("dur-q");
        let has = |name: &str| of_client.contains(format!("emqx_mqtt_client_{name}").as_str());
        for name in [
            "mqueue_messages",
            "inflight_messages",
            "awaiting_pubrel_messages",
            "process_mailbox_messages",
            "process_reductions_total",
        ] {
            assert!(!has(name), "{name}");
        }
        assert!(has("subscriptions") && has("disconnected_timestamp_seconds"));
    };
    assert_no_process_state(&exporter.probe(query));
    let list = [b"{\"data\":[".as_slice(), &recorded, b"],\"meta\":{\"count\":1}}"].concat();
    fake.inject(When::List, Fault::body(list));
    assert_no_process_state(&exporter.probe(&format!("{query}&all=true")));
}

/// A response of EMQX 6.2.2 with durable sessions.
fn recorded_durable(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/6.2.2-durable/{name}.json", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).expect("a recording")
}
