//! The Prometheus rules: they pass their tests in promtool, the runbook documents every alert, Prometheus evaluates them
//! on real answers of the exporter, and Alertmanager applies the inhibitions.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use emqx_client_monitor::metrics;
use fake_emqx::{FakeEmqx, Version};
use serde_json::json;
use serde_yaml::Value;

use crate::prometheus::example_at;
use crate::support::{Alertmanager, Exporter, Prometheus, Release, config_of, promtool};

const RUNBOOK: &str = include_str!("../../examples/prometheus/runbook.md");

/// A rule file.
pub(crate) struct RuleFile {
    path: PathBuf,
    text: String,
    pub(crate) groups: Vec<Value>,
}

impl RuleFile {
    fn read(path: PathBuf) -> Self {
        let text = std::fs::read_to_string(&path).expect("it is there");
        let content: Value = serde_yaml::from_str(&text).expect("it is YAML");
        let groups = content["groups"].as_sequence().expect("it has groups").clone();
        Self { path, text, groups }
    }

    /// The file with every group evaluated each second: tests have no time for 15 minutes between evaluations. The path
    /// is the one that the scrape configuration expects.
    fn hurried(self) -> (String, String) {
        let name = self.path.file_name().and_then(|name| name.to_str()).expect("a name in UTF-8");
        let text = self.groups.iter().fold(self.text.clone(), |text, group| {
            let interval = format!("    interval: {}", group["interval"].as_str().expect("an interval"));
            text.replace(&interval, "    interval: 1s")
        });
        (format!("rules/{name}"), text)
    }
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

fn alertmanager_config() -> PathBuf {
    examples().join("prometheus/alertmanager.yml")
}

/// The sorted names of the files in the rules directory that have this suffix, without it.
fn names_with_suffix(suffix: &str) -> BTreeSet<String> {
    let directory = std::fs::read_dir(examples().join("prometheus/rules")).expect("there are rules");
    directory
        .filter_map(|entry| {
            let name = entry.expect("it can be read").file_name();
            Some(name.to_str().expect("a name in UTF-8").strip_suffix(suffix)?.to_owned())
        })
        .collect()
}

/// The generic rule files, sorted by name.
pub(crate) fn rule_files() -> Vec<RuleFile> {
    let read = |name: String| RuleFile::read(examples().join(format!("prometheus/rules/{name}.rules.yml")));
    names_with_suffix(".rules.yml").into_iter().map(read).collect()
}

/// The rule file for those who come from the Python program.
fn python_compatibility() -> RuleFile {
    RuleFile::read(examples().join("python-compatibility/python-compatibility.rules.yml"))
}

/// The rule file instead of `last-seen` for very many clients.
fn many_clients() -> RuleFile {
    RuleFile::read(examples().join("prometheus/many-clients/last-seen.rules.yml"))
}

fn every_rule_file() -> Vec<RuleFile> {
    rule_files().into_iter().chain([python_compatibility()]).collect()
}

/// The rules of these files.
fn rules_of(files: Vec<RuleFile>) -> Vec<Value> {
    let groups = files.into_iter().flat_map(|file| file.groups);
    groups.flat_map(|group| group["rules"].as_sequence().expect("it has rules").clone()).collect()
}

fn rules() -> Vec<Value> {
    rules_of(rule_files())
}

fn text<'a>(rule: &'a Value, key: &str) -> Option<&'a str> {
    rule[key].as_str()
}

/// The names of all series that the generic rules record.
pub(crate) fn recorded() -> BTreeSet<String> {
    rules().iter().filter_map(|rule| text(rule, "record")).map(str::to_owned).collect()
}

fn alerts() -> BTreeSet<String> {
    rules().iter().filter_map(|rule| text(rule, "alert")).map(str::to_owned).collect()
}

/// The generic rule files by their paths relative to the scrape configuration, evaluated each second.
pub(crate) fn hurried_rules() -> Vec<(String, String)> {
    rule_files().into_iter().map(RuleFile::hurried).collect()
}

