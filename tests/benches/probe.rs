//! What a probe costs the exporter: processor time of its process, the broker and the scraper left out.
//!
//! `cargo bench --bench probe [-- FILTER]`. Figures of different machines or moments do not compare; the ratio of
//! two rows of one run does.
#![allow(clippy::print_stdout, clippy::expect_used, reason = "a benchmark prints, and fails loudly")]

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fake_emqx::{FakeEmqx, Row, Version};

/// The exporter as it ships, in a process of its own.
struct Exporter {
    process: Child,
    address: String,
    _directory: tempfile::TempDir,
}

impl Exporter {
    fn start(config: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = directory.path().join("config.yaml");
        std::fs::write(&file, config).expect("a temporary directory takes files");
        let mut process = Command::new(env!("CARGO_BIN_EXE_emqx-client-monitor"))
            .arg("--cfg")
            .arg(file)
            .args(["--web.listen-address", "127.0.0.1:0"])
            .stderr(Stdio::piped())
            .spawn()
            .expect("the exporter starts");
        let stderr = BufReader::new(process.stderr.take().expect("a pipe"));
        let address = stderr
            .lines()
            .map_while(Result::ok)
            .find_map(|line| Some(line.split_once("address=")?.1.split_whitespace().next()?.to_owned()))
            .expect("it says where it listens");
        Self { process, address, _directory: directory }
    }

    /// Processor time used so far, in user and in kernel mode.
    fn processor_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).expect("Linux");
        let after_name = stat.rsplit_once(')').expect("a process has a name").1;
        let ticks: u64 = after_name
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(|ticks| ticks.parse::<u64>().expect("a count of ticks"))
            .sum();
        // USER_HZ is 100 on every Linux that Rust runs on.
        Duration::from_millis(ticks * 10)
    }

    /// Memory in use now and at most, in MB.
    fn memory(&self) -> (f64, f64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("Linux");
        let megabytes = |name| {
            let line = status.lines().find(|line| line.starts_with(name)).expect("Linux tells");
            let kilobytes: f64 = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number");
            kilobytes / 1024.0
        };
        (megabytes("VmRSS:"), megabytes("VmHWM:"))
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn config(fake: &FakeEmqx, clients: usize) -> String {
    let mut config = format!(
        "emqx:\n  alias: LocalEMQX\n  api_url: {:?}\n  api_key: {:?}\n  api_secret: {:?}\nmonitored_clients:\n",
        fake.url(),
        fake.api_key(),
        fake.api_secret()
    );
    for number in 0..clients {
        let _ = writeln!(config, "  - {{alias: Device {number}, client_id: device-{number}}}");
    }
    config
}

fn lookups(clients: usize, probes: u32, gzip: bool) {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.keep_requests(false);
    fake.add_all((0..clients).map(|n| Row::like("plain-user-1").client_id(&format!("device-{n}"))));
    let exporter = Exporter::start(&config(&fake, clients));
    let agent = ureq::Agent::new_with_defaults();
    let url = format!("http://{}/probe?broker=LocalEMQX", exporter.address);
    let probe = || {
        let encoding = if gzip { "gzip" } else { "identity" };
        let mut answer = agent.get(&url).header("accept-encoding", encoding).call().expect("an answer");
        answer.body_mut().with_config().limit(1 << 30).read_to_vec().expect("a whole body").len()
    };
    for _ in 0..probes / 10 {
        probe();
    }
    let (began, used) = (Instant::now(), exporter.processor_time());
    let mut bytes = 0;
    for _ in 0..probes {
        bytes = probe();
    }
    let (wall, processor) = (began.elapsed() / probes, exporter.processor_time().saturating_sub(used) / probes);
    let (memory, peak) = exporter.memory();
    println!(
        "{clients:>6} lookups{}  {:>9.3} ms processor  {:>9.3} ms wall  {bytes:>9} bytes  {memory:>6.1} MB, peak {peak:.1} MB",
        if gzip { ", gzip" } else { "      " },
        processor.as_secs_f64() * 1e3,
        wall.as_secs_f64() * 1e3,
    );
}

/// From the start of the process to the first answer, and the memory it has then.
fn start() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    let config = config(&fake, 8);
    for _ in 0..3 {
        let began = Instant::now();
        let exporter = Exporter::start(&config);
        let listening = began.elapsed();
        ureq::get(format!("http://{}/-/healthy", exporter.address)).call().expect("an answer");
        let (memory, _) = exporter.memory();
        println!(
            "start: listening after {:.1} ms, first answer after {:.1} ms, {memory:.1} MB",
            listening.as_secs_f64() * 1e3,
            began.elapsed().as_secs_f64() * 1e3
        );
    }
}

fn main() {
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let wanted = |name: &str| filter.as_deref().is_none_or(|filter| name.contains(filter));
    if wanted("start") {
        start();
    }
    for (clients, probes) in [(8, 4000), (200, 300), (1000, 60)] {
        if wanted(&format!("lookups-{clients}")) {
            lookups(clients, probes, false);
            lookups(clients, probes, true);
        }
    }
}
