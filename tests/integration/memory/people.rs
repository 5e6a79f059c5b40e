//! What people see of it: the table of `--check`, JSON and CSV, the pages and the debug view.

use std::time::Duration;

use fake_emqx::{Ban, FakeEmqx, Fault, Retained, Version, When};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::like;
use crate::support::{Exporter, Program, config_of};

/// A connected client, two that are absent, of which one was seen ten minutes ago and the other two hours ago, one of
/// which nothing is remembered, and two that are banned. Each may be away for 15 minutes.
fn garden() -> (FakeEmqx, String) {
    let fake = FakeEmqx::start(Version::V6_2_2);
    fake.add(like("here").subscribed(["cmd/here"]));
    let seen = |id: &str, seconds: u64| {
        let at = Timestamp::now() - Duration::from_secs(seconds);
        fake.retain(Retained::new(&format!("$seen/{id}"), "whoever").at_text(&at.to_string()));
    };
    seen("here", 90);
    seen("asleep", 10 * 60 + 30);
    seen("late", 2 * 3600 + 1800);
    fake.ban(Ban::client_id("outlaw"));
    let until: Timestamp = "2100-01-01T12:30:00Z".parse().expect("a time");
    fake.ban(Ban::client_id("flapping").until(until));
    let keys = "seen_topics: ['$seen/${clientid}']\nsubscriptions: ['cmd/${clientid}', 'all']";
    let clients = ["here", "asleep", "late", "never", "outlaw", "flapping"].map(|id| (id, id));
    let config =
        config_of(&fake, keys, &clients) + "prometheus: {collect: [session, queue, traffic, banned]}\n";
    (fake, config)
}

/// The cells of a row of the table.
fn row(table: &str, alias: &str) -> Vec<String> {
    let line = table.lines().find(|line| line.starts_with(&format!("│ {alias} ")));
    let line = line.unwrap_or_else(|| panic!("{alias} in\n{table}"));
    line.trim_matches('│').split('│').map(|cell| cell.trim().to_owned()).collect()
}

