//! `examples/check.schema.json` is held to what `--check --output json` prints, and that to the schema.

use std::collections::BTreeSet;

use emqx_client_monitor::outcome::{ClientState, FailureReason};
use fake_emqx::{Ban, FakeEmqx, Fault, Retained, Row, Version, When};
use jsonschema::Validator;
use serde_json::{Map, Value};

use crate::support::{Program, config_of};

const SCHEMA: &str = include_str!("../../examples/check.schema.json");

/// What the broker is asked to remember.
const MEMORY: &str = "seen_topics: ['$seen/${clientid}']\nsubscriptions: ['cmd/${clientid}']\n";

/// No server listens there.
const REFUSED_URL: &str = "http://127.0.0.1:1/api/";

fn schema() -> Value {
    serde_json::from_str(SCHEMA).expect("the schema is JSON")
}

fn validator() -> Validator {
    jsonschema::draft202012::options()
        .should_validate_formats(true)
        .build(&schema())
        .expect("the schema is a schema")
}

/// Answers of the program: every state and key, and what is left out, bounded, unbounded or wrong.
fn answers() -> Vec<Value> {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add(Row::recorded(Version::V5_8_9, "persist-v5"));
    fake.add(Row::like("plain-user-1").client_id("v6").set("ip_address", "2001:db8::1").username(None));
    let never = Row::like("plain-user-1").client_id("never").set("expiry_interval", 4_294_967_295_u64);
    fake.add(
        never.set("subscriptions_max", "infinity").set("inflight_max", 0).null("recv_oct").unset("send_oct"),
    );
    let largest =
        Row::like("plain-user-1").client_id("largest").set("recv_oct", u64::MAX).set("port", u64::MAX);
    fake.add(largest.set("is_expired", true));
    let bare =
        ["keepalive", "recv_msg.qos0", "recv_msg.qos1", "recv_msg.qos2", "mailbox_len", "node", "username"]
            .iter()
            .fold(Row::like("plain-user-1").client_id("bare"), |row, name| row.unset(name));
    fake.add(bare.subscribed(["cmd/bare"]));
    fake.retain(Retained::new("$seen/nowhere", "whoever"));
    fake.ban(Ban::client_id("nowhere"));
    fake.ban(Ban::by_flapping_detection("flapping"));
    fake.inject(When::Lookup("silenced".into()), Fault::body("null"));
    let watched =
        ["persist-v5", "v6", "never", "largest", "bare", "silenced", "nowhere", "flapping"].map(|id| (id, id));
    let everything = |more: &str, clients: &[(&str, &str)]| {
        let config = config_of(
            &fake,
            &format!("attempts: 1\nnodes: {{\"emqx@127.0.0.1\": 7}}\n{MEMORY}{more}"),
            clients,
        );
        let config = config.replace(r#"client_id: "never""#, r#"client_id: "never", labels: {site: north}"#);
        config + "prometheus: {collect: [session, queue, traffic, process, address, banned]}\n"
    };
    let healthy = Program::with_config(&everything("", &watched));
    let dead = Program::with_config(&everything("", &watched).replace(&fake.url(), REFUSED_URL));
    let empty = Program::with_config(&everything("", &[]));
    let mut answers = Vec::new();
    let mut take = |program: &Program, more: &[&str]| {
        let run = program.run(&[&["check", "--output", "json"], more].concat());
        answers.extend(run.stdout.lines().map(|line| serde_json::from_str(line).expect("a JSON object")));
    };
    take(&healthy, &[]);
    take(&healthy, &["--all", "--sort=-received"]);
    take(&dead, &[]);
    take(&dead, &["--all"]);
    take(&empty, &[]);
    fake.add(Row::like("plain-user-1").client_id("odd").set("keepalive", "soon"));
    take(&empty, &["--all"]);
    assert_eq!(answers.len(), 6);
    answers
}

#[test]
fn all_json_output_matches_the_schema() {
    let validator = validator();
    for answer in answers() {
        let errors: Vec<_> =
            validator.iter_errors(&answer).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{errors:#?}\n{answer:#}");
    }
}

#[test]
fn the_schema_has_exactly_the_printed_keys() {
    let (schema, mut printed, mut described) = (schema(), BTreeSet::new(), BTreeSet::new());
    for answer in answers() {
        keys(&answer, "", &mut printed);
    }
    described_keys(&schema, &schema, "", &mut described);
    assert_eq!(printed, described);
}

#[test]
fn new_and_renamed_keys_violate_the_schema() {
    let validator = validator();
    let answer = answers().swap_remove(0);
    assert!(validator.is_valid(&answer));
    let mut changed = 0;
    for path in objects(&answer, "") {
        let with = |change: &dyn Fn(&mut Map<String, Value>)| {
            let mut other = answer.clone();
            change(other.pointer_mut(&path).and_then(Value::as_object_mut).expect("an object"));
            other
        };
        let larger = with(&|object| drop(object.insert("news".to_owned(), 1.into())));
        assert!(!validator.is_valid(&larger), "a new key in {path:?} passes");
        for key in answer.pointer(&path).and_then(Value::as_object).expect("an object").keys() {
            let renamed = with(&|object| {
                let value = object.shift_remove(key).expect("it is there");
                object.insert(format!("{key}_renamed"), value);
            });
            assert!(!validator.is_valid(&renamed), "{path}/{key} may be called otherwise");
            let emptied = with(&|object| drop(object.insert(key.clone(), Value::Null)));
            assert!(!validator.is_valid(&emptied), "{path}/{key} may be null");
            changed += 1;
        }
    }
    assert!(changed > 100, "{changed}");
}

#[test]
fn every_key_has_a_description_and_every_enum_its_values() {
    fn undescribed(part: &Value, path: &str, found: &mut Vec<String>) {
        if let Some(properties) = part["properties"].as_object() {
            assert_eq!(part["additionalProperties"], false, "{path}");
            for (name, property) in properties {
                let is_group = property.get("$ref").is_some();
                if !is_group && property["description"].as_str().is_none_or(str::is_empty) {
                    found.push(format!("{path}/{name}"));
                }
            }
        }
    }
    let schema = schema();
    let mut found = Vec::new();
    undescribed(&schema, "", &mut found);
    for (name, part) in schema["$defs"].as_object().expect("definitions") {
        assert!(part["description"].is_string(), "{name}");
        undescribed(part, name, &mut found);
    }
    assert_eq!(found, [""; 0], "keys without a description");

    let words = |pointer: &str| -> Vec<String> {
        let words = schema.pointer(pointer).and_then(Value::as_array).expect("a list of words");
        words.iter().map(|word| word.as_str().expect("a word").to_owned()).collect()
    };
    assert_eq!(words("/$defs/failure/properties/reason/enum"), FailureReason::ALL.map(FailureReason::name));
    assert_eq!(words("/$defs/client/properties/state/enum"), ClientState::ALL.map(ClientState::name));
}

/// The mapping whose keys are the user's choice.
const LABELS: &str = "labels";

/// The paths of all keys in it; those of a list are those of its elements.
fn keys(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let path = format!("{path}/{name}");
                if name != LABELS {
                    keys(member, &path, found);
                }
                found.insert(path);
            }
        }
        Value::Array(elements) => elements.iter().for_each(|element| keys(element, path, found)),
        _ => {}
    }
}

/// The paths of all keys that this part of the schema describes.
fn described_keys(schema: &Value, part: &Value, path: &str, found: &mut BTreeSet<String>) {
    if let Some(name) = part["$ref"].as_str() {
        let target = schema.pointer(name.trim_start_matches('#')).expect("what is referred to is there");
        described_keys(schema, target, path, found);
    }
    if part.get("items").is_some() {
        described_keys(schema, &part["items"], path, found);
    }
    for (name, property) in part["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}/{name}");
        described_keys(schema, property, &path, found);
        found.insert(path);
    }
}

/// JSON pointers to all objects in it.
fn objects(value: &Value, path: &str) -> Vec<String> {
    match value {
        Value::Object(members) => {
            let members = members.iter().filter(|(name, _)| *name != LABELS);
            let below = members.flat_map(|(name, member)| objects(member, &format!("{path}/{name}")));
            [path.to_owned()].into_iter().chain(below).collect()
        }
        Value::Array(elements) => {
            let indexed = elements.iter().enumerate();
            indexed.flat_map(|(index, element)| objects(element, &format!("{path}/{index}"))).collect()
        }
        _ => Vec::new(),
    }
}
