//! TLS and access control of the exporter's own port, as the web configuration says. Changed files take effect without
//! a restart.

mod auth;
mod check_queue;
mod credential_cache;
mod tls;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::thread;
use std::time::Duration;

use tracing::{error, info, warn};

use crate::config::ConfigError;
use crate::config::web::WebConfig;
use crate::watched_files::WatchedFiles;

pub(super) use self::auth::authenticate;
use self::credential_cache::CredentialCache;
pub(super) use self::tls::accept;

/// How often the files are checked for changes.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Why access control could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum WebAuthError {
    /// The web configuration is invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There is no random key for the cached logins.
    #[error("the operating system provides no random numbers")]
    Random,
    /// The thread that checks the files for changes could not be started.
    #[error("cannot start a thread that watches the web configuration")]
    Watch(#[source] io::Error),
}

/// The web configuration in force, and the logins that were checked against it.
pub struct WebAuth {
    path: PathBuf,
    current: RwLock<Arc<WebConfig>>,
    credential_cache: Arc<CredentialCache>,
}

impl std::fmt::Debug for WebAuth {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("WebAuth").field("path", &self.path).finish_non_exhaustive()
    }
}

impl WebAuth {
    /// Reads the web configuration, and watches its files until the value is dropped.
    ///
    /// # Errors
    /// An invalid web configuration.
    pub fn open(path: &Path) -> Result<Arc<Self>, WebAuthError> {
        let mut files = WatchedFiles::default();
        let config = WebConfig::load_watched(path, &mut files)?;
        log_warnings(&config);
        let web_auth = Arc::new(Self {
            path: path.to_path_buf(),
            current: RwLock::new(Arc::new(config)),
            credential_cache: Arc::new(CredentialCache::new().ok_or(WebAuthError::Random)?),
        });
        let mut reloader = Reloader { web_auth: Arc::downgrade(&web_auth), files, unreported: None };
        // A thread of its own, so that files on a hung disk delay no other task.
        thread::Builder::new()
            .name("web-config".to_owned())
            .spawn(move || {
                while reloader.check() {
                    thread::sleep(CHECK_INTERVAL);
                }
            })
            .map_err(WebAuthError::Watch)?;
        Ok(web_auth)
    }

    /// Returns whether connections must use TLS, which does not change while the exporter runs.
    pub(super) fn speaks_tls(&self) -> bool {
        self.current().tls.is_some()
    }

    /// Returns the web configuration in force.
    fn current(&self) -> Arc<WebConfig> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the web configuration again. An invalid one leaves the previous one active.
    fn reload(&self, files: &mut WatchedFiles) -> Result<(), String> {
        let config = WebConfig::load_watched(&self.path, files)
            // All problems in one line of the log.
            .map_err(|error| error.to_string().replace('\n', "; "))?;
        let previous = self.current();
        if config.tls.is_some() != previous.tls.is_some() {
            return Err("turning TLS on or off needs a restart of the exporter".to_owned());
        }
        // A file that is empty for a moment, or was truncated by a full disk, must not turn authentication off.
        if config.users.is_empty() && !previous.users.is_empty() {
            return Err(
                "it lists no users; turning authentication off needs a restart of the exporter".to_owned()
            );
        }
        if previous.requires_client_certificate && !config.requires_client_certificate {
            return Err(
                "it no longer requires client certificates, which needs a restart of the exporter".to_owned()
            );
        }
        log_warnings(&config);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
        Ok(())
    }
}

fn log_warnings(config: &WebConfig) {
    for warning in &config.warnings {
        warn!("{warning}");
    }
}

/// Reloads the web configuration when its files have changed.
struct Reloader {
    web_auth: Weak<WebAuth>,
    files: WatchedFiles,
    /// Why the last reload failed, until it is logged.
    unreported: Option<String>,
}

impl Reloader {
    /// Checks the files once. Returns false when the access control has been dropped.
    fn check(&mut self) -> bool {
        let Some(web_auth) = self.web_auth.upgrade() else {
            return false;
        };
        if !self.files.have_changed() {
            // Logged only by the check after the failed reload: a certificate may be replaced a moment before its key.
            if let Some(reason) = self.unreported.take() {
                error!("the web configuration was not reloaded, the previous one stays active: {reason}");
            }
            return true;
        }
        self.files = WatchedFiles::default();
        self.unreported = web_auth.reload(&mut self.files).err();
        if self.unreported.is_none() {
            info!("reloaded the web configuration");
        }
        true
    }
}
