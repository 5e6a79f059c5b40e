//! The exporter's own access control: whom it lets in, as the web configuration says, taken up anew when its files change.

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
use crate::config::web::{Sources, WebConfig};

pub(super) use self::auth::authenticate;
use self::credential_cache::CredentialCache;
pub(super) use self::tls::accept;

/// How soon a changed file is noticed.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Why there is no access control.
#[derive(Debug, thiserror::Error)]
pub enum WebAuthError {
    /// The web configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There is no randomness to make the key of the remembered logins from.
    #[error("the operating system gives no random numbers")]
    Random,
    /// Changes of the files could not be watched for.
    #[error("cannot start a thread that watches the web configuration")]
    Watch(#[source] io::Error),
}

/// What is in force of the web configuration.
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
    /// Reads the web configuration, and has its files watched for as long as the access control is there.
    ///
    /// # Errors
    /// A web configuration that cannot be used.
    pub fn open(path: &Path) -> Result<Arc<Self>, WebAuthError> {
        let sources = Sources::default();
        let config = WebConfig::load_noting(path, &sources)?;
        tell_warnings(&config);
        let web_auth = Arc::new(Self {
            path: path.to_path_buf(),
            current: RwLock::new(Arc::new(config)),
            credential_cache: Arc::new(CredentialCache::new().ok_or(WebAuthError::Random)?),
        });
        let mut watch = Watch { web_auth: Arc::downgrade(&web_auth), sources, trouble: None };
        // A thread of its own: files on a broken network drive shall hold up nobody else.
        thread::Builder::new()
            .name("web-config".to_owned())
            .spawn(move || {
                while watch.look() {
                    thread::sleep(LOOK_EVERY);
                }
            })
            .map_err(WebAuthError::Watch)?;
        Ok(web_auth)
    }

    /// Whether those who come have to speak TLS. That does not change while the exporter runs.
    pub(super) fn speaks_tls(&self) -> bool {
        self.current().tls.is_some()
    }

    /// What is in force now.
    fn current(&self) -> Arc<WebConfig> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes a changed configuration up, unless it is a bad one.
    fn renew(&self, sources: &Sources) -> Result<(), String> {
        let config = WebConfig::load_noting(&self.path, sources)
            // All its problems in one line of the log.
            .map_err(|error| error.to_string().replace('\n', "; "))?;
        if config.tls.is_some() != self.speaks_tls() {
            return Err("switching TLS on or off needs a restart of the exporter".to_owned());
        }
        tell_warnings(&config);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
        Ok(())
    }
}

fn tell_warnings(config: &WebConfig) {
    for warning in &config.warnings {
        warn!("{warning}");
    }
}

/// Looks for changes of the files.
struct Watch {
    web_auth: Weak<WebAuth>,
    sources: Sources,
    /// What is wrong with the files as they are since the last look.
    trouble: Option<String>,
}

impl Watch {
    /// Takes up what has changed. False when there is no access control any more.
    fn look(&mut self) -> bool {
        let Some(web_auth) = self.web_auth.upgrade() else {
            return false;
        };
        if !self.sources.have_changed() {
            // ProbedClient at the second look: a certificate may be there a moment before its key.
            if let Some(trouble) = self.trouble.take() {
                error!("the changed web configuration is not taken up, the former stays in force: {trouble}");
            }
            return true;
        }
        let sources = Sources::default();
        self.trouble = web_auth.renew(&sources).err();
        self.sources = sources;
        if self.trouble.is_none() {
            info!("took up the changed web configuration");
        }
        true
    }
}
