//! Brokers behind names: a name server that never responds delays no probe beyond its deadline, and the addresses of a name
//! are raced.

use std::fmt::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Stdio};
use std::{fs, thread};

use fake_emqx::{Blackhole, FakeEmqx, Row, Version};
use rustix::process::Signal;

use crate::support::{
    Families, Run, ServerProcess, Terminal, config_of, send_signal, wait_until, with_resolver,
};

const CONFIG: &str = "emqx: {alias: LocalEMQX, api_url: \"http://silent.test:18083/api\", api_key: k, api_secret: s}\n\
                      monitored_clients: [{alias: Sensor, client_id: sensor}]\n";

#[test]
fn the_timeout_ends_the_program() {
    let program = with_resolver(CONFIG);
    for arguments in [&[][..], &["--all"]] {
        let mut command = program.command();
        command.args(["check", "--timeout", "0.2"]).args(arguments);
        let run = Run::of_child(
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts"),
        );
        assert_eq!(run.status, 2);
        assert!(run.stderr.starts_with("LocalEMQX: dns: cannot resolve silent.test: "), "{}", run.stderr);
    }
}

#[test]
fn a_signal_ends_the_program() {
    let program = with_resolver(CONFIG);
    let watching = || {
        let mut command = program.command();
        command.args(["check", "--watch", "1", "--timeout", "3600"]);
        command
    };
    let terminal = Terminal::start(watching(), (80, 24), |_| {});
    terminal.wait_for("waiting for LocalEMQX");
    terminal.signal(Signal::INT);
    assert_eq!(terminal.wait().status, Some(2));

    let child = watching().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    // The signal handlers are installed once the first query runs.
    wait_for_thread(&child);
    send_signal(&child, Signal::TERM);
    assert_eq!(Run::of_child(child).status, 2);

    let mut command = program.command();
    command.args(["check", "--timeout", "3600"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts");
    wait_for_thread(&child);
    send_signal(&child, Signal::INT);
    let status = child.wait().expect("it ends");
    assert_eq!(status.signal(), Some(Signal::INT.as_raw()), "without --watch, Ctrl-C kills it");
}

/// Waits until the program resolves the name, on a thread called `blocking`.
fn wait_for_thread(child: &Child) {
    let tasks = format!("/proc/{}/task", child.id());
    let is_resolving = || {
        let tasks = fs::read_dir(&tasks).expect("it runs").flatten();
        tasks.into_iter().any(|task| {
            fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.trim() == "blocking")
        })
    };
    wait_until("the program resolves the name", is_resolving);
}

fn broker() -> FakeEmqx {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add(Row::like("plain-user-1").client_id("device"));
    fake
}

#[test]
fn a_silent_address_does_not_hide_the_next() {
    let fake = broker();
    let _first = Blackhole::start_at(([127, 0, 0, 2], fake.address().port()).into());
    let config =
        config_of(&fake, "", &[("device", "device")]).replace(&fake.url(), &fake.url_with_host("two.test"));
    let run = with_resolver(&config).run(&["--check", "--timeout", "2"]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    assert_eq!(fake.connections(), 1);
}

#[test]
fn a_signal_ends_the_exporter() {
    let config = CONFIG.replace("api_secret: s", "api_secret: s, timeout_seconds: 1, attempts: 1");
    let server = ServerProcess::start(&with_resolver(&config), &[]);
    assert!(server.get("/probe?broker=LocalEMQX").contains("emqx_probe_failure_reason{reason=\"dns\"} 1"));
    server.signal(Signal::TERM);
    assert_eq!(server.wait().0, Some(0));
}

#[test]
fn unresolvable_names_do_not_delay_other_brokers() {
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
    thread::scope(|scope| {
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
