//! Everything that goes wrong between the exporter and a broker: it is told for what it is, in time, and nothing
//! is claimed that nobody said.

use std::net::TcpListener;
use std::time::Duration;

use fake_emqx::{Cut, FakeEmqx, Fault, Row, Version, When};

use crate::support::{Exporter, Families, Program, config_of, watching};

fn like(id: &str) -> Row {
    Row::like("plain-user-1").client_id(id)
}

/// A broker with clients of these IDs.
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

/// What a probe of one client says while the broker is in this trouble.
fn probe_in(when: When, trouble: Fault, scrape_timeout: &str) -> (FakeEmqx, Families) {
    let fake = broker_of(&ids(1));
    fake.inject(when, trouble);
    let families = watching(&fake, &["device-0"]).probe_within("broker=LocalEMQX", scrape_timeout);
    (fake, families)
}

/// What `--check` says of a broker in this trouble.
fn check_in(trouble: Fault) -> String {
    let fake = broker_of(&ids(1));
    fake.inject(When::Any, trouble);
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
fn nobody_listens() {
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
fn a_name_that_means_nobody() {
    let config = config_at("http://nothing.invalid:18083/api/");
    let families = Exporter::start(&config).probe_within("broker=LocalEMQX", "10");
    families.assert_nothing_known(&["dns"]);
    let run = Program::with_config(&config).run(&["--check"]);
    assert_eq!(run.status, 2);
    assert!(run.stderr.contains("LocalEMQX: dns: cannot resolve nothing.invalid: "), "{}", run.stderr);
}

#[test]
fn silence_is_answered_for_in_time() {
    for trouble in [
        Fault::Silent,
        Fault::TrickleHead(Duration::from_millis(50)),
        Fault::TrickleBody(Duration::from_millis(50)),
    ] {
        let (_fake, families) = probe_in(When::Any, trouble, "2");
        families.assert_nothing_known(&["timeout"]);
        assert_eq!(families.value("probe_timeout_seconds", &[]), Some("1.5"));
    }
}

#[test]
fn without_prometheus_the_configuration_bounds_silence() {
    let fake = broker_of(&ids(1));
    fake.inject(When::Any, Fault::Silent);
    let config = config_watching(&fake, "timeout_seconds: 0.2\nattempts: 3", &ids(1));
    let families = Exporter::start(&config).probe("broker=LocalEMQX");
    families.assert_nothing_known(&["timeout"]);
    assert_eq!(families.value("probe_timeout_seconds", &[]), Some("0.6"));
}

#[test]
fn a_connection_that_is_accepted_by_nobody_is_silent() {
    // The operating system completes it; nobody ever takes it.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let exporter = Exporter::start(&config_at(&format!("http://{address}/api/")));
    exporter.probe_within("broker=LocalEMQX", "1").assert_nothing_known(&["timeout"]);
}

#[test]
fn broken_answers_stay_unknown_when_every_attempt_breaks() {
    for trouble in [
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
        let name = format!("{trouble:?}");
        let (fake, families) = probe_in(When::Any, trouble, "10");
        assert_eq!(families.reasons(), ["protocol"], "{name}");
        families.assert_nothing_known(&["protocol"]);
        assert_eq!(fake.request_count(), 3, "{name}");
        assert_eq!(families.value("emqx_probe_api_retries", &[]), Some("2"), "{name}");
    }
}

#[test]
fn a_broker_that_hangs_up_on_everyone() {
    // Not by a reset: one that comes this early may be the end of connecting as well.
    let (fake, families) = probe_in(When::Connect, Fault::CloseBeforeResponse, "10");
    families.assert_nothing_known(&["protocol"]);
    assert_eq!(fake.connections(), 3);
}

#[test]
fn pages_of_others_are_no_answer() {
    for trouble in [
        Fault::status(200, "text/html", "<html><body>Welcome to nginx!</body></html>"),
        Fault::status(200, "text/plain", "pong"),
        Fault::status(200, "application/json", ""),
    ] {
        let (fake, families) = probe_in(When::Any, trouble, "10");
        families.assert_nothing_known(&["decode"]);
        assert_eq!(families.value("emqx_probe_http_status_code", &[]), Some("200"));
        assert_eq!(fake.request_count(), 1);
    }
}

#[test]
fn errors_that_do_not_pass_are_told_with_their_status() {
    for status in [500, 502, 503] {
        let (fake, families) = probe_in(When::Any, Fault::status(status, "text/plain", "no"), "10");
        families.assert_nothing_known(&["http_status"]);
        let told = families.value("emqx_probe_http_status_code", &[]).map(ToOwned::to_owned);
        assert_eq!(told, Some(status.to_string()));
        assert_eq!(fake.request_count(), 3);
    }
}

#[test]
fn kept_connections_may_be_closed_at_any_time() {
    for trouble in [Fault::CloseAtNextRequest, Fault::CloseAfterResponse(Duration::ZERO)] {
        let fake = broker_of(&ids(40));
        fake.inject(When::Any, trouble.clone());
        let exporter = Exporter::start(&config_watching(&fake, "attempts: 1", &ids(40)));
        let families = exporter.probe_within("broker=LocalEMQX", "10");
        assert!(families.success(), "{trouble:?}: {:?}", families.reasons());
        assert_eq!(families.value("emqx_mqtt_clients", &[("state", "connected")]), Some("40"));
        assert_eq!(families.value("emqx_probe_api_retries", &[]), Some("0"));
        families.assert_in_time();
        if let Fault::CloseAtNextRequest = trouble {
            assert!(fake.request_count() > 40, "no request was lost");
        }
    }
}

#[test]
fn a_broker_that_dies_in_the_middle() {
    let fake = broker_of(&ids(20));
    // One after another, so that those it told before are told for sure.
    fake.inject(When::Any, Fault::Healthy.times(12));
    fake.inject(When::Any, Fault::Silent);
    let exporter = Exporter::start(&config_watching(&fake, "concurrency: 1", &ids(20)));
    let families = std::thread::scope(|scope| {
        let probing = scope.spawn(|| exporter.probe_within("broker=LocalEMQX", "10"));
        assert!(fake.wait_for_requests(13, Duration::from_secs(30)));
        fake.stop();
        probing.join().expect("an answer")
    });
    assert!(!families.success());
    // Where the test was slow, a further lookup was on its way over a new connection when that was reset.
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
fn a_broker_that_restarts_in_the_middle_is_asked_again() {
    let fake = broker_of(&ids(20));
    fake.inject(When::Any, Fault::Healthy.times(12));
    fake.inject(When::Any, Fault::Silent.times(4));
    let exporter = Exporter::start(&config_watching(&fake, "", &ids(20)));
    let families = std::thread::scope(|scope| {
        let probing = scope.spawn(|| exporter.probe_within("broker=LocalEMQX", "10"));
        assert!(fake.wait_for_requests(13, Duration::from_secs(30)));
        fake.restart();
        probing.join().expect("an answer")
    });
    assert!(families.success(), "{:?}", families.reasons());
    assert_eq!(families.value("emqx_mqtt_clients", &[("state", "connected")]), Some("20"));
}

/// Asserts that all but the clients of a hung node are told, within the deadline of a scrape of 10 s.
fn assert_only_hung_are_unknown(fake: &FakeEmqx, more: &str, ids: &[String], hung: &[String]) {
    fake.record_requests(false);
    fake.inject(When::lookups_of(hung), Fault::Silent);
    let families = Exporter::start(&config_watching(fake, more, ids)).probe_within("broker=LocalEMQX", "10");
    assert_eq!(families.reasons(), ["timeout"]);
    families.assert_in_time();
    let told = families.all("emqx_mqtt_client_connected", &[]);
    assert!(told.iter().all(|sample| sample.value == "1" && !hung.contains(&sample.labels["alias"])));
    assert_eq!(told.len(), ids.len() - hung.len());
    let unknown = hung.len().to_string();
    assert_eq!(families.value("emqx_mqtt_clients", &[("state", "unknown")]), Some(unknown.as_str()));
}

#[test]
fn a_hung_node_whose_clients_stand_all_first() {
    let ids = ids(100);
    assert_only_hung_are_unknown(&broker_of(&ids), "timeout_seconds: 2\nattempts: 1", &ids, &ids[..33]);
}

#[test]
fn a_hung_node_whose_clients_stand_among_the_others() {
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
fn people_are_told_what_happened() {
    let hint = "; if it speaks TLS, api_url must begin with https://";
    for (trouble, said) in [
        (Fault::raw("SSH-2.0-OpenSSH\r\n"), format!("protocol: response of ADDRESS is not HTTP/1.1{hint}: ")),
        (Fault::Reset, format!("protocol: connection to ADDRESS broke{hint}: ")),
        (Fault::CutBody(Cut::Length), "protocol: response cut short after ".to_owned()),
        (Fault::CutBody(Cut::WithinChunk), "protocol: response cut short".to_owned()),
        (Fault::node_down(), "http_status: HTTP status 500".to_owned()),
        (Fault::body("pong"), "decode: unexpected response from EMQX: no valid JSON at line 1".to_owned()),
    ] {
        let stderr = check_in(trouble);
        assert!(stderr.contains(&format!("LocalEMQX: {said}")), "{stderr}");
        assert!(stderr.contains("(1 client unknown)"), "{stderr}");
    }
}
