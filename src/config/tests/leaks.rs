//! No message shows what may be a secret.

use super::*;

const CANARY: &str = "CaNaRy-1883";

/// Everything that is reported about a text, for people and for programmers.
fn output_about(text: &str) -> String {
    match parse(text) {
        Ok(config) => format!("{config:?}"),
        Err(error) => format!("{error}\n{error:?}"),
    }
}

/// The lines of a broker that do not set `key`.
fn broker_without(key: &str) -> String {
    let sets_key = format!("  {key}:");
    BROKER.split_inclusive('\n').filter(|line| !line.starts_with(&sets_key)).collect()
}

#[test]
fn a_misplaced_secret_is_not_shown() {
    let values = [
        "CANARY",
        "'CANARY",
        "CANARY: CANARY",
        "CANARY: [CANARY",
        "\"CANARY\\q\"",
        "\"CANARY\\n\"",
        "[CANARY]",
        "[[CANARY]]",
        "{CANARY}",
        "{CANARY: }",
        "{CANARY: CANARY}",
        "{file: [CANARY]}",
        "{file:CANARY}",
        "{flie: CANARY}",
        "{file: /x, env: CANARY}",
        "{? [CANARY] : x}",
        "!CANARY CANARY",
        "!!CANARY CANARY",
        "!CANARY!x CANARY",
        "!!int CANARY",
        "!!bool [CANARY]",
        "!!null CANARY",
        "*CANARY",
        "&CANARY CANARY",
        "@CANARY",
        "`CANARY`",
        "%CANARY",
        "|CANARY",
        ">-\n    CANARY\n   CANARY",
        "CANARY:CANARY",
        "CANARY #CANARY\n   CANARY: CANARY",
        "http://me:CANARY@emqx/api",
        "http://CANARY@emqx/api",
        "http://emqx/api?CANARY",
        "http://emqx/CANARY",
        "http://emqx:CANARY/api",
        "CANARY://emqx/api",
    ];
    let keys = [
        // Not the alias, which is shown on purpose.
        "api_url",
        "api_key",
        "api_secret",
        "ssl",
        "timeout_seconds",
        "attempts",
        "concurrency",
        "nodes",
        "monitored_clients",
        "prometheus",
        "emqx",
        "password",
        "CANARY",
        "'CANARY'",
        "? [CANARY]\n ",
    ];
    for value in values {
        for key in keys {
            for text in [
                format!("{}  {key}: {value}\n", broker_without(key)),
                format!("{BROKER}  {key}:{value}\n"),
                format!("{BROKER}{key}: {value}\n"),
                format!("{BROKER}prometheus:\n  {key}: {value}\n"),
                format!("{BROKER}  ssl: {{{key}: {value}}}\n"),
                format!("{BROKER}monitored_clients:\n- {{{key}: {value}, client_id: x}}\n"),
                format!("emqx: {{{key}: {value}}}\n"),
                format!("emqx: [{value}, {{{key}:{value}}}]\n"),
                format!("{key}: {value}\n"),
                value.to_owned(),
            ] {
                let text = text.replace("CANARY", CANARY);
                let output = output_about(&text);
                assert!(!output.contains(CANARY), "{text}\n{output}");
            }
        }
    }
}

#[test]
fn the_secrets_of_a_good_configuration_are_not_shown() {
    for (key, secret) in [("CANARY", "CANARY"), ("'CANARY'", "\"CANARY\"")] {
        let text =
            format!("emqx: {{alias: A, api_url: 'http://emqx/api', api_key: {key}, api_secret: {secret}}}\n");
        let output = output_about(&text.replace("CANARY", CANARY));
        assert!(output.starts_with("Config {"), "{output}");
        assert!(!output.contains(CANARY), "{output}");
    }
}

#[test]
fn a_misplaced_secret_of_small_letters_is_not_shown_either() {
    for text in [
        "emqx: {alias: A, canary}\n",
        "emqx: {alias: A, api_key: {canary}, api_secret: {canary: x}}\n",
        "emqx: {alias: A, api_key:canary}\n",
        "emqx: [canary]\n",
    ] {
        assert!(!output_about(text).contains("canary"), "{text}\n{}", output_about(text));
    }
}
