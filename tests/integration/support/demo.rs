//! The demo, as the README's first command starts it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A demo that runs until it is dropped, when it is ended by its process id.
pub(crate) struct Demo {
    process: Child,
    hints: Vec<String>,
}

impl Demo {
    /// Starts it and waits for what it says to the person who runs it.
    pub(crate) fn start() -> Self {
        let program = Path::new(env!("CARGO_BIN_EXE_emqx-client-monitor"));
        let mut process = Command::new(program.with_file_name("examples").join("demo"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the demo is built by a whole `cargo test`");
        let stdout = BufReader::new(process.stdout.take().expect("a pipe"));
        let hints = stdout.lines().map_while(Result::ok).take_while(|line| !line.contains("Ctrl-C")).collect();
        Self { process, hints }
    }

    /// What it says in the line with these words, after them.
    pub(crate) fn hint(&self, words: &str) -> &str {
        let after = self.hints.iter().find_map(|line| Some(line.split_once(words)?.1));
        after.unwrap_or_else(|| panic!("{words} in {:?}", self.hints))
    }

    /// The address it says is to be asked, in the line with these words.
    pub(crate) fn url(&self, words: &str) -> &str {
        self.hint(words).split('\'').nth(1).expect("a quoted URL")
    }

    /// Where its exporter listens.
    pub(crate) fn address(&self) -> &str {
        let url = self.url("Prometheus would see:");
        url.trim_start_matches("http://").split('/').next().expect("a host and a port")
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
