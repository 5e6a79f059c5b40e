//! Large numbers of clients: list requests, their cost, and how their pages are interpreted.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use emqx_client_monitor::failure_help;
use emqx_client_monitor::outcome::FailureReason;
use fake_emqx::{FakeEmqx, Fault, Request, Row, Version, When};

use crate::support::{Exporter, Families, config_of, watching};

const EVERYONE: &str = "broker=LocalEMQX&all=true";

fn fleet(fake: &FakeEmqx, ids: impl IntoIterator<Item = String>) {
    fake.add_all(ids.into_iter().map(|id| Row::like("plain-user-1").client_id(&id)));
}

fn device(number: usize) -> String {
    format!("device-{number:06}")
}

/// Starts an exporter that watches the first `count` devices.
fn watching_devices(fake: &FakeEmqx, count: usize) -> Exporter {
    let ids: Vec<_> = (0..count).map(device).collect();
    watching(fake, &ids.iter().map(String::as_str).collect::<Vec<_>>())
}

fn lists(fake: &FakeEmqx) -> Vec<Request> {
    fake.requests().into_iter().filter(Request::is_list).collect()
}

fn raw_query(request: &Request) -> &str {
    request.target.split_once('?').map_or("", |(_, query)| query)
}

fn clients(families: &Families, state: &str) -> Option<String> {
    families.value("emqx_mqtt_clients", &[("state", state)]).map(ToOwned::to_owned)
}

#[test]
fn all_true_reports_every_client_of_the_broker_by_its_id() {
    for version in [Version::V5_8_9, Version::V5_0_26] {
        let fake = FakeEmqx::start(version);
        fake.add_recorded_clients();
        let config = config_of(&fake, "", &[("Room 1", "plain-user-1"), ("Room 2", "never-seen")]);
        let families = Exporter::start(&config).probe(EVERYONE);
        assert!(families.success(), "{version:?}: {:?}", families.reasons());
        let listed = families.all("emqx_mqtt_client_connected", &[]);
        assert_eq!(listed.len(), fake.len());
        assert!(listed.iter().all(|sample| sample.labels["alias"] == sample.labels["client_id"]));
        let persistent = [("client_id", "persist-v5")];
        assert_eq!(families.value("emqx_mqtt_client_connected", &persistent), Some("0"));
        assert_eq!(families.value("emqx_mqtt_client_session_present", &persistent), Some("1"));
        assert_eq!(clients(&families, "absent").as_deref(), Some("0"));
        assert!(families.all("emqx_mqtt_client_offline_threshold_seconds", &[]).is_empty());
        assert!(families.all("emqx_mqtt_client_info", &[]).is_empty(), "only the state by default");
    }
}

#[test]
fn list_requests_have_exactly_the_fields_of_the_groups() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add_recorded_clients();
    let exporter = watching(&fake, &[]);
    exporter.probe(EVERYONE);
    let families = exporter.probe(&format!("{EVERYONE}&collect[]=queue"));
    assert_eq!(families.all("emqx_mqtt_client_mqueue_messages_limit", &[]).len(), fake.len());
    let queries: Vec<_> = lists(&fake).iter().map(|request| raw_query(request).to_owned()).collect();
    assert_eq!(queries[0], "page=1&limit=10000&fields=clientid,connected,username");
    assert_eq!(
        queries[1],
        "page=1&limit=10000&fields=clientid,connected,username,subscriptions_cnt,subscriptions_max,inflight_cnt,\
         inflight_max,mqueue_len,mqueue_max,awaiting_rel_cnt,awaiting_rel_max,mqueue_dropped,durable"
    );
}

