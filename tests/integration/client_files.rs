//! Clients from files of their own, and the labels of clients.

use std::fs;
use std::path::Path;

use fake_emqx::{FakeEmqx, Fault, Row, Version, When};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Families, Program, ServerProcess, config_of};

/// A broker that knows the client `a`.
fn broker() -> FakeEmqx {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add(Row::like("plain-user-1").client_id("a"));
    fake
}

/// A directory with a configuration that watches only what `files` name.
fn directory(fake: &FakeEmqx, files: &str) -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let config = config_of(fake, "", &[]) + &format!("monitored_client_files: {files}\n");
    write(directory.path(), "config.yaml", &config);
    directory
}

fn write(directory: &Path, name: &str, content: &str) {
    fs::write(directory.join(name), content).expect("a file");
}

fn program(directory: &TempDir) -> Program {
    Program::with_config_at(&directory.path().join("config.yaml"))
}

const INVENTORY: &str = "alias,client_id,label_site,label_team\n\
                         Pump,a,north,\"water \"\"1\"\"\\\"\n\
                         Gone,gone,south,\n\
                         Lost,lost,,\n\
                         Silent,silent,north,power\n";

/// A broker and a directory with that inventory; `silent` cannot be looked up.
fn inventory() -> (FakeEmqx, TempDir) {
    let fake = broker();
    fake.inject(When::Lookup("silent".into()), Fault::body("null"));
    let directory = directory(&fake, "[inventory.csv]");
    write(directory.path(), "inventory.csv", INVENTORY);
    (fake, directory)
}

#[test]
fn labels_are_reported_whatever_the_state() {
    let (_fake, directory) = inventory();
    let served = ServerProcess::start(&program(&directory), &[]);
    for query in ["", "&collect[]=state"] {
        let probe = Families::parse(&served.get(&format!("/probe?broker=LocalEMQX{query}")));
        let labels = |alias: &str| {
            probe.all("emqx_mqtt_client_labels", &[("alias", alias)]).first().map(|sample| {
                assert_eq!(sample.value, "1");
                sample.labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>()
            })
        };
        let of = |alias: &str, client_id: &str, more: &[&str]| {
            let identity =
                [format!("alias={alias}"), "broker=LocalEMQX".to_owned(), format!("client_id={client_id}")];
            Some(identity.into_iter().chain(more.iter().map(|label| (*label).to_owned())).collect::<Vec<_>>())
        };
        assert_eq!(labels("Pump"), of("Pump", "a", &["label_site=north", "label_team=water \"1\"\\"]));
        assert_eq!(labels("Gone"), of("Gone", "gone", &["label_site=south"]));
        assert_eq!(labels("Silent"), of("Silent", "silent", &["label_site=north", "label_team=power"]));
        assert_eq!(labels("Lost"), None);
        assert_eq!(probe.value("emqx_mqtt_client_connected", &[("alias", "Silent")]), None);
    }
    let all = Families::parse(&served.get("/probe?broker=LocalEMQX&all=true"));
    assert!(all.all("emqx_mqtt_client_labels", &[]).is_empty(), "the alias is the client ID there");
}

#[test]
fn json_csv_and_page_show_labels_and_the_page_filters_by_them() {
    let (_fake, directory) = inventory();
    let program = program(&directory);
    let run = program.run(&["check", "--output", "json"]);
    let broker: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let clients = broker["clients"].as_array().expect("clients");
    let labels =
        |alias: &str| clients.iter().find(|client| client["alias"] == alias).map(|client| client.get("labels"));
    assert_eq!(labels("Gone"), Some(Some(&json!({"site": "south"}))));
    assert_eq!(labels("Silent"), Some(Some(&json!({"site": "north", "team": "power"}))));
    assert_eq!(labels("Lost"), Some(None));

    let run = program.run(&["check", "--output", "csv"]);
    let lines: Vec<_> = run.stdout.lines().collect();
    let ends = |line: usize, end: &str| lines[line].ends_with(end);
    assert!(ends(0, ",label_site,label_team") && ends(1, ",south,") && ends(2, ",,"), "{lines:?}");
    assert!(ends(3, r#",north,"water ""1""\""#), "{lines:?}");

    let served = ServerProcess::start(&program, &[]);
    let page = served.get("/?filter=SITE%3Dnorth");
    assert!(page.contains("<bdi>site=north</bdi>") && page.contains("<bdi>team=power</bdi>"), "{page}");
    assert!(page.contains("2 of 4 watched clients") && !page.contains("Gone"), "{page}");
}

#[test]
fn files_are_part_of_the_configuration_that_is_reloaded_as_a_whole() {
    let fake = broker();
    let directory = directory(&fake, "['d-*.csv', more.yaml]");
    let at = |name: &str, content: &str| write(directory.path(), name, content);
    at("d-1.csv", "alias,client_id\nA,a\n");
    at("more.yaml", "[]");
    let served = ServerProcess::start(
        &program(&directory),
        &["--config.enable-auto-reload", "--config.auto-reload-interval", "100ms"],
    );
    let aliases = || {
        let probe = Families::parse(&served.get("/probe?broker=LocalEMQX"));
        let thresholds = probe.all("emqx_mqtt_client_offline_threshold_seconds", &[]);
        thresholds.iter().map(|sample| sample.labels["alias"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(aliases(), ["A"]);

    at("d-2.csv", "alias,client_id\nB,b\nC,c\n");
    served.wait_until_logged("clients added: 2, removed: 0", 1);
    assert_eq!(aliases(), ["A", "B", "C"]);
    let place = directory.path().display();
    assert!(
        served.get("/config").contains(&format!("# {place}/d-2.csv:3\n- alias: C\n")),
        "{}",
        served.get("/config")
    );

    at("more.yaml", "- {alias: D, client_id: d}\n- {alias: E, client_id: c}\n");
    served.wait_until_logged("duplicate client ID", 1);
    assert!(
        served.log().contains(&format!(
            "{place}/more.yaml:2:25: [1].client_id: duplicate client ID; {place}/d-2.csv:3"
        ))
    );
    assert_eq!(aliases(), ["A", "B", "C"], "all or nothing");

    at("more.yaml", "- {alias: D, client_id: d}\n");
    served.wait_until_logged("clients added: 1, removed: 0", 1);
    fs::remove_file(directory.path().join("d-2.csv")).expect("a file");
    served.wait_until_logged("clients added: 0, removed: 2", 1);
    assert_eq!(aliases(), ["A", "D"]);

    fs::remove_file(directory.path().join("d-1.csv")).expect("a file");
    served.wait_until_logged("matches no file; it matched 1 before", 1);
    at("d-1.csv", "alias,client_id\nA,a\n");
    served.wait_until_logged("clients added: 0, removed: 0", 1);
    fs::remove_file(directory.path().join("more.yaml")).expect("a file");
    served.wait_until_logged("more.yaml: No such file or directory", 1);
    assert_eq!(aliases(), ["A", "D"]);
}
