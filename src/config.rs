//! The configuration file: the brokers, the watched clients, and what Prometheus gets by default.
//!
//! The file is read into a tree (`document`), the tree is read setting by setting, and all problems found on the way are
//! collected (`diagnostics`) and reported at once, each with its line and column.

mod api_url;
mod broker;
mod diagnostics;
mod document;
pub(crate) mod duration;
mod error;
mod location;
mod mapping;
mod node_path;
mod node_ref;
mod prometheus;
mod read_text;
mod redacted;
mod secret;
mod ssl;
#[cfg(test)]
mod tests;
mod topics;
mod watched_clients;
pub mod web;
mod yaml_writer;

use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use self::broker::Broker;
pub use self::error::{ConfigError, Problems};
pub use self::prometheus::PrometheusSettings;
pub use self::secret::{Secret, SecretError, SecretFault};

use self::diagnostics::Diagnostics;
use self::document::Document;
use self::mapping::Mapping;
use self::node_ref::NodeRef;
use self::redacted::RedactedConfig;
use crate::watched_files::WatchedFiles;

/// Returns the path of the configuration file when none is given: the first default path at which a file exists.
///
/// The places are `~/.config/emqx-client-monitor/config.yaml`, the same below `$XDG_CONFIG_HOME`, and
/// `/etc/emqx-client-monitor/config.yaml`.
///
/// # Errors
/// There is no file in any of them.
pub fn default_path() -> Result<PathBuf, ConfigError> {
    let home = env::home_dir().map(|home| home.join(".config"));
    let xdg_config_home = env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
    let mut looked_at = Vec::new();
    for directory in [home, xdg_config_home, Some(PathBuf::from("/etc"))].into_iter().flatten() {
        let path = directory.join("emqx-client-monitor/config.yaml");
        // An empty variable would make a path relative to the working directory.
        if path.is_relative() || looked_at.contains(&path) {
            continue;
        }
        // A place that cannot be looked at counts as a file, so that the error of reading it is reported.
        if path.try_exists().unwrap_or(true) {
            return Ok(path);
        }
        looked_at.push(path);
    }
    Err(ConfigError::NotFound { looked_at })
}

/// A configuration without problems.
#[derive(Debug, Default)]
pub struct Config {
    /// The brokers, in the order of the file.
    pub brokers: Vec<Arc<Broker>>,
    /// Where the exporter listens, and which metric groups it reports by default.
    pub prometheus: PrometheusSettings,
    /// What is suspicious but no error, a sentence each.
    pub warnings: Vec<String>,
    /// The files it was read from; none for a text. Secrets and TLS files are not among them: probes read those again.
    pub(crate) files: Arc<WatchedFiles>,
}

impl Config {
    /// Reads the configuration file at `path`, and the TLS files it names.
    ///
    /// # Errors
    /// The file cannot be read, or it has problems; the error reports all of them.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let mut files = WatchedFiles::default();
        let config = Self::load_watched(path, &mut files)?;
        Ok(Self { files: Arc::new(files), ..config })
    }

    /// Does the same, and adds the files that were read to `files`, also those of a configuration with problems.
    pub(crate) fn load_watched(path: &Path, files: &mut WatchedFiles) -> Result<Self, ConfigError> {
        Self::parse(&read_text::read_configuration(path, files)?, path)
    }

    /// Parses `text` as the configuration file at `path`; relative file names in it count from the directory of `path`.
    ///
    /// # Errors
    /// All problems of the text.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let (config, warnings) = read_document(text, path, read)?;
        Ok(Self { warnings, ..config })
    }

    /// Keeps the brokers of `before` that have not changed, and with them their TLS sessions.
    pub fn keep_unchanged(&mut self, before: &Self) {
        for broker in &mut self.brokers {
            if let Some(same) = before.broker(&broker.alias).filter(|old| *old == broker) {
                *broker = Arc::clone(same);
            }
        }
    }

    /// Returns the configuration as YAML that [`Config::parse`] reads, with `<secret>` in place of secrets.
    ///
    /// # Errors
    /// None for a valid configuration.
    pub fn redacted(&self) -> Result<String, serde_json::Error> {
        serde_json::to_value(RedactedConfig::from(self)).map(|value| yaml_writer::to_yaml(&value))
    }

    /// Returns the aliases of all brokers, separated by commas.
    #[must_use]
    pub fn broker_aliases(&self) -> String {
        let aliases: Vec<_> = self.brokers.iter().map(|broker| broker.alias.as_str()).collect();
        aliases.join(", ")
    }

    /// Returns the broker with this alias.
    #[must_use]
    pub fn broker(&self, alias: &str) -> Option<&Arc<Broker>> {
        self.brokers.iter().find(|broker| broker.alias == alias)
    }
}

/// Parses `text` as the file at `path` and reads it with `read`. Returns what that read, and the warnings.
///
/// # Errors
/// A text that is not a YAML document, or the problems that `read` reported.
fn read_document<T>(
    text: &str,
    path: &Path,
    read: impl FnOnce(&NodeRef<'_>) -> T,
) -> Result<(T, Vec<String>), ConfigError> {
    let document = Document::parse(text).map_err(|error| ConfigError::syntax(path, error))?;
    let diagnostics = Diagnostics::new(path);
    let value = read(&NodeRef::root(document.root(), &diagnostics));
    let warnings = diagnostics.conclude(path, &document)?;
    Ok((value, warnings))
}

/// Reads what can be read of a configuration, and reports the rest.
fn read(root: &NodeRef<'_>) -> Config {
    const EXPECTED: &str = "a mapping of emqx, monitored_clients and prometheus";
    let Some(mut mapping) = Mapping::open(root, EXPECTED) else {
        return Config::default();
    };
    mapping.ignore_extensions();
    let emqx = mapping.required("emqx", "the broker to ask, or a list of brokers");
    let monitored_clients = mapping.optional("monitored_clients");
    let (prometheus, offline_after) = prometheus::read(mapping.optional("prometheus"));
    mapping.finish();

    let mut brokers = emqx.map(|emqx| broker::read_all(&emqx)).unwrap_or_default();
    if let Some(list) = monitored_clients {
        watched_clients::assign(&list, offline_after, &mut brokers);
    }
    let brokers = brokers.into_iter().filter_map(|listed| listed.broker).map(Arc::new).collect();
    Config { brokers, prometheus, ..Config::default() }
}
