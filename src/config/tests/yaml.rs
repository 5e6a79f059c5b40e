//! Texts that are not YAML, or unusual YAML.

use super::*;

#[test]
fn bad_syntax_has_a_line_and_a_column() {
    for (text, message) in [
        (
            "emqx:\n  alias: [A\n  api_url: x\n",
            "3:10: did not find expected ',' or ']', while parsing a flow sequence at line 2 column 10",
        ),
        (
            "emqx: 'x\n",
            "2:1: found unexpected end of stream, while scanning a quoted scalar at line 1 column 7",
        ),
        ("@", "1:1: found character that cannot start any token, while scanning for the next token"),
        ("emqx: *x\n", "1:7: unknown anchor"),
        ("emqx: x: y\n", "1:8: mapping values are not allowed in this context"),
        ("é: é\nemqx: é\u{1}\n", "2:8: control characters are not allowed"),
    ] {
        assert_eq!(problem(text), message);
    }
}

#[test]
fn tabs_are_explained() {
    let tab = "tab character where YAML allows only spaces; indent with spaces";
    for (text, place) in [
        ("emqx:\n\talias: A\n", "2:1"),
        ("emqx:\n  alias: é\n\tapi_url: x\n", "3:1"),
        ("emqx:\n  alias: A\n  \tapi_url: x\n", "3:3"),
        ("emqx:\n-\talias: A\n", "2:2"),
        ("\temqx:\n", "1:1"),
        ("\u{feff}\temqx:\r\n", "1:1"),
    ] {
        assert_eq!(problem(text), format!("{place}: {tab}"));
    }
    good(&format!("{BROKER}  nodes: {{\n\ta: 1}}\n  attempts:\t1\n"));
}

#[test]
fn a_byte_order_mark_does_not_count() {
    for text in [
        BROKER.to_owned(),
        format!("# comment\n{BROKER}"),
        format!("---\n{BROKER}"),
        format!("%YAML 1.2\n---\n{BROKER}"),
    ] {
        good(&format!("\u{feff}{text}"));
    }
    assert_eq!(problem("\u{feff}emqx: []\n"), "1:7: emqx: must not be empty; configure at least one broker");
}

#[test]
fn json_is_read() {
    let json = r#"{"emqx": {"alias": "\ud83d\ude00 \u00e9", "api_url": "http:\/\/a\/api", "api_key": "k", "api_secret": "s"},
        "monitored_clients": [{"alias": "\\ud83d", "client_id": "\uD83D\uDE00x", "offline_after": "1h"}]}"#;
    let config = good(json);
    assert_eq!(config.brokers[0].alias, "\u{1f600} é");
    assert_eq!(&*config.brokers[0].clients[0].alias, "\\ud83d");
    assert_eq!(&*config.brokers[0].clients[0].client_id, "\u{1f600}x");
    // Without quotes and in single quotes there are no escapes.
    let config =
        good(&format!("{BROKER}monitored_clients: [{{alias: \\ud83d\\ude00, client_id: '\\ud83d\\ude00'}}]\n"));
    assert_eq!(&*config.brokers[0].clients[0].client_id, "\\ud83d\\ude00");
    assert_eq!(
        problem(r#"{"emqx": "\ud83d"}"#),
        "1:13: found invalid Unicode character escape code, while parsing a quoted scalar at line 1 column 10"
    );
}

#[test]
fn a_file_is_one_document() {
    let message = "more than one YAML document; expected one";
    assert_eq!(problem(&format!("{BROKER}---\nb: 1\n")), message);
    assert_eq!(problem(&format!("{BROKER}---\n'")), message);
    good(&format!("# comment\n---\n{BROKER}...\n"));
    good(&format!("\u{feff}{}", BROKER.replace('\n', "\r\n")));
}

#[test]
fn values_fit_their_tags() {
    for tag in ["!!int", "!!bool", "!!float", "!!null", "!<tag:yaml.org,2002:int>"] {
        assert_eq!(
            broker_problem(&format!("  attempts: {tag} CANARY\n")),
            "6:13: value does not match its tag (such as !!int)"
        );
    }
    assert_eq!(good(&format!("{BROKER}  attempts: !!int 7\n")).brokers[0].attempts, 7);
}

#[test]
fn tags_of_applications_mean_nothing() {
    for value in ["!include file", "!x [1, {a: b}]", "!x {a: [b]}", "! x", "!a"] {
        assert_eq!(
            broker_problem(&format!("  attempts: {value}\n")),
            "6:13: emqx.attempts: must be a whole number from 1 to 10"
        );
    }
}

