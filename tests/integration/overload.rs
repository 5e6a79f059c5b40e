//! Clients that take more than their share: the others are still answered.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use fake_emqx::{FakeEmqx, Fault, Row, Version, When};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::{
    Authority, Exporter, Families, HttpClient, Program, ServerProcess, config_of, config_of_brokers,
    send_signal, wait_until,
};

/// Time limit of each read; a test that exceeds it hangs.
const AT_MOST: Duration = Duration::from_secs(60);

/// Requests every client with many metrics, which no socket buffer holds.
const LARGE: &str = "/probe?broker=LocalEMQX&all=true&collect[]=session&collect[]=queue&collect[]=traffic";

fn broker_of(clients: usize) -> FakeEmqx {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.record_requests(false);
    fake.add_all((0..clients).map(|number| Row::like("plain-user-1").client_id(&format!("c-{number}"))));
    fake
}

fn silent_broker() -> FakeEmqx {
    let fake = broker_of(1);
    fake.inject(When::Any, Fault::Silent);
    fake
}

/// Sends a request and leaves the response unread.
fn send(address: &str, request: &str) -> TcpStream {
    let mut connection = TcpStream::connect(address).expect("the exporter listens");
    connection.set_read_timeout(Some(AT_MOST)).expect("a socket");
    connection.write_all(request.as_bytes()).expect("the exporter reads");
    connection
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: exporter\r\n\r\n")
}

fn own_metric(exporter: &Exporter, name: &str) -> u64 {
    let metrics = Families::parse(&exporter.get("/metrics").text());
    metrics.value(name, &[]).expect("a metric").parse().expect("a count")
}

#[test]
fn readers_that_do_not_read_take_no_place_of_a_probe() {
    let fake = broker_of(5_000);
    let exporter = Exporter::start_with(&config_of(&fake, "", &[("A", "c-0")]), 2);
    let mut readers: Vec<_> = (0..2).map(|_| send(&exporter.address().to_string(), &get(LARGE))).collect();
    for reader in &mut readers {
        reader.read_exact(&mut [0; 1]).expect("the response begins");
    }
    assert_eq!(own_metric(&exporter, "emqx_client_monitor_probes_in_flight"), 0);
    assert!(exporter.probe("broker=LocalEMQX").success());
}

#[test]
fn idle_connections_give_way_and_busy_times_close_connections() {
    let fake = broker_of(1);
    let program = Program::with_config(&config_of(&fake, "", &[("A", "c-0")]));
    let served = ServerProcess::start(&program, &["--web.max-probes", "1"]);
    let (mut kept, mut closed) = (Vec::new(), 0);
    // More than there is room for, with any number of workers.
    for _ in 0..600 {
        let mut connection = BufReader::new(send(served.address(), &get("/-/healthy")));
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(connection.read_line(&mut head).expect("a response"), 0, "{head}");
        }
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        closed += usize::from(head.contains("connection: close"));
        kept.push(connection);
    }
    assert!(closed > 0, "above half of the room connections are closed");
    // Connections that never send a request fill the limit without delaying a scrape.
    let silent: Vec<_> = (0..600).map(|_| TcpStream::connect(served.address()).expect("it listens")).collect();
    assert!(Families::parse(&served.get("/probe?broker=LocalEMQX")).success());
    drop((kept, silent));
}

