//! `--check`: the real program, in pipes and in terminals.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use fake_emqx::{FakeEmqx, Fault, Row, Version, When};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::{Program, Run, config_of, run_in_terminal};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// The times of the fakes are in the middle of their unit, so that no test depends on how fast it runs.
const TABLE: &str = "\
┏━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━┳━━━━━━━┳━━━━━━━━━━━━┳━━━━━┳━━━━━━━┳━━━━━━━━━┳━━━━━━┳━━━━━┳━━━━━━┓
┃                        ┃    Created ┃  Keep ┃  Connected ┃ Sub ┃ MsgIn ┃      RX ┃   RX ┃  TX ┃   TX ┃
┃ Alias                  ┃ (time ago) ┃ alive ┃ (time ago) ┃ Cnt ┃ Flght ┃     Msg ┃ Drop ┃ Msg ┃ Drop ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━╇━━━━━━━╇━━━━━━━━━━━━╇━━━━━╇━━━━━━━╇━━━━━━━━━╇━━━━━━╇━━━━━╇━━━━━━┩
│ HumidifierWaterRefTerm │   16 hours │   10s │   16 hours │   4 │     0 │   24279 │    0 │  16 │    0 │
│ QingpingCO2_Room1      │ 39 minutes │    2m │ 39 minutes │   0 │     0 │       0 │    0 │   0 │    0 │
│ RTL433_Room1           │    a month │    1m │   23 hours │   0 │     0 │  702456 │    0 │   0 │    0 │
│ RTL433_Room2           │    30 days │    1m │    18 days │   0 │     0 │ 5184897 │    0 │   0 │    0 │
└────────────────────────┴────────────┴───────┴────────────┴─────┴───────┴─────────┴──────┴─────┴──────┘
4 clients: 4 connected
";

const NARROW: &str = "\
┏━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━┳━━━━━┳━━━━━━━━━┳━━━┳━━━━━┳━━━━━━━┳━━━━┳━━━┳━━━━┓
┃                      ┃Created┃     ┃Connected┃   ┃     ┃       ┃    ┃   ┃    ┃
┃                      ┃  (time┃ Keep┃    (time┃Sub┃MsgIn┃     RX┃  RX┃ TX┃  TX┃
┃Alias                 ┃   ago)┃alive┃     ago)┃Cnt┃Flght┃    Msg┃Drop┃Msg┃Drop┃
┡━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━╇━━━━━╇━━━━━━━━━╇━━━╇━━━━━╇━━━━━━━╇━━━━╇━━━╇━━━━┩
│HumidifierWaterRefTerm│     16│  10s│ 16 hours│  4│    0│  24279│   0│ 16│   0│
│                      │  hours│     │         │   │     │       │    │   │    │
│QingpingCO2_Room1     │     39│   2m│       39│  0│    0│      0│   0│  0│   0│
│                      │minutes│     │  minutes│   │     │       │    │   │    │
│RTL433_Room1          │a month│   1m│ 23 hours│  0│    0│ 702456│   0│  0│   0│
│RTL433_Room2          │30 days│   1m│  18 days│  0│    0│5184897│   0│  0│   0│
└──────────────────────┴───────┴─────┴─────────┴───┴─────┴───────┴────┴───┴────┘
4 clients: 4 connected
";

const SENSORS: [(&str, &str); 4] = [
    ("RTL433_Room2", "rtl433-2"),
    ("HumidifierWaterRefTerm", "humidifier"),
    ("RTL433_Room1", "rtl433-1"),
    ("QingpingCO2_Room1", "qingping-DEADBEEF1234"),
];

/// Where no broker listens. The port of a fake that was stopped may be given to the fake of another test; this one is
/// not among those the system gives away.
const REFUSED_URL: &str = "http://127.0.0.1:1/api/";

