//! Twenty thousand probes, most of them of failing brokers, leave neither memory, threads nor descriptors behind.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fake_emqx::{Cut, FakeEmqx, Fault, Row, Version, When};

use crate::support::Program;

const PROBES: usize = 20_000;

/// Probes for warming up, after which caches of threads and counters of brokers and reasons are allocated.
const WARM_UP: usize = 4_000;

/// Number of concurrent scrapers.
const SCRAPERS: usize = 4;

/// Bytes that a probe may leave behind. The smallest leak would be a task (1 kB) or a response (3 kB).
const TOLERATED_BYTES: u64 = (PROBES - WARM_UP) as u64 * 150;

/// Number of clients that each probe looks up.
const CLIENTS: usize = 2;

/// Time limit of each wait; a test that exceeds it hangs.
const AT_MOST: Duration = Duration::from_secs(60);

/// The kinds of probes by the alias of their broker, which take turns.
const KINDS: [Kind; 8] = [
    Kind::Complete("healthy", "probe_success 1\n"),
    Kind::Complete("down", "emqx_probe_failure_reason{reason=\"connect\"} 1\n"),
    Kind::Complete("healthy", "probe_success 1\n"),
    Kind::Complete("locked", "emqx_probe_failure_reason{reason=\"unauthorized\"} 1\n"),
    Kind::Complete("cutting", "emqx_probe_failure_reason{reason=\"protocol\"} 1\n"),
    Kind::GivenUp("silent"),
    // Within this short timeout a busy machine may not have connected.
    Kind::Complete("silent", "probe_success 0\n"),
    Kind::GivenUp("healthy"),
];

#[derive(Clone, Copy)]
enum Kind {
    /// A complete probe and a line of its exposition.
    Complete(&'static str, &'static str),
    /// A probe whose scraper closes the connection after the request.
    GivenUp(&'static str),
}

/// The exporter in a process of its own.
struct Process {
    child: Child,
    address: SocketAddr,
}

/// Resources of a process.
#[derive(Debug, Clone, Copy)]
struct Holds {
    descriptors: usize,
    threads: usize,
}

impl Process {
    fn start(config: &str) -> Self {
        let program = Program::with_config(config);
        let mut child = program
            .command()
            .args(["--web.listen-address", "127.0.0.1:0"])
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
        let address = lines
            .find_map(|line| line.split_once("address=")?.1.split_whitespace().next()?.parse().ok())
            .expect("the exporter logs its address");
        // Drains the log, so that the exporter never blocks on it.
        thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }

    fn proc(&self, name: &str) -> String {
        format!("/proc/{}/{name}", self.child.id())
    }

    fn entries(&self, name: &str) -> usize {
        fs::read_dir(self.proc(name)).expect("a Linux with /proc").count()
    }

    fn holds(&self) -> Holds {
        Holds { descriptors: self.entries("fd"), threads: self.entries("task") }
    }

    /// Waits until it has no more resources than this.
    fn settles_at(&self, before: Holds) {
        let since = Instant::now();
        while self.holds().descriptors > before.descriptors || self.holds().threads > before.threads {
            assert!(since.elapsed() < AT_MOST, "it holds {:?} and held {before:?}", self.holds());
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Resident memory in bytes.
    fn memory(&self) -> u64 {
        let status = fs::read_to_string(self.proc("status")).expect("a Linux with /proc");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a line of /proc");
        line.split_whitespace().nth(1).and_then(|kilobytes| kilobytes.parse::<u64>().ok()).expect("a number")
            * 1024
    }

    /// Sends probes until this many were counted.
    fn scrape(&self, count: &AtomicUsize, until: usize) {
        let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(AT_MOST)).build().into();
        loop {
            let number = count.fetch_add(1, Ordering::Relaxed);
            if number >= until {
                break;
            }
            match KINDS[number % KINDS.len()] {
                Kind::Complete(broker, said) => {
                    // The exporter subtracts half a second from the scrape timeout.
                    let allowed = if broker == "silent" { "0.52" } else { "30" };
                    let mut answer = agent
                        .get(format!("http://{}/probe?broker={broker}", self.address))
                        .header("X-Prometheus-Scrape-Timeout-Seconds", allowed)
                        .call()
                        .expect("a 200");
                    let text = answer.body_mut().read_to_string().expect("a whole text");
                    assert!(text.contains(said), "{broker} said\n{text}");
                }
                Kind::GivenUp(broker) => {
                    let mut scraper = TcpStream::connect(self.address).expect("it listens");
                    write!(scraper, "GET /probe?broker={broker} HTTP/1.1\r\nhost: exporter\r\n\r\n")
                        .expect("it reads");
                }
            }
        }
    }

    /// Runs all scrapers until this many probes were counted.
    fn scrape_together(&self, count: &AtomicUsize, until: usize) {
        thread::scope(|scope| {
            for _ in 0..SCRAPERS {
                scope.spawn(|| self.scrape(count, until));
            }
        });
        // Each scraper took one number more than it used.
        count.store(until, Ordering::Relaxed);
    }

    /// Waits until no probe is in progress.
    fn rests(&self) {
        let since = Instant::now();
        let resting = "\nemqx_client_monitor_probes_in_flight 0\n";
        loop {
            let mut answer = ureq::get(format!("http://{}/metrics", self.address)).call().expect("a 200");
            let text = answer.body_mut().read_to_string().expect("a text");
            if text.contains(resting) {
                break;
            }
            assert!(since.elapsed() < AT_MOST, "there are probes in progress: {text}");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn device(number: usize) -> String {
    format!("device-{number}")
}

/// A configuration of brokers with the aliases of the kinds, which share their clients.
fn config(brokers: &[(&str, &FakeEmqx, &str)]) -> String {
    let brokers = brokers.iter().map(|(alias, fake, secret)| {
        let (url, key) = (fake.url(), fake.api_key());
        // One attempt, since retries only take time.
        format!("  - {{alias: {alias}, api_url: {url:?}, api_key: {key}, api_secret: {secret}, attempts: 1}}\n")
    });
    let clients =
        (0..CLIENTS).map(device).map(|id| format!("  - {{alias: {id}, client_id: {id}, brokers: \"*\"}}\n"));
    format!("emqx:\n{}monitored_clients:\n{}", brokers.collect::<String>(), clients.collect::<String>())
}

#[test]
fn twenty_thousand_probes_leak_nothing() {
    let [healthy, down, locked, cutting, silent] = std::array::from_fn(|_| {
        let fake = FakeEmqx::start(Version::V5_8_9);
        fake.record_requests(false);
        fake.add_all((0..CLIENTS).map(|number| Row::like("plain-user-1").client_id(&device(number))));
        fake
    });
    let secret = healthy.api_secret();
    down.stop();
    cutting.inject(When::Any, Fault::CutBody(Cut::Length));
    silent.inject(When::Any, Fault::Silent);
    let exporter = Process::start(&config(&[
        ("healthy", &healthy, &secret),
        ("down", &down, &secret),
        ("locked", &locked, "another"),
        ("cutting", &cutting, &secret),
        ("silent", &silent, &secret),
    ]));
    exporter.rests();
    let before = exporter.holds();

    let count = AtomicUsize::new(0);
    exporter.scrape_together(&count, WARM_UP);
    exporter.rests();
    let warm = exporter.memory();

    exporter.scrape_together(&count, PROBES);
    exporter.rests();
    let grown = exporter.memory().saturating_sub(warm);
    assert!(grown < TOLERATED_BYTES, "it grew by {grown} bytes, from {warm}");
    exporter.settles_at(before);
}
