use super::*;

#[test]
fn unknown_keys_are_reported() {
    assert_eq!(broker_problem("prometeus: {}\n"), "6:1: prometeus: unknown key; did you mean prometheus?");
    assert_eq!(
        broker_problem("other: {}\n"),
        "6:1: other: unknown key; known keys: emqx, monitored_clients, monitored_client_files, monitored_fleets, prometheus"
    );
    assert_eq!(
        broker_problem("  api_secert: x\n"),
        "6:3: emqx.api_secert: unknown key; did you mean api_secret?"
    );
    assert_eq!(
        broker_problem("  password: x\n"),
        "6:3: emqx.password: unknown key; known keys: alias, api_url, api_key, api_secret, ssl, proxy_url, \
         proxy_connect_header, headers, timeout_seconds, attempts, concurrency, nodes, seen_topics, subscriptions"
    );
    assert_eq!(
        broker_problem("monitored_clients:\n- alias: a\n  client_id: b\n  broker: A\n"),
        "9:3: monitored_clients[0].broker: unknown key; did you mean brokers?"
    );
    assert_eq!(
        broker_problem("1: x\n"),
        "6:1: unknown key; known keys: emqx, monitored_clients, monitored_client_files, monitored_fleets, prometheus"
    );
    assert_eq!(broker_problem("? [a]\n: x\n"), "6:3: key must be a text");
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
fn merge_keys_copy_settings_from_extensions() {
    let config = good(
        "x-broker: &broker {api_key: &key shared, api_secret: s, attempts: 7, timeout_seconds: 1}
x-more: &more
  <<: *broker
  attempts: 8
  concurrency: 9
emqx:
- {alias: A, api_url: http://a/api, <<: *broker}
- {<<: *broker, alias: B, api_url: http://b/api, attempts: 2}
- {<<: [{attempts: 6}, *more], alias: C, api_url: http://c/api}
x-client: &client {brokers: '*', offline_after: 2h}
monitored_clients:
- {alias: a, client_id: 1, <<: *client}
- {alias: b, client_id: 2, <<: *client, brokers: A}
",
    );
    let numbers: Vec<_> = config
        .brokers
        .iter()
        .map(|broker| (broker.attempts, broker.concurrency, broker.timeout.as_secs()))
        .collect();
    assert_eq!(numbers, [(7, 4, 1), (2, 4, 1), (6, 9, 1)]);
    assert_eq!(config.brokers.iter().map(|broker| broker.clients.len()).collect::<Vec<_>>(), [2, 1, 1]);
    assert_eq!(config.brokers[0].clients[1].offline_after.as_secs(), 7200);
}

#[test]
fn problems_of_merged_settings_are_where_they_are_written() {
    let merged =
        |extension: &str, merge: &str| problems(&format!("x-d: &d {extension}\n{BROKER}  <<: {merge}\n"));
    assert_eq!(merged("{attempts: 0}", "*d"), ["1:20: emqx.attempts: must be a whole number from 1 to 10"]);
    assert_eq!(merged("{atempts: 1}", "[{}, *d]"), ["1:10: emqx.atempts: unknown key; did you mean attempts?"]);
    let expected = "emqx: must be a mapping or a list of mappings, to be merged (<<)";
    assert_eq!(merged("text", "*d"), [format!("1:6: {expected}")]);
    assert_eq!(merged("{}", "[*d, 1]"), [format!("7:12: {expected}")]);
    assert_eq!(merged("{}", "[[*d]]"), [format!("7:8: {expected}")]);
    assert_eq!(
        broker_problem("  x-own: 1\n"),
        "6:3: emqx: unknown key; known keys: alias, api_url, api_key, api_secret, ssl, proxy_url, \
         proxy_connect_header, headers, timeout_seconds, attempts, concurrency, nodes, seen_topics, subscriptions",
        "only the top level has extensions"
    );
}

#[test]
fn warnings_are_reported_beside_problems() {
    let text = format!(
        "{}  ssl: ca.pem\n  attempts: 0\n",
        BROKER.replace("api_secret: secret", "api_secret: {env: NO_SUCH_VARIABLE}")
    );
    assert_eq!(
        report(&text),
        [
            "7:13: emqx.attempts: must be a whole number from 1 to 10",
            "warning: emqx.api_secret: the environment variable NO_SUCH_VARIABLE is not set; probes of this broker fail \
             until it can be read",
            "warning: emqx.ssl: has no effect, because api_url is http",
        ]
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
            "1:33: prometheus.collect[0]: unknown metric group; known groups: state, session, queue, traffic, process, address, seen, banned, subscriptions",
            "3:3: monitored_clients[0]: alias is missing; expected a name of your choice for this client",
            "5:3: emqx[0]: api_key is missing; expected the key of an EMQX API key",
            "5:3: emqx[0]: api_secret is missing; expected the secret of that API key",
            "5:10: emqx[0].alias: must not be \"*\", which means all brokers",
            "6:12: emqx[0].api_url: must be an http or https URL whose path ends in /api, such as http://emqx:18083/api",
            "7:13: emqx[0].attempts: must be a whole number from 1 to 10",
            "8:8: emqx[0].ssl: key_file needs cert_file; set both or neither",
            "9:3: emqx[1]: must be a mapping with alias, api_url, api_key and api_secret",
            "10:1: extra: unknown key; known keys: emqx, monitored_clients, monitored_client_files, monitored_fleets, prometheus",
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

#[test]
fn variables_that_are_not_expanded_are_a_warning() {
    let secret =
        |secret: &str| good(&BROKER.replace("api_secret: secret", &format!("api_secret: '{secret}'"))).warnings;
    for variable in ["${EMQX_SECRET}", "$EMQX_SECRET", "a${b}c", "${A:-b}", "${A-b}", "${_1}"] {
        assert_eq!(
            secret(variable),
            [
                "emqx.api_secret: ${NAME} is taken literally: variables are not expanded; a secret can be {env: NAME}"
            ]
        );
    }
    for text in
        ["$", "${}", "${", "${1}", "${a b}", "$$", "$ecret", "a$B", "$A-B", "${clientid}/${alias}", "{env: A}"]
    {
        assert_eq!(secret(text), Vec::<String>::new(), "{text}");
    }
    let warnings =
        good("emqx: {alias: '${A}', api_url: 'http://${HOST}/api', api_key: k, api_secret: s}\n").warnings;
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].starts_with("emqx.alias: ${NAME} is taken literally"), "{warnings:?}");
}

#[test]
fn at_most_fifty_warnings_are_reported() {
    let clients = (0..60).map(|number| format!("- {{alias: '${{A}}{number}', client_id: {number}}}\n"));
    let clients = clients.collect::<Vec<_>>().concat();
    let warnings = good(&format!("{BROKER}monitored_clients:\n{clients}")).warnings;
    assert_eq!(warnings.len(), 51);
    assert_eq!(warnings[50], "... and 10 more warnings");
}