/// A row whose times are this many seconds ago.
fn row(id: &str, created: u64, keepalive: u64, connected: u64, received: u64) -> Row {
    let ago = |seconds| (Timestamp::now() - Duration::from_secs(seconds)).to_string();
    [
        ("created_at", Value::from(ago(created))),
        ("connected_at", ago(connected).into()),
        ("keepalive", keepalive.into()),
        ("subscriptions_cnt", 0.into()),
        ("inflight_cnt", 0.into()),
        ("recv_msg.qos0", received.into()),
        ("recv_msg.qos1", 0.into()),
        ("recv_msg.qos2", 0.into()),
        ("recv_msg.dropped", 0.into()),
        ("send_msg.qos0", 0.into()),
        ("send_msg.qos1", 0.into()),
        ("send_msg.qos2", 0.into()),
        ("send_msg.dropped", 0.into()),
    ]
    .into_iter()
    .fold(Row::like("plain-user-1").client_id(id), |row, (name, value)| row.set(name, value))
}

fn sensors() -> (FakeEmqx, Program) {
    let fake = FakeEmqx::start(Version::V5_8_9);
    let humidifier = row("humidifier", 16 * HOUR + 30 * MINUTE, 10, 16 * HOUR + 30 * MINUTE, 24_200);
    fake.add(humidifier.set("subscriptions_cnt", 4).set("recv_msg.qos1", 79).set("send_msg.qos2", 16));
    fake.add(row("qingping-DEADBEEF1234", 39 * MINUTE + 30, 120, 39 * MINUTE + 30, 0));
    fake.add(row("rtl433-1", 45 * DAY, 60, 23 * HOUR + 30 * MINUTE, 702_456));
    fake.add(row("rtl433-2", 30 * DAY + 6 * HOUR, 60, 18 * DAY + 12 * HOUR, 5_184_897));
    let program = Program::with_config(&config_of(&fake, "", &SENSORS));
    (fake, program)
}

/// One client in each of the four states.
fn every_state() -> (FakeEmqx, Program) {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add(row("here", 2 * HOUR + 30 * MINUTE, 0, 90, 5));
    fake.add(row("away", 2 * HOUR + 30 * MINUTE, 60, 90, 5));
    fake.disconnect("away");
    let disconnected_at = Timestamp::now() - Duration::from_secs(2 * HOUR + 30 * MINUTE);
    fake.change("away", |row| row.set("disconnected_at", disconnected_at.to_string()));
    fake.inject(When::Lookup("silenced".into()), Fault::body("null"));
    let clients = [("Here", "here"), ("Away", "away"), ("Nowhere", "nowhere"), ("Silenced", "silenced")];
    let program = Program::with_config(&config_of(&fake, "", &clients));
    (fake, program)
}

/// Two brokers, of which one does not run.
fn one_of_two() -> (FakeEmqx, Program) {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add(row("sensor", DAY + HOUR, 60, HOUR + MINUTE, 1));
    let broker = |alias: &str, url: &str| {
        format!(
            "  - {{alias: {alias}, api_url: {url:?}, api_key: {}, api_secret: {}, attempts: 1}}\n",
            fake.api_key(),
            fake.api_secret()
        )
    };
    let program = Program::with_config(&format!(
        "emqx:\n{}{}monitored_clients:\n  - {{alias: Sensor, client_id: sensor, brokers: \"*\"}}\n",
        broker("Zeta", &fake.url()),
        broker("Alpha", REFUSED_URL),
    ));
    (fake, program)
}

/// The failures on stderr; each of their reasons is explained after them.
fn failures(stderr: &str) -> Vec<&str> {
    let (explanations, failures): (Vec<_>, _) = stderr.lines().partition(|line| line.starts_with("help: "));
    let reasons: BTreeSet<_> = failures.iter().filter_map(|line: &&str| line.split(": ").nth(1)).collect();
    assert_eq!(explanations.len(), reasons.len(), "{stderr}");
    let explained = |line: &str| line.split(": ").nth(1).is_some_and(|reason| reasons.contains(reason));
    assert!(explanations.iter().all(|line| explained(line)), "{stderr}");
    failures
}

fn answers(run: &Run) -> Vec<Value> {
    run.stdout.lines().map(|line| serde_json::from_str(line).expect("a JSON object in each line")).collect()
}

#[test]
fn the_table_has_the_documented_layout() {
    let (_fake, program) = sensors();
    for arguments in [&["--check"][..], &["check"], &["check", "--check", "--output", "table"]] {
        let run = program.run(arguments);
        assert_eq!(run.stdout, TABLE, "\n{}", run.stdout);
        assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    }
}

