//! What we ship for Kubernetes, as far as a program reads it: ours and Prometheus. `tests/manifests` holds the rest
//! to the schemas.

use std::path::{Path, PathBuf};

use serde_yaml::Value;

use crate::support::{Run, bare_command, promtool};

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/kubernetes").join(name)
}

fn read(name: &str) -> Value {
    let text = std::fs::read_to_string(shipped(name)).expect("it is there");
    serde_yaml::from_str(&text).expect("it is YAML")
}

#[test]
fn the_configuration_is_valid_and_knows_the_brokers_that_are_probed() {
    let path = shipped("config.yaml");
    let path = path.to_str().expect("a path in UTF-8");
    let run = Run::of(bare_command().args(["--cfg", path, "--config.check"]).output().expect("it starts"));
    assert_eq!(run.status, 0, "{}", run.stderr);

    let brokers: Vec<_> = read("config.yaml")["emqx"]
        .as_sequence()
        .expect("a list of brokers")
        .iter()
        .map(|broker| broker["alias"].clone())
        .collect();
    let probe = read("probe.yaml");
    assert_eq!(probe["spec"]["targets"]["staticConfig"]["static"], Value::Sequence(brokers));
    assert_eq!(probe["spec"]["jobName"], Value::from("emqx-clients"));
}

#[test]
fn prometheus_accepts_the_alerts_and_they_fire_when_they_should() {
    let groups = &read("prometheus-rule.yaml")["spec"]["groups"];
    let rules = serde_yaml::to_string(&serde_json::json!({ "groups": groups })).expect("it was YAML");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let within = |name: &str| directory.path().join(name).to_str().expect("a path in UTF-8").to_owned();
    std::fs::write(within("rules.yml"), rules).expect("a temporary directory takes files");
    std::fs::write(within("alerts.yml"), include_str!("../fixtures/alerts.yml"))
        .expect("a temporary directory takes files");
    assert_eq!(promtool(&["check", "rules", &within("rules.yml")], None), Ok(()));
    assert_eq!(promtool(&["test", "rules", &within("alerts.yml")], None), Ok(()));
}
