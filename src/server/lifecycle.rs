//! Signals: to reload, and to stop without cutting anybody off.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::rt::time::sleep;
use actix_web::web::{Data, block};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::info;

use super::AppState;
use crate::signals::Stop;

/// Whether the exporter takes requests for much longer.
#[derive(Default)]
pub(super) struct Readiness {
    stopping: AtomicBool,
}

impl Readiness {
    pub(super) fn is_ready(&self) -> bool {
        !self.stopping.load(Ordering::Relaxed)
    }

    fn end(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }
}

/// The signals of operators.
pub(super) struct Signals {
    hangup: Signal,
    stop: Stop,
}

impl Signals {
    /// Listens for them. Until then, each of them ends the process at once.
    ///
    /// # Errors
    /// Signals that cannot be listened for.
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self { hangup: signal(SignalKind::hangup())?, stop: Stop::listen()? })
    }

    /// Reloads and stops as they say, and returns when the server has stopped because of them.
    pub(super) async fn obey(self, state: Data<AppState>, server: ServerHandle, shutdown_delay: Duration) {
        let Self { mut hangup, mut stop } = self;
        loop {
            tokio::select! {
                _ = hangup.recv() => {
                    let state = state.clone();
                    // What came of it is logged and counted there.
                    let _ = block(move || state.reload()).await;
                }
                () = stop.asked() => break,
            }
        }
        info!("stopping");
        state.readiness.end();
        let stopped = async {
            // Load balancers that ask for readiness send nobody here any more when this time is over.
            sleep(shutdown_delay).await;
            server.stop(true).await;
        };
        tokio::select! {
            () = stopped => {}
            () = stop.asked() => server.stop(false).await,
        }
    }
}
