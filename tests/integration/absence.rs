//! No client is reported as absent before the broker has denied it twice, and a fleet of absent clients costs little.

use std::time::Duration;

use fake_emqx::{FakeEmqx, Fault, Request, Row, Version, When};

use crate::support::{Exporter, Families, RawServer, Step, config_of, watching};

/// EMQX's answer for a client that it does not know.
const NOT_FOUND: &str = r#"{"code":"CLIENTID_NOT_FOUND","message":"Client ID not found"}"#;

fn not_found() -> Fault {
    Fault::status(404, "application/json", NOT_FOUND)
}

fn device(number: usize) -> String {
    format!("device-{number:06}")
}

fn devices(count: usize) -> Vec<String> {
    (0..count).map(device).collect()
}

fn broker_of(ids: &[String]) -> FakeEmqx {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add_all(ids.iter().map(|id| Row::like("plain-user-1").client_id(id)));
    fake
}

fn watching_all(fake: &FakeEmqx, ids: &[String]) -> Exporter {
    watching(fake, &ids.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The first page of a walk; the count asks for a page too.
fn first_page() -> When {
    When::matching(|request| request.target.contains("page=1&"))
}

fn count<'a>(families: &'a Families, state: &str) -> Option<&'a str> {
    families.value("emqx_mqtt_clients", &[("state", state)])
}

#[test]
fn a_client_that_is_being_taken_over_is_not_absent() {
    let ids = devices(20);
    let fake = broker_of(&ids);
    fake.inject(When::Lookups, not_found().times_each(1));
    let families = watching_all(&fake, &ids).probe("broker=LocalEMQX");
    assert!(families.success(), "{:?}", families.reasons());
    assert_eq!(count(&families, "connected"), Some("20"));
    assert_eq!(families.value("emqx_probe_api_requests", &[]), Some("40"));
    assert_eq!(families.value("emqx_probe_api_retries", &[]), Some("0"), "a confirming lookup is no retry");
}

#[test]
fn an_absent_client_is_looked_up_twice_with_a_pause_between() {
    let fake = broker_of(&devices(1));
    let families = watching(&fake, &[&device(0), "gone"]).probe("broker=LocalEMQX");
    assert!(families.success());
    assert_eq!((count(&families, "connected"), count(&families, "absent")), (Some("1"), Some("1")));
    let times: Vec<_> = fake
        .requests()
        .iter()
        .filter(|request| request.client_id().as_deref() == Some("gone"))
        .map(|request| request.at)
        .collect();
    let [first, second] = times[..] else { panic!("{} requests", times.len()) };
    assert!(second - first >= Duration::from_millis(240), "{:?}", second - first);
}

#[test]
fn an_absence_that_cannot_be_confirmed_is_unknown() {
    let fake = broker_of(&devices(1));
    fake.inject(When::Lookup("gone".to_owned()), not_found().times(1));
    fake.inject(When::Lookup("gone".to_owned()), Fault::Silent);
    let families = watching(&fake, &[&device(0), "gone"]).probe_within("broker=LocalEMQX", "2");
    assert_eq!(families.reasons(), ["timeout"]);
    assert_eq!((count(&families, "absent"), count(&families, "unknown")), (Some("0"), Some("1")));
    assert_eq!(families.value("emqx_mqtt_client_connected", &[("alias", "gone")]), None);
}

#[test]
fn a_fleet_of_absent_clients_costs_two_lists_and_no_lookups() {
    let fake = broker_of(&devices(150));
    let families = watching_all(&fake, &devices(3000)).probe("broker=LocalEMQX");
    assert!(families.success(), "{:?}", families.reasons());
    assert_eq!((count(&families, "connected"), count(&families, "absent")), (Some("150"), Some("2850")));
    assert_eq!(fake.request_count(), 3, "the count, and the list twice");
}

#[test]
fn a_client_found_only_in_the_second_list_is_looked_up() {
    let fake = broker_of(&devices(150));
    let rows: Vec<_> =
        devices(150).iter().skip(1).map(|id| format!("{{\"clientid\":{id:?},\"connected\":true}}")).collect();
    let list = format!("{{\"data\":[{}],\"meta\":{{\"count\":149}}}}", rows.join(","));
    fake.inject(first_page(), Fault::body(list).times(1));
    let families = watching_all(&fake, &devices(3000)).probe("broker=LocalEMQX&collect[]=session");
    assert!(families.success(), "{:?}", families.reasons());
    assert_eq!((count(&families, "connected"), count(&families, "absent")), (Some("150"), Some("2850")));
    assert!(fake.request_count() < 10, "{} requests", fake.request_count());
    let moved = device(0);
    assert_eq!(families.value("emqx_mqtt_client_connected", &[("alias", &moved)]), Some("1"));
    assert!(families.value("emqx_mqtt_client_keepalive_seconds", &[("alias", &moved)]).is_some());
}

#[test]
fn a_list_that_takes_longer_than_its_share_leaves_time_for_lookups() {
    let ids = devices(1100);
    let fake = broker_of(&ids);
    fake.inject(first_page(), Fault::Silent);
    let exporter = Exporter::start(&config_of(
        &fake,
        "concurrency: 16",
        &ids.iter().map(|id| (id.as_str(), id.as_str())).collect::<Vec<_>>(),
    ));
    let families = exporter.probe_within("broker=LocalEMQX&collect[]=state", "10");
    assert!(families.success(), "{:?}", families.reasons());
    assert_eq!(count(&families, "connected"), Some("1100"));
}