#[test]
fn open_pages_take_no_place_of_a_scrape_and_end_in_time_whether_or_not_they_are_read() {
    let healthy = broker_of(1);
    let silent: Vec<_> = (0..8).map(|_| silent_broker()).collect();
    let aliases: Vec<_> = (0..8).map(|number| format!("silent{number}")).collect();
    let mut brokers = vec![("healthy", &healthy)];
    brokers.extend(aliases.iter().map(String::as_str).zip(&silent));
    let config = config_of_brokers(&brokers, "  - {alias: A, client_id: c-0, brokers: \"*\"}\n")
        .replace("api_secret:", "timeout_seconds: 1, attempts: 1, api_secret:");
    let exporter = Exporter::start_with(&config, 8);
    // Sixteen pages each, one after another, which are never read.
    let pages = get("/").repeat(16);
    let readers: Vec<_> = (0..12).map(|_| send(&exporter.address().to_string(), &pages)).collect();
    wait_until("pages are under way", || own_metric(&exporter, "emqx_client_monitor_probes_in_flight") > 0);
    for _ in 0..5 {
        assert!(exporter.probe("broker=healthy").success());
    }
    let refused = |reason| {
        let metrics = Families::parse(&exporter.get("/metrics").text());
        metrics.value("emqx_client_monitor_probes_refused_total", &[("reason", reason)]).map(str::to_owned)
    };
    assert_eq!(refused("busy").as_deref(), Some("0"));
    drop(readers);
    wait_until("no page is left", || own_metric(&exporter, "emqx_client_monitor_probes_in_flight") == 0);
}

#[test]
fn a_probe_that_is_abandoned_is_counted_and_logged() {
    let fake = silent_broker();
    let served = ServerProcess::start(&Program::with_config(&config_of(&fake, "", &[("A", "c-0")])), &[]);
    let metric = |name: &str, labels: &[(&str, &str)]| {
        Families::parse(&served.get("/metrics")).value(name, labels).map(str::to_owned)
    };
    for _ in 0..2 {
        let scraper = send(served.address(), &get("/probe?broker=LocalEMQX"));
        wait_until("it is under way", || {
            metric("emqx_client_monitor_probes_in_flight", &[]).as_deref() == Some("1")
        });
        drop(scraper);
        wait_until("it has ended", || {
            metric("emqx_client_monitor_probes_in_flight", &[]).as_deref() == Some("0")
        });
    }
    assert_eq!(metric("emqx_client_monitor_probes_total", &[("result", "abandoned")]).as_deref(), Some("2"));
    let log = served.stop();
    assert_eq!(log.matches("probe abandoned").count(), 1, "{log}");
}

/// The program with a stderr that is read up to the address it listens at, and no further.
struct Unread {
    process: Child,
    stderr: BufReader<std::process::ChildStderr>,
    address: String,
}

impl Unread {
    fn start(program: &Program, options: &[&str]) -> Self {
        let mut process = program
            .command()
            .args(["--web.listen-address", "127.0.0.1:0", "--log.level", "debug"])
            .args(options)
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut stderr = BufReader::new(process.stderr.take().expect("it is piped"));
        let mut line = String::new();
        let address = loop {
            line.clear();
            assert_ne!(stderr.read_line(&mut line).expect("text"), 0, "it ended");
            if line.contains("listening") {
                let address = line.split_once("address=").expect("an address").1;
                break address.split_whitespace().next().expect("an address").to_owned();
            }
        };
        Self { process, stderr, address }
    }

    fn file(&self, name: &str) -> String {
        format!("/proc/{}/{name}", self.process.id())
    }

    fn entries(&self, name: &str) -> usize {
        fs::read_dir(self.file(name)).expect("a Linux with /proc").count()
    }

