//! Fleets: groups of clients by pattern, reported as counts.

use fake_emqx::{FakeEmqx, Fault, Row, Version, When};
use serde_json::json;

use crate::support::{Exporter, Families, Program, config_of};

/// Clients of two buildings; of those of the first, one is away and has messages waiting.
fn broker(version: Version) -> FakeEmqx {
    let fake = FakeEmqx::start(version);
    for (building, count) in [(1, 12), (2, 3)] {
        fake.add_all((0..count).map(|number| {
            Row::like("plain-user-1")
                .client_id(&format!("thermo-{building}-{number:02}"))
                .username(Some(&format!("building-{building}")))
                .set("subscriptions_cnt", 2)
                .set("inflight_cnt", 1)
        }));
    }
    let away = Row::like("plain-user-1").client_id("thermo-1-away").username(Some("building-1"));
    fake.add(away.set("connected", false).set("mqueue_len", 7).set("mqueue_dropped", 3).set("proto_ver", 5));
    fake.add(Row::like("plain-user-1").client_id("a thermo-1").username(Some("building-1")));
    fake.add(Row::like("plain-user-1").client_id("nobody").username(None));
    fake
}

/// A configuration with these fleets.
fn config(fake: &FakeEmqx, fleets: &str) -> String {
    config_of(fake, "", &[("Watched", "nobody")]) + &format!("monitored_fleets:\n{fleets}")
}

const FLEETS: &str = "\
- {alias: one, client_id: 'thermo-1-*', expected_connected: 13, expected_sessions: 14, labels: {site: north}}
- {alias: users, username: 'building-2'}
- {alias: nothing, client_id: 'pump-*', expected_sessions: 0}
";

fn value<'f>(probe: &'f Families, name: &str, labels: &[(&str, &str)]) -> Option<&'f str> {
    probe.value(&format!("emqx_mqtt_fleet_{name}"), labels)
}

/// The list requests of the probe, by what narrows each.
fn filters(debug_view: &str) -> Vec<String> {
    let lists = debug_view.lines().filter_map(|line| line.split_once("GET /v5/clients?page="));
    let mut filters: Vec<_> = lists
        .map(|(_, query)| {
            let filters = query.split('&').filter(|parameter| {
                parameter.starts_with("like_clientid=") || parameter.starts_with("username=")
            });
            filters.collect::<Vec<_>>().join("&")
        })
        .collect();
    filters.sort();
    filters
}

#[test]
fn fleets_are_counted_on_every_version() {
    for version in [Version::V5_0_26, Version::V5_8_9, Version::V6_2_2] {
        let fake = broker(version);
        let exporter = Exporter::start(&config(&fake, FLEETS));
        let probe = exporter.probe("broker=LocalEMQX&fleets=true");
        assert!(probe.success());
        let clients = |fleet: &str| {
            ["connected", "disconnected"]
                .map(|state| value(&probe, "clients", &[("fleet", fleet), ("state", state)]))
        };
        assert_eq!(clients("one"), [Some("12"), Some("1")], "{version:?}");
        assert_eq!(clients("users"), [Some("3"), Some("0")]);
        assert_eq!(clients("nothing"), [Some("0"), Some("0")]);
        let one = |name: &str, more: &[(&str, &str)]| {
            value(&probe, name, &[&[("broker", "LocalEMQX"), ("fleet", "one")], more].concat())
        };
        assert_eq!(one("expected_clients", &[("state", "connected")]), Some("13"));
        assert_eq!(one("expected_clients", &[("state", "session")]), Some("14"));
        assert_eq!(one("inflight_messages", &[]), Some("12"));
        assert_eq!(one("mqueue_messages", &[]), Some("7"));
        assert_eq!(one("clients_with_mqueue", &[]), Some("1"));
        assert_eq!(one("clients_with_mqueue_drops", &[]), Some("1"));
        assert_eq!(one("clients_by_protocol", &[("proto_ver", "5")]), Some("1"));
        assert_eq!(one("labels", &[("label_site", "north")]), Some("1"));
        let nodes = probe.all("emqx_mqtt_fleet_clients_by_node", &[("fleet", "one")]);
        assert_eq!(nodes.iter().map(|sample| sample.value.as_str()).collect::<Vec<_>>(), ["13"]);
        let of_clients = |sample: &&str| sample.starts_with("emqx_mqtt_client");
        assert!(probe.types.keys().map(String::as_str).all(|name| !of_clients(&name)), "{:?}", probe.types);

        let named = exporter.probe("broker=LocalEMQX&fleet=users");
        assert_eq!(value(&named, "clients", &[("fleet", "users"), ("state", "connected")]), Some("3"));
        assert_eq!(value(&named, "clients", &[("fleet", "one"), ("state", "connected")]), None);
    }
}

