//! `--check` for many clients: which of them are shown, counted and failed for, and CSV.

use std::collections::BTreeSet;
use std::time::Duration;

use fake_emqx::{FakeEmqx, Fault, Row, Version, When};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::{Program, Run, config_of};

/// Pumps that are connected, away for ten minutes, and away for two hours; a valve that is absent. A client may be away
/// for 15 minutes.
fn garden() -> (FakeEmqx, Program) {
    let fake = FakeEmqx::start(Version::V5_8_9);
    for id in ["pump/1", "pump/2", "pump/3"] {
        fake.add(Row::like("plain-user-1").client_id(id));
    }
    disconnect(&fake, "pump/2", 10 * 60 + 30);
    disconnect(&fake, "pump/3", 2 * 3600 + 1800);
    let clients = [("Well", "pump/1"), ("Pond", "pump/2"), ("Ditch", "pump/3"), ("Valve*", "valve")];
    let program = Program::with_config(&config_of(&fake, "attempts: 1", &clients));
    (fake, program)
}

fn disconnect(fake: &FakeEmqx, id: &str, seconds: u64) {
    fake.disconnect(id);
    let at = (Timestamp::now() - Duration::from_secs(seconds)).to_string();
    fake.change(id, |row| row.set("disconnected_at", at.as_str()));
}

fn check(program: &Program, arguments: &[&str]) -> Run {
    program.run(&[&["check"], arguments].concat())
}

/// The aliases in the table, from top to bottom.
fn shown(run: &Run) -> Vec<&str> {
    let names = run.stdout.lines().filter_map(|line| line.strip_prefix("│ ")?.split('│').next());
    names.map(str::trim).collect()
}

fn closing_line(run: &Run) -> &str {
    run.stdout.lines().last().unwrap_or_default()
}

/// The clients of the only broker, as JSON.
fn clients(program: &Program, arguments: &[&str]) -> Vec<Value> {
    let run = check(program, &[&["--output=json"], arguments].concat());
    let mut answer: Value = serde_json::from_str(&run.stdout).expect("one JSON object");
    serde_json::from_value(answer["clients"].take()).expect("a list")
}

#[test]
fn clients_are_selected_by_name_state_and_overdue() {
    let (_fake, program) = garden();
    for (arguments, expected) in [
        (&[][..], &["Ditch", "Pond", "Valve*", "Well"][..]),
        (&["--client", "Pond"], &["Pond"]),
        (&["--client", "pump/?"], &["Ditch", "Pond", "Well"]),
        (&["--client", "?it*", "--client", "W*"], &["Ditch", "Well"]),
        (&["--client", r"Valve\*"], &["Valve*"]),
        (&["--state", "disconnected"], &["Ditch", "Pond"]),
        (&["--state", "offline", "--state=absent"], &["Ditch", "Pond", "Valve*"]),
        (&["--overdue"], &["Ditch"]),
        (&["--client=pump*", "--state=offline", "--overdue"], &["Ditch"]),
        (&["--state", "unknown"], &[]),
        (&["--sort=state"], &["Valve*", "Ditch", "Pond", "Well"]),
        (&["--sort=-since", "--state=offline"], &["Ditch", "Pond"]),
    ] {
        let run = check(&program, arguments);
        assert_eq!((shown(&run), run.status), (expected.to_vec(), 0), "{arguments:?}\n{}", run.stdout);
        let clients = clients(&program, arguments);
        let aliases: Vec<_> =
            clients.iter().map(|client| client["alias"].as_str().expect("an alias")).collect();
        assert_eq!(aliases, expected, "{arguments:?}");
        let run = check(&program, &[arguments, &["--output=csv"]].concat());
        assert_eq!(run.stdout.lines().count(), 1 + expected.len(), "{}", run.stdout);
    }
}

#[test]
fn only_clients_that_match_by_name_are_asked_for() {
    let (fake, program) = garden();
    assert_eq!(check(&program, &["--client", "Well"]).status, 0);
    assert_eq!(fake.request_count(), 1, "the others are left in peace");
    let run = check(&program, &["--client", "Well", "--client", "well*"]);
    assert_eq!((run.status, run.stdout.as_str()), (1, ""));
    assert_eq!(run.stderr, "no watched client matches --client \"well*\"\n");
    let run = check(&program, &["--all", "--client", "pump/[1]"]);
    assert_eq!((run.status, closing_line(&run)), (0, "3 clients (0 shown): 1 connected, 2 offline"));
    let run = check(&program, &["--all", "--client", "*/1"]);
    assert_eq!(shown(&run), ["pump/1"]);
}

#[test]
fn the_closing_line_counts_all_clients_by_state() {
    let (fake, program) = garden();
    let counts = "1 connected, 2 offline, 1 absent; 1 overdue, 1 away for an unknown time";
    assert_eq!(closing_line(&check(&program, &[])), format!("4 clients: {counts}"));
    let run = check(&program, &["--state=absent"]);
    assert_eq!(closing_line(&run), format!("4 clients (1 shown): {counts}"));
    let run = check(&program, &["--client", "Well"]);
    assert_eq!(closing_line(&run), "1 client: 1 connected");
    fake.inject(When::Lookup("pump/1".into()), Fault::body("null"));
    let run = check(&program, &["--client", "pump*"]);
    assert_eq!(closing_line(&run), "3 clients: 2 offline, 1 unknown; 1 overdue");
    assert_eq!(check(&program, &["--output=csv"]).stdout.matches("clients").count(), 0, "CSV is for programs");
}

