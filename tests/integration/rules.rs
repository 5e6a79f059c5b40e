//! The rules for Prometheus and what belongs to them: they are tested with its own tools, explained in the README,
//! run on what the exporter really tells, and inhibit each other in the real Alertmanager.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use emqx_client_monitor::metrics;
use fake_emqx::{FakeEmqx, Version};
use serde_json::json;
use serde_yaml::Value;

use crate::prometheus::example_at;
use crate::support::{Alertmanager, Exporter, Prometheus, config_of, promtool};

const README: &str = include_str!("../../README.md");

/// A file of rules.
pub(crate) struct File {
    path: PathBuf,
    text: String,
    pub(crate) groups: Vec<Value>,
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/prometheus")
}

/// The names of the files in the directory of the rules that end so, in order, without that end.
fn named(end: &str) -> BTreeSet<String> {
    let directory = std::fs::read_dir(examples().join("rules")).expect("there are rules");
    directory
        .filter_map(|entry| {
            let name = entry.expect("it can be read").file_name();
            Some(name.to_str().expect("a name in UTF-8").strip_suffix(end)?.to_owned())
        })
        .collect()
}

/// Every file of rules, in the order of their names.
pub(crate) fn files() -> Vec<File> {
    let read = |name: String| {
        let path = examples().join(format!("rules/{name}.rules.yml"));
        let text = std::fs::read_to_string(&path).expect("it was listed");
        let content: Value = serde_yaml::from_str(&text).expect("it is YAML");
        let groups = content["groups"].as_sequence().expect("it has groups").clone();
        File { path, text, groups }
    };
    named(".rules.yml").into_iter().map(read).collect()
}

/// Every rule of every file.
fn rules() -> Vec<Value> {
    let groups = files().into_iter().flat_map(|file| file.groups);
    groups.flat_map(|group| group["rules"].as_sequence().expect("it has rules").clone()).collect()
}

fn text<'a>(rule: &'a Value, key: &str) -> Option<&'a str> {
    rule[key].as_str()
}

/// The names of all series that the rules record.
pub(crate) fn recorded() -> BTreeSet<String> {
    rules().iter().filter_map(|rule| text(rule, "record")).map(str::to_owned).collect()
}

fn alerts() -> BTreeSet<String> {
    rules().iter().filter_map(|rule| text(rule, "alert")).map(str::to_owned).collect()
}

/// Every file of rules by its path from the scrape configuration, hurried: tests have no time for 15 minutes between
/// evaluations.
pub(crate) fn hurried_rules() -> Vec<(String, String)> {
    let hurried = |file: File| {
        let name = file.path.file_name().and_then(|name| name.to_str()).expect("a name in UTF-8");
        let text = file.groups.iter().fold(file.text.clone(), |text, group| {
            let interval = format!("    interval: {}", group["interval"].as_str().expect("an interval"));
            text.replace(&interval, "    interval: 1s")
        });
        (format!("rules/{name}"), text)
    };
    files().into_iter().map(hurried).collect()
}

/// One test for each file of tests, so that they run beside each other.
macro_rules! tested {
    ($($test:ident $name:literal)+) => {
        $(#[test]
        fn $test() {
            let path = examples().join(concat!("rules/", $name, ".test.yml"));
            assert_eq!(promtool(&["test", "rules", path.to_str().expect("a path in UTF-8")], None), Ok(()));
        })+

        #[test]
        fn every_file_of_rules_has_its_tests() {
            let all = BTreeSet::from([$($name.to_owned()),+]);
            assert_eq!(named(".rules.yml"), all);
            assert_eq!(named(".test.yml"), all);
        }
    };
}

tested! {
    the_rules_for_availability_pass_their_tests "availability"
    the_rules_for_clients_pass_their_tests "clients"
    the_rules_for_the_fleet_pass_their_tests "fleet"
    the_rules_for_when_clients_were_last_seen_pass_their_tests "last-seen"
    the_rules_for_the_monitor_pass_their_tests "monitor"
    the_rules_for_the_names_of_the_python_program_pass_their_tests "python-compatibility"
}

#[test]
fn promtool_finds_nothing_to_mend_in_the_rules() {
    for file in files() {
        let path = file.path.to_str().expect("a path in UTF-8");
        assert_eq!(promtool(&["check", "rules", path], None), Ok(()));
    }
}

#[test]
fn every_alert_says_what_and_how_bad_it_is_and_where_it_is_explained() {
    for rule in rules() {
        let Some(name) = text(&rule, "alert") else { continue };
        assert!(name.starts_with("Emqx"), "{name}");
        let severity = text(&rule["labels"], "severity");
        assert!(matches!(severity, Some("warning" | "critical")), "{name}");
        for annotation in ["summary", "description"] {
            let said = text(&rule["annotations"], annotation).unwrap_or_default();
            assert!(said.len() > 20, "{name} has no {annotation}");
            assert!(!said.contains('\n'), "{annotation} of {name} is more than a line");
        }
        let section = format!("README.md#{}", name.to_lowercase());
        assert_eq!(text(&rule["annotations"], "runbook"), Some(section.as_str()), "{name}");
    }
}