#[test]
fn a_fleet_is_asked_for_by_filter_and_many_by_the_list() {
    let fake = broker(Version::V6_2_2);
    let exporter = Exporter::start(&config(&fake, FLEETS));
    let debug = |query: &str| exporter.get(&format!("/probe?broker=LocalEMQX&debug=true&{query}")).text();
    assert_eq!(filters(&debug("fleet=one")), ["like_clientid=thermo-1-"]);
    assert_eq!(
        filters(&debug("fleets=true")),
        ["like_clientid=pump-", "like_clientid=thermo-1-", "username=building-2"]
    );
    let report = debug("fleet=one");
    assert!(
        report.contains("one: 12 connected, 1 disconnected") && report.contains("- requested fleets: 1"),
        "{report}"
    );

    let many: Vec<_> =
        (0..7).map(|number| format!("- {{alias: f{number}, client_id: 'thermo-{number}-*'}}\n")).collect();
    let exporter = Exporter::start(&config(&fake, &many.concat()));
    let report = exporter.get("/probe?broker=LocalEMQX&debug=true&fleets=true").text();
    assert_eq!(filters(&report), [""]);
    assert!(report.contains("f1: 12 connected, 1 disconnected"), "{report}");
}

#[test]
fn durable_sessions_that_come_unfiltered_are_matched_again() {
    let fake = broker(Version::V6_2_2);
    let away = Row::like("plain-user-1").set("connected", false).set("durable", true).set("mqueue_len", 0);
    fake.add(away.clone().client_id("thermo-1-durable"));
    fake.add(away.client_id("pump-durable"));
    let exporter = Exporter::start(&config(&fake, FLEETS));
    let probe = exporter.probe("broker=LocalEMQX&fleet=one");
    assert_eq!(value(&probe, "clients", &[("state", "disconnected")]), Some("2"));
}

#[test]
fn a_fleet_that_could_not_be_read_has_only_what_is_expected() {
    let fake = broker(Version::V6_2_2);
    let exporter = Exporter::start(&config(&fake, FLEETS));
    fake.inject(When::List, Fault::status(500, "text/plain", ""));
    let probe = exporter.probe("broker=LocalEMQX&fleets=true");
    assert_eq!((probe.success(), probe.reasons()), (false, vec!["http_status"]));
    let families: Vec<_> = probe.types.keys().filter(|name| name.contains("fleet")).collect();
    assert_eq!(families, ["emqx_mqtt_fleet_expected_clients", "emqx_mqtt_fleet_labels"]);
    fake.clear_faults();

    fake.add(Row::like("plain-user-1").client_id("thermo-1-odd").set("connected", "maybe"));
    let probe = exporter.probe("broker=LocalEMQX&fleets=true");
    assert_eq!((probe.success(), probe.reasons()), (false, vec!["decode"]));
    assert_eq!(value(&probe, "clients", &[("fleet", "one"), ("state", "connected")]), None);
    assert_eq!(value(&probe, "clients", &[("fleet", "users"), ("state", "connected")]), Some("3"));
}

#[test]
fn the_clients_of_a_fleet_can_be_reported_one_by_one() {
    let fake = broker(Version::V6_2_2);
    let exporter = Exporter::start(&config(&fake, FLEETS));
    let connected = |query: &str| {
        let probe = exporter.probe(&format!("broker=LocalEMQX&all=true&{query}"));
        assert!(probe.success());
        probe.all("emqx_mqtt_client_connected", &[]).len()
    };
    assert_eq!(
        (connected("fleet=one"), connected("fleet=users"), connected("fleet=one&fleet=users")),
        (13, 3, 16)
    );
    let report = exporter.get("/probe?broker=LocalEMQX&all=true&fleet=users&debug=true").text();
    assert_eq!(filters(&report), ["username=building-2"]);
}

