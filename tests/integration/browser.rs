//! The page in a real browser: Debian's Chromium, driven by playwright-core, which `tests/run` installs.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use fake_emqx::{FakeEmqx, Fault, Row, Version, When};

use crate::support::{Exporter, config_of_brokers};

/// A fleet with a client in every state, names that are attacks, and a broker that refuses the key.
fn exporter() -> ([FakeEmqx; 2], Exporter) {
    let local = FakeEmqx::start(Version::V5_8_9);
    let attack = "<script>alert(1)</script>";
    let hostile = "'\"><img src=x onerror=alert(2)><script>window.attacked=1</script>\u{202E}";
    let clients = [
        ("HumidifierWaterRefTerm", "humidifier-water-refterm"),
        ("QingpingCO2_Room1", "qingping-DEADBEEF1234"),
        ("QingpingCO2_Room2", "qingping-DEADBEEF5678"),
        ("DoorSensor", "door-sensor"),
        (attack, attack),
    ];
    local.add_all(clients.map(|(_, id)| Row::like("plain-user-1").client_id(id)));
    local.disconnect("qingping-DEADBEEF5678");
    local.change("qingping-DEADBEEF1234", |row| row.set("mqueue_len", 12).set("send_msg.dropped", 3));
    local.change(attack, |row| row.username(Some(hostile)).set("node", hostile));
    local.inject(When::Lookup("door-sensor".to_owned()), Fault::status(500, "text/html", hostile));
    let factory = FakeEmqx::start(Version::V5_8_9);
    factory.inject(When::Any, Fault::status(401, "application/json", "{}"));

    let mut watched = String::new();
    for (alias, client_id) in clients.into_iter().chain([("GardenPump", "garden-pump")]) {
        let _ = writeln!(watched, "  - {{alias: {alias:?}, client_id: {client_id:?}, brokers: [LocalEMQX]}}");
    }
    watched.push_str("  - {alias: Press, client_id: press, brokers: [FactoryEMQX]}\n");
    let config = config_of_brokers(&[("LocalEMQX", &local), ("FactoryEMQX", &factory)], &watched);
    ([local, factory], Exporter::start(&config))
}

#[test]
fn the_page_works_in_a_browser() {
    let (_brokers, exporter) = exporter();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let run = Command::new("node")
        .arg("--test")
        .arg(root.join("tests/browser/pages.test.mjs"))
        .env("PAGE_URL", format!("http://{}/", exporter.address()))
        .env("BROWSER_DIR", root.join("target/browser"))
        .output()
        .expect("Node.js is installed; tests/run does that");
    assert!(
        run.status.success(),
        "{}{}",
        String::from_utf8_lossy(&run.stdout),
        String::from_utf8_lossy(&run.stderr)
    );
}
