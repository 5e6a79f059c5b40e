//! Prometheus discovers the brokers over HTTP.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use fake_emqx::{FakeEmqx, Row, Version};

use crate::support::{
    Authority, Exporter, Program, Prometheus, Release, Series, ServerProcess, config_of, config_of_brokers,
    promtool,
};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/prometheus/prometheus-sd.yml");

fn broker() -> FakeEmqx {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add(Row::recorded(Version::V5_8_9, "plain-user-1"));
    fake
}

fn watching_on(brokers: &[(&str, &FakeEmqx)]) -> String {
    config_of_brokers(brokers, "  - {alias: Room 1, client_id: plain-user-1, brokers: \"*\"}\n")
}

#[test]
fn each_broker_is_a_target_that_needs_no_relabelling() {
    let [one, two] = [broker(), broker()];
    let exporter = Exporter::start(&watching_on(&[("One", &one), ("\"Two & \\\"2\\\"\"", &two)]));
    let answer = exporter.get("/sd");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let target = |alias: &str| {
        serde_json::json!({
            "targets": [exporter.address().to_string()],
            "labels": {"__metrics_path__": "/probe", "__param_broker": alias, "instance": alias},
        })
    };
    let targets: serde_json::Value = serde_json::from_str(&answer.text()).expect("JSON");
    assert_eq!(targets, serde_json::json!([target("One"), target("Two & \"2\"")]));
    assert_eq!(one.connections() + two.connections(), 0, "no broker is queried for it");
}

