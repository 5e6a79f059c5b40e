//! Faults between the exporter and a broker: reported with the right reason and in time, and without values that the
//! broker did not send.

use std::net::{Ipv6Addr, TcpListener};
use std::time::Duration;

use fake_emqx::{Blackhole, Cut, FakeEmqx, Fault, Row, Version, When};

use crate::support::{Exporter, Families, Program, config_of, watching};

fn like(id: &str) -> Row {
    Row::like("plain-user-1").client_id(id)
}

/// Starts a broker with these clients.
fn broker_of(ids: &[String]) -> FakeEmqx {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add_all(ids.iter().map(|id| like(id)));
    fake
}

fn ids(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("device-{number}")).collect()
}

/// A configuration that watches these clients by their IDs.
fn config_watching(fake: &FakeEmqx, more: &str, ids: &[String]) -> String {
    let clients: Vec<_> = ids.iter().map(|id| (id.as_str(), id.as_str())).collect();
    config_of(fake, more, &clients)
}

/// Probes one client of a broker with this fault.
fn probe_in(when: When, fault: Fault, scrape_timeout: &str) -> (FakeEmqx, Families) {
    let fake = broker_of(&ids(1));
    fake.inject(when, fault);
    let families = watching(&fake, &["device-0"]).probe_within("broker=LocalEMQX", scrape_timeout);
    (fake, families)
}

/// Returns what `--check` prints for a broker with this fault.
fn check_in(fault: Fault) -> String {
    let fake = broker_of(&ids(1));
    fake.inject(When::Any, fault);
    let run = Program::with_config(&config_watching(&fake, "attempts: 1", &ids(1))).run(&["--check"]);
    assert_eq!(run.status, 2, "{}", run.stderr);
    run.stderr.replace(&fake.address().to_string(), "ADDRESS")
}

fn connected<'a>(families: &'a Families, alias: &str) -> Option<&'a str> {
    families.value("emqx_mqtt_client_connected", &[("alias", alias)])
}

/// A configuration for one client of the broker at this URL.
fn config_at(api_url: &str) -> String {
    format!(
        "emqx: {{alias: LocalEMQX, api_url: {api_url:?}, api_key: key, api_secret: secret}}\n\
         monitored_clients: [{{alias: device, client_id: device}}]\n"
    )
}

#[test]
fn a_refused_connection_is_reported() {
    let fake = broker_of(&ids(3));
    let exporter = Exporter::start(&config_watching(&fake, "", &ids(3)));
    fake.stop();
    let families = exporter.probe_within("broker=LocalEMQX", "10");
    families.assert_nothing_known(&["connect"]);
    assert_eq!(families.value("emqx_probe_http_status_code", &[]), Some("0"));
    fake.restart();
    assert!(exporter.probe("broker=LocalEMQX").success(), "nothing is left of the failure");
}

#[test]
fn a_name_that_does_not_resolve() {
    let config = config_at("http://nothing.invalid:18083/api/");
    let families = Exporter::start(&config).probe_within("broker=LocalEMQX", "10");
    families.assert_nothing_known(&["dns"]);
    let run = Program::with_config(&config).run(&["--check"]);
    assert_eq!(run.status, 2);
    assert!(run.stderr.contains("LocalEMQX: dns: cannot resolve nothing.invalid: "), "{}", run.stderr);
}

#[test]
fn a_silent_broker_is_reported_by_the_deadline() {
    for fault in [
        Fault::Silent,
        Fault::TrickleHead(Duration::from_millis(50)),
        Fault::TrickleBody(Duration::from_millis(50)),
    ] {
        let (_fake, families) = probe_in(When::Any, fault, "2");
        families.assert_nothing_known(&["timeout"]);
        assert_eq!(families.value("probe_timeout_seconds", &[]), Some("1.5"));
    }
}

#[test]
fn without_a_scrape_timeout_the_configuration_sets_the_deadline() {
    let fake = broker_of(&ids(1));
    fake.inject(When::Any, Fault::Silent);
    let config = config_watching(&fake, "timeout_seconds: 0.2\nattempts: 3", &ids(1));
    let families = Exporter::start(&config).probe("broker=LocalEMQX");
    families.assert_nothing_known(&["timeout"]);
    assert_eq!(families.value("probe_timeout_seconds", &[]), Some("0.6"));
}

#[test]
fn a_connection_that_is_never_accepted_is_silent() {
    // The kernel completes the handshake, but no process accepts the connection.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let exporter = Exporter::start(&config_at(&format!("http://{address}/api/")));
    exporter.probe_within("broker=LocalEMQX", "1").assert_nothing_known(&["timeout"]);
}

