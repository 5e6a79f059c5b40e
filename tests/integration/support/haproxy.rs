//! The real `HAProxy`, as Debian packages it.

use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::prometheus::free_address;
use super::wait_until;

/// A running `HAProxy`. Stopped when dropped.
pub(crate) struct HaProxy {
    process: Child,
    address: String,
    _directory: TempDir,
}

impl HaProxy {
    /// Starts `HAProxy` with the configuration for its address, and waits until a GET of this path succeeds.
    pub(crate) fn start(config_for: impl FnOnce(&str) -> String, path: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = directory.path().join("haproxy.cfg");
        let address = free_address();
        std::fs::write(&file, config_for(&address)).expect("a temporary directory takes files");
        let process = Command::new("haproxy")
            .args(["-db", "-f"])
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("HAProxy is installed; tests/run does that");
        let started = Self { process, address, _directory: directory };
        started.wait_for(path);
        started
    }

    /// The address it listens on.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    fn wait_for(&self, path: &str) {
        let url = format!("http://{}{path}", self.address);
        wait_until("HAProxy responds", || ureq::get(&url).call().is_ok());
    }
}

impl Drop for HaProxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
