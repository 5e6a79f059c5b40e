//! Restricts clients to those whose certificate has a certain name.

use std::sync::Arc;

use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DistinguishedName, Error, OtherError};

use super::delegate_signatures::delegate_signatures;
use crate::certificate::Certificate;

/// Accepts the clients that another verifier accepts, if a subject alternative name of their certificate is listed.
#[derive(Debug)]
pub(crate) struct NamedClients {
    names: Vec<String>,
    inner: Arc<dyn ClientCertVerifier>,
}

/// The certificate of a client has no name that is listed.
#[derive(Debug, thiserror::Error)]
#[error("the certificate has no subjectAltName that client_allowed_sans lists")]
struct NameNotAllowed;

impl NamedClients {
    /// Lists DNS names, IP addresses, e-mail addresses and URIs.
    pub(crate) fn new(names: Vec<String>, inner: Arc<dyn ClientCertVerifier>) -> Self {
        Self { names, inner }
    }
}

impl ClientCertVerifier for NamedClients {
    fn offer_client_auth(&self) -> bool {
        self.inner.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.inner.verify_client_cert(end_entity, intermediates, now)?;
        let (certificate, _) = Certificate::parse(end_entity).ok_or(CertificateError::BadEncoding)?;
        if certificate.alternative_names().iter().any(|name| self.names.contains(name)) {
            return Ok(verified);
        }
        Err(CertificateError::Other(OtherError(Arc::new(NameNotAllowed))).into())
    }

    delegate_signatures!(inner);
}
