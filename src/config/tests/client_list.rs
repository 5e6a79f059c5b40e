use super::*;

/// The aliases of the clients watched on each broker.
fn watched(config: &Config) -> Vec<(&str, Vec<&str>)> {
    config
        .brokers
        .iter()
        .map(|broker| (broker.alias.as_str(), broker.clients.iter().map(|client| &*client.alias).collect()))
        .collect()
}

fn client_problem(client: &str) -> String {
    problem(&format!("{BROKER}monitored_clients:\n- {client}\n"))
}

/// The only problem when two brokers are followed by these clients, which begin at line 11.
fn problem_of_two_brokers(clients: &str) -> String {
    problem(&format!("{TWO_BROKERS}monitored_clients:\n{clients}"))
}

#[test]
fn clients_are_watched_where_they_say() {
    let config = good(&format!(
        "{TWO_BROKERS}monitored_clients:
- {{alias: one, client_id: 1, brokers: [A]}}
- {{alias: both, client_id: 2, brokers: [B, A]}}
- {{alias: text, client_id: 3, brokers: B}}
- {{alias: all, client_id: 4, brokers: '*'}}
- {{alias: listed, client_id: 5, brokers: ['*']}}
"
    ));
    assert_eq!(
        watched(&config),
        [("A", vec!["one", "both", "all", "listed"]), ("B", vec!["both", "text", "all", "listed"])]
    );
    assert!(Arc::ptr_eq(&config.brokers[0].clients[1], &config.brokers[1].clients[0]));
}

#[test]
fn the_only_broker_need_not_be_named() {
    let config = good(&format!(
        "{BROKER}monitored_clients:
- {{alias: silent, client_id: 1}}
- {{alias: named, client_id: 2, brokers: A}}
- {{alias: all, client_id: 3, brokers: '*'}}
"
    ));
    assert_eq!(watched(&config), [("A", vec!["silent", "named", "all"])]);
}

#[test]
fn there_may_be_no_clients() {
    for list in ["", "monitored_clients:\n", "monitored_clients: []\n"] {
        assert_eq!(watched(&good(&format!("{BROKER}{list}"))), [("A", vec![])]);
    }
}

#[test]
fn client_ids_are_taken_as_they_are_written() {
    for id in [
        "0123456",
        "1.10",
        "1e3",
        "0x1F",
        "0o17",
        "+1",
        "-0",
        "1_000",
        ".5",
        "0.10",
        "true",
        "No",
        ".inf",
        "2024-01-01",
        "12:30:45",
        "99999999999999999999999999",
    ] {
        let config = good(&format!("{BROKER}monitored_clients: [{{alias: {id}, client_id: {id}}}]\n"));
        assert_eq!(&*config.brokers[0].clients[0].client_id, id);
        assert_eq!(&*config.brokers[0].clients[0].alias, id);
    }
    let id = |written: &str| {
        let config = good(&format!("{BROKER}monitored_clients:\n- alias: a\n  client_id: {written}\n"));
        config.brokers[0].clients[0].client_id.to_string()
    };
    assert_eq!(id("'~'"), "~");
    assert_eq!(id("\"null\""), "null");
    assert_eq!(id("' a/b#c: é'"), " a/b#c: é");
    assert_eq!(id("\"\\t\\x01\""), "\t\u{1}");
    assert_eq!(id("!!str 0x10"), "0x10");
    assert_eq!(id("|-\n    0x10"), "0x10");
    assert_eq!(id("&id 1.10"), "1.10");
}

