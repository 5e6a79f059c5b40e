//! Brokers behind names: a name server that never answers delays nobody beyond a deadline, and the addresses of a name
//! are raced.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::time::Duration;

use fake_emqx::{FakeEmqx, Row, Version};
use rustix::net::listen;
use rustix::process::Signal;

use crate::support::{Families, ServerProcess, config_of, send_signal, with_resolver};

const SILENT: &str =
    "emqx: {alias: Silent, api_url: 'http://silent.test:18083/api/', api_key: key, api_secret: secret, timeout_seconds: 1,
  attempts: 1}
monitored_clients: [{alias: device, client_id: device}]
";

fn broker() -> FakeEmqx {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add(Row::like("plain-user-1").client_id("device"));
    fake
}

/// An address that never answers, because its queue of connections is full.
struct BlackHole {
    _listener: TcpListener,
    _queued: Vec<TcpStream>,
}

impl BlackHole {
    fn at(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).expect("a free address");
        listen(&listener, 0).expect("a shorter queue");
        let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(200));
        let queued = std::iter::from_fn(|| connect().ok()).collect();
        Self { _listener: listener, _queued: queued }
    }
}

#[test]
fn an_address_that_never_answers_does_not_hide_the_next() {
    let fake = broker();
    let _first = BlackHole::at(SocketAddr::from(([127, 0, 0, 2], fake.address().port())));
    let config =
        config_of(&fake, "", &[("device", "device")]).replace(&fake.url(), &fake.url_with_host("two.test"));
    let run = with_resolver(&config).run(&["--check", "--timeout", "2"]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    assert_eq!(fake.connections(), 1);
}

#[test]
fn a_query_ends_at_its_deadline_whatever_the_name_server_does() {
    let run = with_resolver(SILENT).run(&["--check", "--timeout", "1"]);
    assert_eq!(run.status, 2);
    assert!(run.stderr.contains("Silent: dns: cannot resolve silent.test: timed out"), "{}", run.stderr);
}

#[test]
fn a_signal_ends_the_program_whatever_the_name_server_does() {
    let program = with_resolver(SILENT);
    let mut command = program.command();
    command.args(["--check", "--watch", "1", "--timeout", "1"]).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut watching = command.spawn().expect("the program starts");
    let mut lines = BufReader::new(watching.stderr.take().expect("it is piped")).lines();
    assert!(lines.next().is_some(), "the first query has failed");
    send_signal(&watching, Signal::TERM);
    assert_eq!(watching.wait().expect("the program ends").code(), Some(2));

    let server = ServerProcess::start(&program, &[]);
    assert!(server.get("/probe?broker=Silent").contains("emqx_probe_failure_reason{reason=\"dns\"} 1"));
    server.signal(Signal::TERM);
    assert_eq!(server.wait().0, Some(0));
}

#[test]
fn silent_names_touch_no_other_broker() {
    let fake = broker();
    let mut config = "emqx:\n".to_owned();
    for number in 0..10 {
        let _ = writeln!(
            config,
            "- {{alias: Silent{number}, api_url: 'http://silent.test:18083/api/', api_key: key, api_secret: secret, \
             timeout_seconds: 1}}"
        );
    }
    let _ = writeln!(
        config,
        "- {{alias: Healthy, api_url: {:?}, api_key: {:?}, api_secret: {:?}}}\n\
         monitored_clients: [{{alias: device, client_id: device, brokers: ['*']}}]",
        fake.url(),
        fake.api_key(),
        fake.api_secret()
    );
    let server = ServerProcess::start(&with_resolver(&config), &[]);
    std::thread::scope(|scope| {
        let silent: Vec<_> = (0..50)
            .map(|number| {
                let path = format!("/probe?broker=Silent{}", number % 10);
                scope.spawn({
                    let server = &server;
                    move || server.get(&path)
                })
            })
            .collect();
        for _ in 0..5 {
            assert!(Families::parse(&server.get("/probe?broker=Healthy")).success());
            assert!(server.get("/metrics").contains("process_threads"));
        }
        for probe in silent {
            assert!(probe.join().expect("a response").contains("emqx_probe_failure_reason{reason=\"dns\"} 1"));
        }
    });
    let metrics = Families::parse(&server.get("/metrics"));
    let threads: u32 =
        metrics.value("process_threads", &[]).and_then(|threads| threads.parse().ok()).expect("a count");
    assert!(threads < 20, "one thread resolves the name, and not one for each probe: {threads} threads");
}