#[test]
fn older_versions_get_requests_that_they_accept() {
    // 5.6 knows `fields` but not `is_expired`.
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add_recorded_clients();
    let names_young = |request: &Request| raw_query(request).contains("is_expired");
    fake.inject(
        When::matching(names_young),
        Fault::status(400, "application/json", "{\"code\":\"BAD_REQUEST\"}"),
    );
    let exporter = watching(&fake, &[]);
    let families = exporter.probe(&format!("{EVERYONE}&collect[]=session"));
    assert!(families.success());
    assert_eq!(families.all("emqx_mqtt_client_keepalive_seconds", &[]).len(), fake.len());
    assert_eq!(lists(&fake).len(), 2);

    // 5.0 knows neither `fields` nor a limit above 1 000.
    let fake = FakeEmqx::start(Version::V5_0_26);
    fleet(&fake, (0..2500).map(device));
    let families = watching(&fake, &[]).probe(EVERYONE);
    assert!(families.success());
    assert_eq!(families.all("emqx_mqtt_client_connected", &[]).len(), 2500);
    let limits: Vec<_> = lists(&fake).iter().flat_map(|request| request.parameter("limit")).collect();
    assert_eq!(limits, ["10000", "1000", "1000", "1000"]);
}

#[test]
fn all_pages_are_requested_until_the_last() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fleet(&fake, (0..20_000).map(device));
    let families = watching(&fake, &[]).probe(EVERYONE);
    assert!(families.success());
    assert_eq!(clients(&families, "connected").as_deref(), Some("20000"));
    // The last page is full; only the empty page after it shows the end.
    assert_eq!(lists(&fake).len(), 3);
    assert_eq!(fake.connections(), 1);
}

#[test]
fn a_client_with_two_rows_is_reported_once_as_connected() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add_recorded_clients();
    fake.add_recorded_duplicate();
    fake.add(Row::like("persist-v5").client_id("moving"));
    fake.add(Row::like("plain-user-1").client_id("moving"));
    let families = watching(&fake, &[]).probe(EVERYONE);
    assert!(families.success());
    assert_eq!(families.value("emqx_mqtt_client_connected", &[("client_id", "moving")]), Some("1"));
    assert_eq!(families.value("emqx_mqtt_client_connected", &[("client_id", "flap-clean")]), Some("1"));
}

#[test]
fn an_invalid_row_does_not_affect_others() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add_recorded_clients();
    fake.add(Row::like("plain-user-1").client_id("odd").set("connected", "yes"));
    let families = watching(&fake, &[]).probe(EVERYONE);
    assert_eq!(families.reasons(), ["decode"]);
    assert_eq!(families.value("emqx_mqtt_client_connected", &[("client_id", "odd")]), None);
    assert_eq!(families.all("emqx_mqtt_client_connected", &[]).len(), fake.len() - 1);
    assert_eq!(clients(&families, "unknown").as_deref(), Some("1"));
}

#[test]
fn an_incomplete_list_reports_no_counts() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fleet(&fake, (0..10_500).map(device));
    fake.inject(When::Page(2), Fault::status(500, "text/plain", ""));
    let families = watching(&fake, &[]).probe(EVERYONE);
    assert_eq!(families.reasons(), ["http_status"]);
    assert_eq!(families.all("emqx_mqtt_client_connected", &[]).len(), 10_000, "what was read is true");
    assert!(families.all("emqx_mqtt_clients", &[]).is_empty(), "how many there are is not known");
    assert_eq!(lists(&fake).len(), 4, "the second page was requested three times");
}

#[test]
fn up_to_a_thousand_watched_clients_are_looked_up() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fleet(&fake, (0..1000).map(device));
    assert!(watching_devices(&fake, 1000).probe("broker=LocalEMQX").success());
    assert_eq!((fake.request_count(), lists(&fake).len()), (1000, 0));
}

#[test]
fn more_are_listed_if_they_are_over_a_third_of_the_brokers_clients() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fleet(&fake, (0..3002).map(device));
    let families = watching_devices(&fake, 1001).probe("broker=LocalEMQX&collect[]=state");
    assert!(families.success());
    assert_eq!(clients(&families, "connected").as_deref(), Some("1001"));
    assert_eq!(
        families.all("emqx_mqtt_client_connected", &[]).len(),
        1001,
        "clients that are not watched are not reported"
    );
    assert_eq!((fake.request_count(), lists(&fake).len()), (2, 2), "the count and one page");

    fake.reset_counters();
    fleet(&fake, (3002..3003).map(device));
    let families = watching_devices(&fake, 1001).probe("broker=LocalEMQX&collect[]=state");
    assert_eq!(clients(&families, "connected").as_deref(), Some("1001"));
    assert_eq!((fake.request_count(), lists(&fake).len()), (1002, 1), "the count and 1001 lookups");
}

