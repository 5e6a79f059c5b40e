//! The configuration file: which brokers to ask, which clients to watch, and what to tell Prometheus.
//!
//! A file is read into a tree (`document`), the tree is read section by section, and whatever is wrong is
//! collected on the way (`diagnostics`), so that all problems of a file are told at once, each with its line and
//! column.

mod api_url;
mod broker;
mod clients;
mod diagnostics;
mod document;
mod duration;
mod error;
mod file;
mod location;
mod prometheus;
mod redacted;
mod secret;
mod section;
mod ssl;
#[cfg(test)]
mod tests;
mod value;
pub mod web;

use std::path::Path;
use std::sync::Arc;

pub use self::broker::Broker;
pub use self::error::{ConfigError, Problems};
pub use self::prometheus::PrometheusSettings;
pub use self::secret::{Fault, Secret, SecretError};

use self::diagnostics::Diagnostics;
use self::redacted::Shown;
use self::section::Section;
use self::value::Value;

/// A configuration without problems.
#[derive(Debug)]
pub struct Config {
    /// The brokers, in the order of the file.
    pub brokers: Vec<Arc<Broker>>,
    /// Where to serve, and what.
    pub prometheus: PrometheusSettings,
    /// What is odd but does not keep the configuration from being used, a sentence each.
    pub warnings: Vec<String>,
}

impl Config {
    /// Reads the configuration in the file at `path`. Reads the TLS files it names, too.
    ///
    /// # Errors
    /// The file cannot be read, or is no configuration; then the error tells all its problems.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::parse(&file::read_configuration(path)?, path)
    }

    /// Reads a configuration out of `text`; files it names count from the directory of `path`.
    ///
    /// # Errors
    /// All problems of the text.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let root = document::read(text).map_err(|error| ConfigError::syntax(path, &error))?;
        let diagnostics = Diagnostics::new(path);
        let config = read(&Value::root(&root, &diagnostics));
        let warnings = diagnostics.conclude(path, text)?;
        Ok(Self { warnings, ..config })
    }

    /// Goes on with the brokers of `before` that are the same here, and with what they have learnt of TLS.
    pub fn keep_unchanged(&mut self, before: &Self) {
        for broker in &mut self.brokers {
            if let Some(same) = before.broker(&broker.alias).filter(|old| *old == broker) {
                *broker = Arc::clone(same);
            }
        }
    }

    /// The configuration as YAML that [`Config::parse`] would read, with `<secret>` in place of secrets.
    ///
    /// # Errors
    /// None that a valid configuration can cause.
    pub fn redacted(&self) -> Result<String, serde_yaml::Error> {
        serde_yaml::to_string(&Shown::from(self))
    }

    /// The aliases of all brokers, as errors tell them.
    #[must_use]
    pub fn broker_aliases(&self) -> String {
        let aliases: Vec<_> = self.brokers.iter().map(|broker| broker.alias.as_str()).collect();
        aliases.join(", ")
    }

    /// The broker of this alias.
    #[must_use]
    pub fn broker(&self, alias: &str) -> Option<&Arc<Broker>> {
        self.brokers.iter().find(|broker| broker.alias == alias)
    }
}

/// What can be read of a configuration; what cannot has been reported.
fn read(root: &Value<'_>) -> Config {
    const RIGHT: &str = "a mapping of emqx, monitored_clients and prometheus";
    let Some(mut section) = Section::open(root, RIGHT) else {
        return Config { brokers: Vec::new(), prometheus: PrometheusSettings::default(), warnings: Vec::new() };
    };
    let emqx = section.required("emqx", "the broker to ask, or a list of brokers");
    let monitored_clients = section.optional("monitored_clients");
    let (prometheus, offline_after) = prometheus::read(section.optional("prometheus"));
    section.finish();

    let mut brokers = emqx.map(|emqx| broker::read_all(&emqx)).unwrap_or_default();
    if let Some(list) = monitored_clients {
        clients::assign(&list, offline_after, &mut brokers);
    }
    let brokers = brokers.into_iter().filter_map(|listed| listed.broker).map(Arc::new).collect();
    Config { brokers, prometheus, warnings: Vec::new() }
}
