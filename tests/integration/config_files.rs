//! Configuration and secret files as people and other tools write them.

use std::fs;

use fake_emqx::{FakeEmqx, Row, Version};

use crate::support::{Program, Run};

/// A broker that knows the client `a`.
fn broker() -> FakeEmqx {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add(Row::like("plain-user-1").client_id("a"));
    fake
}

/// Runs `--check` with a configuration of these bytes, in which `URL` stands for the broker's.
fn check(fake: &FakeEmqx, config: &str) -> Run {
    let config = config.replace("URL", &fake.url()).replace("KEY", &fake.api_key());
    Program::with_config(&config.replace("SECRET", &fake.api_secret())).run(&["--check"])
}

#[test]
fn a_byte_order_mark_and_json_escapes_are_read() {
    let fake = broker();
    let run = check(
        &fake,
        "\u{feff}{\"emqx\": {\"alias\": \"\\ud83d\\ude00\", \"api_url\": \"URL\", \"api_key\": \"KEY\", \"api_secret\": \"SECRET\"},\r\n\
         \"monitored_clients\": [{\"alias\": \"smile \\uD83D\\uDE00\", \"client_id\": \"a\"}]}\r\n",
    );
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    assert!(run.stdout.contains("smile \u{1f600}"), "{}", run.stdout);
}

#[test]
fn merge_keys_copy_settings_from_extensions() {
    let fake = broker();
    let run = check(
        &fake,
        "x-credentials: &credentials {api_key: KEY, api_secret: SECRET}
emqx:
- {alias: One, api_url: URL, <<: *credentials}
- {alias: Two, api_url: URL, <<: *credentials, api_secret: wrong}
monitored_clients: [{alias: a, client_id: a, brokers: '*'}]
",
    );
    assert_eq!(run.status, 2);
    assert!(run.stderr.contains("Two: unauthorized: ") && !run.stderr.contains("One"), "{}", run.stderr);
}

#[test]
fn trailing_line_ends_are_removed_from_secrets() {
    let fake = broker();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("secret");
    fs::write(&file, format!("\u{feff}{}\r\n\n", fake.api_secret())).expect("a file");
    for secret in
        [format!("{{file: {}}}", file.display()), "{env: EMQX_SECRET}".to_owned(), "|\n    SECRET\n".to_owned()]
    {
        let config = format!(
            "emqx:\n  alias: A\n  api_url: {}\n  api_key: {{env: EMQX_KEY}}\n  api_secret: {secret}\nmonitored_clients: [{{alias: a, client_id: a}}]\n",
            fake.url()
        );
        let program = Program::with_config(&config.replace("SECRET\n", &format!("{}\n", fake.api_secret())));
        let mut command = program.command();
        command
            .env("EMQX_KEY", format!("{}\n\n", fake.api_key()))
            .env("EMQX_SECRET", format!("{}\r\n", fake.api_secret()));
        let run = Run::of(command.arg("--check").output().expect("the program starts"));
        assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{secret}");
    }
}

#[test]
fn warnings_are_shown_with_and_without_errors() {
    let config = "emqx: {alias: A, api_url: http://a/api, api_key: k, api_secret: '${EMQX_SECRET}', attempts: ATTEMPTS}\n\
                  monitored_clients: [{alias: a, client_id: \"a\\tb\"}]\n";
    let warnings = [
        "emqx.api_secret: ${NAME} is taken literally: variables are not expanded; a secret can be {env: NAME}",
        "monitored_clients[0].client_id: contains control characters, which EMQX refuses in requests",
    ];
    for (attempts, status) in [("1", 0), ("0", 1)] {
        let run = Program::with_config(&config.replace("ATTEMPTS", attempts)).run(&["--config.check"]);
        assert_eq!(run.status, status);
        for warning in warnings {
            assert!(run.stderr.contains(warning), "{}", run.stderr);
        }
        assert!(!run.stderr.contains("EMQX_SECRET"), "{}", run.stderr);
    }
}

#[test]
fn common_yaml_mistakes_are_explained() {
    for (config, explanation) in [
        ("emqx:\n\talias: A\n", ":2:1: tab character where YAML allows only spaces; indent with spaces\n"),
        ("emqx: {ssl: yes}\n", "emqx.ssl: must be true, false, the path of a CA file, or a mapping of "),
        ("emqx: {ssl: yes}\n", "; words such as `yes`, and `true` in quotes, are texts in YAML 1.2\n"),
        (&"{a: ".repeat(100_000), ": nested too deeply\n"),
    ] {
        let run = Program::with_config(config).run(&["--config.check"]);
        assert!(run.status == 1 && run.stderr.contains(explanation), "{}", run.stderr);
    }
}
