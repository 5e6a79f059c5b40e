//! The web configuration, `--web.config.file`: TLS and access control of the exporter's own port, in the format of
//! Prometheus' exporter-toolkit.

mod client_auth;
mod http_server;
mod pem_setting;
mod rate_limit;
mod tls;
mod tls_parameters;
mod users;

use std::io;
use std::path::Path;

use actix_web::http::header::{HeaderName, HeaderValue};

pub use self::rate_limit::RateLimit;
pub use self::tls::WebTls;
pub use self::users::Users;

use super::error::ConfigError;
use super::mapping::Mapping;
use super::node_ref::NodeRef;
use super::{read_document, read_text};
use crate::watched_files::WatchedFiles;

/// Maximum size of the web configuration, which may list many users.
const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;

/// TLS and access control of the exporter's own port. An empty file configures neither.
#[derive(Debug, Default)]
pub struct WebConfig {
    /// The TLS configuration; `None` for plain HTTP.
    pub tls: Option<WebTls>,
    /// The users of basic authentication; without any, access needs no password.
    pub users: Users,
    /// Headers of every response.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// How many requests are served; without it, there is no limit.
    pub rate_limit: Option<RateLimit>,
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
    const EXPECTED: &str =
        "a mapping of tls_server_config, basic_auth_users, http_server_config and rate_limit";
    if root.is_null() {
        return WebConfig::default();
    }
    let Some(mut section) = Mapping::open(root, EXPECTED) else {
        return WebConfig::default();
    };
    let tls = section.optional("tls_server_config");
    // Not optional: a key without users is more likely an accident than a wish to turn authentication off.
    let users = section.find("basic_auth_users");
    let http_server = section.optional("http_server_config");
    let rate_limit = section.optional("rate_limit");
    section.finish();

    let is_plain_http = tls.is_none();
    let users = users.map(|value| users::read(&value)).unwrap_or_default();
    if !users.is_empty() && is_plain_http {
        root.warn("basic_auth_users without tls_server_config: passwords cross the network in clear text");
    }
    WebConfig {
        tls: tls.and_then(|value| tls::read(&value, files)),
        users,
        headers: http_server.and_then(|value| http_server::read(&value)).unwrap_or_default(),
        rate_limit: rate_limit.and_then(|value| rate_limit::read(&value)),
        warnings: Vec::new(),
    }
}
