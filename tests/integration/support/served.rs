//! The program as it serves, in a process of its own.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::Program;

/// The program, serving until it is dropped, and all that it logs.
pub(crate) struct Served {
    process: Child,
    address: String,
    log: Option<JoinHandle<String>>,
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
        let mut lines = BufReader::new(process.stderr.take().expect("it is piped")).lines();
        let (sender, receiver) = mpsc::channel();
        // Read to its end, so that the program never waits for a reader.
        let log = thread::spawn(move || {
            let mut said = String::new();
            while let Some(Ok(line)) = lines.next() {
                if let Some(address) = address_in(&line) {
                    let _ = sender.send(address);
                }
                said.push_str(&line);
                said.push('\n');
            }
            said
        });
        let address = receiver.recv().expect("it says where it listens");
        Self { process, address, log: Some(log) }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// What it answers, whatever the status.
    pub(crate) fn get(&self, path: &str) -> String {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .build()
            .into();
        let mut answer = agent.get(format!("http://{}{path}", self.address)).call().expect("an answer");
        answer.body_mut().read_to_string().expect("a whole text")
    }

    /// Ends it, and gives what it logged.
    pub(crate) fn end(mut self) -> String {
        self.process.kill().expect("it runs");
        self.log.take().expect("it is taken once").join().expect("a log in UTF-8")
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
