//! TLS and access control of the exporter's own port, as the web configuration says. Changed files take effect without
//! a restart.

mod auth;
mod check_queue;
mod credential_cache;
mod guard;
mod rate_limiter;
mod tls;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::thread;
use std::time::Duration;

use tracing::{error, info, warn};

use crate::config::ConfigError;
use crate::config::web::{WebConfig, WebTls};
use crate::watched_files::WatchedFiles;

use self::credential_cache::CredentialCache;
pub(super) use self::guard::guard;
use self::rate_limiter::RateLimiter;
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
    rate_limiter: RateLimiter,
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
            rate_limiter: RateLimiter::default(),
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
        if let Some(change) = change_that_needs_a_restart(&self.current(), &config) {
            return Err(format!("{change} needs a restart of the exporter"));
        }
        log_warnings(&config);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
        Ok(())
    }
}

/// Returns a change that does not take effect while the exporter runs. A file that is empty for a moment, or was
/// truncated by a full disk, must not let anyone in.
fn change_that_needs_a_restart(old: &WebConfig, new: &WebConfig) -> Option<&'static str> {
    let is_lost =
        |has: fn(&WebTls) -> bool| old.tls.as_ref().is_some_and(has) && !new.tls.as_ref().is_some_and(has);
    let changes = [
        (old.tls.is_some() != new.tls.is_some(), "turning TLS on or off"),
        (!old.users.is_empty() && new.users.is_empty(), "it lists no users; turning authentication off"),
        (is_lost(|tls| tls.requires_client_certificate), "it no longer requires client certificates, which"),
        (is_lost(|tls| tls.limits_client_names), "it no longer has client_allowed_sans, which"),
    ];
    changes.into_iter().find(|(is_made, _)| *is_made).map(|(_, change)| change)
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
