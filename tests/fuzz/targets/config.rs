//! Parses arbitrary text as a configuration. Errors are bounded texts, and neither they nor debug output show a secret.
#![no_main]

use std::path::Path;

use emqx_client_monitor::config::Config;
use libfuzzer_sys::fuzz_target;
use serde_yaml::Value;

/// A secret in the corpus and the dictionary that no message may show.
const CANARY: &str = "CaNaRy-1883";

/// The configuration's path, to which file names in it are relative; `ca.pem` is one.
const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config.yaml");

/// Maximum length of an error, which has at most 50 problems.
const MAX_ERROR: usize = 64 << 10;

fuzz_target!(|text: &str| {
    let output = match Config::parse(text, Path::new(PATH)) {
        Ok(config) => {
            assert!(!config.brokers.is_empty(), "a configuration without brokers is an error");
            format!("{config:?}")
        }
        Err(error) => {
            let output = format!("{error}\n{error:?}");
            assert!(!error.to_string().is_empty() && output.len() <= MAX_ERROR, "{output}");
            output
        }
    };
    if output.contains(CANARY) {
        assert!(!is_secret(text), "{output}");
    }
});

/// Returns whether every canary in the text is the value of a secret.
fn is_secret(text: &str) -> bool {
    match serde_yaml::from_str::<Value>(text) {
        Ok(mut root) => {
            let emqx = root.get_mut("emqx");
            match emqx {
                Some(Value::Sequence(brokers)) => brokers.iter_mut().for_each(hide_secrets),
                Some(broker) => hide_secrets(broker),
                None => {}
            }
            !holds_canary(&root)
        }
        // With a duplicate key, or a surrogate pair of JSON, which this reader refuses, the positions are unknown.
        Err(error) => !error.to_string().contains("duplicate entry") && !text.contains("\\u"),
    }
}

fn hide_secrets(broker: &mut Value) {
    for key in ["api_url", "proxy_url"] {
        if let Some(url) = broker.get_mut(key) {
            *url = Value::Null;
        }
    }
    for key in ["api_key", "api_secret"] {
        broker.get_mut(key).into_iter().for_each(hide_secret);
    }
    for key in ["headers", "proxy_connect_header"] {
        let headers = broker.get_mut(key).and_then(Value::as_mapping_mut);
        headers.into_iter().flatten().for_each(|(_, secret)| hide_secret(secret));
    }
}

fn hide_secret(secret: &mut Value) {
    // Names of files and variables are shown.
    if !matches!(secret, Value::Mapping(reference) if reference.len() == 1) {
        *secret = Value::Null;
    }
}

fn holds_canary(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => text.contains(CANARY),
        Value::Sequence(elements) => elements.iter().any(holds_canary),
        Value::Mapping(entries) => entries.iter().any(|(key, value)| holds_canary(key) || holds_canary(value)),
        Value::Tagged(tagged) => tagged.tag.to_string().contains(CANARY) || holds_canary(&tagged.value),
    }
}
