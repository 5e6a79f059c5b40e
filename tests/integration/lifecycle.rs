//! Starting and stopping.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use fake_emqx::{FakeEmqx, Fault, Row, Version, When};
use rustix::process::Signal;

use crate::support::{Families, Program, ServerProcess, config_of, send_signal, wait_until};

fn broker() -> (FakeEmqx, Program) {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add(Row::like("plain-user-1").client_id("a"));
    let program = Program::with_config(&config_of(&fake, "", &[("A", "a")]));
    (fake, program)
}

#[test]
fn a_probe_in_progress_finishes_before_the_exporter_stops() {
    let (fake, program) = broker();
    fake.inject(When::Any, Fault::Slow(Duration::from_secs(1)).times(1));
    let served = Arc::new(ServerProcess::start(&program, &[]));
    let in_flight = {
        let served = Arc::clone(&served);
        thread::spawn(move || served.get("/probe?broker=LocalEMQX"))
    };
    assert!(fake.wait_for_requests(1, Duration::from_secs(10)));
    served.signal(Signal::TERM);
    assert!(Families::parse(&in_flight.join().expect("it is answered")).success());
    let (status, log) = Arc::into_inner(served).expect("no other reference").wait();
    assert_eq!(status, Some(0), "{log}");
    assert!(log.contains("stopping") && log.contains("stopped"), "{log}");
}

#[test]
fn readiness_ends_before_requests_are_refused() {
    let (_fake, program) = broker();
    let served = ServerProcess::start(&program, &["--web.shutdown-delay", "3"]);
    assert_eq!(served.request("GET", "/-/ready"), (200, "emqx-client-monitor is ready\n".to_owned()));
    served.signal(Signal::TERM);
    let since = Instant::now();
    while served.request("GET", "/-/ready").0 != 503 {
        assert!(since.elapsed() < Duration::from_secs(3), "it is ready although it stops");
    }
    assert_eq!(served.request("GET", "/-/healthy").0, 200);
    assert!(Families::parse(&served.get("/probe?broker=LocalEMQX")).success(), "requests are still taken");
    let address = served.address().to_owned();
    let (status, _) = served.wait();
    assert_eq!(status, Some(0));
    assert!(TcpStream::connect(address).is_err(), "no more are accepted");
}

#[test]
fn the_health_check_takes_no_port_that_hangs_up_for_an_exporter() {
    let (_fake, program) = broker();
    let check = |address: &str| program.run(&["--healthcheck", address]).status;
    let served = ServerProcess::start(&program, &[]);
    assert_eq!(check(served.address()), 0);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound").to_string();
    let hangs_up = thread::spawn(move || listener.accept().map(drop));
    assert_eq!(check(&address), 1);
    hangs_up.join().expect("no panic").expect("a connection");
}

#[test]
fn a_second_signal_stops_at_once_whatever_is_under_way() {
    let (fake, program) = broker();
    fake.inject(When::Any, Fault::Silent);
    let served = ServerProcess::start(&program, &[]);
    let mut scraper = TcpStream::connect(served.address()).expect("it listens");
    scraper.write_all(b"GET /probe?broker=LocalEMQX HTTP/1.1\r\nHost: a\r\n\r\n").expect("it reads");
    assert!(fake.wait_for_requests(1, Duration::from_secs(10)));
    served.signal(Signal::TERM);
    served.wait_until_logged("message=stopping", 1);
    served.signal(Signal::TERM);
    let (status, log) = served.wait();
    assert_eq!(status, Some(0));
    assert!(log.contains("stopping at once"), "{log}");
    assert_eq!(scraper.read(&mut [0; 1]).ok(), Some(0), "the probe was still under way");
}

#[test]
fn sighup_while_it_starts_ends_nothing() {
    let (_fake, program) = broker();
    let mut process = program
        .command()
        .args(["--web.listen-address", "127.0.0.1:0"])
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let stderr = BufReader::new(process.stderr.take().expect("it is piped"));
    let status = format!("/proc/{}/status", process.id());
    let is_handled = || {
        let status = fs::read_to_string(&status).expect("a Linux with /proc");
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:\t")).expect("Linux reports it");
        u64::from_str_radix(caught, 16).expect("a mask") & 1 == 1
    };
    while !is_handled() {
        thread::yield_now();
    }
    send_signal(&process, Signal::HUP);
    assert!(stderr.lines().map_while(Result::ok).any(|line| line.contains("listening")));
    send_signal(&process, Signal::TERM);
    assert_eq!(process.wait().expect("it ends").code(), Some(0));
}

#[test]
fn a_second_signal_stops_at_once() {
    let (_fake, program) = broker();
    let served = ServerProcess::start(&program, &["--web.shutdown-delay", "3600"]);
    served.signal(Signal::INT);
    wait_until("the exporter is not ready", || served.request("GET", "/-/ready").0 == 503);
    served.signal(Signal::INT);
    assert_eq!(served.wait().0, Some(0));
}
