//! The README's first command.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::support::{Families, Program, Run, bare_command};

/// The demo, which is ended by its process id.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_demo_says_what_to_try_and_that_works() {
    let program = Path::new(env!("CARGO_BIN_EXE_emqx-client-monitor"));
    let demo = program.with_file_name("examples").join("demo");
    let mut demo = Command::new(demo)
        .stdout(Stdio::piped())
        .spawn()
        .map(Demo)
        .expect("the demo is built by a whole `cargo test`");
    let stdout = BufReader::new(demo.0.stdout.take().expect("a pipe"));
    let hints: Vec<_> =
        stdout.lines().map_while(Result::ok).take_while(|line| !line.contains("Ctrl-C")).collect();
    let after = |words: &str| {
        let line =
            hints.iter().find(|line| line.contains(words)).unwrap_or_else(|| panic!("{words} in {hints:?}"));
        line.split_once(words).expect("just found").1.to_owned()
    };

    let probe = after("Prometheus would see:");
    let url = probe.split('\'').nth(1).expect("a quoted URL");
    let text = ureq::get(url).call().expect("it answers").body_mut().read_to_string().expect("a text");
    let families = Families::parse(&text);
    assert!(families.success());
    assert_eq!(families.value("emqx_mqtt_clients", &[("state", "absent")]), Some("1"));
    assert!(families.all("emqx_mqtt_client_connected", &[]).len() > 5);

    let check = after("cargo run --release --");
    let run = Run::of(bare_command().args(check.split_whitespace()).output().expect("the program starts"));
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert!(run.stdout.contains("│ GardenPump") && run.stdout.contains("absent"), "{}", run.stdout);
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
