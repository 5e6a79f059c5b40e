//! What we ship for Kubernetes, as far as a program reads it: ours and Prometheus. `tests/manifests` holds the rest
//! to the schemas.

use std::path::{Path, PathBuf};

use serde_yaml::Value;

use crate::support::{Run, bare_command};

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/kubernetes").join(name)
}

fn read(name: &str) -> Value {
    let text = std::fs::read_to_string(shipped(name)).expect("it is there");
    serde_yaml::from_str(&text).expect("it is YAML")
}

#[test]
fn the_configuration_is_valid() {
    let path = shipped("config.yaml");
    let path = path.to_str().expect("a path in UTF-8");
    let run = Run::of(bare_command().args(["--cfg", path, "--config.check"]).output().expect("it starts"));
    assert_eq!(run.status, 0, "{}", run.stderr);
}

#[test]
fn the_alerts_are_those_for_prometheus() {
    let groups = super::rules::rule_files().into_iter().flat_map(|file| file.groups).collect();
    assert_eq!(
        read("prometheus-rule.yaml")["spec"]["groups"],
        Value::Sequence(groups),
        "the first lines of prometheus-rule.yaml say how to make it anew"
    );
}

#[test]
fn every_version_is_that_of_the_program() {
    let version = env!("CARGO_PKG_VERSION");
    for (file, before, after) in [
        ("kustomization.yaml", "newTag: \"", "\""),
        ("README.md", "registry.example.org/emqx-client-monitor:", "\n"),
        ("../helm/emqx-client-monitor/Chart.yaml", "\nversion: ", "\n"),
        ("../helm/emqx-client-monitor/Chart.yaml", "appVersion: \"", "\""),
        ("../helm/emqx-client-monitor/README.md", "registry.example.org/emqx-client-monitor:", "\n"),
        ("../helm/emqx-client-monitor/README.md", "helm push emqx-client-monitor-", ".tgz "),
    ] {
        let text = std::fs::read_to_string(shipped(file)).expect("it is there");
        assert!(
            text.contains(&format!("{before}{version}{after}")),
            "{file} names another version at {before:?}"
        );
    }
}
