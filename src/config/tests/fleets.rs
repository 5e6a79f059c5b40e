//! The fleets of a configuration.

use super::*;

fn fleet_problem(fleet: &str) -> String {
    problem(&format!("{BROKER}monitored_fleets:\n- {fleet}\n"))
}

#[test]
fn fleets_are_watched_where_they_say_and_shown() {
    let config = good(&format!(
        "{TWO_BROKERS}monitored_fleets:
- {{alias: thermostats, client_id: 'thermo-*', username: 'building-?', brokers: '*', expected_connected: 480,
   expected_sessions: 500, labels: {{site: north}}}}
- {{alias: by user, username: 'yes', brokers: B}}
"
    ));
    let aliases = |index: usize| {
        config.brokers[index].fleets.iter().map(|fleet| fleet.alias.as_str()).collect::<Vec<_>>()
    };
    assert_eq!((aliases(0), aliases(1)), (vec!["thermostats"], vec!["thermostats", "by user"]));
    let fleet = &config.brokers[0].fleets[0];
    assert!(fleet.matches("thermo-1", Some("building-7")));
    for (client_id, username) in [
        ("thermo-1", None),
        ("thermo-1", Some("building-12")),
        ("Thermo-1", Some("building-7")),
        ("a thermo-1", Some("building-7")),
    ] {
        assert!(!fleet.matches(client_id, username), "{client_id} {username:?}");
    }
    let yaml: String = Arc::new(config).redacted().expect("YAML").collect();
    let shown = "monitored_fleets:
- alias: thermostats
  client_id: 'thermo-*'
  username: 'building-?'
  brokers:
  - A
  - B
  expected_connected: 480
  expected_sessions: 500
  labels:
    site: north
- alias: 'by user'
  username: 'yes'
  brokers:
  - B
prometheus:
";
    assert!(yaml.contains(shown), "{yaml}");
    assert_eq!(good(&yaml).brokers[1].fleets.len(), 2);
}

#[test]
fn fleets_have_a_name_and_a_pattern() {
    assert_eq!(
        fleet_problem("{alias: a}"),
        "7:3: monitored_fleets[0]: client_id or username is missing; expected a pattern such as \"thermo-*\""
    );
    assert_eq!(
        fleet_problem("{client_id: a}"),
        "7:3: monitored_fleets[0]: alias is missing; expected a name of your choice for this fleet"
    );
    assert_eq!(
        fleet_problem(r"{alias: a, client_id: 'a\b'}"),
        r"7:25: monitored_fleets[0].client_id: `\` must be followed by `*`, `?` or `\`"
    );
    assert_eq!(
        fleet_problem("{alias: a, client_id: a, expected_connected: 2, expected_sessions: 1}"),
        "7:70: monitored_fleets[0].expected_sessions: must not be less than expected_connected: connected clients have \
         sessions too"
    );
    assert_eq!(
        fleet_problem("{alias: a, client_id: a}\n- {alias: a, client_id: b}"),
        "8:11: monitored_fleets[1].alias: duplicate alias; another fleet of the same broker has it"
    );
}