#[test]
fn offline_after_is_inherited() {
    let config = good(&format!(
        "{BROKER}prometheus: {{offline_after: 1h}}
monitored_clients:
- {{alias: own, client_id: 1, offline_after: 1h30m}}
- {{alias: inherited, client_id: 2}}
"
    ));
    let seconds: Vec<_> =
        config.brokers[0].clients.iter().map(|client| client.offline_after.as_secs()).collect();
    assert_eq!(seconds, [5400, 3600]);

    let message = "7:43: monitored_clients[0].offline_after: must be a duration such as 15m, 1h30m or 7d, longer than 0 \
                (units y, w, d, h, m, s and ms, in this order)";
    for wrong in ["0", "0s", "5", "1m1h", "x", "[1h]", "true"] {
        assert_eq!(client_problem(&format!("{{alias: a, client_id: b, offline_after: {wrong}}}")), message);
    }
}

#[test]
fn required_keys_of_a_client_are_reported() {
    assert_eq!(
        problems(&format!("{BROKER}monitored_clients:\n- {{}}\n- text\n")),
        [
            "7:3: monitored_clients[0]: alias is missing; expected a name of your choice for this client",
            "7:3: monitored_clients[0]: client_id is missing; expected the MQTT client ID",
            "8:3: monitored_clients[1]: must be a mapping with alias and client_id",
        ]
    );
    assert_eq!(
        client_problem("{alias: '', client_id: b}"),
        "7:11: monitored_clients[0].alias: must be a name of your choice for this client"
    );
    assert_eq!(
        client_problem("{alias: \"a\\tb\", client_id: b}"),
        "7:11: monitored_clients[0].alias: must not contain control characters"
    );
    for wrong in ["''", "~", "", "[x]", "!include x"] {
        assert_eq!(
            client_problem(&format!("{{alias: a, client_id: {wrong}}}"))
                .split_once(' ')
                .map(|(_, message)| message),
            Some("monitored_clients[0].client_id: must be the MQTT client ID")
        );
    }
    assert_eq!(
        client_problem("{alias: a, client_id: \"a\\0b\"}"),
        "7:25: monitored_clients[0].client_id: must not contain NUL, which MQTT forbids"
    );
    assert_eq!(
        problem(&format!("{BROKER}monitored_clients: {{alias: a, client_id: b}}\n")),
        "6:20: monitored_clients: must be a list of clients, each with alias and client_id"
    );
}

#[test]
fn clients_have_unique_names_on_each_broker() {
    let unique = |what| format!("duplicate {what}; monitored_clients[0] has it on the same broker");
    assert_eq!(
        problem_of_two_brokers(
            "- {alias: a, client_id: 1, brokers: A}\n- {alias: a, client_id: 2, brokers: '*'}\n"
        ),
        format!("12:11: monitored_clients[1].alias: {}", unique("alias"))
    );
    assert_eq!(
        problem_of_two_brokers(
            "- {alias: a, client_id: 1, brokers: B}\n- {alias: b, client_id: '1', brokers: '*'}\n"
        ),
        format!("12:25: monitored_clients[1].client_id: {}", unique("client ID"))
    );
    good(&format!(
        "{TWO_BROKERS}monitored_clients:
- {{alias: a, client_id: 1, brokers: A}}
- {{alias: a, client_id: 1, brokers: B}}
"
    ));
}

#[test]
fn brokers_of_a_client_exist() {
    let message = |brokers: &str| problem_of_two_brokers(&format!("- {{alias: a, client_id: 1{brokers}}}\n"));
    let right = "a list of broker aliases, or \"*\" for all brokers";
    assert_eq!(message(""), format!("11:3: monitored_clients[0]: brokers is missing; expected {right}"));
    assert_eq!(message(", brokers: {}"), format!("11:37: monitored_clients[0].brokers: must be {right}"));
    assert_eq!(message(", brokers: [[]]"), format!("11:38: monitored_clients[0].brokers[0]: must be {right}"));
    assert_eq!(
        message(", brokers: []"),
        "11:37: monitored_clients[0].brokers: must not be empty; name brokers, or write \"*\" for all"
    );
    assert_eq!(
        message(", brokers: C"),
        "11:37: monitored_clients[0].brokers: unknown broker \"C\"; configured brokers: A, B"
    );
    assert_eq!(
        message(", brokers: [A, b]"),
        "11:41: monitored_clients[0].brokers[1]: unknown broker \"b\"; configured brokers: A, B"
    );
    assert_eq!(message(", brokers: [A, A]"), "11:41: monitored_clients[0].brokers[1]: duplicate entry");
    assert_eq!(
        message(", brokers: [A, '*']"),
        "11:41: monitored_clients[0].brokers[1]: \"*\" means all brokers and must be the only entry"
    );
    let long = "x".repeat(100);
    assert_eq!(
        message(&format!(", brokers: {long}")),
        format!(
            "11:37: monitored_clients[0].brokers: unknown broker \"{}\"...; configured brokers: A, B",
            &long[..60]
        )
    );
}