/// Runs the tests of a rule file in promtool.
fn pass_their_tests(path: &str) {
    let path = examples().join(path);
    assert_eq!(promtool(&["test", "rules", path.to_str().expect("a path in UTF-8")], None), Ok(()));
}

/// The file for many clients records what the others need, and has the same alert.
#[test]
fn the_rules_for_many_clients_pass_their_tests() {
    pass_their_tests("prometheus/many-clients/last-seen.test.yml");
    let reduced = rules_of(vec![many_clients()]);
    let names = |key| reduced.iter().filter_map(move |rule| text(rule, key));
    assert!(names("record").all(|name| recorded().contains(name)));
    assert!(names("alert").all(|name| alerts().contains(name)));
    let complete = rules();
    for alert in reduced.iter().filter(|rule| rule["alert"].is_string()) {
        let same = complete.iter().find(|rule| rule["alert"] == alert["alert"]).expect("the same alert");
        assert_eq!(same["annotations"], alert["annotations"]);
    }
}

/// No rule that runs every few minutes reads a day of every client.
#[test]
fn rules_that_run_often_have_short_windows() {
    for group in every_rule_file().into_iter().flat_map(|file| file.groups) {
        let often = matches!(group["interval"].as_str(), Some("1m" | "3m" | "4m" | "5m"));
        for rule in group["rules"].as_sequence().expect("it has rules").iter().filter(|_| often) {
            let expression = text(rule, "expr").expect("a rule has an expression");
            assert!(!expression.contains("d]"), "{expression}");
        }
    }
}

/// Makes one test per rule file, so that they run in parallel.
macro_rules! tested {
    ($($test:ident $name:literal)+) => {
        $(#[test]
        fn $test() {
            pass_their_tests(concat!("prometheus/rules/", $name, ".test.yml"));
        })+

        #[test]
        fn every_rule_file_has_tests() {
            let all = BTreeSet::from([$($name.to_owned()),+]);
            assert_eq!(names_with_suffix(".rules.yml"), all);
            assert_eq!(names_with_suffix(".test.yml"), all);
        }
    };
}

tested! {
    the_rules_for_availability_pass_their_tests "availability"
    the_rules_for_clients_pass_their_tests "clients"
    the_rules_for_all_clients_of_a_broker_pass_their_tests "brokers"
    the_rules_for_fleets_pass_their_tests "fleets"
    the_rules_for_when_clients_were_last_seen_pass_their_tests "last-seen"
    the_rules_for_the_monitor_pass_their_tests "monitor"
}

#[test]
fn the_rules_for_the_names_of_the_python_program_pass_their_tests() {
    pass_their_tests("python-compatibility/python-compatibility.test.yml");
}

#[test]
fn promtool_accepts_the_rules() {
    for file in every_rule_file() {
        let path = file.path.to_str().expect("a path in UTF-8");
        assert_eq!(promtool(&["check", "rules", path], None), Ok(()));
    }
}

/// All annotations share this prefix, which the documentation says how to replace.
pub(crate) const RUNBOOK_URL: &str = "http://emqx-client-monitor:9671/runbook";

#[test]
fn every_alert_has_a_severity_a_summary_a_description_and_a_runbook_url() {
    for rule in rules() {
        let Some(name) = text(&rule, "alert") else { continue };
        assert!(name.starts_with("Emqx"), "{name}");
        let severity = text(&rule["labels"], "severity");
        assert!(matches!(severity, Some("warning" | "critical")), "{name}");
        for annotation in ["summary", "description"] {
            let content = text(&rule["annotations"], annotation).unwrap_or_default();
            assert!(content.len() > 20, "{name} has no {annotation}");
            assert!(!content.contains('\n'), "{annotation} of {name} is more than a line");
        }
        let url = format!("{RUNBOOK_URL}#{}", name.to_lowercase());
        assert_eq!(text(&rule["annotations"], "runbook_url"), Some(url.as_str()), "{name}");
    }
}

