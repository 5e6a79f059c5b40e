//! The demo, as the README's first command starts it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::Signal;

use super::send_signal;

/// A running demo. Stopped when dropped, so that it removes its configuration file.
pub(crate) struct Demo {
    process: Child,
    hints: Vec<String>,
}

impl Demo {
    /// Starts the demo and reads the hints that it prints.
    pub(crate) fn start() -> Self {
        let program = Path::new(env!("CARGO_BIN_EXE_emqx-client-monitor"));
        let mut process = Command::new(program.with_file_name("demo"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("`cargo test --workspace` or `cargo build -p demo` builds the demo");
        let stdout = BufReader::new(process.stdout.take().expect("a pipe"));
        let hints = stdout.lines().map_while(Result::ok).take_while(|line| !line.contains("Ctrl-C")).collect();
        Self { process, hints }
    }

    /// The rest of the hint that has these words, after them.
    pub(crate) fn hint(&self, words: &str) -> &str {
        let after = self.hints.iter().find_map(|line| Some(line.split_once(words)?.1));
        after.unwrap_or_else(|| panic!("{words} in {:?}", self.hints)).trim()
    }

    /// The URL in the hint that has these words.
    pub(crate) fn url(&self, words: &str) -> &str {
        self.hint(words).split('\'').nth(1).expect("a quoted URL")
    }

    /// The host and port of its exporter.
    pub(crate) fn address(&self) -> &str {
        let url = self.url("Prometheus scrapes:");
        url.trim_start_matches("http://").split('/').next().expect("a host and a port")
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        send_signal(&self.process, Signal::TERM);
        let _ = self.process.wait();
    }
}
