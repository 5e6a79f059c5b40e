//! What a configuration means, and what is reported about a wrong one.

mod brokers;
mod client_files;
mod client_list;
mod files;
mod fleets;
mod leaks;
mod prometheus_section;
mod redaction;
mod structure;
mod topics;
mod yaml;

use std::path::Path;

use super::*;

/// The configuration that users of the Python program have.
const OF_EXISTING_USERS: &str = r#"emqx:
  api_key: "01234567890abcde"
  api_secret: "abcdefghijklmnopqrstuvwxyz0123456789"
  api_url: "http://emqx:18083/api/"
  ssl: true
  alias: LocalEMQX
monitored_clients:
  - alias: QingpingCO2_Room1
    client_id: "qingping-DEADBEEF1234"
  - alias: QingpingCO2_Room2
    client_id: "qingping-DEADBEEF5678"
"#;

/// A broker to which a test adds lines; they begin at line 6 and, behind their key, at the column they show.
const BROKER: &str = "emqx:
  alias: A
  api_url: http://emqx:18083/api
  api_key: key
  api_secret: secret
";

/// Two brokers, `A` and `B`; lines that are added begin at line 10.
const TWO_BROKERS: &str = "emqx:
- alias: A
  api_url: http://a:18083/api
  api_key: key
  api_secret: secret
- alias: B
  api_url: http://b:18083/behind/a/proxy/api
  api_key: key
  api_secret: secret
";

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("/etc/monitor/config.yaml"))
}

fn good(text: &str) -> Config {
    parse(text).unwrap_or_else(|error| panic!("{text}\n{error}"))
}

/// The problems and warnings of a text, less the name of the file in front of each.
fn report(text: &str) -> Vec<String> {
    let Err(error) = parse(text) else {
        panic!("no problem is seen in\n{text}");
    };
    let lines = error.to_string();
    lines
        .lines()
        .map(|line| line.strip_prefix("/etc/monitor/config.yaml:").unwrap_or(line).trim_start().to_owned())
        .collect()
}

/// The problems of a text.
fn problems(text: &str) -> Vec<String> {
    report(text).into_iter().filter(|line| !line.starts_with("warning: ")).collect()
}

/// The only problem of a text.
fn problem(text: &str) -> String {
    let mut problems = problems(text);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems.remove(0)
}

/// The only problem when `BROKER` goes on with `lines`.
fn broker_problem(lines: &str) -> String {
    problem(&format!("{BROKER}{lines}"))
}

#[test]
fn the_configuration_of_existing_users_works_unchanged() {
    let config = good(OF_EXISTING_USERS);

    assert_eq!(config.warnings, Vec::<String>::new());
    assert_eq!(config.prometheus, PrometheusSettings::default());
    let broker = config.broker("LocalEMQX").expect("the broker is there");
    assert_eq!(broker.api_url.as_str(), "http://emqx:18083/api");
    assert!(broker.tls.is_none());
    let clients: Vec<_> = broker.clients.iter().map(|client| (&*client.alias, &*client.client_id)).collect();
    assert_eq!(
        clients,
        [("QingpingCO2_Room1", "qingping-DEADBEEF1234"), ("QingpingCO2_Room2", "qingping-DEADBEEF5678")]
    );
    assert_eq!(broker.clients[0].offline_after.as_secs(), 15 * 60);
}