#[test]
fn a_stray_404_makes_no_client_absent() {
    let ids = ["a", "b", "c", "d", "e", "f"];
    // After the third response comes an unrequested one: what follows on that connection is shifted by one.
    let server = RawServer::start(|request| {
        let row = format!("{{\"clientid\":\"{}\",\"connected\":true}}", request.client_id);
        let mut steps = vec![Step::response("200 OK", &row)];
        if request.number == 3 {
            steps.push(Step::response("404 Not Found", NOT_FOUND));
        }
        steps
    });
    let config = server.config(", concurrency: 1", &ids);
    let families = Exporter::start(&config).probe_within("broker=LocalEMQX", "10");
    assert_eq!(count(&families, "absent"), Some("0"));
    assert_eq!(count(&families, "connected"), Some("6"), "{:?}", families.reasons());
}

#[test]
fn behind_a_proxy_that_decodes_slashes_the_filter_finds_the_client() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add(Row::like("plain-user-1").client_id("site/1"));
    fake.inject(
        When::matching(|request: &Request| {
            request.target.starts_with("/v5/clients/") || request.target.contains("/clients/site")
        }),
        Fault::status(404, "application/json", r#"{"code":"NOT_FOUND","message":"Request Path Not Found"}"#),
    );
    let families = watching(&fake, &["site/1", "site/2"]).probe("broker=LocalEMQX");
    assert_eq!(families.value("emqx_mqtt_client_connected", &[("alias", "site/1")]), Some("1"));
    assert_eq!(families.value("emqx_mqtt_client_connected", &[("alias", "site/2")]), Some("0"));
    assert!(families.success(), "{:?}", families.reasons());
}

#[test]
fn a_client_whose_row_in_the_list_is_unusable_is_not_absent() {
    for row in [r#"{"clientid":"device-000000"}"#, r#"{"clientid":"device-000000","connected":"yes"}"#] {
        let fake = broker_of(&devices(2));
        let list = format!(r#"{{"data":[{row},{{"clientid":"device-000001","connected":true}}]}}"#);
        fake.inject(first_page(), Fault::body(list));
        let families = watching_all(&fake, &devices(1100)).probe("broker=LocalEMQX&collect[]=state");
        assert!(families.success(), "{row}: {:?}", families.reasons());
        assert_eq!(
            (count(&families, "connected"), count(&families, "absent")),
            (Some("2"), Some("1098")),
            "{row}"
        );
    }
}

#[test]
fn a_client_that_only_the_list_can_have_is_unknown_when_its_row_is_unusable() {
    let fake = broker_of(&devices(1));
    fake.inject(first_page(), Fault::body(r#"{"data":[{"clientid":"tab\t","connected":"yes"}]}"#));
    let config = config_of(&fake, "", &[("plain", &device(0)), ("tab", "tab\t")]);
    let families = Exporter::start(&config).probe("broker=LocalEMQX");
    assert_eq!(families.reasons(), ["decode"]);
    let [connected, absent, unknown] = ["connected", "absent", "unknown"].map(|state| count(&families, state));
    assert_eq!((connected, absent, unknown), (Some("1"), Some("0"), Some("1")));
}

#[test]
fn a_doubtful_absence_in_the_list_is_confirmed_by_the_list() {
    // The list does not have the last client, and no lookup may name it.
    let server = RawServer::start(|request| {
        if request.client_id.starts_with("clients?") {
            return vec![Step::response("200 OK", r#"{"data":[{"clientid":"a","connected":true}]}"#)];
        }
        if request.client_id.contains('%') {
            return vec![Step::response("400 Bad Request", r#"{"code":"BAD_REQUEST"}"#)];
        }
        let row = format!("{{\"clientid\":\"{}\",\"connected\":true}}", request.client_id);
        let mut steps = vec![Step::response("200 OK", &row)];
        if request.number == 1 {
            steps.push(Step::response("404 Not Found", NOT_FOUND));
        }
        steps
    });
    let config = server.config(", concurrency: 1", &["a", "b", "\"tab\\t\""]);
    let config = config.replace("alias: \"tab\\t\"", "alias: tab");
    let families = Exporter::start(&config).probe_within("broker=LocalEMQX", "10");
    assert_eq!((count(&families, "connected"), count(&families, "absent")), (Some("2"), Some("1")));
    assert!(families.success(), "{:?}", families.reasons());
}

#[test]
fn a_404_before_each_response_makes_nobody_absent() {
    let server = RawServer::start(|request| {
        let row = format!("{{\"clientid\":\"{}\",\"connected\":true}}", request.client_id);
        let response = |status: &str, body: &str| {
            format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        };
        vec![Step::send(response("404 Not Found", NOT_FOUND) + &response("200 OK", &row))]
    });
    let config = server.config("", &["a", "b", "c"]);
    let families = Exporter::start(&config).probe_within("broker=LocalEMQX", "10");
    assert_eq!(families.reasons(), ["protocol"]);
    families.assert_nothing_known(&["protocol"]);
}
