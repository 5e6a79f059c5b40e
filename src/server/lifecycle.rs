//! Signals to reload and to stop, and whether the exporter is ready.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::rt::spawn;
use actix_web::rt::time::sleep;
use actix_web::web::Data;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::info;

use super::active_config::reload;
use super::{AppState, service_manager};
use crate::signals::StopSignals;

/// Whether the exporter is ready, which ends when a signal stops it.
#[derive(Default)]
pub(super) struct Readiness {
    stopping: AtomicBool,
}

impl Readiness {
    pub(super) fn is_ready(&self) -> bool {
        !self.stopping.load(Ordering::Relaxed)
    }

    fn set_stopping(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }
}

/// Handles the signals to reload and to stop.
pub(super) struct SignalHandler {
    hangup: Signal,
    stop: StopSignals,
}

impl SignalHandler {
    /// Installs the handlers. Until then each of these signals ends the process.
    ///
    /// # Errors
    /// A handler that cannot be installed.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self { hangup: signal(SignalKind::hangup())?, stop: StopSignals::listen()? })
    }

    /// Reloads at SIGHUP until a signal to stop. Returns when the server has stopped, or at once at another signal to
    /// stop.
    pub(super) async fn run(self, state: Data<AppState>, server: ServerHandle, shutdown_delay: Duration) {
        let Self { mut hangup, mut stop } = self;
        loop {
            tokio::select! {
                _ = hangup.recv() => {
                    let state = state.clone();
                    // It may take long, and a signal to stop must be handled meanwhile. Its result is logged and counted.
                    spawn(async move { reload(&state).await.is_ok() });
                }
                () = stop.recv() => break,
            }
        }
        info!("stopping");
        state.readiness.set_stopping();
        service_manager::notify_stopping();
        let stopped = async {
            // By the end of it, load balancers that check readiness send no more requests.
            sleep(shutdown_delay).await;
            server.stop(true).await;
        };
        if stop.run_until_stopped(stopped).await.is_none() {
            info!("stopping at once");
        }
    }
}
