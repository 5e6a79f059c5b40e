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

/// Nobody has to query the broker again to see what happened in the night.
#[test]
fn a_failed_probe_is_followed_by_its_requests() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    let clients: Vec<_> = (0..40).map(|number| format!("c-{number}")).collect();
    fake.add_all(clients.iter().map(|id| Row::like("plain-user-1").client_id(id)));
    let watched: Vec<_> = clients.iter().map(|id| (id.as_str(), id.as_str())).collect();
    let config = config_of(&fake, "attempts: 1", &watched);
    let served = ServerProcess::start(&Program::with_config(&config), &["--log.format", "json"]);
    served.get("/probe?broker=LocalEMQX");
    assert!(!served.log().contains("request of the failed probe"), "{}", served.log());
    for id in ["c-7", "c-31"] {
        let body = format!("{{\"code\":\"INTERNAL_ERROR\",\"message\":\"{}\"}}", "long ".repeat(1_000));
        fake.inject(When::Lookup(id.into()), Fault::status(500, "application/json", body));
    }
    let asked = fake.request_count();
    served.get("/probe?broker=LocalEMQX");
    served.get("/probe?broker=LocalEMQX");
    let requests = (fake.request_count() - asked) / 2;
    let log = served.stop();
    let parse = |line: &&str| serde_json::from_str::<Value>(line).expect("a JSON object in a line");
    let shown: Vec<_> = lines(&log, "request of the failed probe").iter().map(parse).collect();
    assert_eq!(shown.len(), 10, "bounded, and once for two probes: {log}");
    let failed: Vec<_> = shown.iter().filter(|line| line["status"] == 500).collect();
    let mut paths: Vec<_> = failed.iter().filter_map(|line| line["path"].as_str()).collect();
    paths.sort_unstable();
    assert_eq!(paths, ["/v5/clients/c-31", "/v5/clients/c-7"]);
    for line in &failed {
        assert_eq!((&line["level"], &line["broker"]), (&Value::from("WARN"), &Value::from("LocalEMQX")));
        assert!(line["milliseconds"].is_u64() && line["bytes"].as_u64() > Some(5_000), "{line}");
        let error = line["error"].as_str().expect("an error");
        assert!(error.contains("INTERNAL_ERROR") && error.chars().count() <= 300, "{error}");
    }
    let omitted: Vec<_> = lines(&log, "further requests of the failed probe").iter().map(parse).collect();
    assert_eq!(omitted.len(), 1, "{log}");
    assert_eq!(omitted[0]["omitted"], requests - 10);
    let begin = log.find("probe failed: ").expect("the line of the probe");
    assert!(begin < log.find("request of the failed probe").expect("its requests"), "{log}");
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
        assert!(!log.contains(" workers"), "what libraries do is no request: {log}");
    }
}
