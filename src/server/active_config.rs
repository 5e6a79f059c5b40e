//! The running configuration, and its reload.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tracing::{error, info, warn};

use super::failure_log::FailureLog;
use super::telemetry::Telemetry;
use crate::config::{Config, ConfigError};

/// The running configuration. A probe under way keeps the one it began with.
pub(super) struct ActiveConfig {
    file: PathBuf,
    config: ArcSwap<Config>,
    /// Held during a reload, so that of two at once the later one wins.
    reloading: Mutex<()>,
}

impl ActiveConfig {
    /// Starts with what was read from `file`.
    pub(super) fn new(file: &Path, config: Arc<Config>) -> Self {
        Self { file: file.to_owned(), config: ArcSwap::new(config), reloading: Mutex::new(()) }
    }

    /// Returns the running configuration.
    pub(super) fn config(&self) -> Arc<Config> {
        self.config.load_full()
    }

    /// Reloads the file. An invalid one changes nothing. It blocks.
    ///
    /// # Errors
    /// A file that cannot be read or is invalid.
    pub(super) fn reload(&self, telemetry: &Telemetry, failures: &FailureLog) -> Result<(), ConfigError> {
        let _guard = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.config();
        let mut config = match Config::load(&self.file) {
            Ok(config) => config,
            Err(problems) => {
                telemetry.record_reload(false);
                error!("the configuration was not reloaded, the former stays in force: {problems}");
                return Err(problems);
            }
        };
        for warning in &config.warnings {
            warn!("{warning}");
        }
        if before.prometheus.listens_at() != config.prometheus.listens_at() {
            warn!("prometheus.address and prometheus.port take effect with the next start");
        }
        config.keep_unchanged(&before);
        let is_kept = |broker: &str| config.broker(broker).is_some();
        failures.retain_brokers(is_kept);
        telemetry.retain_brokers(is_kept);
        telemetry.record_reload(true);
        self.config.store(Arc::new(config));
        info!("reloaded the configuration");
        Ok(())
    }
}