#[test]
fn the_discovered_target_is_the_host_of_the_request() {
    let fake = broker();
    let exporter = Exporter::start(&config_of(&fake, "", &[]));
    let answer = exporter.request("GET", "/sd", &[("host", "monitor.example:9671")]).text();
    assert!(answer.contains("\"targets\":[\"monitor.example:9671\"]"), "{answer}");
    for host in ["a b", "monitor.example:99999", "user@monitor.example", "monitor.example/x", "ünïcode"] {
        // HTTP libraries send no such headers.
        let mut connection = TcpStream::connect(exporter.address()).expect("it listens");
        let request = format!("GET /sd HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        connection.write_all(request.as_bytes()).expect("it reads");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("a response");
        assert!(answer.starts_with("HTTP/1.1 400 "), "{host}: {answer}");
        assert!(answer.contains("\r\n\r\nthe header Host must be the host and port"), "{host}: {answer}");
    }
}

#[test]
fn shards_are_targets_of_their_own() {
    let fake = broker();
    let exporter = Exporter::start(&config_of(&fake, "", &[]));
    let targets: serde_json::Value = serde_json::from_str(&exporter.get("/sd?shards=2").text()).expect("JSON");
    let target = |shard: &str, label: &str| {
        serde_json::json!({
            "targets": [exporter.address().to_string()],
            "labels": {
                "__metrics_path__": "/probe", "__param_broker": "LocalEMQX", "__param_shard": shard,
                "instance": "LocalEMQX", "shard": label,
            },
        })
    };
    assert_eq!(targets, serde_json::json!([target("0/2", "0"), target("1/2", "1")]));
    for (query, answer) in [
        ("shards=0", "parameter `shards` must be one number from 1 to 1000\n"),
        ("shards=1001", "parameter `shards` must be one number from 1 to 1000\n"),
        ("shards=2&shards=3", "parameter `shards` must be one number from 1 to 1000\n"),
        ("shard=2", "unknown parameter \"shard\"; known parameters: shards, fleets\n"),
    ] {
        let refused = exporter.get(&format!("/sd?{query}"));
        assert_eq!((refused.status, refused.text().as_str()), (400, answer), "{query}");
    }
}

#[test]
fn each_client_is_in_one_share() {
    let fake = broker();
    let clients: Vec<_> = (0..40).map(|number| format!("client-{number}")).collect();
    let watched: Vec<_> = clients.iter().map(|client_id| (client_id.as_str(), client_id.as_str())).collect();
    let exporter = Exporter::start(&config_of(&fake, "", &watched));
    let aliases = |query: &str| {
        let probe = exporter.probe(&format!("broker=LocalEMQX{query}"));
        let absent = probe.all("emqx_mqtt_client_connected", &[]);
        absent.iter().map(|sample| sample.labels["alias"].clone()).collect::<Vec<_>>()
    };
    let shares: Vec<_> = ["&shard=0/3", "&shard=1/3", "&shard=2/3"].map(aliases).into();
    assert!(shares.iter().all(|share| (5..25).contains(&share.len())), "{shares:?}");
    let mut together = shares.concat();
    together.sort();
    let mut all = aliases("");
    all.sort();
    assert_eq!(together, all);
    assert_eq!(aliases("&shard=0/1").len(), 40);
    for (query, answer) in [
        (
            "shard=3/3",
            "parameter `shard` must be I/N, with N from 1 to 1000 and I from 0 to N-1, such as 0/4\n",
        ),
        ("shard=0/3&shard=1/3", "`shard` must be given once; probe several shares by several requests\n"),
        ("shard=0/3&all=true", "`shard` selects watched clients, and excludes `client` and `all=true`\n"),
        (
            "shard=0/3&client=client-1",
            "`shard` selects watched clients, and excludes `client` and `all=true`\n",
        ),
    ] {
        let refused = exporter.get(&format!("/probe?broker=LocalEMQX&{query}"));
        assert_eq!((refused.status, refused.text().as_str()), (400, answer), "{query}");
    }
}

#[test]
fn prometheus_2_scrapes_added_brokers_and_no_removed_ones() {
    added_brokers_are_scraped_and_removed_ones_are_not(Release::V2);
}

#[test]
fn prometheus_3_scrapes_added_brokers_and_no_removed_ones() {
    added_brokers_are_scraped_and_removed_ones_are_not(Release::V3);
}

fn added_brokers_are_scraped_and_removed_ones_are_not(release: Release) {
    let [one, two] = [broker(), broker()];
    let program = Program::with_config(&watching_on(&[("One", &one)]));
    let served = ServerProcess::start(&program, &[]);
    let example = fs::read_to_string(EXAMPLE).expect("it is there");
    for replaced in ["127.0.0.1:9671", "refresh_interval: 30s", "scrape_interval: 15s", "scrape_timeout: 10s"] {
        assert!(example.contains(replaced), "{replaced}");
    }
    let prometheus = Prometheus::start_release(
        release,
        &example
            .replace("127.0.0.1:9671", served.address())
            .replace("refresh_interval: 30s", "refresh_interval: 1s")
            .replace("scrape_interval: 15s", "scrape_interval: 1s")
            .replace("scrape_timeout: 10s", "scrape_timeout: 1s"),
        &[],
    );
    let instances = |series: &[Series]| {
        let mut names: Vec<_> =
            series.iter().map(|one| one.label("instance").unwrap_or_default().to_owned()).collect();
        names.sort();
        names
    };
    let scraped =
        |wanted: &'static [&str]| move |series: &[Series]| (instances(series) == wanted).then_some(());
    let connected = "emqx_mqtt_client_connected{job=\"emqx-clients\"} == 1";
    prometheus.wait_for(connected, scraped(&["One"]));

    let take_up = |brokers: &[(&str, &FakeEmqx)]| {
        fs::write(program.config_path(), watching_on(brokers)).expect("a file");
        assert_eq!(served.request("POST", "/-/reload").0, 200);
    };
    take_up(&[("One", &one), ("Two", &two)]);
    prometheus.wait_for(connected, scraped(&["One", "Two"]));
    take_up(&[("Two", &two)]);
    prometheus.wait_for(connected, scraped(&["Two"]));
}

/// Its own certificate authority is all that Prometheus has to know.
#[test]
fn an_exporter_with_tls_is_scraped_over_https() {
    let fake = broker();
    let authority = Authority::new("The exporter's authority");
    let directory = tempfile::tempdir().expect("a temporary directory");
    authority.server(&["localhost", "127.0.0.1"]).write(directory.path());
    authority.write(directory.path(), "ca.pem");
    let web_config = directory.path().join("web.yaml");
    let ca_file = directory.path().join("ca.pem");
    fs::write(&web_config, "tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n").expect("a file");
    let program = Program::with_config(&watching_on(&[("One", &fake)]));
    let served =
        ServerProcess::start(&program, &["--web.config.file", web_config.to_str().expect("a path in UTF-8")]);
    for release in Release::ALL {
        let prometheus = Prometheus::start_release(
            release,
            &format!(
                "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n  - job_name: emqx-clients\n    \
                 tls_config: {{ca_file: {ca_file:?}}}\n    http_sd_configs:\n      \
                 - {{url: \"https://{}/sd\", refresh_interval: 1s, tls_config: {{ca_file: {ca_file:?}}}}}\n",
                served.address()
            ),
            &[],
        );
        prometheus.wait_for("emqx_mqtt_client_connected{instance=\"One\"} == 1", |series| {
            (series.len() == 1).then_some(())
        });
    }
}

#[test]
fn promtool_accepts_the_example() {
    assert_eq!(promtool(&["check", "config", EXAMPLE], None), Ok(()));
}