    /// Memory in use, in bytes.
    fn memory(&self) -> u64 {
        let status = fs::read_to_string(self.file("status")).expect("a Linux with /proc");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("Linux reports it");
        line.split_whitespace().nth(1).and_then(|kilobytes| kilobytes.parse::<u64>().ok()).expect("a number")
            * 1024
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_log_that_is_not_read_stops_nothing() {
    let fake = broker_of(1);
    let mut unread = Unread::start(&Program::with_config(&config_of(&fake, "", &[("A", "c-0")])), &[]);
    let client = HttpClient::plain(&unread.address);
    let dropped = || {
        let metrics = Families::parse(&client.get("/metrics").expect("a response").body);
        metrics.value("emqx_client_monitor_log_lines_dropped_total", &[]).expect("a metric") != "0"
    };
    assert!(!dropped());
    let path = format!("/probe?broker=LocalEMQX&nope={}", "x".repeat(500));
    wait_until("lines are dropped", || {
        (0..100).for_each(|_| assert_eq!(client.status(&path), 400));
        dropped()
    });
    assert_eq!(client.status("/probe?broker=LocalEMQX"), 200);
    send_signal(&unread.process, Signal::TERM);
    assert_eq!(unread.process.wait().expect("it ends").code(), Some(0));
    let mut log = String::new();
    unread.stderr.read_to_string(&mut log).expect("text");
    assert!(log.lines().all(|line| line.len() < 2_000));
}

#[test]
fn repeated_refusals_are_summed_up_and_bounded() {
    let fake = broker_of(1);
    let served = ServerProcess::start(&Program::with_config(&config_of(&fake, "", &[("A", "c-0")])), &[]);
    for number in 0..300 {
        let (status, _) = served.request("GET", &format!("/probe?broker=LocalEMQX&x={}", "y".repeat(20_000)));
        assert_eq!(status, 400);
        assert_eq!(served.request("GET", &format!("/probe?broker={number}")).0, 400);
    }
    let log = served.stop();
    assert!(log.len() < 50_000, "{} bytes", log.len());
    assert_eq!(log.matches("unknown_parameter").count(), 1);
    assert!(log.matches("unknown_broker").count() < 100);
    assert!(log.contains("suppressed="), "{log}");
}

#[test]
fn strangers_garbage_is_logged_at_debug_level_with_the_peer() {
    let fake = broker_of(1);
    let program = Program::with_config(&config_of(&fake, "", &[("A", "c-0")]));
    for level in ["info", "debug"] {
        let served = ServerProcess::start(&program, &["--log.level", level]);
        let mut stranger = send(served.address(), "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}garbage\r\n\r\n");
        let address = stranger.local_addr().expect("an address").to_string();
        let _ = stranger.read_to_end(&mut Vec::new());
        let log = served.stop();
        assert!(!log.contains("level=error") && !log.contains("level=warn"), "{log}");
        assert_eq!(log.contains(&format!("peer={address}")), level == "debug", "{log}");
    }
}

/// A directory with a web configuration of TLS and a user, whose password costs as much to check as a real one.
struct Site {
    authority: Authority,
    directory: TempDir,
}

impl Site {
    fn new(cost: u32, with_tls: bool) -> Self {
        let site = Self {
            authority: Authority::new("The exporter's authority"),
            directory: tempfile::tempdir().expect("a temporary directory"),
        };
        site.authority.server(&["localhost"]).write(site.directory.path());
        let hash = bcrypt::hash("right", cost).expect("a hash");
        let tls = if with_tls { "tls_server_config: {cert_file: cert.pem, key_file: key.pem}\n" } else { "" };
        let web_config = format!("{tls}basic_auth_users: {{scraper: {hash}}}\n");
        fs::write(site.directory.path().join("web.yaml"), web_config).expect("the directory takes files");
        site
    }

    fn web_config(&self) -> String {
        self.directory.path().join("web.yaml").display().to_string()
    }
}

#[test]
fn who_guesses_passwords_delays_no_other_peer() {
    let fake = broker_of(1);
    let site = Site::new(8, false);
    let program = Program::with_config(&config_of(&fake, "", &[("A", "c-0")]));
    let served = ServerProcess::start(&program, &["--web.config.file", &site.web_config()]);
    // The exporter is scraped from 127.0.0.1; the guessers come from another address.
    let is_over = AtomicBool::new(false);
    let guesses = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..40 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let guess = guesses.fetch_add(1, Ordering::Relaxed);
                    let credentials = BASE64_STANDARD.encode(format!("scraper:{guess}"));
                    let mut connection = connect_from([127, 0, 0, 2], served.address());
                    let request = format!(
                        "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Basic \
                         {credentials}\r\n\r\n"
                    );
                    let _ = connection.write_all(request.as_bytes());
                    let _ = connection.read_to_end(&mut Vec::new());
                }
            });
        }
        while guesses.load(Ordering::Relaxed) < 200 {
            thread::yield_now();
        }
        let before = guesses.load(Ordering::Relaxed);
        let status = HttpClient::plain(served.address()).as_user("scraper", "right").status("/metrics");
        let meanwhile = guesses.load(Ordering::Relaxed) - before;
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(status, 200, "it is not even refused for once");
        println!("{meanwhile} guesses were sent while the right password was checked");
    });
}

