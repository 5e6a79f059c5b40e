//! The running configuration, and its reload.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actix_web::rt::time::sleep;
use actix_web::web::Data;
use arc_swap::ArcSwap;
use tracing::{debug, error, info, warn};

use super::AppState;
use super::service_manager::Reloading;
use crate::blocking::{Coalesced, run_detached};
use crate::config::Config;
use crate::version;
use crate::watched_files::WatchedFiles;

/// The running configuration. A probe in progress keeps the one it began with.
pub(super) struct ActiveConfig {
    file: PathBuf,
    config: ArcSwap<Config>,
    /// The files of the last attempt to load the configuration, whether or not it succeeded.
    files: ArcSwap<WatchedFiles>,
    reloads: Coalesced<Result<(), String>>,
}

impl ActiveConfig {
    /// Starts with what was read from `file`.
    pub(super) fn new(file: &Path, config: Arc<Config>) -> Self {
        let files = ArcSwap::new(Arc::clone(&config.files));
        Self { file: file.to_owned(), config: ArcSwap::new(config), files, reloads: Coalesced::new() }
    }

    /// Returns the running configuration.
    pub(super) fn config(&self) -> Arc<Config> {
        self.config.load_full()
    }

    /// Logs which configuration took effect, with which result.
    pub(super) fn log(&self, message: &str) {
        let config = self.config();
        let clients = config.client_count();
        let (version, file, brokers) = (version::VERSION, self.file.display(), config.brokers.len());
        info!(version, %file, brokers, clients, "{message}");
    }
}

/// Reloads the configuration file. An invalid one changes nothing. One reload runs and one waits; further callers
/// share the result of the one that waits.
///
/// # Errors
/// A thread that cannot be started; within, the problems of the file.
pub(super) async fn reload(state: &Data<AppState>) -> io::Result<Result<(), String>> {
    let shared = state.clone();
    state.active_config.reloads.run(move || reload_now(&shared)).await
}

/// Reloads the configuration whenever its files have changed, and never returns. A file that did not change since a
/// failed attempt is not tried again.
pub(super) async fn reload_when_changed(state: Data<AppState>, interval: Duration) {
    loop {
        sleep(interval).await;
        let files = state.active_config.files.load_full();
        // Awaited, so that a hung disk costs one thread. Errors of the reload are logged and counted there.
        let has_changed = run_detached(move || files.have_changed()).await.unwrap_or(false);
        debug!(has_changed, "checked the files of the configuration");
        if has_changed {
            let _ = reload(&state).await;
        }
    }
}

fn reload_now(state: &AppState) -> Result<(), String> {
    let _reloading = Reloading::begin();
    let active = &state.active_config;
    let mut files = WatchedFiles::default();
    let before = active.config();
    let loaded = Config::load_watched(&active.file, &mut files, &before.client_files);
    active.files.store(Arc::new(files));
    let mut config = match loaded {
        Ok(config) => config,
        Err(problems) => {
            state.telemetry.record_reload(None);
            error!("the configuration was not reloaded, the previous one stays active: {problems}");
            return Err(problems.to_string());
        }
    };
    for warning in &config.warnings {
        warn!("{warning}");
    }
    if before.prometheus.listens_at() != config.prometheus.listens_at() {
        warn!("prometheus.address and prometheus.port take effect with the next start");
    }
    config.keep_unchanged(&before);
    state.failures.retain_brokers(|broker| config.broker(broker).is_some());
    // Before a new broker can be probed, so that its first probe is counted.
    state.telemetry.record_reload(Some(&config));
    let (added, removed) = (config.count_clients_missing_in(&before), before.count_clients_missing_in(&config));
    active.config.store(Arc::new(config));
    active.log(&format!("reloaded the configuration; clients added: {added}, removed: {removed}"));
    Ok(())
}
