//! The exporter in a process of its own, and the processor time and memory of that process.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A running exporter. Killed when dropped.
pub(crate) struct Exporter {
    process: Child,
    address: String,
    agent: ureq::Agent,
    _directory: TempDir,
}

/// A response whose body was read and discarded.
pub(crate) struct Response {
    pub(crate) bytes: usize,
    /// Arrival of the first byte of the body.
    pub(crate) first_byte: Instant,
    pub(crate) wall: Duration,
}

impl Exporter {
    pub(crate) fn start(config: &str) -> Self {
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
        let mut stderr = BufReader::new(process.stderr.take().expect("a pipe"));
        let mut address = None;
        while address.is_none() {
            let mut line = String::new();
            let read = stderr.read_line(&mut line).expect("the exporter logs text");
            assert_ne!(read, 0, "the exporter ended");
            let logged = line.split_once("address=").and_then(|(_, rest)| rest.split_whitespace().next());
            address = logged.map(str::to_owned);
        }
        // Drains the log, so that the exporter never blocks on it.
        std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
        let address = address.expect("found above");
        let agent = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(60))).build().into();
        Self { process, address, agent, _directory: directory }
    }

    /// Sends a GET with these headers.
    pub(crate) fn get(&self, path: &str, headers: &[(&str, &str)]) -> Response {
        let started = Instant::now();
        let mut request = self.agent.get(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut body = request.call().expect("a response").into_body().into_reader();
        let mut chunk = vec![0; 256 * 1024];
        let mut bytes = body.read(&mut chunk).expect("a body");
        let first_byte = Instant::now();
        loop {
            match body.read(&mut chunk).expect("a complete body") {
                0 => break,
                read => bytes += read,
            }
        }
        Response { bytes, first_byte, wall: started.elapsed() }
    }

    /// Probes with this query, the default timeout and no compression.
    pub(crate) fn probe(&self, query: &str) -> Response {
        self.get(&format!("/probe?broker=LocalEMQX&{query}"), &[("accept-encoding", "identity")])
    }

    /// Processor time so far in user and kernel mode, in steps of 10 ms.
    pub(crate) fn processor_time(&self) -> Duration {
        let stat = self.proc("stat");
        let after_name = stat.rsplit_once(')').expect("a process has a name").1;
        let ticks = after_name.split_whitespace().skip(11).take(2);
        // USER_HZ is 100 on every Linux that Rust runs on.
        Duration::from_millis(ticks.map(|ticks| ticks.parse::<u64>().expect("a count of ticks") * 10).sum())
    }

    /// Resident memory in bytes.
    pub(crate) fn memory(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// Peak resident memory in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        self.status("VmHWM:")
    }

    fn status(&self, name: &str) -> u64 {
        let status = self.proc("status");
        let line = status.lines().find(|line| line.starts_with(name)).expect("a line of /proc");
        line.split_whitespace().nth(1).and_then(|kilobytes| kilobytes.parse::<u64>().ok()).expect("a number")
            * 1024
    }

    fn proc(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.process.id())).expect("a Linux with /proc")
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
