//! The README's first command.

use std::path::Path;
use std::process::Command;

use jiff::Timestamp;

use crate::support::{Demo, Families, Program, Run};

/// The body that the demo's exporter serves at this URL.
fn body_of(url: &str) -> String {
    ureq::get(url).call().expect("it answers").body_mut().read_to_string().expect("a text")
}

#[test]
fn the_hints_of_the_demo_work() {
    let demo = Demo::start();
    let families = Families::parse(&body_of(demo.url("Prometheus scrapes:")));
    assert!(families.success());
    let pump = [("alias", "GardenPump")];
    assert_eq!(families.value("emqx_mqtt_client_session_present", &pump), Some("0"));
    assert!(families.all("emqx_mqtt_client_connected", &[]).len() > 5);

    let debug_view = body_of(demo.url("What fails, and why:"));
    assert!(debug_view.contains("FactoryEMQX"), "{debug_view}");
    Families::parse(&body_of(demo.url("own metrics:")));
    let fleets = Families::parse(&body_of(demo.url("Fleets as counts:")));
    let connected = [("fleet", "thermostats"), ("state", "connected")];
    assert_eq!(fleets.value("emqx_mqtt_fleet_expected_clients", &connected), Some("24"));
    let counted = fleets.value("emqx_mqtt_fleet_clients", &connected).and_then(|count| count.parse().ok());
    assert!(counted.is_some_and(|count: u64| (15..24).contains(&count)), "some never come back: {counted:?}");

    let mut check = demo.hint("The same in a terminal:").split_whitespace();
    let run = Run::of(
        Command::new(check.next().expect("a program"))
            .args(check)
            .args(["--broker", "LocalEMQX"])
            .output()
            .expect("the named program starts"),
    );
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert!(run.stdout.contains("│ GardenPump") && run.stdout.contains("absent"), "{}", run.stdout);
}

/// Two sensors without a session are absent. What the broker remembers tells them apart.
#[test]
fn the_demo_has_a_sensor_that_is_well_and_one_that_has_stopped() {
    let demo = Demo::start();
    let families = Families::parse(&body_of(demo.url("Prometheus scrapes:")));
    let now = Timestamp::now().as_second();
    let overdue = |alias| {
        let number = |name| {
            let text = families.value(name, &[("alias", alias)]).expect("a series");
            text.parse::<f64>().expect("a number")
        };
        let seen = number("emqx_mqtt_client_seen_message_timestamp_seconds");
        #[expect(clippy::cast_precision_loss, reason = "seconds of this century are exact")]
        let away = now as f64 - seen;
        away > number("emqx_mqtt_client_offline_threshold_seconds")
    };
    assert!(!overdue("SoilSensor") && overdue("RainSensor"));
    assert_eq!(families.value("emqx_mqtt_client_connected", &[("alias", "RainSensor")]), Some("0"));
    let camera = [("alias", "PorchCamera")];
    assert_eq!(families.value("emqx_mqtt_client_id_banned", &camera), Some("1"));
    let missing = [("topic", "$share/gateways/alarm/#")];
    assert_eq!(families.value("emqx_mqtt_client_expected_subscription_present", &missing), Some("0"));
}

/// The second broker fails in a part of each minute, so no state of its clients is asserted.
#[test]
fn the_second_demo_broker_has_its_documented_alias() {
    let demo = Demo::start();
    let url = demo.url("Prometheus scrapes:").replace("LocalEMQX", "FactoryEMQX");
    let families = Families::parse(&body_of(&url));
    let thresholds = families.all("emqx_mqtt_client_offline_threshold_seconds", &[("broker", "FactoryEMQX")]);
    let of = |alias| thresholds.iter().find(|one| one.labels["alias"] == alias).map(|one| one.value.as_str());
    assert_eq!(of("Gateway"), Some("60"));
    assert_eq!(of("ForkliftTerminal"), Some("28800"));
}

/// The program accepts every configuration that the repository ships.
#[test]
fn the_shipped_configurations_are_valid() {
    for path in ["config/config.yaml", "examples/config.yaml"] {
        let config = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
            .expect("a shipped configuration");
        let run = Program::with_config(&config).run(&["--config.check"]);
        assert_eq!(run.status, 0, "{path}: {}", run.stderr);
    }
}
