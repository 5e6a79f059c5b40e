//! The program as it serves, in a process of its own.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::Program;
use super::exporter::ask;
use super::program::send_signal;

/// The longest anything may take: far more than it needs, and less than a hang.
const AT_MOST: Duration = Duration::from_secs(60);

/// The program, serving until it is dropped, and all that it logs.
pub(crate) struct Served {
    process: Child,
    address: String,
    log: Arc<Mutex<String>>,
    /// Reads the log to its end, so that the program never waits for a reader.
    reader: Option<JoinHandle<()>>,
}

impl Served {
    /// Starts it on a free port, with these options besides.
    pub(crate) fn start(program: &Program, options: &[&str]) -> Self {
        let mut process = program
            .command()
            .args(["--web.listen-address", "127.0.0.1:0"])
            .args(options)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let lines = BufReader::new(process.stderr.take().expect("it is piped")).lines();
        let (sender, receiver) = mpsc::channel();
        let log = Arc::new(Mutex::new(String::new()));
        let said = Arc::clone(&log);
        let reader = thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some(address) = address_in(&line) {
                    let _ = sender.send(address);
                }
                let mut said = said.lock().expect("nobody panics with it");
                said.push_str(&line);
                said.push('\n');
            }
        });
        let address = receiver.recv().expect("it says where it listens");
        Self { process, address, log, reader: Some(reader) }
    }

    /// Waits until it has logged these words so many times.
    pub(crate) fn wait_until_logged(&self, words: &str, times: usize) {
        let since = Instant::now();
        loop {
            let log = self.log.lock().expect("nobody panics with it").clone();
            if log.matches(words).count() >= times {
                return;
            }
            assert!(since.elapsed() < AT_MOST, "never logged {times} times: {words} in {log}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// All that it logged, once it has ended.
    fn whole_log(&mut self) -> String {
        self.reader.take().expect("it is taken once").join().expect("a log in UTF-8");
        self.log.lock().expect("nobody panics with it").clone()
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// What it answers, whatever the status.
    pub(crate) fn get(&self, path: &str) -> String {
        self.request("GET", path).1
    }

    /// Sends it a signal by its process id.
    pub(crate) fn signal(&self, signal: Signal) {
        send_signal(&self.process, signal);
    }

    /// Asks with another method, and gives status and text.
    pub(crate) fn request(&self, method: &str, path: &str) -> (u16, String) {
        let answer = ask(&self.address, method, path, &[]);
        (answer.status, answer.text())
    }

    /// Waits for its end, and gives its status and what it logged.
    pub(crate) fn wait(mut self) -> (Option<i32>, String) {
        let status = self.process.wait().expect("it ends");
        (status.code(), self.whole_log())
    }

    /// Stops it as a service manager does, and gives what it logged to the last line.
    pub(crate) fn stop(self) -> String {
        self.signal(Signal::TERM);
        self.wait().1
    }

    /// Kills it, and gives what it logged so far.
    pub(crate) fn end(mut self) -> String {
        self.process.kill().expect("it runs");
        self.whole_log()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where a line of the log says that the program listens.
fn address_in(line: &str) -> Option<String> {
    if !line.contains("listening") {
        return None;
    }
    let address = &line[line.find("127.0.0.1:")?..];
    let end = address.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ':').unwrap_or(address.len());
    Some(address[..end].to_owned())
}