#[test]
fn parameters_that_exclude_each_other_are_refused() {
    let fake = broker(Version::V6_2_2);
    let exporter = Exporter::start(&config(&fake, FLEETS));
    let others = "`fleets=true` and `fleet` report counts of fleets only, and exclude each other, `client`, `shard` and \
                  `collect[]`; `all=true` goes with `fleet`, and not with `fleets=true`\n";
    for (query, answer) in [
        ("fleets=true&client=Watched", others),
        ("fleet=one&shard=0/2", others),
        ("fleets=true&all=true", others),
        ("fleets=true&fleet=one", others),
        ("fleet=two", "unknown fleet \"two\"; broker \"LocalEMQX\" has no fleet with this alias\n"),
        ("fleets=1", "parameter `fleets` must be true or false, not both\n"),
    ] {
        let refused = exporter.get(&format!("/probe?broker=LocalEMQX&{query}"));
        assert_eq!((refused.status, refused.text().as_str()), (400, answer), "{query}");
    }
    assert_eq!(fake.connections(), 0);
}

#[test]
fn brokers_with_fleets_are_discovered_for_a_job_of_their_own() {
    let fake = broker(Version::V6_2_2);
    let exporter = Exporter::start(&config(&fake, FLEETS));
    let targets: serde_json::Value =
        serde_json::from_str(&exporter.get("/sd?fleets=true").text()).expect("JSON");
    let labels = json!({
        "__metrics_path__": "/probe", "__param_broker": "LocalEMQX", "__param_fleets": "true", "instance": "LocalEMQX",
    });
    assert_eq!(targets, json!([{"targets": [exporter.address().to_string()], "labels": labels}]));
    assert!(!exporter.get("/sd").text().contains("fleets"));
    let without = Exporter::start(&config_of(&fake, "", &[]));
    assert_eq!(without.get("/sd?fleets=true").text(), "[]");
    assert!(without.probe("broker=LocalEMQX&fleets=true").success(), "the broker is asked whether it responds");
}

#[test]
fn check_ends_with_a_line_for_each_fleet_and_lists_the_clients_of_one() {
    let fake = broker(Version::V6_2_2);
    let program = Program::with_config(&config(&fake, FLEETS));
    let run = program.run(&["check"]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    for line in [
        "Fleet one: 12 of 13 connected, 1 disconnected; 13 of 14 sessions\n",
        "Fleet users: 3 connected, 0 disconnected\n",
        "Fleet nothing: 0 connected, 0 disconnected; 0 of 0 sessions\n",
    ] {
        assert!(run.stdout.contains(line), "{}", run.stdout);
    }
    let run = program.run(&["check", "--fleet", "users", "--fleet", "nothing"]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    assert!(run.stdout.contains("thermo-2-02") && !run.stdout.contains("thermo-1"), "{}", run.stdout);
    assert!(run.stdout.contains("3 clients: ") && !run.stdout.contains("Fleet"), "{}", run.stdout);

    let run = program.run(&["check", "--fleet", "two"]);
    assert_eq!(
        (run.status, run.stderr.as_str()),
        (1, "unknown fleet \"two\"; configured fleets: nothing, one, users\n")
    );

    fake.inject(When::List, Fault::status(500, "text/plain", ""));
    let run = program.run(&["check"]);
    assert_eq!(run.status, 2);
    assert!(
        run.stdout.contains("Watched") && run.stdout.contains("Fleet users: not known\n"),
        "{}",
        run.stdout
    );
    assert!(run.stderr.contains("LocalEMQX: http_status: "), "{}", run.stderr);
}

#[test]
fn the_page_shows_fleets_with_bars() {
    let fake = broker(Version::V6_2_2);
    let exporter = Exporter::start(&config(&fake, FLEETS));
    let page = exporter.get("/").text();
    for part in [
        "<bdi>one</bdi><br><small class=\"labels\"><bdi>site=north</bdi> </small>",
        "<meter min=\"0\" max=\"14\" value=\"12\" aria-label=\"connected\">12</meter>",
        "<td class=\"critical\">12 of 13 connected, 1 disconnected; 13 of 14 sessions</td>",
        "<td class=\"\">3 connected, 0 disconnected</td>",
    ] {
        assert!(page.contains(part), "{part} is not in {page}");
    }
    fake.inject(When::List, Fault::status(500, "text/plain", ""));
    let page = exporter.get("/").text();
    assert!(
        page.contains("<td class=\"warning\">not known</td>") && page.contains("probe partly failed"),
        "{page}"
    );
}
