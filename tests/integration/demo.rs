//! The README's first command.

use std::path::Path;

use crate::support::{Demo, Families, Program, Run, bare_command};

/// What the demo answers to what it says should be tried.
fn answer(url: &str) -> String {
    ureq::get(url).call().expect("it answers").body_mut().read_to_string().expect("a text")
}

#[test]
fn the_demo_says_what_to_try_and_that_works() {
    let demo = Demo::start();
    let families = Families::parse(&answer(demo.url("Prometheus would see:")));
    assert!(families.success());
    assert_eq!(families.value("emqx_mqtt_clients", &[("state", "absent")]), Some("1"));
    assert!(families.all("emqx_mqtt_client_connected", &[]).len() > 5);

    let debug_view = answer(demo.url("What goes wrong, and why:"));
    assert!(debug_view.contains("FactoryEMQX"), "{debug_view}");
    Families::parse(&answer(demo.url("own metrics:")));

    let check = demo.hint("cargo run --release --");
    let run = Run::of(
        bare_command()
            .args(check.split_whitespace())
            .args(["--broker", "LocalEMQX"])
            .output()
            .expect("the program starts"),
    );
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert!(run.stdout.contains("│ GardenPump") && run.stdout.contains("absent"), "{}", run.stdout);
}

/// The other broker has trouble in a part of each minute, so nothing is asserted of its clients' states.
#[test]
fn the_demo_has_a_second_broker_with_the_same_alias_on_it() {
    let demo = Demo::start();
    let url = demo.url("Prometheus would see:").replace("LocalEMQX", "FactoryEMQX");
    let families = Families::parse(&answer(&url));
    let thresholds = families.all("emqx_mqtt_client_offline_threshold_seconds", &[("broker", "FactoryEMQX")]);
    let of = |alias| thresholds.iter().find(|one| one.labels["alias"] == alias).map(|one| one.value.as_str());
    assert_eq!(of("Gateway"), Some("60"));
    assert_eq!(of("ForkliftTerminal"), Some("28800"));
}

/// Every configuration we ship is one the program accepts.
#[test]
fn the_configurations_we_ship_are_valid() {
    for path in ["config/config.yaml", "examples/config.yaml"] {
        let config =
            std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("it is there");
        let run = Program::with_config(&config).run(&["--config.check"]);
        assert_eq!(run.status, 0, "{path}: {}", run.stderr);
    }
}