#[test]
fn clients_stay_unknown_when_every_response_is_broken() {
    for fault in [
        Fault::CutBody(Cut::Length),
        Fault::CutBody(Cut::WithinChunk),
        Fault::CutBody(Cut::BeforeLastChunk),
        Fault::ResetAfterHead,
        Fault::Reset,
        Fault::CloseBeforeResponse,
        Fault::raw("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u7\r\n"),
        Fault::raw("<html><body>It works!</body></html>"),
        Fault::raw("220 mail.example ESMTP\r\n"),
        Fault::raw("HTTP/1.1 200 OK\r\ncontent-length: 10\r\ncontent-length: 20\r\n\r\n{}"),
        Fault::raw("HTTP/1.1 OK\r\n\r\n"),
        Fault::raw(b"\0\x01\x02\x03".repeat(100)),
    ] {
        let name = format!("{fault:?}");
        let (fake, families) = probe_in(When::Any, fault, "10");
        assert_eq!(families.reasons(), ["protocol"], "{name}");
        families.assert_nothing_known(&["protocol"]);
        assert_eq!(fake.request_count(), 3, "{name}");
        assert_eq!(families.value("emqx_probe_api_retries", &[]), Some("2"), "{name}");
    }
}

#[test]
fn a_broker_that_closes_every_connection() {
    // Not by a reset, which can arrive this early as a failure to connect.
    let (fake, families) = probe_in(When::Connect, Fault::CloseBeforeResponse, "10");
    families.assert_nothing_known(&["protocol"]);
    assert_eq!(fake.connections(), 3);
}

#[test]
fn responses_of_other_programs_are_refused() {
    for fault in [
        Fault::status(200, "text/html", "<html><body>Welcome to nginx!</body></html>"),
        Fault::status(200, "text/plain", "pong"),
        Fault::status(200, "application/json", ""),
    ] {
        let (fake, families) = probe_in(When::Any, fault, "10");
        families.assert_nothing_known(&["decode"]);
        assert_eq!(families.value("emqx_probe_http_status_code", &[]), Some("200"));
        assert_eq!(fake.request_count(), 1);
    }
}

#[test]
fn permanent_errors_are_reported_with_their_status() {
    for status in [500, 502, 503] {
        let (fake, families) = probe_in(When::Any, Fault::status(status, "text/plain", "no"), "10");
        families.assert_nothing_known(&["http_status"]);
        let reported = families.value("emqx_probe_http_status_code", &[]).map(ToOwned::to_owned);
        assert_eq!(reported, Some(status.to_string()));
        assert_eq!(fake.request_count(), 3);
    }
}

#[test]
fn kept_connections_can_close_at_any_time() {
    for fault in [Fault::CloseAtNextRequest, Fault::CloseAfterResponse(Duration::ZERO)] {
        let fake = broker_of(&ids(40));
        fake.inject(When::Any, fault.clone());
        let exporter = Exporter::start(&config_watching(&fake, "attempts: 1", &ids(40)));
        let families = exporter.probe_within("broker=LocalEMQX", "10");
        assert!(families.success(), "{fault:?}: {:?}", families.reasons());
        assert_eq!(families.value("emqx_mqtt_clients", &[("state", "connected")]), Some("40"));
        assert_eq!(families.value("emqx_probe_api_retries", &[]), Some("0"));
        families.assert_in_time();
        if let Fault::CloseAtNextRequest = fault {
            assert!(fake.request_count() > 40, "no request was lost");
        }
    }
}

#[test]
fn a_broker_that_stops_during_a_probe() {
    let fake = broker_of(&ids(20));
    // One request at a time, so that the responses before the stop have certainly arrived.
    fake.inject(When::Any, Fault::Healthy.times(12));
    fake.inject(When::Any, Fault::Silent);
    let exporter = Exporter::start(&config_watching(&fake, "concurrency: 1", &ids(20)));
    let families = std::thread::scope(|scope| {
        let probing = scope.spawn(|| exporter.probe_within("broker=LocalEMQX", "10"));
        assert!(fake.wait_for_requests(13, Duration::from_secs(30)));
        fake.stop();
        probing.join().expect("a finished probe")
    });
    assert!(!families.success());
    // On a slow machine another lookup may be in progress over a new connection, which is reset.
    let reasons = families.reasons();
    assert!(reasons == ["connect"] || reasons == ["connect", "protocol"], "{reasons:?}");
    families.assert_in_time();
    let known = ids(20).iter().filter(|id| connected(&families, id) == Some("1")).count();
    assert_eq!(known, 12, "those that were answered before it died");
    assert_eq!(families.value("emqx_mqtt_clients", &[("state", "connected")]), Some("12"));
    assert_eq!(families.value("emqx_mqtt_clients", &[("state", "absent")]), Some("0"));
    assert_eq!(families.value("emqx_mqtt_clients", &[("state", "unknown")]), Some("8"));
}

#[test]
fn a_broker_that_restarts_during_a_probe_is_retried() {
    let fake = broker_of(&ids(20));
    fake.inject(When::Any, Fault::Healthy.times(12));
    fake.inject(When::Any, Fault::Silent.times(4));
    let exporter = Exporter::start(&config_watching(&fake, "", &ids(20)));
    let families = std::thread::scope(|scope| {
        let probing = scope.spawn(|| exporter.probe_within("broker=LocalEMQX", "10"));
        assert!(fake.wait_for_requests(13, Duration::from_secs(30)));
        fake.restart();
        probing.join().expect("a finished probe")
    });
    assert!(families.success(), "{:?}", families.reasons());
    assert_eq!(families.value("emqx_mqtt_clients", &[("state", "connected")]), Some("20"));
}

