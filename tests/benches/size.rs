//! 100 000 watched clients: what their configuration and their probes take.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use fake_emqx::FakeEmqx;

use crate::broker;
use crate::exporter::Exporter;
use crate::measure::{megabytes, milliseconds};

const WATCHED: usize = 100_000;

/// Configurations in CSV and YAML, and probes of the clients with few and with all of them connected.
pub(crate) fn hundred_thousand() {
    println!("\n{WATCHED} watched clients");
    let directory = tempfile::tempdir().expect("a temporary directory");
    for (connected, file) in
        [(WATCHED / 20, "clients.csv"), (WATCHED, "clients.csv"), (WATCHED, "clients.yaml")]
    {
        let fake = broker::with_clients(connected);
        fake.record_requests(false);
        measure(&fake, &directory.path().join(file), connected);
    }
}

fn measure(fake: &FakeEmqx, file: &Path, connected: usize) {
    fs::write(file, clients(file)).expect("a temporary directory takes files");
    let config = broker::config_with(fake, 0, "concurrency: 16").replace("monitored_clients: [\n]\n", "");
    let config =
        format!("{config}monitored_client_files: [{:?}]\nprometheus: {{collect: []}}\n", file.display());
    println!("  {}, {connected} connected", file.file_name().unwrap_or_default().display());

    let config_file = file.with_file_name("config.yaml");
    fs::write(&config_file, &config).expect("a temporary directory takes files");
    let started = Instant::now();
    let check = Command::new(env!("CARGO_BIN_EXE_emqx-client-monitor"))
        .args(["--config.check", "--cfg"])
        .arg(&config_file)
        .stdout(Stdio::null())
        .status();
    assert!(check.expect("the program starts").success());
    println!("    --config.check {:.0} ms", milliseconds(started.elapsed()));

    let exporter = Exporter::start(&config);
    let loaded = [exporter.peak_memory(), exporter.memory()].map(megabytes);
    println!("    {:.1} MB at the peak of loading it, {:.1} MB at rest", loaded[0], loaded[1]);
    for when in ["first", "second", "third"] {
        let before = exporter.processor_time();
        let header = [("x-prometheus-scrape-timeout-seconds", "120"), ("accept-encoding", "identity")];
        let wall = exporter.get("/probe?broker=LocalEMQX", &header).wall;
        let processor = exporter.processor_time().saturating_sub(before);
        println!(
            "    {when} probe {:.0} ms, {:.0} ms of processor time",
            milliseconds(wall),
            milliseconds(processor)
        );
    }
    let probed = exporter.peak_memory();
    let shown = exporter.get("/config", &[("accept-encoding", "identity")]);
    println!(
        "    {:.1} MB at the peak of the probes; /config of {:.1} MB raised it by {:.1} MB",
        megabytes(probed),
        megabytes(shown.bytes as u64),
        megabytes(exporter.peak_memory() - probed)
    );
}

/// The content of the file.
fn clients(file: &Path) -> String {
    let is_table = file.extension().is_some_and(|extension| extension == "csv");
    let mut text = if is_table { "alias,client_id\n".to_owned() } else { String::new() };
    for number in 0..WATCHED {
        let client_id = broker::device(number);
        let _ = if is_table {
            writeln!(text, "Device {number},{client_id}")
        } else {
            writeln!(text, "- {{alias: Device {number}, client_id: {client_id}}}")
        };
    }
    text
}
