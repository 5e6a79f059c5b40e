//! Starting and stopping.

use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use fake_emqx::{FakeEmqx, Fault, Row, Version, When};
use rustix::process::Signal;

use crate::support::{Families, Program, ServerProcess, config_of};

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
fn a_second_signal_stops_at_once() {
    let (_fake, program) = broker();
    let served = ServerProcess::start(&program, &["--web.shutdown-delay", "3600"]);
    served.signal(Signal::INT);
    let since = Instant::now();
    while served.request("GET", "/-/ready").0 != 503 {
        assert!(since.elapsed() < Duration::from_secs(30), "it is ready although it stops");
    }
    served.signal(Signal::INT);
    assert_eq!(served.wait().0, Some(0));
}