/// Asserts that only the clients of the hung node are unknown, within a scrape timeout of 10 s.
fn assert_only_hung_are_unknown(fake: &FakeEmqx, more: &str, ids: &[String], hung: &[String]) {
    fake.record_requests(false);
    fake.inject(When::lookups_of(hung), Fault::Silent);
    let families = Exporter::start(&config_watching(fake, more, ids)).probe_within("broker=LocalEMQX", "10");
    assert_eq!(families.reasons(), ["timeout"]);
    families.assert_in_time();
    let known = families.all("emqx_mqtt_client_connected", &[]);
    assert!(known.iter().all(|sample| sample.value == "1" && !hung.contains(&sample.labels["alias"])));
    assert_eq!(known.len(), ids.len() - hung.len());
    let unknown = hung.len().to_string();
    assert_eq!(families.value("emqx_mqtt_clients", &[("state", "unknown")]), Some(unknown.as_str()));
}

#[test]
fn a_hung_node_whose_clients_are_all_first() {
    let ids = ids(100);
    assert_only_hung_are_unknown(&broker_of(&ids), "timeout_seconds: 2\nattempts: 1", &ids, &ids[..33]);
}

#[test]
fn a_hung_node_whose_clients_are_mixed_with_others() {
    let ids = ids(100);
    let hung: Vec<_> = ids.iter().step_by(3).cloned().collect();
    assert_only_hung_are_unknown(&broker_of(&ids), "timeout_seconds: 2", &ids, &hung);
}

#[test]
fn a_hung_node_with_a_third_of_a_thousand_clients() {
    let ids = ids(1_000);
    assert_only_hung_are_unknown(&broker_of(&ids), "", &ids, &ids[..333]);
}

#[test]
fn check_explains_each_fault() {
    let hint = "; if it speaks TLS, api_url must begin with https://";
    for (fault, said) in [
        (Fault::raw("SSH-2.0-OpenSSH\r\n"), format!("protocol: response of ADDRESS is not HTTP/1.1{hint}: ")),
        (Fault::Reset, format!("protocol: connection to ADDRESS broke{hint}: ")),
        (Fault::CutBody(Cut::Length), "protocol: response cut short after ".to_owned()),
        (Fault::CutBody(Cut::WithinChunk), "protocol: response cut short".to_owned()),
        (Fault::node_down(), "http_status: HTTP status 500".to_owned()),
        (Fault::body("pong"), "decode: unexpected response from EMQX: no valid JSON at line 1".to_owned()),
    ] {
        let stderr = check_in(fault);
        assert!(stderr.contains(&format!("LocalEMQX: {said}")), "{stderr}");
        assert!(stderr.contains("(1 client unknown)"), "{stderr}");
    }
}

#[test]
fn a_name_with_one_silent_address_is_probed_at_the_other() {
    // `localhost` is ::1 and 127.0.0.1.
    let fake = broker_of(&ids(3));
    let _blackhole = Blackhole::start_at((Ipv6Addr::LOCALHOST, fake.address().port()).into());
    let config = config_watching(&fake, "", &ids(3)).replace("127.0.0.1", "localhost");
    let families = Exporter::start(&config).probe_within("broker=LocalEMQX", "3");
    assert!(families.success(), "{:?}", families.reasons());
    assert_eq!(families.value("emqx_mqtt_clients", &[("state", "connected")]), Some("3"));
}

#[test]
fn a_page_with_more_rows_than_requested_is_refused() {
    let fake = broker_of(&ids(1));
    fake.inject(When::List, Fault::rows("{}", 3_000_000));
    let families = watching(&fake, &[]).probe("broker=LocalEMQX&all=true");
    assert_eq!(families.reasons(), ["too_large"]);
    assert_eq!(fake.request_count(), 1);
}

#[test]
fn control_characters_that_6_2_2_refuses_are_found_in_the_list() {
    let fake = FakeEmqx::start(Version::V6_2_2);
    let clients = [("Bell", "bell\u{7}"), ("Tab", "tab\tid"), ("Plain", "plain")];
    fake.add_all(clients.map(|(_, id)| like(id)));
    let families = Exporter::start(&config_of(&fake, "", &clients)).probe("broker=LocalEMQX");
    assert!(families.success(), "{:?}", families.reasons());
    assert_eq!(families.value("emqx_mqtt_clients", &[("state", "connected")]), Some("3"));
}

#[test]
fn an_endless_list_of_rows_that_are_no_clients_is_too_large() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.record_requests(false);
    fake.inject(When::List, Fault::rows("{}", 10_000));
    let families =
        Exporter::start(&config_watching(&fake, "", &[])).probe_within("broker=LocalEMQX&all=true", "10");
    assert_eq!(families.reasons(), ["decode", "too_large"]);
    assert_eq!(fake.request_count(), 2, "the second page has the first row too many");
}
