//! The exporter in a process of its own.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::Program;
use super::exporter::send;
use super::program::send_signal;

/// Time limit of each wait; a test that exceeds it hangs.
const AT_MOST: Duration = Duration::from_secs(60);

/// A serving exporter and its log. Stopped when dropped.
pub(crate) struct ServerProcess {
    process: Child,
    address: String,
    log: Arc<Mutex<String>>,
    /// Drains the log, so that the program never blocks on it.
    reader: Option<JoinHandle<()>>,
}

impl ServerProcess {
    /// Starts the exporter on a free port with these options.
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
        let lines_read = Arc::clone(&log);
        let reader = thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if let Some(address) = address_in(&line) {
                    let _ = sender.send(address);
                }
                let mut log = lines_read.lock().expect("an unpoisoned lock");
                log.push_str(&line);
                log.push('\n');
            }
        });
        let address = receiver.recv().expect("the exporter logs its address");
        Self { process, address, log, reader: Some(reader) }
    }

    /// The log so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().expect("an unpoisoned lock").clone()
    }

    /// Waits until these words were logged this many times.
    pub(crate) fn wait_until_logged(&self, words: &str, times: usize) {
        let since = Instant::now();
        loop {
            let log = self.log();
            if log.matches(words).count() >= times {
                return;
            }
            assert!(since.elapsed() < AT_MOST, "not logged {times} times: {words} in {log}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The complete log of a program that has ended.
    fn whole_log(&mut self) -> String {
        self.reader.take().expect("a running reader").join().expect("a log in UTF-8");
        self.log.lock().expect("an unpoisoned lock").clone()
    }

    /// The address it listens on.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Sends a GET and returns the body, whatever the status.
    pub(crate) fn get(&self, path: &str) -> String {
        self.request("GET", path).1
    }

    /// Sends the process a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        send_signal(&self.process, signal);
    }

    /// Sends a request. Returns status and body.
    pub(crate) fn request(&self, method: &str, path: &str) -> (u16, String) {
        let response = send(&self.address, method, path, &[]);
        (response.status, response.text())
    }

    /// Waits for the end of the process. Returns its exit status and the complete log.
    pub(crate) fn wait(mut self) -> (Option<i32>, String) {
        let status = self.process.wait().expect("the process ends");
        (status.code(), self.whole_log())
    }

    /// Stops the process as a service manager does, and returns its log to the last line.
    pub(crate) fn stop(self) -> String {
        self.signal(Signal::TERM);
        self.wait().1
    }

    /// Kills the process and returns the log so far.
    pub(crate) fn end(mut self) -> String {
        self.process.kill().expect("the process runs");
        self.whole_log()
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The listen address in a line of the log.
fn address_in(line: &str) -> Option<String> {
    if !line.contains("listening") {
        return None;
    }
    let address = &line[line.find("127.0.0.1:")?..];
    let end = address.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ':').unwrap_or(address.len());
    Some(address[..end].to_owned())
}
