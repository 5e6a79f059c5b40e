//! The configuration: whatever the text is, it is read or its problems are told, and nothing that is said of it
//! shows a secret.
#![no_main]

use std::path::Path;

use emqx_client_monitor::config::Config;
use libfuzzer_sys::fuzz_target;
use serde_yaml::Value;

/// What no message may show. The corpus and the dictionary hold it.
const CANARY: &str = "CaNaRy-1883";

/// Files that the text names count from here: `ca.pem` is one.
const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config.yaml");

/// Far more than fifty problems need, whatever they quote.
const MOST_OF_AN_ERROR: usize = 64 << 10;

fuzz_target!(|text: &str| {
    let said = match Config::parse(text, Path::new(PATH)) {
        Ok(config) => {
            assert!(!config.brokers.is_empty(), "nothing to ask is a problem");
            format!("{config:?}")
        }
        Err(error) => {
            let said = format!("{error}\n{error:?}");
            assert!(!error.to_string().is_empty() && said.len() <= MOST_OF_AN_ERROR, "{said}");
            said
        }
    };
    if said.contains(CANARY) {
        assert!(!is_secret(text), "{said}");
    }
});

/// Whether the canary stands nowhere in the text but where secrets do.
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
        // Of a text with a key that comes twice it is not known what stands where.
        Err(error) => !error.to_string().contains("duplicate entry"),
    }
}

fn hide_secrets(broker: &mut Value) {
    for key in ["api_url", "api_key", "api_secret"] {
        match broker.get_mut(key) {
            // Names of files and variables are shown.
            Some(Value::Mapping(reference)) if key != "api_url" && reference.len() == 1 => {}
            Some(secret) => *secret = Value::Null,
            None => {}
        }
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