#[test]
fn strict_overdue_fails_only_for_clients_that_are_away_for_too_long() {
    let (fake, program) = garden();
    let status = |arguments: &[&str]| check(&program, arguments).status;
    assert_eq!(status(&["--strict=overdue"]), 3);
    assert_eq!(status(&["--strict=overdue", "--state=connected"]), 3, "who is shown does not matter");
    assert_eq!(status(&["--strict=overdue", "--client=Pond"]), 0, "who is asked for does");
    assert_eq!((status(&["--strict", "--client=Pond"]), status(&["--strict=connected"])), (3, 3));
    // Nothing tells for how long an absent client is away.
    assert_eq!(
        (status(&["--strict=overdue", "--client=valve"]), status(&["--strict", "--client=valve"])),
        (0, 3)
    );
    fake.change("pump/3", |row| row.null("disconnected_at"));
    assert_eq!(status(&["--strict=overdue", "--client=Ditch"]), 0, "nor of this one");
    fake.inject(When::Lookup("pump/2".into()), Fault::body("null"));
    assert_eq!(status(&["--strict=overdue"]), 2, "a failed probe weighs more");
}

#[test]
fn json_says_how_long_clients_may_be_away_and_whether_they_are_overdue() {
    let (_fake, program) = garden();
    let clients = clients(&program, &[]);
    let overdue: Vec<_> = clients.iter().map(|client| client.get("overdue").cloned()).collect();
    assert_eq!(overdue, [Some(json!(true)), Some(json!(false)), None, Some(json!(false))]);
    assert!(clients.iter().all(|client| client["offline_after_seconds"] == 900), "{clients:?}");
    let run = check(&program, &["--all", "--output=json"]);
    assert!(!run.stdout.contains("offline_after") && !run.stdout.contains("overdue"), "{}", run.stdout);
}

#[test]
fn csv_has_a_line_for_each_client_with_the_values_of_json() {
    let (fake, program) = garden();
    let odd = "=cmd|' /C calc'!A0\u{1b}[2J\n\"x\",\u{202E}";
    fake.change("pump/1", |row| row.username(Some(odd)));
    let run = check(&program, &["--output", "csv"]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    let mut reader = csv::Reader::from_reader(run.stdout.as_bytes());
    let header = reader.headers().expect("a header").clone();
    let records: Vec<_> = reader.records().map(|record| record.expect("as many fields as headers")).collect();
    let cell = |record: usize, name: &str| {
        let column =
            header.iter().position(|title| title == name).unwrap_or_else(|| panic!("{name}: {header:?}"));
        records[record][column].to_owned()
    };
    let ditch =
        ["broker", "alias", "client_id", "state", "overdue", "offline_after_seconds"].map(|name| cell(0, name));
    assert_eq!(ditch, ["LocalEMQX", "Ditch", "pump/3", "disconnected", "true", "900"]);
    assert_eq!(["overdue", "username", "session_created_at"].map(|name| cell(2, name)), ["", "", ""]);
    assert_eq!(
        cell(3, "username"),
        "'=cmd|' /C calc'!A0\u{FFFD}[2J\u{FFFD}\"x\",\u{FFFD}",
        "no formula, no control"
    );
    let json = clients(&program, &[]);
    for (name, pointer) in [
        ("session_created_at", "/session/created_at"),
        ("queue_inflight_limit", "/queue/inflight_limit"),
        ("traffic_received_messages_qos1", "/traffic/received_messages/qos1"),
    ] {
        let value = json[3].pointer(pointer).unwrap_or_else(|| panic!("{pointer} is in {}", json[3]));
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        assert_eq!(cell(3, name), text, "{name}");
    }
}

/// The values of a client in `part` of the schema, by the names of their CSV columns.
fn columns(schema: &Value, part: &Value, name: &str, found: &mut BTreeSet<String>) {
    let target =
        part["$ref"].as_str().map(|path| schema.pointer(path.trim_start_matches('#')).expect("it exists"));
    let part = target.unwrap_or(part);
    match part["properties"].as_object() {
        Some(properties) => {
            for (key, property) in properties {
                let name = if name.is_empty() { key.clone() } else { format!("{name}_{key}") };
                columns(schema, property, &name, found);
            }
        }
        None => drop(found.insert(name.to_owned())),
    }
}

#[test]
fn csv_has_a_column_for_every_value_of_json() {
    let (_fake, program) = garden();
    let run = check(&program, &["--output", "csv"]);
    let header: BTreeSet<_> =
        run.stdout.lines().next().expect("a header").split(',').map(str::to_owned).collect();
    let schema: Value =
        serde_json::from_str(include_str!("../../examples/check.schema.json")).expect("the schema is JSON");
    let mut expected = BTreeSet::from(["broker".to_owned()]);
    columns(&schema, &schema["$defs"]["client"], "", &mut expected);
    assert!(expected.remove("labels"), "each label has a column of its own");
    assert_eq!(header, expected);
}

#[test]
fn a_fleet_is_not_looked_for_where_none_is_configured() {
    let (_fake, program) = garden();
    let run = check(&program, &["--fleet", "pumps"]);
    assert_eq!(
        (run.status, run.stderr.as_str()),
        (1, "unknown fleet \"pumps\"; no fleets are configured for these brokers\n")
    );
}
