//! The exporter's own door: whom it lets in, as the web configuration says, taken up anew when its files change.

mod auth;
mod logins;
mod tls;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::thread;
use std::time::Duration;

use tracing::{error, info, warn};

use crate::config::ConfigError;
use crate::config::web::{Sources, WebConfig};

pub(super) use self::auth::admit;
use self::logins::Logins;
pub(super) use self::tls::serve;

/// How soon a changed file is noticed.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Why there is no door.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
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
pub struct Door {
    path: PathBuf,
    current: RwLock<Arc<WebConfig>>,
    logins: Arc<Logins>,
}

impl std::fmt::Debug for Door {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Door").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Door {
    /// Reads the web configuration, and has its files watched for as long as the door is there.
    ///
    /// # Errors
    /// A web configuration that cannot be used.
    pub fn open(path: &Path) -> Result<Arc<Self>, DoorError> {
        let sources = Sources::default();
        let config = WebConfig::load_noting(path, &sources)?;
        tell_warnings(&config);
        let door = Arc::new(Self {
            path: path.to_path_buf(),
            current: RwLock::new(Arc::new(config)),
            logins: Arc::new(Logins::new().ok_or(DoorError::Random)?),
        });
        let mut watch = Watch { door: Arc::downgrade(&door), sources, trouble: None };
        // A thread of its own: files on a broken network drive shall hold up nobody else.
        thread::Builder::new()
            .name("web-config".to_owned())
            .spawn(move || {
                while watch.look() {
                    thread::sleep(LOOK_EVERY);
                }
            })
            .map_err(DoorError::Watch)?;
        Ok(door)
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
    door: Weak<Door>,
    sources: Sources,
    /// What is wrong with the files as they are since the last look.
    trouble: Option<String>,
}

impl Watch {
    /// Takes up what has changed. False when there is no door any more.
    fn look(&mut self) -> bool {
        let Some(door) = self.door.upgrade() else {
            return false;
        };
        if !self.sources.have_changed() {
            // Told at the second look: a certificate may be there a moment before its key.
            if let Some(trouble) = self.trouble.take() {
                error!("the changed web configuration is not taken up, the former stays in force: {trouble}");
            }
            return true;
        }
        let sources = Sources::default();
        self.trouble = door.renew(&sources).err();
        self.sources = sources;
        if self.trouble.is_none() {
            info!("took up the changed web configuration");
        }
        true
    }
}
