//! More than one exporter: behind a real load balancer, scraped by the real Prometheus.

use std::time::{Duration, Instant};

use fake_emqx::{FakeEmqx, Row, Version};

use crate::support::{Families, HaProxy, Program, Prometheus, Series, ServerProcess, config_of, promtool};

const EXAMPLE: &str = include_str!("../../examples/haproxy/haproxy.cfg");
const SHARDS_EXAMPLE: &str = include_str!("../../examples/haproxy/prometheus-shards.yml");
const CLIENTS: [(&str, &str); 3] = [("Room 1", "room-1"), ("Room 2", "room-2"), ("Room 3", "room-3")];

/// The example, between this address and these replicas.
fn balancing(address: &str, [a, b]: [&ServerProcess; 2]) -> String {
    let own = [
        ("bind :9671", format!("bind {address}")),
        ("127.0.0.1:9672", a.address().to_owned()),
        ("127.0.0.1:9673", b.address().to_owned()),
    ];
    own.iter().fold(EXAMPLE.to_owned(), |config, (example, own)| {
        assert!(config.contains(example), "{example}");
        config.replace(example, own)
    })
}

/// One target: the broker, probed through this address every second.
fn scraping(address: &str) -> String {
    format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
         scrape_configs:\n  \
         - job_name: emqx-clients\n    \
           metrics_path: /probe\n    \
           params: {{broker: [LocalEMQX]}}\n    \
           static_configs: [{{targets: [\"{address}\"], labels: {{instance: LocalEMQX}}}}]\n"
    )
}

/// Sums a metric of the replica itself over all its series.
fn own(replica: &ServerProcess, name: &str) -> u64 {
    let metrics = Families::parse(&replica.get("/metrics"));
    metrics.all(name, &[]).iter().map(|sample| sample.value.parse::<u64>().expect("a count")).sum()
}

/// Waits until the replica is in the middle of a probe.
fn wait_for_a_probe(replica: &ServerProcess) {
    let since = Instant::now();
    while own(replica, "emqx_client_monitor_probes_in_flight") == 0 {
        assert!(since.elapsed() < Duration::from_secs(60), "it is never probed");
    }
}

fn number(series: &Series) -> f64 {
    series.value.parse().expect("Prometheus says numbers")
}

/// Waits until this many scrapes are recorded.
fn wait_for_scrapes(prometheus: &Prometheus, count: f64) {
    prometheus.wait_for("count_over_time(up[5m])", |series| {
        let [one] = series else { return None };
        (number(one) >= count).then_some(())
    });
}

/// The present value of an expression for each of the watched clients.
fn for_each_client(prometheus: &Prometheus, expression: &str) -> Vec<f64> {
    prometheus.wait_for(expression, |series| {
        (series.len() == CLIENTS.len()).then(|| series.iter().map(number).collect())
    })
}

#[test]
fn a_replica_that_dies_during_a_scrape_causes_no_gap() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add_all(CLIENTS.map(|(_, client_id)| Row::like("plain-user-1").client_id(client_id)));
    fake.set_latency(Duration::from_millis(150)); // time to be killed in
    let program = Program::with_config(&config_of(&fake, "", &CLIENTS));
    let [dies, lives] = [(); 2].map(|()| ServerProcess::start(&program, &[]));
    let balancer = HaProxy::start(|address| balancing(address, [&dies, &lives]), "/probe?broker=LocalEMQX");
    let prometheus = Prometheus::start(&scraping(balancer.address()));

    wait_for_scrapes(&prometheus, 4.0);
    for replica in [&dies, &lives] {
        assert_ne!(own(replica, "emqx_client_monitor_probes_total"), 0, "both are probed");
    }
    wait_for_a_probe(&dies);
    dies.end(); // SIGKILL: it has no time for anything
    let before = own(&lives, "emqx_client_monitor_probes_total");
    let scrapes = prometheus.wait_for("count_over_time(up[5m])", |series| series.first().map(number));
    wait_for_scrapes(&prometheus, scrapes + 5.0);

    assert!(own(&lives, "emqx_client_monitor_probes_total") >= before + 4, "the other one took over");
    prometheus.wait_for("count_over_time(up[5m]) - sum_over_time(up[5m])", |series| {
        let [failed] = series else { return None };
        assert!(number(failed) <= 1.0, "{} scrapes failed", failed.value);
        Some(())
    });
    for metric in ["emqx_mqtt_client_connected", "emqx_mqtt_client_session_present"] {
        let least = for_each_client(&prometheus, &format!("min_over_time({metric}[5m])"));
        assert_eq!(least, [1.0; 3], "{metric}");
        let missing = format!("sum_over_time(up[5m]) - on() group_right() count_over_time({metric}[5m])");
        assert_eq!(for_each_client(&prometheus, &missing), [0.0; 3], "{metric}");
        assert_eq!(for_each_client(&prometheus, metric), [1.0; 3], "{metric}");
    }
}

#[test]
fn each_client_is_in_one_share_whichever_replica_answers() {
    let client_ids: Vec<_> = (0..12).map(|number| format!("room-{number}")).collect();
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add_all(client_ids.iter().map(|client_id| Row::like("plain-user-1").client_id(client_id)));
    let clients: Vec<_> = client_ids.iter().map(|client_id| (client_id.as_str(), client_id.as_str())).collect();
    let program = Program::with_config(&config_of(&fake, "", &clients));
    let replicas = [(); 2].map(|()| ServerProcess::start(&program, &[]));
    let [a, b] = &replicas;
    let balancer = HaProxy::start(|address| balancing(address, [a, b]), "/-/ready");
    let scraping = |shards: usize| {
        let own = [
            ("127.0.0.1:9671", balancer.address().to_owned()),
            ("shards=4", format!("shards={shards}")),
            ("scrape_interval: 15s", "scrape_interval: 1s".to_owned()),
            ("scrape_timeout: 10s", "scrape_timeout: 1s".to_owned()),
            ("refresh_interval: 30s", "refresh_interval: 1s".to_owned()),
        ];
        own.iter().fold(SHARDS_EXAMPLE.to_owned(), |config, (example, own)| {
            assert!(config.contains(example), "{example}");
            config.replace(example, own)
        })
    };
    for shards in [3, 5] {
        let prometheus = Prometheus::start(&scraping(shards));
        prometheus.wait_for("count_over_time(up{job=\"emqx-clients\",shard!=\"\"}[5m]) >= 4", |series| {
            (series.len() == shards).then_some(())
        });
        for replica in &replicas {
            assert_ne!(own(replica, "emqx_client_monitor_probes_total"), 0, "both are probed");
        }
        // No series has the label `shard`, so each client has one series, and one sample of each scrape.
        prometheus.wait_for(
            "count by (alias) (count_over_time(emqx_mqtt_client_connected{shard=\"\"}[5m])) == 1",
            |series| (series.len() == client_ids.len()).then_some(()),
        );
        prometheus.wait_for("count(emqx_mqtt_client_connected)", |series| {
            let [count] = series else { return None };
            assert_eq!(count.value, "12");
            Some(())
        });
        prometheus.wait_for("sum(emqx_mqtt_clients{shard!=\"\",state=\"connected\"})", |series| {
            let [sum] = series else { return None };
            (sum.value == "12").then_some(())
        });
    }
}

#[test]
fn promtool_accepts_the_example_with_shares() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/haproxy/prometheus-shards.yml");
    assert_eq!(promtool(&["check", "config", example], None), Ok(()));
}
