//! The real Prometheus, as Debian packages it: 2.42 of Debian 12, and 3 of a newer suite.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;

/// Time limit of each wait; a test that exceeds it hangs.
const AT_MOST: Duration = Duration::from_secs(120);

/// A major version of Prometheus.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Release {
    V2,
    V3,
}

impl Release {
    pub(crate) const ALL: [Self; 2] = [Self::V2, Self::V3];

    fn program(self, name: &str) -> PathBuf {
        match self {
            Self::V2 => name.into(),
            // Where tests/install-prometheus-3 unpacks it.
            Self::V3 => {
                Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/prometheus-3/usr/bin").join(name)
            }
        }
    }
}

/// A running Prometheus. Stopped when dropped.
pub(crate) struct Prometheus {
    process: Child,
    url: String,
    _directory: TempDir,
}

impl Prometheus {
    /// Starts Prometheus 2 with this configuration.
    pub(crate) fn start(config: &str) -> Self {
        Self::start_beside(config, &[])
    }

    /// Starts Prometheus 2 with this configuration and these files, by their paths relative to it.
    pub(crate) fn start_beside(config: &str, files: &[(String, String)]) -> Self {
        Self::start_release(Release::V2, config, files)
    }

    /// Starts this release with this configuration and these files, by their paths relative to it.
    pub(crate) fn start_release(release: Release, config: &str, files: &[(String, String)]) -> Self {
        Self::start_with(release, config, files, &[])
    }

    /// Starts this release with this configuration and these features.
    pub(crate) fn start_with_features(release: Release, config: &str, features: &[&str]) -> Self {
        Self::start_with(release, config, &[], features)
    }

    fn start_with(release: Release, config: &str, files: &[(String, String)], features: &[&str]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        for (path, text) in files {
            let path = directory.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a path in the directory"))
                .expect("a temporary directory takes directories");
            std::fs::write(path, text).expect("a temporary directory takes files");
        }
        let file = directory.path().join("prometheus.yml");
        std::fs::write(&file, config).expect("a temporary directory takes files");
        let address = free_address();
        let process = Command::new(release.program("prometheus"))
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", directory.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=warn")
            .args(features.iter().map(|feature| format!("--enable-feature={feature}")))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("Prometheus {release:?} does not start; tests/run installs it: {error}")
            });
        Self { process, url: format!("http://{address}"), _directory: directory }
    }

    /// Queries an expression until `wanted` returns a value for its result, and returns that value.
    pub(crate) fn wait_for<T>(&self, expression: &str, wanted: impl Fn(&[Series]) -> Option<T>) -> T {
        let since = Instant::now();
        let mut last = None;
        while since.elapsed() < AT_MOST {
            last = self.query(expression);
            if let Some(found) = last.as_deref().and_then(&wanted) {
                return found;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("unexpected result of {expression}: {last:?}");
    }

    /// The values of an expression for each second since then; `None` while Prometheus is not ready.
    pub(crate) fn values_since(&self, expression: &str, since: Timestamp) -> Option<Vec<String>> {
        let [start, end] = [since, Timestamp::now()].map(|at| at.as_second().to_string());
        let parameters = [("query", expression), ("start", &start), ("end", &end), ("step", "1")];
        let data = self.api("query_range", &parameters)?;
        let series = data["result"].as_array()?.iter();
        let samples = series.flat_map(|series| series["values"].as_array().into_iter().flatten());
        Some(samples.filter_map(|sample| Some(sample[1].as_str()?.to_owned())).collect())
    }

    /// The values of a label among the series of a selector since then; `None` while Prometheus is not ready.
    pub(crate) fn label_values(&self, label: &str, selector: &str, since: Timestamp) -> Option<Vec<String>> {
        let start = since.as_second().to_string();
        let parameters = [("match[]", selector), ("start", &start)];
        let data = self.api(&format!("label/{label}/values"), &parameters)?;
        Some(data.as_array()?.iter().filter_map(|value| Some(value.as_str()?.to_owned())).collect())
    }

    /// Waits until every rule was evaluated, and returns their number. Fails the test if one cannot be evaluated.
    pub(crate) fn wait_for_rules(&self) -> usize {
        let since = Instant::now();
        let mut last = None;
        while since.elapsed() < AT_MOST {
            last = self.api("rules", &[]);
            if let Some(groups) = last.as_ref().and_then(|data| data["groups"].as_array()) {
                let rules: Vec<_> =
                    groups.iter().filter_map(|group| group["rules"].as_array()).flatten().collect();
                if let Some(rule) = rules.iter().find(|rule| rule["health"] == "err") {
                    panic!("{rule}");
                }
                if !rules.is_empty() && rules.iter().all(|rule| rule["health"] == "ok") {
                    return rules.len();
                }
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("Prometheus did not evaluate all rules: {last:?}");
    }

    /// The data of an API response; `None` while Prometheus is not ready.
    fn api(&self, path: &str, query: &[(&str, &str)]) -> Option<Value> {
        let body = ureq::get(format!("{}/api/v1/{path}", self.url))
            .query_pairs(query.iter().copied())
            .call()
            .ok()?
            .body_mut()
            .read_to_vec()
            .ok()?;
        let mut body: Value = serde_json::from_slice(&body).ok()?;
        Some(body["data"].take())
    }

    /// The current result of an expression; `None` while Prometheus is not ready.
    pub(crate) fn query(&self, expression: &str) -> Option<Vec<Series>> {
        let data = self.api("query", &[("query", expression)])?;
        let series = data["result"].as_array()?.iter().map(|series| Series {
            labels: series["metric"].clone(),
            value: series["value"][1].as_str().unwrap_or_default().to_owned(),
        });
        Some(series.collect())
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A series of a query result.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) labels: Value,
    pub(crate) value: String,
}

impl Series {
    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        self.labels[name].as_str()
    }
}

/// Runs `promtool` of every release. The error is the output of the first one that fails.
pub(crate) fn promtool(arguments: &[&str], input: Option<&Path>) -> Result<(), String> {
    Release::ALL.into_iter().try_for_each(|release| promtool_of(release, arguments, input))
}

fn promtool_of(release: Release, arguments: &[&str], input: Option<&Path>) -> Result<(), String> {
    let stdin = match input {
        Some(path) => Stdio::from(std::fs::File::open(path).expect("the input exists")),
        None => Stdio::null(),
    };
    let output = Command::new(release.program("promtool"))
        .args(arguments)
        .stdin(stdin)
        .output()
        .expect("promtool is installed; tests/run does that");
    if output.status.success() && output.stderr.is_empty() {
        return Ok(());
    }
    let [stdout, stderr] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    Err(format!("promtool {release:?}: {stdout}{stderr}"))
}

/// A free loopback address.
pub(crate) fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound").to_string()
}
