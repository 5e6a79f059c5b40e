//! `debug=true`: the report of a probe for people.

use fake_emqx::{FakeEmqx, Fault, Row, Version, When};

use crate::support::{Exporter, config_of};

#[test]
fn text_from_clients_and_brokers_is_sanitized() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    let hostile = "\u{1b}]0;title\u{7}\u{9b}31m\u{202E}\u{2028}name";
    fake.add(Row::like("plain-user-1").client_id("c-1").username(Some(hostile)).set("node", hostile));
    fake.add(Row::like("plain-user-1").client_id("c-2").set("keepalive", hostile));
    let error = serde_json::json!({"code": hostile, "message": hostile}).to_string();
    fake.inject(When::Lookup("c-3".into()), Fault::status(500, "application/json", &error));
    let clients = [("One", "c-1"), ("Two", "c-2"), ("Three", "c-3")];
    let config = config_of(&fake, "attempts: 1", &clients);
    let broker = serde_json::Value::from("Broker\u{2066}\u{2029}").to_string();
    let exporter = Exporter::start(&config.replace("alias: LocalEMQX", &format!("alias: {broker}")));
    let text = exporter.get("/probe?broker=Broker%E2%81%A6%E2%80%A9&debug=true").text();
    assert!(text.contains("username=\"\u{FFFD}]0;title\u{FFFD}\u{FFFD}31m\u{FFFD}\u{FFFD}name\""), "{text}");
    assert!(text.contains("Probe of Broker\u{FFFD}\u{FFFD} at http://"), "{text}");
    let is_unsafe = |character: char| {
        (character.is_control() && character != '\n')
            || matches!(character, '\u{2028}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!text.contains(is_unsafe), "{text:?}");
}

#[test]
fn the_number_of_missing_clients_of_a_list_is_not_guessed() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add(Row::like("plain-user-1").client_id("c-1"));
    let exporter = Exporter::start(&config_of(&fake, "attempts: 1", &[]));
    fake.inject(When::Any, Fault::status(500, "application/json", "{}"));
    let families = exporter.probe("broker=LocalEMQX&all=true");
    assert_eq!(families.reasons(), ["http_status"]);
    assert!(families.all("emqx_mqtt_clients", &[]).is_empty());
    assert!(!families.types.contains_key("emqx_mqtt_clients"), "a family without samples has no TYPE");
    let report = exporter.get("/probe?broker=LocalEMQX&all=true&debug=true").text();
    assert!(report.contains("the number of missing clients is not known"), "{report}");
    assert!(!report.contains("0 unknown") && !report.contains("clients unknown"), "{report}");
}
