//! The exporter's HTTP server: what it answers, and what it refuses.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use emqx_client_monitor::version;
use fake_emqx::{FakeEmqx, Fault, Row, Version, When};
use flate2::read::GzDecoder;

use crate::support::{Exporter, Families, config_of, watching};

fn one_client() -> (FakeEmqx, Exporter) {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add(Row::recorded(Version::V5_8_9, "plain-user-1"));
    let exporter = watching(&fake, &["plain-user-1"]);
    (fake, exporter)
}

#[test]
fn the_content_type_is_that_of_the_text_format() {
    let (_fake, exporter) = one_client();
    for path in ["/probe?broker=LocalEMQX", "/metrics"] {
        let answer = exporter.get(path);
        assert_eq!(answer.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"), "{path}");
        assert_eq!(answer.header("content-encoding"), None, "{path}");
    }
}

#[test]
fn gzip_is_sent_to_clients_that_accept_it() {
    let (_fake, exporter) = one_client();
    let answer = exporter.request("GET", "/probe?broker=LocalEMQX", &[("accept-encoding", "gzip")]);
    assert_eq!(answer.header("content-encoding"), Some("gzip"));
    let mut text = String::new();
    GzDecoder::new(answer.body.as_slice()).read_to_string(&mut text).expect("a gzip body");
    assert!(Families::parse(&text).success());
}

#[test]
fn gzip_holds_the_same_as_the_plain_text_whatever_its_size() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add_all((0..400).map(|n| Row::like("plain-user-1").client_id(&format!("c-{n}"))));
    let exporter = watching(&fake, &[]);
    let path = "/probe?broker=LocalEMQX&all=true&collect[]=traffic&collect[]=session";
    let answer = exporter.request("GET", path, &[("accept-encoding", "gzip")]);
    assert_eq!(answer.header("vary"), Some("accept-encoding"));
    let mut text = String::new();
    GzDecoder::new(answer.body.as_slice()).read_to_string(&mut text).expect("a gzip body");
    let clients = |text: &str| {
        text.lines().filter(|line| line.contains("client_id=")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(clients(&text).len() > 400 * 10);
    assert_eq!(clients(&text), clients(&exporter.get(path).text()));
    let own = exporter.request("GET", "/metrics", &[("accept-encoding", "gzip")]);
    assert_eq!(own.header("content-encoding"), Some("gzip"));
}

#[test]
fn head_is_answered_without_asking_a_broker() {
    let (fake, exporter) = one_client();
    for path in ["/", "/probe?broker=LocalEMQX", "/metrics", "/config", "/sd", "/-/healthy", "/-/ready"] {
        let (head, get) = (exporter.request("HEAD", path, &[]), exporter.get(path));
        assert_eq!((head.status, head.body.len()), (200, 0), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
        assert_ne!(head.header("content-length"), Some("0"), "{path}");
        fake.reset_counters();
    }
    let requests = fake.request_count();
    assert_eq!(exporter.request("HEAD", "/probe?broker=LocalEMQX", &[]).status, 200);
    assert_eq!(exporter.request("HEAD", "/probe?broker=Nope", &[]).status, 400);
    assert_eq!(fake.request_count(), requests);
}

#[test]
fn http_1_0_gets_no_chunks() {
    let (fake, _) = one_client();
    fake.add_all((0..400).map(|n| Row::like("plain-user-1").client_id(&format!("c-{n}"))));
    let exporter = watching(&fake, &[]);
    for path in ["/", "/probe?broker=LocalEMQX&all=true&collect[]=traffic&collect[]=session"] {
        for method in ["GET", "HEAD"] {
            let mut connection = TcpStream::connect(exporter.address()).expect("it listens");
            let request = format!("{method} {path} HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
            connection.write_all(request.as_bytes()).expect("it reads");
            let mut response = String::new();
            connection.read_to_string(&mut response).expect("it closes the connection at the end");
            let (head, body) = response.split_once("\r\n\r\n").expect("a head");
            assert!(head.contains(" 200 ") && !head.contains("chunked"), "{method} {path}: {head}");
            if method == "HEAD" {
                assert_eq!(body, "", "{path}");
            } else {
                assert!(body.starts_with(['<', '#']), "{path}");
            }
        }
    }
}

#[test]
fn counters_exist_from_the_start() {
    let (_fake, exporter) = one_client();
    let own = Families::parse(&exporter.get("/metrics").text());
    for (name, labels) in [
        ("probes_total", [("broker", "LocalEMQX"), ("result", "success")]),
        ("probes_total", [("broker", "LocalEMQX"), ("result", "failure")]),
        ("probes_total", [("broker", "LocalEMQX"), ("result", "abandoned")]),
        ("probe_failures_total", [("broker", "LocalEMQX"), ("reason", "tls")]),
        ("api_requests_total", [("broker", "LocalEMQX"), ("code", "200")]),
    ] {
        assert_eq!(own.value(&format!("emqx_client_monitor_{name}"), &labels), Some("0"), "{name} {labels:?}");
    }
    for reason in ["busy", "no_broker", "bad_timeout"] {
        let refused = own.value("emqx_client_monitor_probes_refused_total", &[("reason", reason)]);
        assert_eq!(refused, Some("0"), "{reason}");
    }
    let count = "emqx_client_monitor_probe_duration_seconds_count";
    assert_eq!(own.value(count, &[("broker", "LocalEMQX")]), Some("0"));
    assert_eq!(own.value("emqx_client_monitor_log_lines_dropped_total", &[]), Some("0"));
}

#[test]
fn target_is_a_synonym_of_broker_and_module_is_ignored() {
    let (_fake, exporter) = one_client();
    assert!(exporter.probe("target=LocalEMQX&module=http_2xx").success());
}

#[test]
fn a_probe_can_be_limited_to_some_clients() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add_recorded_clients();
    let config =
        config_of(&fake, "", &[("Room 1", "plain-user-1"), ("Room 2", "plain-nouser-1"), ("Room 3", "a")]);
    let exporter = Exporter::start(&config);
    let families = exporter.probe("broker=LocalEMQX&client=Room+1&client=Room%203&client=Room+1");
    assert!(families.success());
    let connected = |alias| families.value("emqx_mqtt_client_connected", &[("alias", alias)]);
    assert_eq!([connected("Room 1"), connected("Room 2"), connected("Room 3")], [Some("1"), None, Some("1")]);
    assert_eq!(fake.request_count(), 2);
}

#[test]
fn invalid_requests_get_400_with_the_expected_values() {
    let (fake, exporter) = one_client();
    for (query, says) in [
        ("", "missing parameter `broker`; configured brokers: LocalEMQX"),
        ("?broker=", "missing parameter `broker`; configured brokers: LocalEMQX"),
        ("?broker=Nope", "unknown broker \"Nope\"; configured brokers: LocalEMQX"),
        ("?broker=LocalEMQX&broker=LocalEMQX", "once"),
        ("?broker=LocalEMQX&target=LocalEMQX", "once"),
        (
            "?broker=LocalEMQX&client=Nope",
            "unknown client \"Nope\"; broker \"LocalEMQX\" has no watched client with this alias",
        ),
        (
            "?broker=LocalEMQX&collect[]=nope",
            "unknown metric group \"nope\"; known groups: state, session, queue, traffic, process, address",
        ),
        ("?broker=LocalEMQX&collect=session", "unknown parameter \"collect\""),
        ("?broker=LocalEMQX&alias=x", "unknown parameter \"alias\""),
    ] {
        let answer = exporter.get(&format!("/probe{query}"));
        assert_eq!(answer.status, 400, "{query}");
        assert!(answer.text().contains(says), "{query}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"), "{query}");
    }
    assert_eq!(fake.connections(), 0, "no broker is queried for an invalid request");
    let own = Families::parse(&exporter.get("/metrics").text());
    let refused = |reason| own.value("emqx_client_monitor_probes_refused_total", &[("reason", reason)]);
    assert_eq!([refused("no_broker"), refused("several_brokers")], [Some("2"), Some("2")]);
}

#[test]
fn the_deadline_is_the_scrape_timeout_minus_the_offset() {
    let (_fake, exporter) = one_client();
    let timeout = |header| {
        let families = exporter.probe_within("broker=LocalEMQX", header);
        families.value("probe_timeout_seconds", &[]).expect("always reported").to_owned()
    };
    assert_eq!(timeout("10.000000"), "9.5");
    assert_eq!(timeout("0.6"), "0.1");
    assert_eq!(timeout("1000"), "120");
    assert_eq!(timeout("1e300"), "120");
    let default = exporter.probe("broker=LocalEMQX");
    assert_eq!(default.value("probe_timeout_seconds", &[]), Some("15"));
}

#[test]
fn a_scrape_timeout_not_above_the_offset_is_refused() {
    let (_fake, exporter) = one_client();
    for header in ["0.5", "0", "-1", "NaN", "ten", "", "inf", "-inf"] {
        let headers = [("X-Prometheus-Scrape-Timeout-Seconds", header)];
        let answer = exporter.request("GET", "/probe?broker=LocalEMQX", &headers);
        assert_eq!(answer.status, 400, "{header:?}: {}", answer.text());
    }
}

#[test]
fn other_methods_are_not_allowed() {
    let (_fake, exporter) = one_client();
    for (method, path) in [("POST", "/probe?broker=LocalEMQX"), ("DELETE", "/metrics"), ("POST", "/-/healthy")]
    {
        let answer = exporter.request(method, path, &[]);
        assert_eq!(answer.status, 405, "{method} {path}");
        assert!(answer.header("allow").is_some_and(|allowed| allowed.starts_with("GET")), "{method} {path}");
    }
    assert_eq!(exporter.get("/nowhere").status, 404);
}

#[test]
fn health_does_not_depend_on_the_broker() {
    let (fake, exporter) = one_client();
    fake.stop();
    assert_eq!(exporter.get("/-/healthy").status, 200);
    assert_eq!(exporter.request("HEAD", "/-/healthy", &[]).status, 200);
    assert_eq!(exporter.probe("broker=LocalEMQX").reasons(), ["connect"]);
}

#[test]
fn the_exporters_own_metrics_contain_no_client() {
    let (fake, exporter) = one_client();
    exporter.probe("broker=LocalEMQX");
    fake.inject(When::Any, Fault::status(400, "text/plain", ""));
    exporter.probe("broker=LocalEMQX");
    let own = Families::parse(&exporter.get("/metrics").text());
    let build = [
        ("version", env!("CARGO_PKG_VERSION")),
        ("revision", version::COMMIT),
        ("rustversion", version::RUSTC),
    ];
    assert_eq!(own.value("emqx_client_monitor_build_info", &build), Some("1"));
    let probes =
        |result| own.value("emqx_client_monitor_probes_total", &[("broker", "LocalEMQX"), ("result", result)]);
    assert_eq!([probes("success"), probes("failure")], [Some("1"), Some("1")]);
    let failures = own.value("emqx_client_monitor_probe_failures_total", &[("reason", "http_status")]);
    assert_eq!(failures, Some("1"));
    assert_eq!(own.value("emqx_client_monitor_probes_in_flight", &[]), Some("0"));
    assert!(own.value("process_resident_memory_bytes", &[]).is_some());
    assert!(own.samples.iter().all(|sample| !sample.name.starts_with("emqx_mqtt_")));
}

#[test]
fn hostile_names_are_escaped_in_the_exposition() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    let hostile = "\"},x{y=\"\\\n# HELP";
    fake.add(Row::like("plain-user-1").client_id(hostile).username(Some(hostile)).set("node", hostile));
    let alias = "\"},x{y=\"\\";
    let families = Exporter::start(&config_of(&fake, "", &[(alias, hostile)])).probe("broker=LocalEMQX");
    let labels = [("client_id", hostile), ("alias", alias), ("username", hostile), ("node", hostile)];
    assert_eq!(families.value("emqx_mqtt_client_info", &labels), Some("1"));
}

#[test]
fn a_large_response_is_complete_with_one_block_per_family() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.record_requests(false);
    let ids: Vec<_> = (0..300).map(|n| format!("device-{n}")).collect();
    fake.add_all(ids.iter().map(|id| Row::like("plain-user-1").client_id(id)));
    let refs: Vec<_> = ids.iter().map(String::as_str).collect();
    let exporter = watching(&fake, &refs);
    let answer = exporter.get("/probe?broker=LocalEMQX");
    assert!(answer.body.len() > 512 * 1024, "it takes several chunks");
    let families = Families::parse(&answer.text());
    assert!(families.success());
    assert_eq!(families.all("emqx_mqtt_client_sent_messages_total", &[("qos", "2")]).len(), 300);
}
