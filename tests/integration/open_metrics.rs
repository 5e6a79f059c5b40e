//! `OpenMetrics` with the start of each counter, and what the real Prometheus makes of it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use fake_emqx::{FakeEmqx, Row, Version};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::support::{Exporter, Families, Prometheus, Release, Response, Series, config_of};

const ACCEPT: (&str, &str) = ("accept", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5");

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Prints the samples by family as JSON.
const PARSE: &str = "
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
families = text_string_to_metric_families(sys.stdin.read())
print(json.dumps({f.name: {'type': f.type, 'samples': [[s.name, s.labels, str(s.value)] for s in f.samples]} for f in families}))
";

fn broker(rows: impl IntoIterator<Item = Row>) -> FakeEmqx {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add_all(rows);
    fake
}

fn exporter(fake: &FakeEmqx, clients: &[(&str, &str)]) -> Exporter {
    Exporter::start(&format!("{}prometheus: {{created_timestamps: true}}\n", config_of(fake, "", clients)))
}

/// A client whose connection and session began at these times.
fn row(connected_at: &str, created_at: &str) -> Row {
    Row::like("plain-user-1")
        .client_id("device")
        .set("connected_at", connected_at)
        .set("created_at", created_at)
}

fn get(exporter: &Exporter, path: &str) -> Response {
    let response = exporter.request("GET", path, &[ACCEPT]);
    assert_eq!(response.status, 200, "{}", response.text());
    response
}

/// Parses an exposition with the strict parser of Prometheus' client library for Python.
fn parse(text: &str) -> BTreeMap<String, Value> {
    let mut python = Command::new("/usr/bin/python3")
        .args(["-c", PARSE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python starts");
    python.stdin.take().expect("it is piped").write_all(text.as_bytes()).expect("Python reads");
    let output = python.wait_with_output().expect("Python ends");
    assert!(output.status.success(), "no OpenMetrics (is python3-prometheus-client installed?):\n{text}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The name and the labels of a line, and its value.
fn series_of(line: &str) -> (&str, &str) {
    line.rsplit_once(' ').expect("a sample")
}

/// Returns the starts of the counters by name, less `emqx_mqtt_client_` and `_total`. Fails the test if any counter is
/// not followed at once by its start.
fn starts(text: &str) -> BTreeMap<String, String> {
    let mut lines = text.lines();
    let mut starts = BTreeMap::new();
    while let Some(line) = lines.next() {
        let name = line.split('{').next().unwrap_or_default();
        assert!(!name.ends_with("_created"), "no counter before {line}");
        if line.starts_with('#') || !name.ends_with("_total") {
            continue;
        }
        let (series, _) = series_of(line);
        let (created, start) = series_of(lines.next().expect("a line with the start"));
        assert_eq!(created, series.replacen("_total", "_created", 1));
        let name = name.trim_start_matches("emqx_mqtt_client_").trim_end_matches("_total");
        starts.insert(name.to_owned(), start.to_owned());
    }
    starts
}

#[test]
fn open_metrics_is_sent_only_where_it_is_configured_and_accepted() {
    let fake = broker([row("2026-05-01T10:00:00.500+00:00", "2026-04-01T10:00:00+00:00")]);
    let probe = "/probe?broker=LocalEMQX";
    let text = Some("text/plain; version=0.0.4; charset=utf-8");

    let without = Exporter::start(&config_of(&fake, "", &[("Room", "device")]));
    let response = get(&without, probe);
    assert_eq!((response.header("content-type"), response.header("vary")), (text, Some("accept-encoding")));
    assert!(!response.text().contains("_created ") && !response.text().contains("# EOF"));

    let with = exporter(&fake, &[("Room", "device")]);
    assert_eq!(get(&with, probe).header("content-type"), Some(CONTENT_TYPE));
    assert_eq!(with.request("HEAD", probe, &[ACCEPT]).header("content-type"), Some(CONTENT_TYPE));
    assert_eq!(with.get(probe).header("content-type"), text, "nobody asks for it");
    let vary: Vec<_> = with.get(probe).headers.get_all("vary").iter().cloned().collect();
    assert_eq!(vary, ["accept", "accept-encoding"]);
    assert_eq!(get(&with, "/metrics").header("content-type"), text);
    let debug = get(&with, &format!("{probe}&debug=true"));
    assert_eq!(debug.header("content-type"), Some("text/plain; charset=utf-8"));
    assert!(with.get("/config").text().contains("created_timestamps: true"));
}

#[test]
fn each_counter_is_followed_by_the_start_of_its_connection_or_session() {
    let fake = broker([row("2026-05-01T10:00:00.500+00:00", "2026-04-01T10:00:00+00:00")]);
    let exporter = exporter(&fake, &[("Room", "device")]);
    let groups = "collect[]=session&collect[]=queue&collect[]=traffic&collect[]=process&collect[]=address";
    let text = get(&exporter, &format!("/probe?broker=LocalEMQX&{groups}")).text();
    let (connected_at, created_at) = ("1777629600.500", "1775037600");
    let starts = starts(&text);
    assert_eq!(starts.len(), 12, "{starts:?}");
    for (name, start) in &starts {
        let is_of_session = name == "mqueue_dropped_messages";
        assert_eq!(start, if is_of_session { created_at } else { connected_at }, "{name}");
    }

    // The same as the text format, in another spelling.
    let families = Families::parse(&exporter.get(&format!("/probe?broker=LocalEMQX&{groups}")).text());
    let parsed = parse(&text);
    assert_eq!(parsed.len(), families.types.len());
    for (name, kind) in &families.types {
        let family = &parsed[name.strip_suffix("_total").unwrap_or(name)];
        assert_eq!(&family["type"], kind, "{name}");
        let samples = family["samples"].as_array().expect("samples");
        let of_name = samples.iter().filter(|sample| sample[0] == name.as_str()).count();
        assert_eq!(of_name, families.all(name, &[]).len(), "{name}");
    }
}

#[test]
fn labels_survive_a_strict_parser() {
    let fake = broker([]);
    let names = ["a\"b\\c\nd", "ünï\u{1F600}", "# EOF", "x_total{} 1", " "];
    for (number, name) in names.iter().enumerate() {
        fake.add(Row::like("plain-user-1").client_id(&number.to_string()).username(Some(name)));
    }
    let exporter = exporter(&fake, &[]);
    let path = "/probe?broker=LocalEMQX&all=true&collect[]=queue&collect[]=traffic";
    let parsed = parse(&get(&exporter, path).text());
    let samples = parsed["emqx_mqtt_client_sent_bytes"]["samples"].as_array().expect("samples").clone();
    let of = |name: &str| samples.iter().filter(|sample| sample[1]["username"] == name).count();
    assert_eq!(names.map(of), [2; 5], "a counter and its start each");
}

#[test]
fn starts_need_no_group_of_their_own() {
    let fake = broker([row("2026-05-01T10:00:00+00:00", "2026-04-01T10:00:00+00:00")]);
    let exporter = exporter(&fake, &[("Room", "device")]);
    for query in ["", "&all=true"] {
        let text = get(&exporter, &format!("/probe?broker=LocalEMQX{query}&collect[]=traffic")).text();
        assert_eq!(starts(&text).get("received_bytes").map(String::as_str), Some("1777629600"), "{text}");
        assert!(!text.contains("emqx_mqtt_client_connected_timestamp_seconds"), "nobody asked for this group");
    }
    fake.reset_counters();
    get(&exporter, "/probe?broker=LocalEMQX&all=true");
    assert!(!fake.requests()[0].target.contains("connected_at"), "no counters, no starts");
}

#[test]
fn a_counter_whose_start_is_unknown_or_in_the_future_is_left_out() {
    let (past, future) = ("2026-04-01T10:00:00+00:00", "2100-01-01T00:00:00+00:00");
    for row in [row(future, past), row(past, past).unset("connected_at"), row(past, past).null("connected_at")]
    {
        let fake = broker([row]);
        let exporter = exporter(&fake, &[("Room", "device")]);
        let text = get(&exporter, "/probe?broker=LocalEMQX").text();
        assert_eq!(starts(&text).into_keys().collect::<Vec<_>>(), ["mqueue_dropped_messages"]);
        assert!(!text.contains("client_received_bytes"), "a family without samples is not announced");
        assert!(text.contains("\nprobe_success 1\n") && text.contains("emqx_mqtt_client_connected{"));
        let counters = "emqx_mqtt_client_received_bytes_total";
        assert!(exporter.get("/probe?broker=LocalEMQX").text().contains(counters), "as text it is reported");
    }
}

#[test]
fn a_connection_that_began_during_the_probe_has_no_counters_yet() {
    let fake = broker([row("2026-04-01T10:00:00+00:00", "2026-04-01T10:00:00+00:00")]);
    let exporter = exporter(&fake, &[("Room", "device")]);
    let at = Timestamp::now() + SignedDuration::from_millis(400);
    fake.set_latency(Duration::from_millis(800));
    fake.change("device", |row| row.set("connected_at", at.to_string()));
    let text = get(&exporter, "/probe?broker=LocalEMQX").text();
    assert!(!starts(&text).contains_key("received_bytes"), "{text}");
    assert!(starts(&get(&exporter, "/probe?broker=LocalEMQX").text()).contains_key("received_bytes"));
}

/// A scrape configuration for this exporter, hurried.
fn scraping(exporter: &Exporter) -> String {
    format!(
        "scrape_configs: [{{job_name: emqx-clients, scrape_interval: 1s, scrape_timeout: 1s, metrics_path: /probe, \
         params: {{broker: [LocalEMQX]}}, static_configs: [{{targets: [\"{}\"]}}]}}]",
        exporter.address()
    )
}

#[test]
fn a_prometheus_without_the_feature_reads_open_metrics_too() {
    let fake = broker([row("2026-05-01T10:00:00+00:00", "2026-04-01T10:00:00+00:00")]);
    let exporter = exporter(&fake, &[("Room", "device")]);
    for release in Release::ALL {
        let prometheus = Prometheus::start_release(release, &scraping(&exporter), &[]);
        let created = prometheus
            .wait_for("emqx_mqtt_client_received_bytes_created", |series| Some(series.first()?.value.clone()));
        assert_eq!(created, "1777629600", "{release:?} stores it as a series");
        let counter = prometheus.query("emqx_mqtt_client_received_bytes_total").expect("Prometheus is ready");
        assert_eq!(counter.len(), 1);
    }
}

/// A device connects, sends 5 messages and disconnects; between two scrapes it connects again and sends 7. Returns how many
/// messages Prometheus counts when the clock of the broker is `ahead`.
fn counted_messages(ahead: SignedDuration) -> String {
    let connected = |messages: u64| {
        let now = (Timestamp::now() + ahead).to_string();
        let row = row(&now, "2026-04-01T10:00:00+00:00");
        row.set("recv_msg.qos1", messages).set("recv_msg.qos0", 0).set("recv_msg.qos2", 0)
    };
    let fake = broker([connected(5)]);
    let exporter = exporter(&fake, &[("Room", "device")]);
    let features = ["created-timestamp-zero-ingestion"];
    let prometheus = Prometheus::start_with_features(Release::V3, &scraping(&exporter), &features);
    let scrapes = "count_over_time(probe_success[10m])";
    let scrapes_above = |least: f64| {
        move |series: &[Series]| {
            let count = series.first()?.value.parse::<f64>().ok()?;
            (count > least).then_some(count)
        }
    };
    let before = prometheus.wait_for(scrapes, scrapes_above(2.0));
    fake.change("device", |_| connected(7));
    prometheus.wait_for(scrapes, scrapes_above(before + 2.0));

    let messages = "emqx_mqtt_client_received_messages_total{qos=\"1\"}";
    let time = prometheus.wait_for(&format!("timestamp({messages}) and {messages} == 7"), |series| {
        Some(series.first()?.value.clone())
    });
    // Nothing is extrapolated where the range ends with a sample and begins before a sample of 0.
    let counted = prometheus
        .wait_for(&format!("increase({messages}[10m] @ {time})"), |series| Some(series.first()?.value.clone()));
    let names = prometheus.label_values("__name__", "{job=\"emqx-clients\"}", Timestamp::UNIX_EPOCH);
    let names = names.expect("Prometheus is ready");
    assert!(names.contains(&"emqx_mqtt_client_received_messages_total".to_owned()));
    assert!(names.iter().all(|name| !name.ends_with("_created")), "{names:?}");
    counted
}

#[test]
fn prometheus_counts_messages_of_connections_that_no_scrape_saw_begin() {
    assert_eq!(counted_messages(SignedDuration::ZERO), "12");
}

#[test]
fn prometheus_invents_nothing_when_the_brokers_clock_is_behind() {
    assert_eq!(
        counted_messages(SignedDuration::from_secs(-30)),
        "7",
        "the second start is before known samples"
    );
}

#[test]
fn prometheus_invents_nothing_when_the_brokers_clock_is_ahead() {
    assert_eq!(
        counted_messages(SignedDuration::from_secs(30)),
        "7",
        "the first connection ends before its start"
    );
}
