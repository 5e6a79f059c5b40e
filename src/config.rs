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
mod headers;
mod location;
mod mapping;
mod node_path;
mod node_ref;
mod prometheus;
mod proxy_url;
mod read_text;
mod redacted;
mod report;
mod secret;
mod ssl;
#[cfg(test)]
mod tests;
mod topics;
mod watched_clients;
pub mod web;
mod yaml_writer;

use std::collections::HashSet;
use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use self::broker::Broker;
pub use self::error::{ConfigError, Problems};
pub use self::prometheus::PrometheusSettings;
pub use self::redacted::RedactedYaml;
pub use self::secret::{Secret, SecretError, SecretFault};
pub use self::watched_clients::FilePattern;

use self::diagnostics::Diagnostics;
use self::document::Document;
use self::mapping::Mapping;
use self::node_ref::NodeRef;
use self::report::Report;
use self::watched_clients::{ClientAssignment, ClientFiles};
use crate::client::Origin;
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
    /// The entries of `monitored_client_files`.
    pub client_files: Vec<FilePattern>,
    /// The files it was read from; none for a text. Secrets and TLS files are not among them: probes read those again.
    pub(crate) files: Arc<WatchedFiles>,
}

impl Config {
    /// Reads the configuration file at `path`, and the files of clients and of TLS that it names.
    ///
    /// # Errors
    /// A file cannot be read, or it has problems; the error reports all of them.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let mut files = WatchedFiles::default();
        let config = Self::load_watched(path, &mut files, &[])?;
        Ok(Self { files: Arc::new(files), ..config })
    }

    /// Does the same, and adds the files that were read to `files`, also those of a configuration with problems. `before`
    /// are the files of clients in use, where a configuration is: it is a problem if they vanish.
    pub(crate) fn load_watched(
        path: &Path,
        files: &mut WatchedFiles,
        before: &[FilePattern],
    ) -> Result<Self, ConfigError> {
        let text = read_text::read_configuration(path, files)?;
        Self::parse_watched(&text, path, files, before)
    }

    /// Parses `text` as the configuration file at `path`; relative file names in it count from the directory of `path`.
    ///
    /// # Errors
    /// All problems of the text, and of the files of clients that it names.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        Self::parse_watched(text, path, &mut WatchedFiles::default(), &[])
    }

    fn parse_watched(
        text: &str,
        path: &Path,
        files: &mut WatchedFiles,
        before: &[FilePattern],
    ) -> Result<Self, ConfigError> {
        let mut client_files = ClientFiles::new(path, files, before);
        let (config, report) = examine_document(text, path, |root| read(root, &mut client_files))?;
        let ClientFiles { patterns, reports, .. } = client_files;
        Ok(Self { warnings: report.conclude(&reports)?, client_files: patterns, ..config })
    }

    /// Keeps the brokers of `before` that have not changed, and with them their TLS sessions.
    pub fn keep_unchanged(&mut self, before: &Self) {
        for broker in &mut self.brokers {
            if let Some(same) = before.broker(&broker.alias).filter(|old| *old == broker) {
                *broker = Arc::clone(same);
            }
        }
    }

    /// Returns the configuration as YAML that [`Config::parse`] reads, with `<secret>` in place of secrets. It comes in
    /// chunks, because there may be a hundred thousand clients.
    ///
    /// # Errors
    /// None for a valid configuration.
    pub fn redacted(self: &Arc<Self>) -> Result<RedactedYaml, serde_json::Error> {
        RedactedYaml::new(Arc::clone(self))
    }

    /// Returns the number of watched clients. One that several brokers watch counts for each.
    #[must_use]
    pub fn client_count(&self) -> usize {
        self.brokers.iter().map(|broker| broker.clients.len()).sum()
    }

    /// Returns how many of the watched clients `other` does not watch.
    #[must_use]
    pub fn count_clients_missing_in(&self, other: &Self) -> usize {
        let missing = |broker: &Arc<Broker>| {
            let others =
                other.broker(&broker.alias).map(|broker| broker.clients.as_slice()).unwrap_or_default();
            let others: HashSet<&str> = others.iter().map(|client| &*client.client_id).collect();
            broker.clients.iter().filter(|client| !others.contains(&*client.client_id)).count()
        };
        self.brokers.iter().map(missing).sum()
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
    let (value, report) = examine_document(text, path, read)?;
    Ok((value, report.conclude(&[])?))
}

/// Does the same, and returns what is wrong as a report.
///
/// # Errors
/// A text that is not a YAML document.
fn examine_document<T>(
    text: &str,
    path: &Path,
    read: impl FnOnce(&NodeRef<'_>) -> T,
) -> Result<(T, Report), ConfigError> {
    let document = Document::parse(text).map_err(|error| ConfigError::syntax(path, error))?;
    let diagnostics = Diagnostics::new(path);
    let value = read(&NodeRef::root(document.root(), &diagnostics));
    Ok((value, diagnostics.report(path, |nodes| document.locate(nodes))))
}

/// Reads what can be read of a configuration and of the files of clients that it names, and reports the rest.
fn read(root: &NodeRef<'_>, client_files: &mut ClientFiles<'_>) -> Config {
    const EXPECTED: &str = "a mapping of emqx, monitored_clients and prometheus";
    let Some(mut mapping) = Mapping::open(root, EXPECTED) else {
        return Config::default();
    };
    mapping.ignore_extensions();
    let emqx = mapping.required("emqx", "the broker to ask, or a list of brokers");
    let monitored_clients = mapping.optional("monitored_clients");
    let monitored_client_files = mapping.optional("monitored_client_files");
    let monitored_fleets = mapping.optional("monitored_fleets");
    let (prometheus, offline_after) = prometheus::read(mapping.optional("prometheus"));
    mapping.finish();

    let mut brokers = emqx.map(|emqx| broker::read_all(&emqx)).unwrap_or_default();
    let mut assignment = ClientAssignment::new(&mut brokers, offline_after);
    if let Some(list) = monitored_clients {
        assignment.accept_list(&list, Origin::Config);
    }
    if let Some(list) = monitored_client_files {
        client_files.read(&list, &mut assignment);
    }
    if let Some(list) = monitored_fleets {
        assignment.accept_fleets(&list);
    }
    let brokers = brokers.into_iter().filter_map(|listed| listed.broker).map(Arc::new).collect();
    Config { brokers, prometheus, ..Config::default() }
}
