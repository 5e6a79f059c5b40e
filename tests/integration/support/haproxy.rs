//! The real `HAProxy`, as Debian packages it.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::prometheus::free_address;

/// Time limit of the start; a test that exceeds it hangs.
const AT_MOST: Duration = Duration::from_secs(60);

/// A running `HAProxy`. Stopped when dropped.
pub(crate) struct HaProxy {
    process: Child,
    address: String,
    _directory: TempDir,
}

impl HaProxy {
    /// Starts `HAProxy` with the configuration for its address, and waits until a GET of this path succeeds.
    pub(crate) fn start(config_for: impl Fn(&str) -> String, path: &str) -> Self {
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
        let since = Instant::now();
        while ureq::get(format!("http://{}{path}", self.address)).call().is_err() {
            assert!(since.elapsed() < AT_MOST, "HAProxy did not respond to {path}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for HaProxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
