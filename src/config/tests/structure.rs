use super::*;

#[test]
fn unknown_keys_are_reported() {
    assert_eq!(broker_problem("prometeus: {}\n"), "6:1: prometeus: unknown key; did you mean prometheus?");
    assert_eq!(
        broker_problem("other: {}\n"),
        "6:1: other: unknown key; known keys: emqx, monitored_clients, prometheus"
    );
    assert_eq!(
        broker_problem("  api_secert: x\n"),
        "6:3: emqx.api_secert: unknown key; did you mean api_secret?"
    );
    assert_eq!(
        broker_problem("  password: x\n"),
        "6:3: emqx.password: unknown key; known keys: alias, api_url, api_key, api_secret, ssl, timeout_seconds, \
         attempts, concurrency, nodes"
    );
    assert_eq!(
        broker_problem("monitored_clients:\n- alias: a\n  client_id: b\n  broker: A\n"),
        "9:3: monitored_clients[0].broker: unknown key; did you mean brokers?"
    );
    assert_eq!(broker_problem("1: x\n"), "6:1: unknown key; known keys: emqx, monitored_clients, prometheus");
    assert_eq!(broker_problem("? [a]\n: x\n"), "6:3: key must be a text");
    assert_eq!(
        problem(
            &format!("defaults: &defaults {{}}\n{BROKER}  <<: *defaults\n")
                .replace("defaults: &defaults {}\n", "")
                .replace("*defaults", "{}")
        ),
        "6:3: emqx: merge keys (<<) are not read: write the settings out"
    );
}

#[test]
fn keys_of_the_python_program_are_explained() {
    let ttl = "unknown key; remove it: nothing is cached, every scrape asks EMQX live";
    let enable = "unknown key; remove it and list the wanted groups in prometheus.collect";
    assert_eq!(broker_problem("ttl_seconds: 5\n"), format!("6:1: ttl_seconds: {ttl}"));
    assert_eq!(broker_problem("  ttl_seconds: 5\n"), format!("6:3: emqx.ttl_seconds: {ttl}"));
    assert_eq!(
        broker_problem("prometheus:\n  ttl_seconds: 5\n"),
        format!("7:3: prometheus.ttl_seconds: {ttl}")
    );
    assert_eq!(
        broker_problem("prometheus:\n  enable_ip_address: true\n"),
        format!("7:3: prometheus.enable_ip_address: {enable}")
    );
    assert_eq!(
        broker_problem("monitored_clients: [{alias: a, client_id: b, enable_x: 1}]\n"),
        format!("6:46: monitored_clients[0].enable_x: {enable}")
    );
}

#[test]
fn keys_stand_there_once() {
    assert_eq!(broker_problem("  api_key: x\n"), "6:3: emqx.api_key: duplicate key; keep one of them");
    assert_eq!(broker_problem("emqx: {}\n"), "6:1: emqx: duplicate key; keep one of them");
    assert_eq!(
        broker_problem("monitored_clients: [{alias: a, 'alias': b, client_id: c}]\n"),
        "6:32: monitored_clients[0].alias: duplicate key; keep one of them"
    );
}

#[test]
fn all_problems_are_reported_in_the_order_of_the_file() {
    let text = "prometheus: {port: x, collect: [y]}
monitored_clients:
- {client_id: 1, brokers: Z}
emqx:
- alias: '*'
  api_url: nowhere
  attempts: 0
  ssl: {key_file: k}
- 5
extra: 1
";
    assert_eq!(
        problems(text),
        [
            "1:20: prometheus.port: must be a whole number from 0 to 65535",
            "1:33: prometheus.collect[0]: unknown metric group; groups: state, session, queue, traffic, process, address",
            "3:3: monitored_clients[0]: alias is missing; expected a name of your choice for this client",
            "5:3: emqx[0]: api_key is missing; expected the key of an EMQX API key",
            "5:3: emqx[0]: api_secret is missing; expected the secret of that API key",
            "5:10: emqx[0].alias: must not be \"*\", which means all brokers",
            "6:12: emqx[0].api_url: must be an http or https URL whose path ends in /api, such as http://emqx:18083/api",
            "7:13: emqx[0].attempts: must be a whole number from 1 to 10",
            "8:8: emqx[0].ssl: key_file needs cert_file; set both or neither",
            "9:3: emqx[1]: must be a mapping with alias, api_url, api_key and api_secret",
            "10:1: extra: unknown key; known keys: emqx, monitored_clients, prometheus",
        ]
    );
}

#[test]
fn at_most_fifty_problems_are_reported() {
    let clients = |number| format!("{BROKER}monitored_clients:\n{}", "- text\n".repeat(number));
    let message = problems(&clients(50));
    assert_eq!(message.len(), 50);
    assert!(message[49].starts_with("56:3: monitored_clients[49]: "), "{}", message[49]);
    let message = problems(&clients(60));
    assert_eq!(message.len(), 51);
    assert_eq!(message[50], "... and 10 more");
    let Err(ConfigError::Invalid(all)) = parse(&clients(60)) else {
        panic!("there are problems");
    };
    assert_eq!(all.count(), 60);
}

#[test]
fn an_empty_file_lacks_everything() {
    for empty in ["", "\n", "# nothing\n", "---\n", "~\n"] {
        assert!(
            problem(empty).ends_with(": must be a mapping of emqx, monitored_clients and prometheus"),
            "{empty:?}"
        );
    }
    assert_eq!(problem("{}"), "1:1: emqx is missing; expected the broker to ask, or a list of brokers");
    assert_eq!(problem("emqx:\n"), "1:6: emqx: must be the broker to ask, or a list of brokers");
    assert_eq!(problem("text"), "1:1: must be a mapping of emqx, monitored_clients and prometheus");
}
