//! The configuration that runs, and how another takes its place.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tracing::{error, info, warn};

use super::failure_log::FailureLog;
use super::telemetry::Telemetry;
use crate::config::{Config, ConfigError};

/// The configuration that runs. A probe under way keeps the one it began with.
pub(super) struct ActiveConfig {
    file: PathBuf,
    config: ArcSwap<Config>,
    /// Held while the file is read: two reloads at once would end with either.
    reloading: Mutex<()>,
}

impl ActiveConfig {
    /// Runs what was read from `file`.
    pub(super) fn new(file: &Path, config: Arc<Config>) -> Self {
        Self { file: file.to_owned(), config: ArcSwap::new(config), reloading: Mutex::new(()) }
    }

    /// What runs now.
    pub(super) fn config(&self) -> Arc<Config> {
        self.config.load_full()
    }

    /// Reads the file again, and runs what it says if that is valid; else nothing changes. It blocks.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub(super) fn reload(&self, telemetry: &Telemetry, failures: &FailureLog) -> Result<(), ConfigError> {
        let _only = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.config();
        let mut config = match Config::load(&self.file) {
            Ok(config) => config,
            Err(problems) => {
                telemetry.reloaded(false);
                error!("the configuration was not reloaded and nothing has changed: {problems}");
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
        failures.keep(is_kept);
        telemetry.keep(is_kept);
        telemetry.reloaded(true);
        self.config.store(Arc::new(config));
        info!("reloaded the configuration");
        Ok(())
    }
}
