//! Tells systemd, or another service manager that set `NOTIFY_SOCKET`, what the exporter is doing. Without one, nothing
//! is sent.

use sd_notify::NotifyState;
use tracing::warn;

/// The exporter serves requests.
pub(super) fn notify_ready() {
    notify(&[NotifyState::Ready]);
}

/// The exporter stops.
pub(super) fn notify_stopping() {
    notify(&[NotifyState::Stopping]);
}

/// A reload in progress, which ends when the value is dropped.
pub(super) struct Reloading(());

impl Reloading {
    /// Begins a reload.
    pub(super) fn begin() -> Self {
        let states = [Some(NotifyState::Reloading), NotifyState::monotonic_usec_now().ok()];
        notify(&states.into_iter().flatten().collect::<Vec<_>>());
        Self(())
    }
}

impl Drop for Reloading {
    fn drop(&mut self) {
        notify_ready();
    }
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!("cannot notify the service manager: {error}");
    }
}