#[test]
fn the_table_says_when_clients_were_last_seen_and_which_are_banned() {
    let (_fake, config) = garden();
    let program = Program::with_config(&config);
    let run = program.run(&["check"]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    assert!(run.stdout.contains("┃  Last seen ┃") && run.stdout.contains("(time ago)"), "{}", run.stdout);
    assert_eq!(row(&run.stdout, "here")[4], "a minute");
    assert_eq!(row(&run.stdout, "asleep")[3..5], ["absent 10 minutes", "10 minutes"]);
    assert_eq!(row(&run.stdout, "late")[3..5], ["absent 2 hours", "2 hours"]);
    assert_eq!(row(&run.stdout, "never")[3..5], ["absent", ""]);
    assert_eq!(row(&run.stdout, "outlaw")[3..5], ["banned for ever", ""]);
    assert_eq!(row(&run.stdout, "flapping")[3..5], ["banned until 2100-01-01 12:30 UTC", ""]);
    let counts = "6 clients: 1 connected, 5 absent; 1 overdue, 3 away for an unknown time, 2 banned";
    assert_eq!(run.stdout.lines().last(), Some(counts));
    let order: Vec<_> = program
        .run(&["check", "--sort=seen", "--client=here", "--client=asleep", "--client=late"])
        .stdout
        .lines()
        .filter_map(|line| Some(line.strip_prefix("│ ")?.split(' ').next()?.to_owned()))
        .collect();
    assert_eq!(order, ["here", "asleep", "late"]);
    // A sign of life is what makes an absent client overdue.
    assert_eq!(program.run(&["check", "--strict=overdue", "--client=asleep"]).status, 0);
    assert_eq!(program.run(&["check", "--strict=overdue", "--client=late"]).status, 3);
}

#[test]
fn the_column_is_there_only_where_topics_are_configured() {
    let (fake, config) = garden();
    let without = Program::with_config(&config.replace("seen_topics: ['$seen/${clientid}']", ""));
    let run = without.run(&["check"]);
    assert!(!run.stdout.contains("Last seen") && row(&run.stdout, "late")[3] == "absent", "{}", run.stdout);
    let without = Exporter::start(&config.replace("seen_topics: ['$seen/${clientid}']", ""));
    assert!(!without.get("/").text().contains("Last seen"));
    assert!(fake.requests().iter().all(|request| request.parameter("topic").is_empty()));
    // Refused, it is there, empty, and explained.
    fake.inject(When::Retained, Fault::status(403, "application/json", "{}"));
    let run = Program::with_config(&config).run(&["check"]);
    assert_eq!(
        (run.status, row(&run.stdout, "late")[3..5].to_vec()),
        (2, vec!["absent".to_owned(), String::new()])
    );
    assert!(
        run.stderr.contains("LocalEMQX: forbidden: ") && run.stderr.contains("help: forbidden: "),
        "{}",
        run.stderr
    );
}

#[test]
fn json_and_csv_have_what_the_broker_remembers() {
    let (_fake, config) = garden();
    let program = Program::with_config(&config);
    let run = program.run(&["check", "--output=json"]);
    let answer: Value = serde_json::from_str(&run.stdout).expect("a JSON object");
    let client = |alias: &str| {
        let clients = answer["clients"].as_array().expect("a list");
        clients.iter().find(|client| client["alias"] == alias).expect("it is there")
    };
    assert!(client("late")["last_seen"].as_str().is_some_and(|time| time.ends_with('Z')), "{answer:#}");
    assert_eq!((&client("late")["overdue"], &client("asleep")["overdue"]), (&json!(true), &json!(false)));
    assert_eq!(client("never").get("last_seen"), None);
    assert_eq!((&client("never")["banned"], client("never").get("ban_end")), (&json!(false), None));
    assert_eq!((&client("outlaw")["banned"], &client("outlaw")["ban_end"]), (&json!(true), &json!("never")));
    assert_eq!(client("flapping")["ban_end"], "2100-01-01T12:30:00Z");
    let expected = json!([{"topic": "cmd/here", "present": true}, {"topic": "all", "present": false}]);
    assert_eq!(client("here")["expected_subscriptions"], expected);
    assert_eq!(client("late").get("expected_subscriptions"), None);

    let run = program.run(&["check", "--output=csv", "--client=flapping"]);
    let mut csv = csv::Reader::from_reader(run.stdout.as_bytes());
    let header = csv.headers().expect("a header").clone();
    let record = csv.records().next().expect("a record").expect("valid CSV");
    let cell = |name: &str| &record[header.iter().position(|column| column == name).expect("a column")];
    assert_eq!((cell("banned"), cell("ban_end"), cell("state")), ("true", "2100-01-01T12:30:00Z", "absent"));
}

#[test]
fn the_pages_have_it_too() {
    let (_fake, config) = garden();
    let exporter = Exporter::start(&config);
    let page = exporter.get("/").text();
    assert!(page.contains(">Last seen</a></th>"), "{page}");
    for (name, classes, text) in [
        ("asleep", "text warning state absent", "✕</span> absent"),
        ("late", "text critical state absent", "✕</span> absent"),
        ("flapping", "text critical state absent", "✕</span> banned until 2100-01-01 12:30 UTC"),
    ] {
        let row = page.split_once(&format!("<bdi>{name}</bdi>")).and_then(|(_, rest)| rest.split_once("</tr>"));
        let row = row.expect("a row").0;
        assert!(row.contains(&format!("<td class=\"{classes}\">")) && row.contains(text), "{row}");
    }
    let client = |alias: &str| exporter.get(&format!("/client?broker=LocalEMQX&client={alias}")).text();
    let here = client("here");
    assert!(here.contains("missing: all") && here.contains("<dt>Last seen</dt>"), "{here}");
    assert!(here.contains("emqx_mqtt_client_expected_subscription_present{topic=&#34;all&#34;}"), "{here}");
    assert!(client("outlaw").contains("<title>outlaw banned for ever · LocalEMQX"), "{}", client("outlaw"));
    let debug = exporter.get("/probe?broker=LocalEMQX&debug=true").text();
    for words in
        ["seen", "banned", "emqx_mqtt_client_seen_message_timestamp_seconds{", "/mqtt/retainer/messages"]
    {
        assert!(debug.contains(words), "{words} in {debug}");
    }
}