/// Connects from this address of the loopback network.
fn connect_from(ip: [u8; 4], address: &str) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.bind(&std::net::SocketAddr::from((ip, 0)).into()).expect("an address of this host");
    let address: std::net::SocketAddr = address.parse().expect("an address");
    socket.connect(&address.into()).expect("the exporter listens");
    let connection = TcpStream::from(socket);
    connection.set_read_timeout(Some(AT_MOST)).expect("a socket");
    connection
}

#[test]
fn a_flood_of_reloads_is_two() {
    let fake = broker_of(1);
    let program = Program::with_config(&config_of(&fake, "", &[("A", "c-0")]));
    let served = ServerProcess::start(&program, &[]);
    for _ in 0..500 {
        let reload = send(served.address(), "POST /-/reload HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
        let _ = reload.shutdown(Shutdown::Both);
    }
    assert!(Families::parse(&served.get("/probe?broker=LocalEMQX")).success());
    assert_eq!(served.request("POST", "/-/reload"), (200, "reloaded\n".to_owned()));
    let log = served.stop();
    assert!(log.contains("reloaded the configuration"), "{log}");
}

/// Everything at once, against an exporter over TLS, with a password and a log that is not read.
struct Attack<'a> {
    site: &'a Site,
    address: &'a str,
    is_over: AtomicBool,
}

impl Attack<'_> {
    /// A client with the right password.
    fn scraper(&self) -> HttpClient {
        let credentials = BASE64_STANDARD.encode("scraper:right");
        HttpClient::tls(self.address, &self.site.authority, None)
            .with_authorization(&format!("Basic {credentials}\r\nAccept-Encoding: gzip"))
    }

    fn until_over(&self, mut act: impl FnMut(usize)) {
        let mut number = 0;
        while !self.is_over.load(Ordering::Relaxed) {
            act(number);
            number += 1;
        }
    }

    /// Guesses passwords.
    fn guess(&self, guesser: usize) {
        let client = HttpClient::tls(self.address, &self.site.authority, None);
        self.until_over(|number| {
            let _ = client.as_user("scraper", &format!("{guesser}-{number}")).get("/metrics");
            // Otherwise the guessers themselves take the processors.
            thread::sleep(Duration::from_millis(100));
        });
    }

    /// Reloads, and waits for no answer.
    fn reload(&self) {
        let scraper = self.scraper();
        self.until_over(|_| drop(scraper.send("POST", "/-/reload")));
    }

    /// Sends requests, keeps the connections, and reads no response.
    fn leave_unread(&self, path: &str, count: usize) {
        // Uncompressed, so that no socket buffer holds the response.
        let scraper = HttpClient::tls(self.address, &self.site.authority, None).as_user("scraper", "right");
        let unread: Vec<_> = (0..count).map_while(|_| scraper.send("GET", path).ok()).collect();
        self.until_over(|_| thread::sleep(Duration::from_millis(50)));
        drop(unread);
    }

    /// Opens this many connections from another address again and again, and sends nothing.
    fn occupy(&self, count: usize) {
        let mut connections = Vec::new();
        self.until_over(|_| {
            connections = (0..count).map(|_| connect_from([127, 0, 0, 2], self.address)).collect();
            thread::sleep(Duration::from_secs(1));
        });
        drop(connections);
    }

    /// Asks for something again and again.
    fn ask(&self, path: &str) {
        let scraper = self.scraper();
        self.until_over(|_| {
            let _ = scraper.get(path);
        });
    }
}