#[test]
fn a_wide_terminal_and_a_pipe_get_the_same_table() {
    let (_fake, program) = sensors();
    for columns in [104, 300, 0] {
        let mut command = program.command();
        command.arg("--check");
        let run = run_in_terminal(command, columns);
        assert_eq!(run.stdout, TABLE, "{columns} columns\n{}", run.stdout);
        assert_eq!(run.status, 0);
    }
}

#[test]
fn a_terminal_of_80_columns_is_enough() {
    let (_fake, program) = sensors();
    let mut command = program.command();
    command.arg("--check");
    let run = run_in_terminal(command, 80);
    assert_eq!(run.stdout, NARROW, "\n{}", run.stdout);
}

#[test]
fn every_state_is_named_in_the_table() {
    let (_fake, program) = every_state();
    let run = program.run(&["--check"]);
    let cells = |alias: &str| -> Vec<String> {
        let line = run.stdout.lines().find(|line| line.starts_with(&format!("│ {alias} ")));
        let line = line.unwrap_or_else(|| panic!("{alias} is in no line of\n{}", run.stdout));
        line.trim_matches('│').split('│').map(|cell| cell.trim().to_owned()).collect()
    };
    assert_eq!(cells("Here"), ["Here", "2 hours", "off", "a minute", "0", "0", "5", "0", "0", "0"]);
    assert_eq!(cells("Away")[..4], ["Away", "2 hours", "1m", "offline 2 hours"]);
    assert_eq!(cells("Nowhere"), ["Nowhere", "", "", "absent", "", "", "", "", "", ""]);
    assert_eq!(cells("Silenced"), ["Silenced", "", "", "unknown", "", "", "", "", "", ""]);
    assert_eq!(run.status, 2);
    assert!(run.stdout.ends_with(
        "\n4 clients: 1 connected, 1 offline, 1 absent, 1 unknown; 1 overdue, 1 away for an unknown time\n"
    ));
    let [failure] = failures(&run.stderr).try_into().expect("one failure");
    assert!(failure.starts_with("LocalEMQX: decode: "), "{failure}");
    assert!(failure.ends_with(" (1 client unknown)"), "{failure}");
}

#[test]
fn colours_are_used_only_in_terminals_that_support_them() {
    let (_fake, program) = every_state();
    let shown = |variable: Option<(&str, &str)>| {
        let mut command = program.command();
        command.arg("--check").envs(variable);
        run_in_terminal(command, 120).stdout
    };
    let coloured = shown(None);
    for (colour, word) in [("9", "offline 2 hours"), ("9", "absent"), ("3", "unknown")] {
        let styled = |line: &&str| line.contains(&format!("\u{1b}[38;5;{colour}m")) && line.contains(word);
        assert!(coloured.lines().any(|line| styled(&line)), "{word}: {coloured:?}");
    }
    assert_eq!(coloured.matches("\u{1b}[38").count(), 3, "{coloured:?}");
    for plain in [shown(Some(("NO_COLOR", "1"))), program.run(&["--check"]).stdout] {
        assert!(plain.contains("│ offline 2 hours │") && !plain.contains('\u{1b}'), "{plain:?}");
    }
}

#[test]
fn no_control_character_from_a_broker_reaches_the_terminal() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    let evil = "\u{1b}[2J\u{7}evil\nline";
    fake.add(row("sensor", DAY, 60, HOUR, 1).username(Some(evil)).set("node", evil).set("proto_name", evil));
    fake.add(row("odd", DAY, 60, HOUR, 1).set("keepalive", evil));
    fake.inject(When::Lookup("broken".into()), Fault::status(500, "text/plain", evil));
    fake.inject(When::Lookup("lost".into()), Fault::raw("HTTP/1.1 \u{1b}[2J evil\r\n\r\n"));
    let clients = [("Sensor", "sensor"), ("Odd", "odd"), ("Broken", "broken"), ("Lost", "lost")];
    let program = Program::with_config(&config_of(&fake, "attempts: 1", &clients));
    let mut command = program.command();
    command.arg("--check").env("NO_COLOR", "1");
    let run = run_in_terminal(command, 120);
    for said in [&run.stdout, &run.stderr] {
        assert!(!said.chars().any(|one| one.is_control() && one != '\n'), "{said:?}");
    }
    assert!(!run.stdout.contains("evil"), "{}", run.stdout);
    assert_eq!(failures(&run.stderr).len(), 3, "{}", run.stderr);
    assert!(failures(&run.stderr).iter().all(|line| line.starts_with("LocalEMQX: ")), "{}", run.stderr);
}