#[test]
fn a_client_missing_from_the_list_is_looked_up_before_it_is_absent() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fleet(&fake, (0..1100).filter(|n| n % 100 != 0).map(device));
    // Missing from the list, as if it had moved meanwhile. One lookup fails permanently.
    fake.add(Row::like("plain-user-1").client_id("moved").known_as(&device(100)).set("clientid", device(100)));
    fake.inject(When::Lookup(device(200)), Fault::status(500, "text/plain", ""));
    let hidden = device(100);
    fake.inject(When::Page(1), Fault::body(list_without(&fake, &hidden)));
    let families = watching_devices(&fake, 1100).probe("broker=LocalEMQX&collect[]=state");
    let connected = |number| families.value("emqx_mqtt_client_connected", &[("alias", &device(number))]);
    assert_eq!([connected(1), connected(100), connected(200)], [Some("1"), Some("1"), None]);
    assert_eq!(clients(&families, "absent").as_deref(), Some("9"));
    assert_eq!(clients(&families, "unknown").as_deref(), Some("1"));
    assert_eq!(families.reasons(), ["http_status"]);
}

/// The broker's list without one client.
fn list_without(fake: &FakeEmqx, hidden: &str) -> Vec<u8> {
    let rows: Vec<_> = (0..1100)
        .filter(|n| n % 100 != 0)
        .map(device)
        .filter(|id| id != hidden)
        .map(|id| format!("{{\"clientid\":{id:?},\"connected\":true}}"))
        .collect();
    format!("{{\"data\":[{}],\"meta\":{{\"count\":{}}}}}", rows.join(","), fake.len()).into_bytes()
}

#[test]
fn lookups_replace_a_failed_count_or_page() {
    let counts = |request: &Request| raw_query(request) == "limit=1";
    let pages = |request: &Request| raw_query(request).starts_with("page=");
    let faults: [(When, Fault); 5] = [
        (When::matching(counts), Fault::Silent),
        (When::matching(counts), Fault::node_down()),
        (When::matching(pages), Fault::node_down()),
        (When::matching(pages), Fault::body("[]")),
        (When::matching(pages), Fault::Reset),
    ];
    for (when, fault) in faults {
        let fake = FakeEmqx::start(Version::V5_8_9);
        fleet(&fake, (0..1100).map(device));
        let name = format!("{fault:?}");
        fake.inject(when, fault);
        let families = watching_devices(&fake, 1100).probe("broker=LocalEMQX&collect[]=state");
        assert!(families.success(), "{name}: {:?}", families.reasons());
        assert_eq!(clients(&families, "connected").as_deref(), Some("1100"), "{name}");
    }
}

#[test]
fn a_list_that_grows_during_the_probe_ends_by_the_deadline() {
    let fake = FakeEmqx::start(Version::V5_0_26);
    fake.record_requests(false);
    let page: Vec<_> = (0..1000).map(|n| format!("{{\"clientid\":\"c{n}\",\"connected\":true}}")).collect();
    let full = format!("{{\"data\":[{}],\"meta\":{{\"count\":1}}}}", page.join(","));
    let is_page_of_1000 = |request: &Request| raw_query(request).contains("limit=1000&");
    fake.inject(When::matching(is_page_of_1000), Fault::body(full));
    let families = watching(&fake, &[]).probe_within(EVERYONE, "1.5");
    assert_eq!(families.all("emqx_mqtt_client_connected", &[]).len(), 1000, "each client once");
    assert_eq!(families.reasons(), ["timeout"]);
}

#[test]
fn client_and_all_exclude_each_other() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    let exporter = watching(&fake, &["a"]);
    for (query, says) in [
        ("&all=true&client=a", "exclude each other"),
        ("&all=yes", "`all` must be true or false"),
        ("&all=true&all=false", "not both"),
    ] {
        let answer = exporter.get(&format!("/probe?broker=LocalEMQX{query}"));
        assert_eq!(answer.status, 400);
        assert!(answer.text().contains(says), "{}", answer.text());
    }
    assert_eq!(exporter.get("/probe?broker=LocalEMQX&all=false&client=a").status, 200);
}

