//! The web configuration, `--web.config.file`: how the exporter guards its own port, in the format of Prometheus'
//! exporter-toolkit.

mod client_auth;
mod sources;
mod tls;
mod users;

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;

pub(crate) use self::sources::Sources;
pub use self::users::Users;

use super::diagnostics::Diagnostics;
use super::document;
use super::error::ConfigError;
use super::mapping::Mapping;
use super::node_ref::NodeRef;
use super::read_text;

/// What of the toolkit's format is not spoken here, and what to do about it.
const UNSUPPORTED: [(&str, &str); 2] = [
    ("http_server_config", "is not supported: HTTP/2 is never spoken and no headers are added; remove it"),
    ("rate_limit", "is not supported; remove it, --web.max-probes bounds the probes under way"),
];

/// How the exporter's own port is guarded. An empty file guards nothing.
#[derive(Debug, Default)]
pub struct WebConfig {
    /// The TLS set-up; none for plain HTTP.
    pub tls: Option<Arc<ServerConfig>>,
    /// Who may ask; nobody in particular when empty.
    pub users: Users,
    /// What is odd but does not keep the configuration from being used, a sentence each.
    pub warnings: Vec<String>,
}

impl WebConfig {
    /// Reads the web configuration in the file at `path`, and the files it names.
    ///
    /// # Errors
    /// The file cannot be read, or is no web configuration; then the error tells all its problems.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::load_noting(path, &Sources::default())
    }

    /// The same, and notes in `sources` what it was made from.
    pub(crate) fn load_noting(path: &Path, sources: &Sources) -> Result<Self, ConfigError> {
        let unreadable = |reason: io::Error| ConfigError::WebUnreadable { path: path.to_path_buf(), reason };
        let text = read_text::text(sources.read(path).map_err(unreadable)?, path)?;
        let root = document::read(&text).map_err(|error| ConfigError::syntax(path, error))?;
        let diagnostics = Diagnostics::new(path);
        let config = read(&NodeRef::root(&root, &diagnostics), sources);
        let warnings = diagnostics.conclude(path, &text)?;
        Ok(Self { warnings, ..config })
    }
}

/// What can be read of it; what cannot has been reported.
fn read(root: &NodeRef<'_>, sources: &Sources) -> WebConfig {
    if root.is_null() {
        return WebConfig::default();
    }
    let Some(mut section) = Mapping::open(root, "a mapping of tls_server_config and basic_auth_users") else {
        return WebConfig::default();
    };
    for (key, why) in UNSUPPORTED {
        section.refuse(key, why);
    }
    let tls = section.optional("tls_server_config");
    let users = section.optional("basic_auth_users");
    section.finish();

    let users_are_told_in_clear = tls.is_none();
    let tls = tls.and_then(|value| tls::read(&value, sources));
    let users = users.map(|value| users::read(&value)).unwrap_or_default();
    if !users.is_empty() && users_are_told_in_clear {
        root.diagnostics().warning(
            "basic_auth_users without tls_server_config: passwords cross the network in clear text".to_owned(),
        );
    }
    WebConfig { tls, users, warnings: Vec::new() }
}
