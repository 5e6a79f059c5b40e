//! `--check` with a name server that never answers.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::{Program, Run, Terminal, send_signal};

/// Replaces the resolver of the C library by one that never returns, as with a name server that never answers and an
/// endless timeout.
const RESOLVER: &str = "
#include <unistd.h>
int getaddrinfo(const char *node, const char *service, const void *hints, void **result) {
    (void)node, (void)service, (void)hints, (void)result;
    for (;;) pause();
}
";

/// How long the program may take to end.
const AT_MOST: Duration = Duration::from_secs(30);

const CONFIG: &str = "emqx: {alias: LocalEMQX, api_url: \"http://emqx.example:18083/api\", api_key: k, api_secret: s}\n\
                      monitored_clients: [{alias: Sensor, client_id: sensor}]\n";

/// Builds the library with the resolver.
fn resolver() -> TempDir {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let source = directory.path().join("resolver.c");
    fs::write(&source, RESOLVER).expect("a temporary file");
    let status = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(library(directory.path()))
        .arg(source)
        .status()
        .expect("a C compiler is installed, as some dependencies need it");
    assert!(status.success());
    directory
}

fn library(directory: &Path) -> std::path::PathBuf {
    directory.join("resolver.so")
}

/// Waits for the end of the program.
fn end(mut child: Child) -> Run {
    let since = Instant::now();
    while child.try_wait().expect("it was started").is_none() {
        if since.elapsed() > AT_MOST {
            let _ = child.kill();
            panic!("it never ends");
        }
        thread::sleep(Duration::from_millis(10));
    }
    Run::of(child.wait_with_output().expect("it has ended"))
}

#[test]
fn the_timeout_ends_the_program() {
    let resolver = resolver();
    let program = Program::with_config(CONFIG);
    for arguments in [&[][..], &["--all"]] {
        let mut command = program.command();
        command.args(["check", "--timeout", "0.2"]).args(arguments).env("LD_PRELOAD", library(resolver.path()));
        let run =
            end(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts"));
        assert_eq!(run.status, 2);
        assert!(run.stderr.starts_with("LocalEMQX: dns: cannot resolve emqx.example: "), "{}", run.stderr);
    }
}

#[test]
fn a_signal_ends_the_program() {
    let resolver = resolver();
    let program = Program::with_config(CONFIG);
    let watching = || {
        let mut command = program.command();
        command
            .args(["check", "--watch", "1", "--timeout", "3600"])
            .env("LD_PRELOAD", library(resolver.path()));
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
    assert_eq!(end(child).status, 2);

    let mut command = program.command();
    command.args(["check", "--timeout", "3600"]).env("LD_PRELOAD", library(resolver.path()));
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts");
    wait_for_thread(&child);
    send_signal(&child, Signal::INT);
    let status = child.wait().expect("it ends");
    assert_eq!(status.signal(), Some(Signal::INT.as_raw()), "without --watch, Ctrl-C kills it");
}

/// Waits until the program resolves the name, on a thread called `blocking`.
fn wait_for_thread(child: &Child) {
    let tasks = format!("/proc/{}/task", child.id());
    let since = Instant::now();
    let is_resolving = || {
        let tasks = fs::read_dir(&tasks).expect("it runs").flatten();
        tasks.into_iter().any(|task| {
            fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.trim() == "blocking")
        })
    };
    while !is_resolving() {
        assert!(since.elapsed() < AT_MOST, "it never resolves the name");
        thread::sleep(Duration::from_millis(10));
    }
}
