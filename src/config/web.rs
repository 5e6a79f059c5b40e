//! The web configuration, `--web.config.file`: TLS and access control of the exporter's own port, in the format of
//! Prometheus' exporter-toolkit.

mod client_auth;
mod tls;
mod users;

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;

pub use self::users::Users;

use super::error::ConfigError;
use super::mapping::Mapping;
use super::node_ref::NodeRef;
use super::{read_document, read_text};
use crate::watched_files::WatchedFiles;

/// Maximum size of the web configuration, which may list many users.
const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;

/// Keys of the toolkit's format that are not supported, and what to do instead.
const UNSUPPORTED: [(&str, &str); 2] = [
    ("http_server_config", "is not supported: HTTP/2 is never used and no headers are added; remove it"),
    ("rate_limit", "is not supported; remove it, --web.max-probes limits the concurrent probes"),
];

/// TLS and access control of the exporter's own port. An empty file configures neither.
#[derive(Debug, Default)]
pub struct WebConfig {
    /// The TLS configuration; `None` for plain HTTP.
    pub tls: Option<Arc<ServerConfig>>,
    /// Whether clients must present a certificate.
    pub requires_client_certificate: bool,
    /// The users of basic authentication; without any, access needs no password.
    pub users: Users,
    /// What is odd but does not make the configuration invalid, a sentence each.
    pub warnings: Vec<String>,
}

impl WebConfig {
    /// Reads the web configuration in the file at `path`, and the files it names.
    ///
    /// # Errors
    /// A file that cannot be read, or is not a web configuration; then the error lists all problems.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        Self::load_watched(path, &mut WatchedFiles::default())
    }

    /// Does the same, and adds the files that were read to `files`.
    pub(crate) fn load_watched(path: &Path, files: &mut WatchedFiles) -> Result<Self, ConfigError> {
        let unreadable = |reason: io::Error| ConfigError::WebUnreadable { path: path.to_path_buf(), reason };
        let text = read_text::text(files.read(path, MAX_FILE_BYTES).map_err(unreadable)?, path)?;
        let (config, warnings) = read_document(&text, path, |root| read(root, files))?;
        Ok(Self { warnings, ..config })
    }
}

/// Reads what can be read; everything else has been reported.
fn read(root: &NodeRef<'_>, files: &mut WatchedFiles) -> WebConfig {
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
    // Not optional: a key without users is more likely an accident than a wish to turn authentication off.
    let users = section.find("basic_auth_users");
    section.finish();

    let is_plain_http = tls.is_none();
    let (tls, requires_client_certificate) = tls.and_then(|value| tls::read(&value, files)).unzip();
    let requires_client_certificate = requires_client_certificate.unwrap_or_default();
    let users = users.map(|value| users::read(&value)).unwrap_or_default();
    if !users.is_empty() && is_plain_http {
        root.warn("basic_auth_users without tls_server_config: passwords cross the network in clear text");
    }
    WebConfig { tls, requires_client_certificate, users, warnings: Vec::new() }
}