#[test]
fn a_probe_above_the_limit_gets_503() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.inject(When::Any, Fault::Silent);
    let exporter = Arc::new(Exporter::start_with(&config_of(&fake, "", &[("a", "a")]), 2));
    let waiting: Vec<_> = (0..2)
        .map(|_| {
            let exporter = Arc::clone(&exporter);
            std::thread::spawn(move || exporter.probe_within("broker=LocalEMQX", "3"))
        })
        .collect();
    assert!(fake.wait_for_requests(2, Duration::from_secs(10)), "both probes are in progress");
    let answer = exporter.get("/probe?broker=LocalEMQX");
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert_eq!(exporter.get("/-/healthy").status, 200);
    for probe in waiting {
        assert_eq!(probe.join().expect("it is answered").reasons(), ["timeout"]);
    }
    fake.clear_faults();
    assert!(exporter.probe("broker=LocalEMQX").success(), "there is room again");
    let own = Families::parse(&exporter.get("/metrics").text());
    assert_eq!(own.value("emqx_client_monitor_probes_refused_total", &[("reason", "busy")]), Some("1"));
}

#[test]
fn an_abandoned_probe_sends_no_more_requests() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.set_latency(Duration::from_millis(20));
    fleet(&fake, (0..900).map(device));
    let exporter = watching_devices(&fake, 900);
    let mut scraper = TcpStream::connect(exporter.address()).expect("it listens");
    scraper.write_all(b"GET /probe?broker=LocalEMQX HTTP/1.1\r\nHost: x\r\n\r\n").expect("it reads");
    assert!(fake.wait_for_requests(8, Duration::from_secs(10)), "the probe is in progress");
    drop(scraper);
    // All 900 lookups would take 4.5 s. The exporter logs when it notices the end of the connection.
    let in_flight = || {
        let own = Families::parse(&exporter.get("/metrics").text());
        own.value("emqx_client_monitor_probes_in_flight", &[]).map(ToOwned::to_owned)
    };
    while in_flight().as_deref() != Some("0") {
        assert!(fake.request_count() < 900, "it went on to the end");
    }
    assert!(fake.request_count() < 900);
    let own = Families::parse(&exporter.get("/metrics").text());
    for result in ["success", "failure"] {
        let count = own.value("emqx_client_monitor_probes_total", &[("result", result)]);
        assert!(matches!(count, None | Some("0")), "it is neither success nor failure");
    }
}

#[test]
fn two_hundred_brokers_are_probed_at_once() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.record_requests(false);
    fleet(&fake, (0..8).map(device));
    let mut config = "emqx:\n".to_owned();
    for number in 0..200 {
        let (url, key, secret) = (fake.url(), fake.api_key(), fake.api_secret());
        let _ = writeln!(
            config,
            "  - {{alias: Broker{number}, api_url: {url:?}, api_key: {key:?}, api_secret: {secret:?}}}"
        );
    }
    config += "monitored_clients:\n";
    for number in 0..8 {
        let _ =
            writeln!(config, "  - {{alias: Device{number}, client_id: {}, brokers: \"*\"}}", device(number));
    }
    let exporter = Arc::new(Exporter::start(&config));
    let scrapers: Vec<_> = (0..8)
        .map(|scraper| {
            let exporter = Arc::clone(&exporter);
            std::thread::spawn(move || {
                (scraper..200)
                    .step_by(8)
                    .filter(|number| exporter.probe(&format!("broker=Broker{number}")).success())
                    .count()
            })
        })
        .collect();
    let succeeded: usize = scrapers.into_iter().map(|scraper| scraper.join().expect("it scrapes")).sum();
    assert_eq!(succeeded, 200);
}

