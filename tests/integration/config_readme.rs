//! `config/README.md` and the commented example name the keys that the program accepts.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::Program;

const README: &str = include_str!("../../config/README.md");
const EXAMPLE: &str = include_str!("../../examples/config.yaml");

/// An unknown key in every mapping, and a secret that is none, so that the program lists the keys of each.
const UNKNOWN_KEYS: &str = "
zzzzzzzzzzzz: 1
emqx:
  zzzzzzzzzzzz: 1
  api_secret: {zzzzzzzzzzzz: 1}
  ssl: {zzzzzzzzzzzz: 1}
monitored_clients:
- {zzzzzzzzzzzz: 1}
monitored_client_files:
- {zzzzzzzzzzzz: 1}
monitored_fleets:
- {zzzzzzzzzzzz: 1}
prometheus: {zzzzzzzzzzzz: 1}
";

/// The accepted keys of each mapping, under the name that the README's comments give it.
fn accepted() -> BTreeMap<&'static str, BTreeSet<String>> {
    let run = Program::with_config(UNKNOWN_KEYS).run(&["--config.check"]);
    let known = |mapping: &str| {
        let line = run.stderr.lines().find(|line| line.contains(&format!(" {mapping}zzzzzzzzzzzz: ")));
        let keys = line.and_then(|line| line.split_once("known keys: ")).expect("keys are listed").1;
        keys.split(", ").map(ToOwned::to_owned).collect()
    };
    // A key of a secret may itself be a misplaced secret, and is never shown.
    let secret = run.stderr.lines().find(|line| line.contains(" emqx.api_secret: ")).expect("a problem");
    let secret_keys = secret.split('{').skip(1).filter_map(|rest| rest.split(':').next());
    [
        ("the top level", known("")),
        ("emqx", known("emqx.")),
        ("ssl", known("emqx.ssl.")),
        ("a secret", secret_keys.map(ToOwned::to_owned).collect()),
        ("monitored_clients", known("monitored_clients[0].")),
        ("monitored_fleets", known("monitored_fleets[0].")),
        ("monitored_client_files", known("monitored_client_files[0].")),
        ("prometheus", known("prometheus.")),
    ]
    .into()
}

/// The keys in the first column of each table behind a comment `keys: MAPPING`.
fn documented() -> BTreeMap<&'static str, BTreeSet<String>> {
    let tables = README.split("<!-- keys: ").skip(1);
    let table = |text: &'static str| {
        let (mapping, rest) = text.split_once(" -->\n").expect("the comment ends");
        let rows = rest.lines().take_while(|line| line.starts_with('|'));
        let keys = rows.filter_map(|row| row.strip_prefix("| `")?.split('`').next()).map(ToOwned::to_owned);
        (mapping, keys.collect())
    };
    tables.map(table).collect()
}

#[test]
fn the_configuration_readme_lists_exactly_the_known_keys() {
    assert_eq!(documented(), accepted());
}

#[test]
fn the_commented_example_names_every_key() {
    for key in accepted().into_values().flatten() {
        assert!(EXAMPLE.contains(&format!("{key}:")), "{key} is not in examples/config.yaml");
    }
}
