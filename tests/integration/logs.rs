//! What the program logs while it serves.

use fake_emqx::{FakeEmqx, Fault, Row, Version, When};
use serde_json::Value;

use crate::support::{Program, ServerProcess, config_of};

fn broker() -> (FakeEmqx, Program) {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add_all(["a", "b", "c"].map(|id| Row::like("plain-user-1").client_id(id)));
    let program = Program::with_config(&config_of(&fake, "", &[("A", "a"), ("B", "b"), ("C", "c")]));
    (fake, program)
}

fn lines<'a>(log: &'a str, words: &str) -> Vec<&'a str> {
    log.lines().filter(|line| line.contains(words)).collect()
}

#[test]
fn a_failed_probe_has_a_line_with_its_broker_reason_and_cause() {
    let (fake, program) = broker();
    let served = ServerProcess::start(&program, &[]);
    served.get("/probe?broker=LocalEMQX");
    fake.inject(
        When::Lookup("b".into()),
        Fault::status(500, "application/json", r#"{"code":"INTERNAL_ERROR"}"#),
    );
    served.get("/probe?broker=LocalEMQX");
    fake.stop();
    served.get("/probe?broker=LocalEMQX");
    let log = served.stop();
    let failed = lines(&log, "probe failed");
    assert_eq!(failed.len(), 2, "{log}");
    for words in ["level=warn", "broker=LocalEMQX", "reason=http_status", "clients_unknown=1", "INTERNAL_ERROR"]
    {
        assert!(failed[0].contains(words), "{words}: {}", failed[0]);
    }
    let address = fake.address().to_string();
    for words in ["reason=connect", "clients_unknown=3", "cannot connect to", &address, "Connection refused"] {
        assert!(failed[1].contains(words), "{words}: {}", failed[1]);
    }
}

#[test]
fn each_kind_of_probe_fails_and_recovers_on_its_own() {
    let (fake, program) = broker();
    fake.inject(When::Page(1), Fault::status(500, "text/plain", ""));
    let served = ServerProcess::start(&program, &[]);
    for _ in 0..3 {
        served.get("/probe?broker=LocalEMQX&all=true");
        served.get("/probe?broker=LocalEMQX");
        served.get("/probe?broker=LocalEMQX&client=A");
    }
    let log = served.stop();
    let failed = lines(&log, "probe failed");
    assert_eq!(failed.len(), 1, "{log}");
    assert!(failed[0].contains("targets=all"), "{log}");
    assert!(!failed[0].contains("clients_unknown"), "the list may have had any number: {log}");
    assert!(!log.contains("succeed again"), "{log}");
}

#[test]
fn a_refused_probe_is_logged_with_its_reason() {
    let (_fake, program) = broker();
    let served = ServerProcess::start(&program, &["--log.format", "json"]);
    served.get("/probe?broker=Nope");
    let log = served.stop();
    let refused = lines(&log, "refused a probe");
    assert_eq!(refused.len(), 1, "{log}");
    let line: Value = serde_json::from_str(refused[0]).expect("a JSON object in a line");
    assert_eq!((&line["level"], &line["reason"]), (&Value::from("WARN"), &Value::from("unknown_broker")));
    assert_eq!(line["query"], "broker=Nope");
}

#[test]
fn a_successful_probe_is_logged_only_at_debug_level() {
    let (_fake, program) = broker();
    for (level, count) in [("info", 0), ("debug", 1)] {
        let served = ServerProcess::start(&program, &["--log.level", level]);
        served.get("/probe?broker=LocalEMQX");
        let log = served.stop();
        assert_eq!(lines(&log, "requests=3").len(), count, "{level}: {log}");
    }
}

#[test]
fn requests_are_logged_only_at_debug_level() {
    let (_fake, program) = broker();
    for (level, count) in [("info", 0), ("debug", 1)] {
        let served = ServerProcess::start(&program, &["--log.level", level]);
        served.get("/metrics");
        served.get("/probe?broker=LocalEMQX");
        served.get("/-/healthy");
        let log = served.stop();
        for words in ["path=/metrics status=200", "path=/v5/clients/a status=200"] {
            assert_eq!(lines(&log, words).len(), count, "{words} at {level}: {log}");
        }
    }
}