#[test]
fn the_runbook_explains_exactly_the_existing_alerts() {
    let explained: Vec<_> = RUNBOOK.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let listed: Vec<_> =
        RUNBOOK.lines().filter_map(|line| line.strip_prefix("| [")?.split(']').next()).collect();
    assert_eq!(listed, explained, "the table has the order of the sections");
    let names = explained.iter().map(|name| (*name).to_owned());
    assert_eq!(names.collect::<BTreeSet<_>>(), alerts());
    assert_eq!(explained.len(), alerts().len(), "the runbook has a section twice");
}

#[test]
fn the_rules_use_only_metrics_that_exist() {
    let mut known: BTreeSet<String> = metrics::families().map(|family| family.name.to_owned()).collect();
    known.extend(recorded());
    for own in ["config_last_reload_successful", "probes_refused_total"] {
        known.insert(format!("emqx_client_monitor_{own}"));
    }
    for rule in rules_of(every_rule_file().into_iter().chain([many_clients()]).collect()) {
        let expression = text(&rule, "expr").expect("a rule has an expression");
        let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'));
        for word in words.filter(|word| word.contains("emqx_") || word.starts_with("probe_")) {
            assert!(known.contains(word), "{word} in {expression}");
        }
    }
}

/// Label sets that do not match are an error only where there are series.
#[test]
fn prometheus_evaluates_the_rules_on_the_exporters_metrics() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add_recorded_clients();
    let clients = [("Room 1", "plain-user-1"), ("Room 2", "persist-v5"), ("Room 3", "nope")];
    let exporter = Exporter::start(&config_of(&fake, "", &clients));
    let config = example_at(&exporter.address().to_string());
    let files: Vec<_> = every_rule_file().into_iter().map(RuleFile::hurried).collect();
    for prometheus in Release::ALL.map(|release| Prometheus::start_release(release, &config, &files)) {
        evaluates_every_rule(&prometheus);
    }
}

/// Waits until every rule has been evaluated without an error.
fn evaluates_every_rule(prometheus: &Prometheus) {
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
    assert_eq!(prometheus.wait_for_rules(), rules_of(every_rule_file()).len());
}

#[test]
fn amtool_accepts_the_configuration_of_alertmanager() {
    let output = Command::new("amtool")
        .arg("check-config")
        .arg(alertmanager_config())
        .output()
        .expect("amtool is installed; tests/run does that");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn alertmanager_inhibits_the_alerts_of_single_clients_when_many_went_offline_at_once() {
    let alertmanager = Alertmanager::start(&alertmanager_config());
    let of_client = |name: &str, broker: &str| json!({ "alertname": name, "broker": broker, "alias": "A", "client_id": "a", "severity": "warning" });
    let of_target = |name: &str, broker: &str| json!({ "alertname": name, "broker": broker, "instance": "x" });
    let fired = [
        json!({ "alertname": "EmqxManyClientsOffline", "broker": "Local", "severity": "critical" }),
        of_client("EmqxClientOffline", "Local"),
        of_client("EmqxClientFlapping", "Local"),
        of_client("EmqxClientQueueFilling", "Local"),
        of_client("EmqxClientOffline", "Factory"),
        of_client("EmqxClientOffline", "Remote"),
        of_client("EmqxClientBanned", "Remote"),
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
    // Alertmanager processes them in order: when the last inhibition is in force, so are all others.
    let inhibited = alertmanager.inhibited_with("EmqxSomeClientsUnknown", "Remote");
    let inhibited: Vec<_> = inhibited.iter().map(|(name, broker)| (name.as_str(), broker.as_str())).collect();
    let expected = [
        ("EmqxClientFlapping", "Local"),
        ("EmqxClientOffline", "Local"),
        ("EmqxClientOffline", "Remote"),
        ("EmqxClientSessionExpiring", "Factory"),
        ("EmqxProbeScrapesFailing", "Remote"),
        ("EmqxSomeClientsUnknown", "Remote"),
    ];
    assert_eq!(inhibited, expected);
}
