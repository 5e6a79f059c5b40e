//! What is seen on the connections of a probe.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use rustls::{ClientConnection, ProtocolVersion};

use crate::connection_stats::{ConnectionStats, Phase, PhaseTimer, PhaseTimes};
use crate::tls::PresentedCertificates;

/// What was seen on the connections of a probe.
#[derive(Debug, Default)]
pub(super) struct Observations {
    /// Whether anything that begins as HTTP does was received.
    pub(super) spoke_http: Cell<bool>,
    /// Whether unrequested data was received.
    pub(super) unsolicited: Cell<bool>,
    /// The certificates of all connections.
    pub(super) presented: PresentedCertificates,
    tls_version: Cell<Option<&'static str>>,
    phases: Cell<PhaseTimes>,
    /// Whether `phases` has those of making a connection, and whether that one was made.
    connecting: Cell<Option<Made>>,
}

/// Whether a connection was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Made {
    Yes,
    No,
}

impl Observations {
    /// Returns them for the outcome of the probe.
    pub(super) fn stats(&self) -> ConnectionStats {
        ConnectionStats {
            phases: self.phases.get(),
            earliest_cert_expiry: self.presented.earliest_expiry().map(|expiry| expiry.as_secs()),
            tls_version: self.tls_version.get(),
        }
    }

    /// Records what TLS negotiated. The certificates of a resumed session are not verified again, but still known.
    pub(super) fn record_tls(&self, connection: &ClientConnection) {
        self.presented.record(connection.peer_certificates().into_iter().flatten());
        let version = connection.protocol_version().and_then(version_name);
        self.tls_version.set(self.tls_version.get().or(version));
    }

    /// Records the duration of a phase of a request.
    pub(super) fn record_phase(&self, phase: Phase, duration: Duration) {
        let mut phases = self.phases.get();
        phases.record(phase, duration);
        self.phases.set(phases);
    }

    /// Records the phases of making a connection: those of the first one made, or of the first attempt if none is.
    fn record_connecting(&self, times: &PhaseTimes, made: Made) {
        let recorded = self.connecting.get();
        if recorded.is_none() || (recorded, made) == (Some(Made::No), Made::Yes) {
            self.connecting.set(Some(made));
            let mut phases = self.phases.get();
            phases.set_connecting(times);
            self.phases.set(phases);
        }
    }
}

/// Returns a version as the blackbox exporter writes it.
fn version_name(version: ProtocolVersion) -> Option<&'static str> {
    match version {
        ProtocolVersion::TLSv1_2 => Some("TLS 1.2"),
        ProtocolVersion::TLSv1_3 => Some("TLS 1.3"),
        _ => None,
    }
}

/// Times the phases of making one connection. They are recorded however that ends, also when it is abandoned.
pub(super) struct ConnectTimer {
    observations: Rc<Observations>,
    timer: PhaseTimer,
    times: PhaseTimes,
    made: Made,
}

impl ConnectTimer {
    pub(super) fn start(observations: &Rc<Observations>) -> Self {
        Self {
            observations: Rc::clone(observations),
            timer: PhaseTimer::default(),
            times: PhaseTimes::default(),
            made: Made::No,
        }
    }

    /// Begins a phase, or none.
    pub(super) fn enter(&mut self, phase: Option<Phase>) {
        if let Some((ended, duration)) = self.timer.enter(phase) {
            self.times.record(ended, duration);
        }
    }

    /// Ends with a connection that was made.
    pub(super) fn finish(mut self) {
        self.made = Made::Yes;
    }
}

impl Drop for ConnectTimer {
    fn drop(&mut self) {
        self.enter(None);
        self.observations.record_connecting(&self.times, self.made);
    }
}
