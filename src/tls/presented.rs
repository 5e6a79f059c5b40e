//! Which certificates the servers of a probe present.
//!
//! The TLS library hands out the certificates of accepted servers only, and its configuration is shared by all probes of a
//! broker so that sessions are resumed. So the shared verifier reports every certificate to the task whose handshake it
//! is called for.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use rustls::Error;
use rustls::client::danger::{ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::task_local;

use super::delegate_signatures::delegate_signatures;
use crate::certificate::Certificate;

task_local! {
    /// Where the handshake that is under way records its certificates.
    static RECORD: PresentedCertificates;
}

/// The certificates that servers presented, refused ones included.
#[derive(Debug, Clone, Default)]
pub(crate) struct PresentedCertificates {
    earliest_expiry: Rc<Cell<Option<UnixTime>>>,
}

impl PresentedCertificates {
    /// Runs a handshake, and records the certificates that are verified in it.
    pub(crate) async fn record_during<F: Future>(&self, handshake: F) -> F::Output {
        RECORD.scope(self.clone(), handshake).await
    }

    /// Records certificates. Those that cannot be parsed state no expiry.
    pub(crate) fn record<'a>(&self, certificates: impl IntoIterator<Item = &'a CertificateDer<'a>>) {
        let expiries = certificates.into_iter().filter_map(|certificate| Certificate::parse(certificate));
        let expiries = expiries.map(|(certificate, _)| certificate.not_after());
        self.earliest_expiry.set(self.earliest_expiry.get().into_iter().chain(expiries).min());
    }

    /// Returns when the first of them expires.
    pub(crate) fn earliest_expiry(&self) -> Option<UnixTime> {
        self.earliest_expiry.get()
    }
}

/// Verifies as another verifier does, and records every certificate.
#[derive(Debug)]
pub(super) struct RecordingVerifier(pub(super) Arc<dyn ServerCertVerifier>);

impl ServerCertVerifier for RecordingVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        // Fails outside of a recorded handshake, where nobody asks for it.
        let _ = RECORD.try_with(|presented| {
            presented.record([end_entity]);
            presented.record(intermediates);
        });
        self.0.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    delegate_signatures!(0);
}
