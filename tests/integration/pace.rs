//! `concurrency` is a promise to the broker, and a broker that is only slow is distinguished from one that hangs.

use std::collections::BTreeSet;
use std::time::Duration;

use fake_emqx::{FakeEmqx, Fault, Row, Version, When};

use crate::support::{Exporter, config_of};

/// Leaves 1.5 s for a probe.
const SCRAPE_TIMEOUT: [(&str, &str); 1] = [("X-Prometheus-Scrape-Timeout-Seconds", "2")];

fn slow_broker(clients: usize, latency: Duration) -> (FakeEmqx, Vec<String>) {
    let ids: Vec<_> = (0..clients).map(|number| format!("device-{number:04}")).collect();
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add_all(ids.iter().map(|id| Row::like("plain-user-1").client_id(id)));
    fake.inject(When::Lookups, Fault::Slow(latency));
    (fake, ids)
}

fn exporter(fake: &FakeEmqx, more: &str, ids: &[String]) -> Exporter {
    let clients: Vec<_> = ids.iter().map(|id| (id.as_str(), id.as_str())).collect();
    Exporter::start(&config_of(fake, more, &clients))
}

#[test]
fn a_slow_broker_gets_at_most_twice_its_concurrency() {
    let (fake, ids) = slow_broker(24, Duration::from_millis(500));
    let families = exporter(&fake, "concurrency: 4", &ids).probe_within("broker=LocalEMQX", "20");
    assert!(families.success(), "{:?}", families.reasons());
    assert!(fake.max_in_flight() <= 8, "{} requests at once", fake.max_in_flight());
}

#[test]
fn the_error_of_a_slow_broker_names_its_limit_in_numbers() {
    let (fake, ids) = slow_broker(400, Duration::from_millis(20));
    let exporter = exporter(&fake, "concurrency: 2", &ids);
    let query = "broker=LocalEMQX&collect[]=state";
    let unknown = || {
        let families = exporter.probe_within(query, "2");
        assert_eq!(families.reasons(), ["timeout"]);
        let known = families.all("emqx_mqtt_client_connected", &[]);
        let known: BTreeSet<_> = known.iter().map(|sample| sample.labels["alias"].clone()).collect();
        assert!(!known.is_empty());
        known
    };
    assert_ne!(unknown(), unknown(), "it is not always the same clients that are left out");
    let debug_view = exporter.request("GET", &format!("/probe?{query}&debug=true"), &SCRAPE_TIMEOUT).text();
    for words in
        ["`concurrency: 2` limits this probe: the broker answered ", " did not fit into the deadline of 1.5 s"]
    {
        assert!(debug_view.contains(words), "{words:?} is not in {debug_view:.2000}");
    }
}

#[test]
fn a_hung_broker_is_not_blamed_on_concurrency() {
    let (fake, ids) = slow_broker(8, Duration::ZERO);
    fake.clear_faults();
    fake.inject(When::Lookups, Fault::Silent);
    let exporter = exporter(&fake, "", &ids);
    let debug_view = exporter.request("GET", "/probe?broker=LocalEMQX&debug=true", &SCRAPE_TIMEOUT).text();
    assert!(!debug_view.contains("limits this probe"), "{debug_view:.2000}");
    let waiting =
        debug_view.lines().filter(|line| line.contains("GET /v5/clients/device-000")).collect::<Vec<_>>();
    assert!(
        waiting.len() == 8 && waiting.iter().all(|line| line.contains("  no response after 1.")),
        "{waiting:?}"
    );
    let metrics = exporter.get("/metrics").text();
    let counted = "emqx_client_monitor_api_requests_total{broker=\"LocalEMQX\",code=\"none\"} 8";
    assert!(metrics.contains(counted), "{metrics}");
}

#[test]
fn a_probe_that_the_broker_held_up_is_not_blamed_on_concurrency() {
    let (fake, ids) = slow_broker(600, Duration::from_millis(10));
    fake.clear_faults();
    fake.inject(When::Lookups, Fault::retry_after(429, "1").times(1));
    fake.inject(When::Lookups, Fault::Slow(Duration::from_millis(10)));
    let exporter = exporter(&fake, "concurrency: 2", &ids);
    let debug_view = exporter.request("GET", "/probe?broker=LocalEMQX&debug=true", &SCRAPE_TIMEOUT).text();
    assert!(!debug_view.contains("limits this probe"), "{debug_view:.2000}");
    assert!(debug_view.contains("the broker asked for pauses (`Retry-After`) of 1.0 s"), "{debug_view:.2000}");
}
