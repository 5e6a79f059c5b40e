//! Signals to reload and to stop, and whether the exporter is ready.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::rt::time::sleep;
use actix_web::web::{Data, block};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::info;

use super::AppState;
use crate::signals::StopSignals;

/// Whether the exporter is ready, which ends when it has been asked to stop.
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

    /// Reloads and stops the server as the signals say, and returns when it has stopped.
    pub(super) async fn run(self, state: Data<AppState>, server: ServerHandle, shutdown_delay: Duration) {
        let Self { mut hangup, mut stop } = self;
        loop {
            tokio::select! {
                _ = hangup.recv() => {
                    let state = state.clone();
                    // Its result is logged and counted there.
                    let _ = block(move || state.reload()).await;
                }
                () = stop.recv() => break,
            }
        }
        info!("stopping");
        state.readiness.set_stopping();
        let stopped = async {
            // By the end of it, load balancers that check readiness send no more requests.
            sleep(shutdown_delay).await;
            server.stop(true).await;
        };
        tokio::select! {
            () = stopped => {}
            () = stop.recv() => server.stop(false).await,
        }
    }
}