/// Ends the attack, by a failed assertion too.
struct EndOfAttack<'a>(&'a Attack<'a>);

impl Drop for EndOfAttack<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_healthy_broker_is_scraped_whatever_else_goes_on() {
    const SCRAPES: usize = 20;
    const MAX_MEMORY: u64 = 200_000_000;
    let (healthy, large) = (broker_of(8), broker_of(2_000));
    let silent: Vec<_> = (0..8).map(|_| silent_broker()).collect();
    let aliases: Vec<_> = (0..8).map(|number| format!("silent{number}")).collect();
    let mut brokers = vec![("healthy", &healthy), ("LocalEMQX", &large)];
    brokers.extend(aliases.iter().map(String::as_str).zip(&silent));
    let config = config_of_brokers(&brokers, "  - {alias: A, client_id: c-0, brokers: \"*\"}\n");
    let site = Site::new(6, true);
    let program = Program::with_config(&config);
    let mut exporter = Unread::start(&program, &["--web.config.file", &site.web_config()]);
    let address = exporter.address.clone();
    let attack = Attack { site: &site, address: &address, is_over: AtomicBool::new(false) };
    let scraper = attack.scraper();
    assert_eq!(scraper.status("/probe?broker=healthy"), 200);
    let before = ["fd", "task"].map(|name| exporter.entries(name));

    let mut slowest = Duration::ZERO;
    thread::scope(|scope| {
        let attack = &attack;
        let _end = EndOfAttack(attack);
        (0..100).for_each(|guesser| drop(scope.spawn(move || attack.guess(guesser))));
        scope.spawn(|| attack.reload());
        scope.spawn(|| attack.leave_unread(LARGE, 64));
        scope.spawn(|| attack.leave_unread("/", 8));
        scope.spawn(|| attack.occupy(400));
        scope.spawn(|| attack.ask(&format!("/probe?broker=Nope&x={}", "x".repeat(50_000))));
        for _ in 0..SCRAPES {
            let began = Instant::now();
            let scrape = scraper.get("/probe?broker=healthy").expect("a response");
            slowest = slowest.max(began.elapsed());
            assert_eq!(scrape.status, 200, "{}", scrape.body);
            assert!(scrape.head.contains("content-encoding: gzip"), "{}", scrape.head);
            assert_eq!(scraper.status("/-/healthy"), 200);
            let memory = exporter.memory();
            assert!(memory < MAX_MEMORY, "{memory} bytes of memory");
            thread::sleep(Duration::from_secs(1).saturating_sub(began.elapsed()));
        }
    });
    println!("slowest scrape {:.3} s, memory {:.1} MB", slowest.as_secs_f64(), exporter.memory() as f64 / 1e6);

    let plain = HttpClient::tls(&address, &site.authority, None).as_user("scraper", "right");
    let metrics = Families::parse(&plain.get("/metrics").expect("a response").body);
    let probes = |result: &str| {
        let labels = [("broker", "healthy"), ("result", result)];
        metrics.value("emqx_client_monitor_probes_total", &labels).map(str::to_owned)
    };
    // Pages ask the healthy broker too.
    assert!(probes("success").is_some_and(|count| count.parse::<usize>().expect("a count") > SCRAPES));
    assert_eq!(probes("failure").as_deref(), Some("0"));
    assert_ne!(metrics.value("emqx_client_monitor_log_lines_dropped_total", &[]), Some("0"));
    wait_until("everything is back to where it was", || {
        let now = ["fd", "task"].map(|name| exporter.entries(name));
        now.iter().zip(before).all(|(now, before)| *now <= before + 2)
    });
    send_signal(&exporter.process, Signal::TERM);
    assert_eq!(exporter.process.wait().expect("it ends").code(), Some(0));
}
