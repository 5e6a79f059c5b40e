//! systemd: socket activation, and what a service manager is told.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::time::Duration;

use fake_emqx::{FakeEmqx, Version};
use rustix::process::Signal;

use crate::support::{Program, ServerProcess, config_of, free_address, send_signal, wait_until};

fn program() -> (FakeEmqx, Program) {
    let fake = FakeEmqx::start(Version::V5_8_9);
    let program = Program::with_config(&config_of(&fake, "", &[]));
    (fake, program)
}

/// Sends a request for `/-/healthy`, and returns the start of the response if there is one.
fn healthy_at(address: &str) -> Option<String> {
    let mut connection = TcpStream::connect(address).ok()?;
    connection.write_all(b"GET /-/healthy HTTP/1.0\r\n\r\n").ok()?;
    let mut response = String::new();
    connection.read_to_string(&mut response).ok()?;
    Some(response)
}

#[test]
fn the_sockets_of_systemd_are_listened_on() {
    let (_fake, program) = program();
    let [one, other] = [free_address(), free_address()];
    // Starts the program at the first connection, which waits until it is accepted.
    let mut activated = Command::new("systemd-socket-activate")
        .args(["--listen", &one, "--listen", &other])
        .arg(env!("CARGO_BIN_EXE_emqx-client-monitor"))
        .args(["--cfg", program.config_path(), "--web.systemd-socket", "--web.listen-address", "127.0.0.1:1"])
        .stderr(Stdio::piped())
        .spawn()
        .expect("systemd is installed; tests/run does that");
    for address in [&one, &other] {
        wait_until("it is healthy", || {
            healthy_at(address).is_some_and(|response| response.starts_with("HTTP/1.0 200"))
        });
    }
    send_signal(&activated, Signal::TERM);
    let mut log = String::new();
    activated.stderr.take().expect("it is piped").read_to_string(&mut log).expect("a log in UTF-8");
    assert_eq!(activated.wait().expect("it ends").code(), Some(0), "{log}");
    for address in [&one, &other] {
        assert!(log.contains(&format!("message=listening address={address}")), "{log}");
    }
}

#[test]
fn without_a_socket_of_systemd_the_start_fails_with_the_reason() {
    let (_fake, program) = program();
    let run = program.run(&["--web.systemd-socket"]);
    assert_eq!(run.status, 1);
    assert!(run.stderr.contains("--web.systemd-socket: systemd passed no socket"), "{}", run.stderr);
}

#[test]
fn the_service_manager_is_notified_of_start_reload_and_stop() {
    let (_fake, program) = program();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("notify");
    let manager = UnixDatagram::bind(&path).expect("a socket");
    manager.set_read_timeout(Some(Duration::from_secs(60))).expect("a socket");
    let received = || {
        let mut message = [0; 256];
        let length = manager.recv(&mut message).expect("a message");
        String::from_utf8_lossy(&message[..length]).into_owned()
    };
    let program = program.with_variable("NOTIFY_SOCKET", path.to_str().expect("a path in UTF-8"));
    let served = ServerProcess::start(&program, &[]);
    assert_eq!(received(), "READY=1\n");
    assert_eq!(served.request("GET", "/-/ready").0, 200, "it serves when it says so");
    served.signal(Signal::HUP);
    assert!(received().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert_eq!(received(), "READY=1\n");
    served.signal(Signal::TERM);
    assert_eq!(received(), "STOPPING=1\n");
    assert_eq!(served.wait().0, Some(0));
}

#[test]
fn a_connection_in_place_of_a_listening_socket_is_refused() {
    let (_fake, program) = program();
    let address = free_address();
    let mut activated = Command::new("systemd-socket-activate")
        .args(["--accept", "--listen", &address])
        .arg(env!("CARGO_BIN_EXE_emqx-client-monitor"))
        .args(["--cfg", program.config_path(), "--web.systemd-socket"])
        .stderr(Stdio::piped())
        .spawn()
        .expect("systemd is installed; tests/run does that");
    let mut log = BufReader::new(activated.stderr.take().expect("it is piped")).lines();
    wait_until("it accepts", || TcpStream::connect(&address).is_ok());
    let refusal = log.find_map(|line| line.ok().filter(|line| line.contains("--web.systemd-socket: ")));
    activated.kill().expect("it runs until it is killed");
    activated.wait().expect("it ends");
    let refusal = refusal.expect("a line about the socket");
    assert!(refusal.contains("the .socket unit must not have Accept=yes"), "{refusal}");
}