#[test]
fn aliases_stand_for_what_they_repeat() {
    let config = good(
        "emqx:
- alias: &name A
  api_url: http://a/api
  api_key: &key 0123
  api_secret: &secret {env: PATH}
- alias: B
  api_url: http://b/api
  api_key: *key
  api_secret: *secret
monitored_clients:
- {alias: a, client_id: &id 1.10, brokers: &brokers [*name]}
- {alias: *id, client_id: b, brokers: *brokers}
",
    );
    assert_eq!(&*config.brokers[0].clients[0].client_id, "1.10");
    assert_eq!(&*config.brokers[0].clients[1].alias, "1.10");
    assert_eq!(config.brokers[1].clients.len(), 0);
}

#[test]
fn a_problem_of_an_alias_is_where_its_value_is_written() {
    let text = TWO_BROKERS.replace("secret\n- alias: B", "&a secret\n  attempts: &wrong 0\n- alias: B");
    assert_eq!(
        problems(&format!("{text}  attempts: *wrong\n  api_key: *wrong\n")),
        [
            "6:13: emqx[0].attempts: must be a whole number from 1 to 10",
            "6:13: emqx[1].attempts: must be a whole number from 1 to 10",
            "12:3: emqx[1].api_key: duplicate key; keep one of them",
        ]
    );
}

#[test]
fn bombs_do_not_explode() {
    let nested = |depth| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(problem(&nested(200)), "1:129: nested too deeply");
    assert_eq!(problem(&nested(2_000)), "1:129: nested too deeply");
    assert_eq!(problem("emqx: &a [*a]"), "1:7: nested too deeply");
    assert_eq!(problem("&a x: &b {*b : *b}"), "1:7: nested too deeply");

    // The parser alone would take most of a minute for each of these.
    for bomb in ["{a: ", "[", "[? ", "{? {", "&a [", "{a: [", "{'}': ", "# }\n{a:\n"] {
        let message = problem(&bomb.repeat(100_000));
        assert!(message.ends_with("nested too deeply"), "{bomb}: {message}");
    }
    // Brackets in strings and comments do not nest.
    let clients = (0..3_000).map(|number| format!("- {{alias: a{number}, client_id: '[{{{number}'}} # [\n"));
    let text = format!("{BROKER}monitored_clients:\n{}", clients.collect::<Vec<_>>().concat());
    assert_eq!(good(&text).brokers[0].clients.len(), 3_000);

    let mut laughs = vec!["a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned()];
    for level in 1..10 {
        let last = format!("*a{}, ", level - 1).repeat(9);
        laughs.push(format!("a{level}: &a{level} [{last}]\n"));
    }
    assert!(problem(&laughs.concat()).ends_with("too many repetitions of aliases (*name)"));

    let too_large = "too large with its aliases (*name) expanded; list very many clients in CSV files (monitored_client_files)";
    // These texts would be 10 GB ...
    let long_text = format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 20), "*a, ".repeat(10_000));
    assert!(problem(&long_text).ends_with(too_large));
    // ... and these a billion nodes.
    let long_list = format!("a: &a [{}]\nb: [{}]\n", "x, ".repeat(100_000), "*a, ".repeat(10_000));
    assert!(problem(&long_list).ends_with(too_large));
}

#[test]
fn no_text_makes_it_panic() {
    let seeds = [
        OF_EXISTING_USERS,
        TWO_BROKERS,
        "emqx: &a {b: *a, ? [x] : !t y, 'q': \"\\u00e9\"}\n--- |\n x\n... # c\n- - !!int 5\n",
    ];
    let pieces = [
        ":", "- ", "*a", "&a ", "!t ", "\n", "\"", "'", "[", "]", "{", "}", "|", "? ", "<<", "\t", "é", "#",
        "---\n", "~", "\u{0}", "\u{feff}", "%",
    ];
    let mut random = fastrand::Rng::with_seed(1883);
    for _ in 0..3000 {
        let mut text: Vec<char> = random.choice(seeds).unwrap_or_default().chars().collect();
        for _ in 0..random.usize(1..6) {
            let start = random.usize(..text.len());
            let end = random.usize(start..text.len().min(start + 8));
            text.splice(start..end, random.choice(pieces).unwrap_or_default().chars());
        }
        let _ = parse(&text.iter().collect::<String>());
    }
}