#[test]
fn the_debug_view_shows_requests_and_reasons_and_no_secret() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fleet(&fake, (0..1100).map(device));
    let pages = |request: &Request| raw_query(request).starts_with("page=");
    fake.inject(When::matching(pages), Fault::node_down());
    fake.inject(When::Lookup(device(7)), Fault::body("null"));
    let exporter = watching_devices(&fake, 1100);
    let answer = exporter.get("/probe?broker=LocalEMQX&collect[]=state&debug=true");
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    let text = answer.text();
    let says = [
        "Probe of LocalEMQX at http://127.0.0.1:",
        "failed after",
        "requested clients: 1100; the broker has 1100, and listing them costs less than 1100 lookups: reading the list",
        "the list failed (HTTP status 500 (NODE_DOWN)), clients left: 1100; looking each up",
        "- decode: unexpected response from EMQX",
        &format!(
            "decode: {} {}",
            failure_help::meaning(FailureReason::Decode),
            failure_help::remedy(FailureReason::Decode)
        ),
        "GET /v5/clients?limit=1\n",
        "GET /v5/clients/device-00",
        "    1099 connected",
        "# HELP probe_success",
    ];
    for words in says {
        assert!(text.contains(words), "{words:?} is not in {}", &text[..text.len().min(4000)]);
    }
    assert!(!text.contains(&fake.api_secret()) && !text.contains("Basic "));
    assert!(text.lines().filter(|line| line.contains("GET /v5/")).count() <= 200, "it is bounded");
}

#[test]
fn the_debug_view_of_a_large_fleet_is_bounded() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.record_requests(false);
    fleet(&fake, (0..20_000).map(device));
    let answer = watching(&fake, &[]).get(&format!("/probe?{EVERYONE}&debug=true"));
    assert!(answer.body.len() < 2 * 1024 * 1024, "{} bytes", answer.body.len());
    assert!(answer.text().ends_with("(remaining metrics omitted)\n"));
}

#[test]
fn a_large_exposition_has_unsplit_families() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.record_requests(false);
    fleet(&fake, (0..3000).map(device));
    let query = format!("{EVERYONE}&collect[]=session&collect[]=queue&collect[]=traffic");
    let families = watching(&fake, &[]).probe(&query);
    assert!(families.success());
    let names: BTreeSet<_> =
        families.types.keys().filter(|name| name.starts_with("emqx_mqtt_client_")).collect();
    for name in names {
        let times = if name.ends_with("_messages_total") && !name.contains("mqueue") { 3 } else { 1 };
        let by_reason = if name.contains("sent_messages_dropped_by_reason") { 3 } else { times };
        let samples = families.all(name, &[]).len();
        assert!(samples == 3000 * by_reason || name.contains("disconnected"), "{name}: {samples}");
    }
}

#[test]
fn an_odd_count_spoils_no_list() {
    for meta in
        ["null", "17", "[]", r#"{"count":-1}"#, r#"{"count":"many"}"#, r#"{"count":1e300}"#, r#"{"count":{}}"#]
    {
        let fake = FakeEmqx::start(Version::V5_8_9);
        let list = format!(r#"{{"meta":{meta},"data":[{{"clientid":"a","connected":true}}]}}"#);
        fake.inject(When::List, Fault::body(list));
        for query in [EVERYONE, "broker=LocalEMQX"] {
            let families = watching(&fake, &[]).probe(query);
            assert!(families.success(), "{meta}: {:?}", families.reasons());
        }
    }
}

#[test]
fn a_fast_count_says_nothing_about_the_speed_of_lookups() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fleet(&fake, (0..1100).map(device));
    fake.inject(When::List, Fault::status(500, "text/plain", ""));
    fake.inject(When::Lookups, Fault::Slow(Duration::from_secs(1)));
    let families = watching_devices(&fake, 1100).probe_within("broker=LocalEMQX", "2");
    assert_eq!(families.reasons(), ["timeout"]);
    assert!(fake.max_in_flight() <= 8, "{}", fake.max_in_flight());
}

#[test]
fn a_slow_count_leaves_time_for_lookups_within_a_short_deadline() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fleet(&fake, (0..1001).map(device));
    fake.inject(When::List, Fault::Silent);
    let families = watching_devices(&fake, 1001).probe_within("broker=LocalEMQX", "1.5");
    let connected = clients(&families, "connected").expect("some are reported");
    assert_ne!(connected, "0");
}
