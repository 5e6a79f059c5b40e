//! `--check --sort`: the order of the clients in the table and in JSON.

use fake_emqx::{FakeEmqx, Fault, Row, Version, When};
use serde_json::Value;

use crate::support::{Program, config_of};

/// Clients whose order differs in every column; only the names of the last two are known.
fn fleet() -> (FakeEmqx, Program) {
    let fake = FakeEmqx::start(Version::V5_8_9);
    for (id, received, keepalive, created) in [
        ("a", 9, 300, "2026-01-02T00:00:00Z"),
        ("b", 100, 60, "2026-01-03T00:00:00Z"),
        ("c", 20, 0, "2026-01-01T00:00:00Z"),
    ] {
        let row = Row::like("plain-user-1").client_id(id).set("keepalive", keepalive);
        let row = row.set("created_at", created).set("connected_at", created);
        fake.add(row.set("recv_msg.qos0", received).set("recv_msg.qos1", 0).set("recv_msg.qos2", 0));
    }
    fake.add(
        Row::like("plain-user-1")
            .client_id("bare")
            .unset("keepalive")
            .null("created_at")
            .unset("recv_msg.qos1"),
    );
    fake.inject(When::Lookup("lost".into()), Fault::body("null"));
    let clients = [("C", "c"), ("Lost", "lost"), ("A", "a"), ("Bare", "bare"), ("B", "b")];
    let program = Program::with_config(&config_of(&fake, "attempts: 1", &clients));
    (fake, program)
}

fn rows(table: &str) -> Vec<&str> {
    let names = table.lines().filter_map(|line| line.strip_prefix("│ ")?.split('│').next());
    names.map(str::trim).collect()
}

fn clients(line: &str) -> Vec<String> {
    let answer: Value = serde_json::from_str(line).expect("a JSON object");
    let clients = answer["clients"].as_array().expect("a list of clients");
    clients.iter().map(|client| client["alias"].as_str().expect("an alias").to_owned()).collect()
}

#[test]
fn table_and_json_have_the_same_order() {
    let (_fake, program) = fleet();
    for (sort, order) in [
        (&[][..], ["A", "B", "Bare", "C", "Lost"]),
        (&["--sort", "alias"], ["A", "B", "Bare", "C", "Lost"]),
        (&["--sort", "-alias"], ["Lost", "C", "Bare", "B", "A"]),
        (&["--sort", "received"], ["A", "C", "B", "Bare", "Lost"]),
        (&["--sort", "-received"], ["B", "C", "A", "Bare", "Lost"]),
        (&["--sort=-received"], ["B", "C", "A", "Bare", "Lost"]),
        (&["--sort", "keepalive"], ["C", "B", "A", "Bare", "Lost"]),
        (&["--sort", "-keepalive"], ["A", "B", "C", "Bare", "Lost"]),
        (&["--sort", "state"], ["Lost", "A", "B", "Bare", "C"]),
        (&["--sort", "-state"], ["A", "B", "Bare", "C", "Lost"]),
        (&["--sort", "created"], ["B", "A", "C", "Bare", "Lost"]),
        (&["--sort", "-created"], ["C", "A", "B", "Bare", "Lost"]),
    ] {
        let run = program.run(&[&["check"], sort].concat());
        assert_eq!(rows(&run.stdout), order, "{sort:?}\n{}", run.stdout);
        let run = program.run(&[&["check", "--output=json"], sort].concat());
        assert_eq!(clients(&run.stdout), order, "{sort:?}");
    }
    let run = program.run(&["check", "--all", "--sort", "-received"]);
    assert_eq!(rows(&run.stdout), ["b", "c", "a", "bare"], "\n{}", run.stdout);
}

#[test]
fn every_column_can_be_sorted_by() {
    let (_fake, program) = fleet();
    let listed = program.run(&["check", "--sort", "?"]).stderr;
    let listed = listed
        .lines()
        .next()
        .and_then(|line| line.split_once("available columns: "))
        .expect("a list")
        .1
        .to_owned();
    let columns: Vec<_> = listed.split(", ").collect();
    assert_eq!(columns.len(), 17, "{columns:?}");
    let readme = include_str!("../../README.md");
    for column in columns {
        assert!(readme.contains(&format!("`{column}`")), "the README does not name {column}");
        for sort in [column.to_owned(), format!("-{column}")] {
            let run = program.run(&["check", "--sort", &sort]);
            let mut aliases = rows(&run.stdout);
            assert_eq!((run.status, aliases.len()), (2, 5), "{sort}: {}", run.stderr);
            aliases.sort_unstable();
            assert_eq!(aliases, ["A", "B", "Bare", "C", "Lost"]);
        }
    }
}
