//! The real Alertmanager, as Debian packages it.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::prometheus::free_address;

/// Time limit of each wait; a test that exceeds it hangs.
const AT_MOST: Duration = Duration::from_secs(60);

/// A running Alertmanager. Stopped when dropped.
pub(crate) struct Alertmanager {
    process: Child,
    url: String,
    _directory: TempDir,
}

impl Alertmanager {
    /// Starts Alertmanager with this configuration file.
    pub(crate) fn start(config: &Path) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let address = free_address();
        let process = Command::new("prometheus-alertmanager")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.path={}", directory.path().display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--cluster.listen-address=") // it has no peers
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Alertmanager is installed; tests/run does that");
        Self { process, url: format!("http://{address}/api/v2/alerts"), _directory: directory }
    }

    /// Posts firing alerts with these labels, once Alertmanager is ready.
    pub(crate) fn fire(&self, alerts: &[Value]) {
        let alerts: Vec<_> = alerts.iter().map(|labels| json!({ "labels": labels })).collect();
        let alerts = Value::from(alerts).to_string();
        let since = Instant::now();
        while ureq::post(&self.url).content_type("application/json").send(&alerts).is_err() {
            assert!(since.elapsed() < AT_MOST, "Alertmanager did not accept the alerts");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until this alert of this broker is inhibited. Returns name and broker of all inhibited alerts, sorted.
    pub(crate) fn inhibited_with(&self, name: &str, broker: &str) -> Vec<(String, String)> {
        let since = Instant::now();
        while since.elapsed() < AT_MOST {
            if self.inhibited().iter().any(|(alert, of)| alert == name && of == broker) {
                return self.inhibited();
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{name} is not inhibited; inhibited alerts: {:?}", self.inhibited());
    }

    fn inhibited(&self) -> Vec<(String, String)> {
        let mut response = ureq::get(&self.url).call().expect("Alertmanager responds");
        let body = response.body_mut().read_to_vec().expect("a complete body");
        let alerts: Value = serde_json::from_slice(&body).expect("JSON");
        let label = |alert: &Value, name: &str| alert["labels"][name].as_str().unwrap_or_default().to_owned();
        let mut inhibited: Vec<_> = alerts
            .as_array()
            .expect("a list of alerts")
            .iter()
            .filter(|alert| alert["status"]["inhibitedBy"].as_array().is_some_and(|by| !by.is_empty()))
            .map(|alert| (label(alert, "alertname"), label(alert, "broker")))
            .collect();
        inhibited.sort();
        inhibited
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