#[test]
fn partial_results_are_printed_when_a_broker_is_down() {
    let (_fake, program) = one_of_two();
    let run = program.run(&["--check"]);
    assert_eq!(run.status, 2);
    let lines: Vec<_> = run.stdout.lines().collect();
    assert!(lines[2].starts_with("┃ Alias  ┃ Broker ┃ (time ago) ┃"), "{}", run.stdout);
    assert!(lines[4].starts_with("│ Sensor │ Alpha  │            │       │    unknown │"), "{}", run.stdout);
    assert!(lines[5].starts_with("│ Sensor │ Zeta   │      a day │    1m │    an hour │"), "{}", run.stdout);
    let [failure] = failures(&run.stderr).try_into().expect("one failure");
    assert!(failure.starts_with("Alpha: connect: cannot connect to 127.0.0.1:1: "), "{failure}");
    assert!(failure.ends_with(": Connection refused (os error 111) (1 client unknown)"), "{failure}");
}

#[test]
fn only_the_named_brokers_are_probed() {
    let (fake, program) = one_of_two();
    let run = program.run(&["--check", "--broker", "Zeta"]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    assert!(!run.stdout.contains("Broker") && run.stdout.contains("an hour"), "{}", run.stdout);
    fake.reset_counters();
    let run = program.run(&["check", "--broker", "Alpha"]);
    assert_eq!((run.status, fake.request_count()), (2, 0));
    let run = program.run(&["check", "--broker=Zeta", "--broker", "Alpha", "--output=json"]);
    assert_eq!((run.status, answers(&run).len()), (2, 2));
    let run = program.run(&["check", "--broker", "Zeta", "--broker", "Nope"]);
    assert_eq!((run.status, run.stdout.as_str()), (1, ""));
    assert_eq!(run.stderr, "unknown broker \"Nope\"; configured brokers: Zeta, Alpha\n");
}

#[test]
fn strict_requires_all_clients_to_be_connected() {
    let (fake, program) = sensors();
    assert_eq!(program.run(&["--check", "--strict"]).status, 0);
    fake.disconnect("rtl433-1");
    let run = program.run(&["--check", "--strict"]);
    assert_eq!((run.status, run.stderr.as_str()), (3, ""));
    assert!(run.stdout.contains("│ offline "), "{}", run.stdout);
    assert_eq!(program.run(&["--check"]).status, 0, "only --strict minds");
    assert!(fake.remove("rtl433-1"));
    assert_eq!(program.run(&["--check", "--strict", "--output", "json"]).status, 3, "an absent one, too");
    fake.inject(When::Lookup("rtl433-2".into()), Fault::status(403, "text/plain", ""));
    assert_eq!(program.run(&["--check", "--strict"]).status, 2, "a failed probe weighs more");
}

#[test]
fn a_broker_without_clients_is_still_probed() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    let config = config_of(&fake, "attempts: 1", &[]);
    let program = Program::with_config(&config);
    let run = program.run(&["--check", "--strict"]);
    assert_eq!(run.stdout, "LocalEMQX is reachable and has no clients to show.\n");
    assert_eq!((run.status, run.stderr.as_str(), fake.request_count()), (0, "", 1));
    let run = program.run(&["--check", "--output", "json"]);
    let empty = json!({"alias": "LocalEMQX", "success": true, "failures": [], "clients": []});
    assert_eq!((answers(&run), run.status), (vec![empty], 0));
    let run = Program::with_config(&config.replace(&fake.url(), REFUSED_URL)).run(&["--check"]);
    assert_eq!((run.status, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.starts_with("LocalEMQX: connect: "), "{}", run.stderr);
    assert!(!run.stderr.contains("unknown"), "{}", run.stderr);
}

#[test]
fn json_has_the_documented_values() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add(Row::recorded(Version::V5_8_9, "persist-v5"));
    let never =
        row("never", DAY, 10, HOUR, 7).username(None).set("connected_at", "2026-11-22T17:52:15.217+05:30");
    fake.add(never.set("expiry_interval", 4_294_967_295_u64).null("recv_oct").unset("send_oct"));
    fake.inject(When::Lookup("silenced".into()), Fault::body("null"));
    let clients = [("Z", "persist-v5"), ("B", "silenced"), ("A", "nowhere"), ("C", "never")];
    let program = Program::with_config(&config_of(&fake, "", &clients));
    let run = program.run(&["--check", "--output", "json"]);
    assert_eq!(run.status, 2);
    assert_eq!(failures(&run.stderr).len(), 1, "{}", run.stderr);
    let [answer] = answers(&run).try_into().expect("one broker");
    assert!(!run.stdout.contains("null"), "{answer:#}");
    assert_eq!((&answer["alias"], &answer["success"]), (&json!("LocalEMQX"), &json!(false)));
    assert_eq!(answer["failures"][0]["reason"], "decode");
    assert_eq!(answer["failures"][0]["clients_unknown"], 1);
    assert!(run.stderr.contains(answer["failures"][0]["text"].as_str().expect("a text")), "{answer:#}");

    let clients = answer["clients"].as_array().expect("a list of clients");
    let aliases: Vec<_> = clients.iter().map(|client| client["alias"].as_str().expect("an alias")).collect();
    assert_eq!(aliases, ["A", "B", "C", "Z"]);
    assert_eq!(
        clients[0],
        json!({"alias": "A", "client_id": "nowhere", "state": "absent", "offline_after_seconds": 900})
    );
    assert_eq!(
        clients[1],
        json!({"alias": "B", "client_id": "silenced", "state": "unknown", "offline_after_seconds": 900})
    );
    let connected = &clients[2];
    assert_eq!(connected["state"], "connected");
    assert_eq!(connected.get("username"), None);
    assert_eq!(connected["session"]["connected_at"], "2026-11-22T12:22:15.217Z");
    assert_eq!(connected["session"].get("disconnected_at"), None);
    assert_eq!(connected["session"]["keepalive_seconds"], 10);
    assert_eq!(connected["session"]["expiry_interval_seconds"], "never");
    assert_eq!(connected["queue"]["subscriptions_limit"], "unlimited");
    assert_eq!(connected["queue"]["inflight_limit"], 32);
    assert_eq!(connected["traffic"]["received_messages"], json!({"qos0": 7, "qos1": 0, "qos2": 0}));
    assert_eq!(connected["traffic"].get("received_bytes"), None);
    assert_eq!(connected["traffic"].get("sent_bytes"), None);
    let away = &clients[3];
    assert_eq!((&away["state"], &away["client_id"]), (&json!("disconnected"), &json!("persist-v5")));
    assert_eq!(away["session"]["disconnected_at"], "2026-11-22T12:22:16.175Z");
}