#[test]
fn a_broker_that_could_not_be_read_is_not_called_unknown() {
    let text = format!(
        "{}monitored_clients: [{{alias: a, client_id: 1, brokers: B}}]\n",
        TWO_BROKERS.replace("alias: B", "alias: ")
    );
    assert_eq!(problem(&text), "6:9: emqx[1].alias: must be a name of your choice for this broker");
    let text =
        format!("{TWO_BROKERS}  attempts: 0\nmonitored_clients: [{{alias: a, client_id: 1, brokers: B}}]\n");
    assert_eq!(problem(&text), "10:13: emqx[1].attempts: must be a whole number from 1 to 10");
    assert_eq!(
        problem(
            "emqx: []\nmonitored_clients: [{alias: a, client_id: 1}, {alias: b, client_id: 2, brokers: B}]\n"
        ),
        "1:7: emqx: must not be empty; configure at least one broker"
    );
}

#[test]
fn a_client_id_can_be_looked_up() {
    // "GET /api/v5/clients/", " HTTP/1.1" and the end of the line take 31 bytes of the 8000.
    let client = |id: &str| format!("{BROKER}monitored_clients: [{{alias: a, client_id: \"{id}\"}}]\n");
    good(&client(&"a".repeat(7969)));
    good(&client(&format!("{}-._~", "/".repeat(2655))));
    let message = |length: usize| {
        format!(
            "6:43: monitored_clients[0].client_id: too long to look up on broker \"A\": its request line would have \
             {length} bytes, and EMQX reads at most 8000"
        )
    };
    assert_eq!(problem(&client(&"a".repeat(7970))), message(8001));
    assert_eq!(problem(&client(&"/".repeat(2658))), message(8005));
    assert_eq!(problem(&client(&"é".repeat(1329))), message(8005));
    assert_eq!(
        problem(&client(&"a".repeat(65_536))),
        "6:43: monitored_clients[0].client_id: too long; MQTT allows at most 65535 bytes"
    );
}

#[test]
fn ten_thousand_clients_are_read() {
    use std::fmt::Write as _;
    let mut text = format!("{BROKER}monitored_clients:\n");
    for number in 0..10_000 {
        writeln!(text, "- alias: alias-{number}\n  client_id: {number}").expect("a String takes it");
    }
    let config = good(&text);
    assert_eq!(config.brokers[0].clients.len(), 10_000);
    assert_eq!(&*config.brokers[0].clients[9_999].client_id, "9999");
}

#[test]
fn the_cost_of_a_client_id_with_control_characters_is_a_warning() {
    let config = |id: &str| good(&format!("{BROKER}monitored_clients: [{{alias: a, client_id: {id}}}]\n"));
    for id in ["\"a\\tb\"", "\"\\x01\"", "\"\\x7f\"", "\"a\\n\""] {
        assert_eq!(
            config(id).warnings,
            [
                "monitored_clients[0].client_id: contains control characters, which EMQX refuses in requests; to find this \
              client, each probe has to list all clients of the broker"
            ]
        );
    }
    assert!(config("'a b/é'").warnings.is_empty());
}