#[test]
fn the_readme_explains_every_alert_and_no_other() {
    let runbook = README.split_once("\n## Runbook\n").expect("there is a runbook").1;
    let runbook = runbook.split_once("\n## ").map_or(runbook, |(runbook, _)| runbook);
    let explained: Vec<_> = runbook
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .filter(|it| it.starts_with("Emqx"))
        .collect();
    let listed: Vec<_> = runbook
        .lines()
        .filter_map(|line| line.strip_prefix("| [")?.split(']').next())
        .filter(|it| it.starts_with("Emqx"))
        .collect();
    assert_eq!(listed, explained, "the table has the order of the sections");
    let names = explained.iter().map(|name| (*name).to_owned());
    assert_eq!(names.collect::<BTreeSet<_>>(), alerts());
    assert_eq!(explained.len(), alerts().len(), "a section comes twice");
}

#[test]
fn the_rules_ask_for_no_series_that_does_not_exist() {
    let mut known: BTreeSet<String> = metrics::families().map(|heading| heading.name.to_owned()).collect();
    known.extend(recorded());
    for own in ["config_last_reload_successful", "probes_refused_total"] {
        known.insert(format!("emqx_client_monitor_{own}"));
    }
    for rule in rules() {
        let expression = text(&rule, "expr").expect("a rule has an expression");
        let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'));
        for word in words.filter(|word| word.contains("emqx_") || word.starts_with("probe_")) {
            assert!(known.contains(word), "{word} in {expression}");
        }
    }
}

/// Labels that do not fit each other are an error only where there are series.
#[test]
fn the_rules_run_on_what_the_exporter_tells() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add_recorded_clients();
    let clients = [("Room 1", "plain-user-1"), ("Room 2", "persist-v5"), ("Room 3", "nope")];
    let exporter = Exporter::start(&config_of(&fake, "", &clients));
    let config = example_at(&exporter.address().to_string());
    let prometheus = Prometheus::start_beside(&config, &hurried_rules());

    for name in [
        "emqx_mqtt_client:last_seen_timestamp_seconds",
        "emqx_mqtt_client:availability:ratio30d",
        "emqx_mqtt_client:known:ratio30d",
    ] {
        prometheus.wait_for(name, |series| {
            let aliases: BTreeSet<_> = series.iter().filter_map(|one| one.label("alias")).collect();
            (aliases == BTreeSet::from(["Room 1", "Room 2", "Room 3"])).then_some(())
        });
    }
    for name in [
        "broker_state:emqx_mqtt_clients:sum{broker=\"LocalEMQX\",state=\"connected\"}",
        "emqx_mqtt_client:last_packet_timestamp_seconds{alias=\"Room 1\"}",
        "emqx_client_monitor_messages_processed_total{alias=\"Room 2\",direction=\"sent\"}",
    ] {
        prometheus.wait_for(name, |series| (series.len() == 1).then_some(()));
    }
    assert_eq!(prometheus.wait_for_rules(), rules().len());
}

#[test]
fn amtool_accepts_the_configuration_of_alertmanager() {
    let output = Command::new("amtool")
        .arg("check-config")
        .arg(examples().join("alertmanager.yml"))
        .output()
        .expect("amtool is installed; tests/run does that");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn alertmanager_spares_the_alerts_of_single_clients_when_many_went_at_once() {
    let alertmanager = Alertmanager::start(&examples().join("alertmanager.yml"));
    let of_client = |name: &str, broker: &str| json!({ "alertname": name, "broker": broker, "alias": "A", "client_id": "a", "severity": "warning" });
    let of_target = |name: &str, broker: &str| json!({ "alertname": name, "broker": broker, "instance": "x" });
    let fired = [
        json!({ "alertname": "EmqxManyClientsOffline", "broker": "Local", "severity": "critical" }),
        of_client("EmqxClientOffline", "Local"),
        of_client("EmqxClientFlapping", "Local"),
        of_client("EmqxClientQueueFilling", "Local"),
        of_client("EmqxClientOffline", "Factory"),
        of_client("EmqxClientSessionExpired", "Factory"),
        of_client("EmqxClientSessionExpiring", "Factory"),
        of_target("EmqxSomeClientsUnknown", "Local"),
        of_target("EmqxSomeClientsUnknown", "Remote"),
        of_target("EmqxProbeScrapesFailing", "Remote"),
        of_target("EmqxClientMonitorBlind", "Remote"),
    ];
    // The configuration names alerts; these are the ones there are.
    let names = fired.iter().filter_map(|alert| alert["alertname"].as_str());
    assert!(names.map(str::to_owned).collect::<BTreeSet<_>>().is_subset(&alerts()));
    alertmanager.fire(&fired);
    // It takes them one after another: when the last one inhibits, all do that ever will.
    let inhibited = alertmanager.inhibited_with("EmqxSomeClientsUnknown", "Remote");
    let inhibited: Vec<_> = inhibited.iter().map(|(name, broker)| (name.as_str(), broker.as_str())).collect();
    let expected = [
        ("EmqxClientFlapping", "Local"),
        ("EmqxClientOffline", "Local"),
        ("EmqxClientSessionExpiring", "Factory"),
        ("EmqxProbeScrapesFailing", "Remote"),
        ("EmqxSomeClientsUnknown", "Remote"),
    ];
    assert_eq!(inhibited, expected);
}