#[test]
fn json_has_one_object_per_line_sorted_by_alias() {
    let (_fake, program) = one_of_two();
    let run = program.run(&["check", "--output", "json"]);
    let answers = answers(&run);
    let brokers: Vec<_> = answers.iter().map(|answer| (&answer["alias"], &answer["success"])).collect();
    assert_eq!(brokers, [(&json!("Alpha"), &json!(false)), (&json!("Zeta"), &json!(true))]);
    assert_eq!(answers[0]["failures"][0]["reason"], "connect");
    assert_eq!(answers[0]["clients"][0]["state"], "unknown");
}

#[test]
fn the_timeout_bounds_the_whole_query() {
    let (fake, program) = sensors();
    fake.inject(When::Any, Fault::Silent);
    let since = std::time::Instant::now();
    let run = program.run(&["--check", "--timeout", "0.3"]);
    // The default would be 15 seconds.
    assert!(since.elapsed() < Duration::from_secs(10), "{:?}", since.elapsed());
    assert_eq!(run.status, 2);
    assert!(run.stderr.starts_with("LocalEMQX: timeout: "), "{}", run.stderr);
    assert!(failures(&run.stderr)[0].ends_with(" (4 clients unknown)"), "{}", run.stderr);
    assert_eq!(run.stdout.matches("│    unknown │").count(), 4, "{}", run.stdout);
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    let (_fake, program) = sensors();
    for arguments in [
        &["--check"][..],
        &["--check", "--output", "json"],
        &["--check", "--output", "csv"],
        &["--config.check"],
        &["--help"],
    ] {
        let mut command = program.command();
        let mut child = command
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        drop(child.stdout.take());
        let mut stderr = String::new();
        child.stderr.take().expect("a pipe").read_to_string(&mut stderr).expect("text");
        let status = child.wait().expect("the program ends");
        assert_eq!((status.code(), stderr.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn a_result_that_cannot_be_printed_is_an_error() {
    if !Path::new("/dev/full").exists() {
        return;
    }
    let (_fake, program) = sensors();
    for arguments in [
        &["--check"][..],
        &["--check", "--output", "json"],
        &["--check", "--output", "csv"],
        &["--config.check"],
    ] {
        let full = File::options().write(true).open("/dev/full").expect("a device that is always full");
        let output = program.command().args(arguments).stdout(full).output().expect("the program starts");
        let run = Run::of(output);
        assert_eq!(run.status, 1, "{arguments:?}");
        assert_eq!(run.stderr, "cannot write to stdout: No space left on device (os error 28)\n");
    }
}

#[test]
fn all_shows_every_client_of_the_broker_by_its_id() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add(row("watched", HOUR, 60, HOUR, 7));
    fake.add(row("stranger\u{1b}[2J\u{2028}", HOUR, 60, HOUR, 7));
    fake.add(Row::recorded(Version::V5_8_9, "persist-v5"));
    let program = Program::with_config(&config_of(&fake, "", &[("Alias", "watched"), ("Absent", "nobody")]));
    let run = program.run(&["--check", "--all"]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    let names: Vec<_> = run
        .stdout
        .lines()
        .filter_map(|line| line.strip_prefix("│ ")?.split('│').next())
        .map(str::trim)
        .collect();
    assert_eq!(names, ["persist-v5", "stranger\u{FFFD}[2J\u{FFFD}", "watched"]);
    assert!(fake.requests().iter().all(fake_emqx::Request::is_list));

    let run = program.run(&["check", "--all", "--output", "json"]);
    let answer: Value = serde_json::from_str(&run.stdout).expect("a JSON object");
    assert!(run.stdout.contains("stranger\\u001b[2J\\u2028"), "{}", run.stdout);
    assert_eq!(answer["clients"].as_array().map(Vec::len), Some(3));
    assert_eq!(answer["clients"][0]["alias"], json!("persist-v5"));
    assert_eq!(answer["clients"][0]["state"], json!("disconnected"));
}

#[test]
fn a_very_long_client_id_is_wrapped_in_pipes_and_terminals() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    let long = format!("begin{}end", "x".repeat(2_992));
    fake.add(row(&long, HOUR, 60, HOUR, 7));
    fake.add(row("short", HOUR, 60, HOUR, 7));
    let program = Program::with_config(&config_of(&fake, "", &[]));
    let run = program.run(&["--check", "--all"]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    let table = run.stdout.strip_suffix("2 clients: 2 connected\n").expect("a closing line");
    let widths: Vec<_> = table.lines().map(|line| line.chars().count()).collect();
    assert!(widths.iter().all(|width| *width == widths[0] && *width < 200), "{widths:?}");
    let names = run.stdout.lines().filter_map(|line| line.strip_prefix("│ ")?.split('│').next());
    let names: Vec<_> = names.map(str::trim).collect();
    assert_eq!(names.concat(), long + "short", "no character is lost");
    let run = program.run(&["check", "--all", "--sort=-alias"]);
    assert!(run.stdout.lines().any(|line| line.starts_with("│ short ")), "{}", run.stdout);
}
