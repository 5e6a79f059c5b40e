//! What the real Prometheus makes of it, with the scrape configuration of the examples.

use std::io::Write as _;

use fake_emqx::{FakeEmqx, Row, Version};

use crate::support::{Exporter, Prometheus, Release, Series, config_of, config_of_brokers, promtool, watching};

const EXAMPLE: &str = include_str!("../../examples/prometheus/prometheus.yml");
const ALL_GROUPS: &str =
    "collect[]=session&collect[]=queue&collect[]=traffic&collect[]=process&collect[]=address";

/// Two brokers under the aliases of the example.
fn two_brokers(local: &FakeEmqx, factory: &FakeEmqx) -> String {
    config_of_brokers(
        &[("LocalEMQX", local), ("FactoryEMQX", factory)],
        "  - {alias: Room 1, client_id: plain-user-1, brokers: \"*\"}\n  \
         - {alias: Room 2, client_id: persist-v5, brokers: [FactoryEMQX]}\n",
    )
}

/// The example, pointed at this exporter and hurried: the test has no time for 15 s between scrapes.
fn example_for(exporter: &Exporter) -> String {
    example_at(&exporter.address().to_string())
}

/// The same, with the exporter's address.
pub(super) fn example_at(address: &str) -> String {
    let hurried = [
        ("127.0.0.1:9671", address),
        ("scrape_interval: 15s", "scrape_interval: 1s"),
        ("scrape_interval: 1m", "scrape_interval: 1s"),
        ("scrape_timeout: 10s", "scrape_timeout: 1s"),
        ("scrape_timeout: 30s", "scrape_timeout: 1s"),
    ];
    hurried.iter().fold(EXAMPLE.to_owned(), |text, (written, instead)| {
        assert!(text.contains(written), "{written}");
        text.replace(written, instead)
    })
}

fn all_are(value: &str, count: usize) -> impl Fn(&[Series]) -> Option<()> {
    move |series| (series.len() == count && series.iter().all(|one| one.value == value)).then_some(())
}

#[test]
fn prometheus_2_scrapes_two_brokers_and_notices_a_failure() {
    scrapes_two_brokers_and_sees_one_of_them_die(Release::V2);
}

#[test]
fn prometheus_3_scrapes_two_brokers_and_notices_a_failure() {
    scrapes_two_brokers_and_sees_one_of_them_die(Release::V3);
}

fn scrapes_two_brokers_and_sees_one_of_them_die(release: Release) {
    let local = FakeEmqx::start(Version::V5_8_9);
    let factory = FakeEmqx::start(Version::V5_0_26);
    local.add(Row::recorded(Version::V5_8_9, "plain-user-1"));
    factory.add(Row::recorded(Version::V5_0_26, "plain-user-1"));
    factory.add(Row::recorded(Version::V5_0_26, "persist-v5"));
    let exporter = Exporter::start(&two_brokers(&local, &factory));
    let prometheus = Prometheus::start_release(release, &example_for(&exporter), &[]);

    prometheus.wait_for("up", all_are("1", 5));
    prometheus.wait_for("probe_success{job=\"emqx-clients\"}", all_are("1", 2));
    let room_1 = "emqx_mqtt_client_connected{alias=\"Room 1\"}";
    prometheus.wait_for(room_1, |series| {
        let mut instances: Vec<_> =
            series.iter().map(|one| (one.label("instance"), one.label("broker"))).collect();
        instances.sort_unstable();
        let each = |alias| (Some(alias), Some(alias));
        (instances == [each("FactoryEMQX"), each("LocalEMQX")]).then_some(())
    });
    prometheus.wait_for("emqx_mqtt_client_keepalive_seconds{alias=\"Room 2\"}", |series| {
        let [one] = series else { return None };
        let labels = ["job", "instance", "broker", "alias", "client_id", "username", "exported_broker"];
        let values: Vec<_> = labels.iter().map(|name| one.label(name)).collect();
        let expected = [
            Some("emqx-clients"),
            Some("FactoryEMQX"),
            Some("FactoryEMQX"),
            Some("Room 2"),
            Some("persist-v5"),
            Some("pat"),
            None,
        ];
        (values == expected && one.value == "60").then_some(())
    });
    prometheus.wait_for("emqx_client_monitor_build_info{job=\"emqx-client-monitor\"}", all_are("1", 1));

    factory.stop();
    prometheus.wait_for("probe_success{instance=\"FactoryEMQX\"}", all_are("0", 2));
    prometheus.wait_for("up{instance=\"FactoryEMQX\"}", all_are("1", 2));
    prometheus.wait_for("emqx_probe_failure_reason{instance=\"FactoryEMQX\"} == 1", |series| {
        (series.len() == 2 && series.iter().all(|one| one.label("reason") == Some("connect"))).then_some(())
    });
    // Gone, not merely old: the last values of the broker are no longer claimed.
    prometheus.wait_for("{__name__=~\"emqx_mqtt_client_.*\", broker=\"FactoryEMQX\"}", |series| {
        let threshold = "emqx_mqtt_client_offline_threshold_seconds";
        series.iter().all(|one| one.label("__name__") == Some(threshold)).then_some(())
    });
    prometheus.wait_for("emqx_mqtt_client_connected{broker=\"LocalEMQX\"}", all_are("1", 1));
}

#[test]
fn promtool_finds_no_problems_in_the_exposition() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add_recorded_clients();
    let config = config_of(
        &fake,
        "nodes: {\"emqx@127.0.0.1\": 1}",
        &[("Room 1", "plain-user-1"), ("Room 2", "persist-v5"), ("Room 3", "nope")],
    );
    let exporter = Exporter::start(&config);
    for path in [format!("/probe?broker=LocalEMQX&{ALL_GROUPS}"), "/metrics".to_owned()] {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(&exporter.get(&path).body).expect("a temporary file takes text");
        assert_eq!(promtool(&["check", "metrics"], Some(file.path())), Ok(()), "{path}");
    }
}

#[test]
fn promtool_accepts_the_example() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/prometheus/prometheus.yml");
    assert_eq!(promtool(&["check", "config", path], None), Ok(()));
}

#[test]
fn a_broker_without_watched_clients_is_scraped() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    let exporter = watching(&fake, &[]);
    let prometheus = Prometheus::start(&example_for(&exporter));
    prometheus.wait_for("probe_success{instance=\"LocalEMQX\"}", all_are("1", 2));
    // The other broker of the example is not in this configuration: a refused probe is a failed scrape.
    prometheus.wait_for("up{instance=\"FactoryEMQX\"}", all_are("0", 2));
}
