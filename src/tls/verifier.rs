//! Verifiers of the peer's certificate, for both sides of a connection.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, VerifierBuilderError, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme,
};

use super::delegate_signatures::delegate_signatures;
use crate::certificate::{Certificate, Side};

/// Certificates that are trusted, both as issuers and as those of peers.
///
/// The TLS library accepts no certificate of an authority from a peer, trusted or not. But
/// `openssl req -x509` makes such certificates, and other programs accept them where they are named as trusted.
#[derive(Debug)]
pub(crate) struct TrustedCertificates {
    certificates: Vec<CertificateDer<'static>>,
    roots: Arc<RootCertStore>,
}

impl TrustedCertificates {
    /// Trusts nothing yet.
    pub(crate) fn new() -> Self {
        Self { certificates: Vec::new(), roots: Arc::new(RootCertStore::empty()) }
    }

    /// Trusts a certificate.
    ///
    /// # Errors
    /// A certificate that cannot be parsed.
    pub(crate) fn add(&mut self, certificate: CertificateDer<'static>) -> Result<(), Error> {
        Arc::make_mut(&mut self.roots).add(certificate.clone())?;
        self.certificates.push(certificate);
        Ok(())
    }

    /// The certificates, in the order in which they were added.
    pub(crate) fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.certificates
    }

    /// Returns a verifier of servers.
    ///
    /// # Errors
    /// There are no certificates.
    pub(crate) fn server_verifier(
        self: &Arc<Self>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ServerCertVerifier>, VerifierBuilderError> {
        let issued = WebPkiServerVerifier::builder_with_provider(Arc::clone(&self.roots), Arc::clone(provider))
            .build()?;
        Ok(Arc::new(ServerVerifier { trusted: Arc::clone(self), issued }))
    }

    /// Returns a verifier of clients, which may be required to present a certificate.
    ///
    /// # Errors
    /// There are no certificates.
    pub(crate) fn client_verifier(
        self: &Arc<Self>,
        is_required: bool,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ClientCertVerifier>, VerifierBuilderError> {
        let builder =
            WebPkiClientVerifier::builder_with_provider(Arc::clone(&self.roots), Arc::clone(provider));
        let builder = if is_required { builder } else { builder.allow_unauthenticated() };
        Ok(Arc::new(ClientVerifier { trusted: Arc::clone(self), issued: builder.build()? }))
    }

    /// Verifies the dates and the usage of a certificate that is itself trusted, and returns it; `None` for any other.
    fn verify_itself<'a>(
        &self,
        presented: &'a CertificateDer<'_>,
        by: Side,
        now: UnixTime,
    ) -> Result<Option<Certificate<'a>>, Error> {
        if !self.certificates.iter().any(|trusted| trusted.as_ref() == presented.as_ref()) {
            return Ok(None);
        }
        let (certificate, _) = Certificate::parse(presented).ok_or(CertificateError::BadEncoding)?;
        let (not_before, not_after) = (certificate.not_before(), certificate.not_after());
        if now < not_before {
            return Err(CertificateError::NotValidYetContext { time: now, not_before }.into());
        }
        if now > not_after {
            return Err(CertificateError::ExpiredContext { time: now, not_after }.into());
        }
        if !certificate.may_be_presented_by(by) {
            return Err(CertificateError::InvalidPurpose.into());
        }
        Ok(Some(certificate))
    }
}

/// Accepts servers whose certificate is trusted or was issued by a trusted one, under the right name.
#[derive(Debug)]
struct ServerVerifier {
    trusted: Arc<TrustedCertificates>,
    issued: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for ServerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if let Some(certificate) = self.trusted.verify_itself(end_entity, Side::Server, now)? {
            verify_name_of_trusted(&certificate, end_entity, server_name)?;
            return Ok(ServerCertVerified::assertion());
        }
        self.issued
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            .map_err(|error| with_names(error, end_entity))
    }

    delegate_signatures!(issued);
}

/// Verifies the name of a certificate that is itself trusted. Its common name counts if it has no other name: the
/// user chose this certificate, while an authority might not be allowed to issue for that name.
fn verify_name_of_trusted(
    certificate: &Certificate<'_>,
    der: &CertificateDer<'_>,
    server_name: &ServerName<'_>,
) -> Result<(), Error> {
    if !certificate.names().is_empty() {
        let parsed = ParsedCertificate::try_from(der)?;
        return verify_server_name(&parsed, server_name).map_err(|error| with_names(error, der));
    }
    let common_name = certificate.common_name();
    if common_name.is_some_and(|name| name.eq_ignore_ascii_case(&server_name.to_str())) {
        return Ok(());
    }
    let presented = common_name.map(ToOwned::to_owned).into_iter().collect();
    Err(CertificateError::NotValidForNameContext { expected: server_name.to_owned(), presented }.into())
}

/// Replaces the names in an error, which the library writes in the syntax of its source code.
fn with_names(error: Error, certificate: &CertificateDer<'_>) -> Error {
    let Error::InvalidCertificate(CertificateError::NotValidForNameContext { expected, .. }) = error else {
        return error;
    };
    let presented = Certificate::parse(certificate).map(|(certificate, _)| certificate.names());
    let presented = presented.unwrap_or_default();
    CertificateError::NotValidForNameContext { expected, presented }.into()
}

/// Accepts clients whose certificate is trusted or was issued by a trusted one.
#[derive(Debug)]
struct ClientVerifier {
    trusted: Arc<TrustedCertificates>,
    issued: Arc<dyn ClientCertVerifier>,
}

impl ClientCertVerifier for ClientVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.issued.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.issued.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        if self.trusted.verify_itself(end_entity, Side::Client, now)?.is_some() {
            return Ok(ClientCertVerified::assertion());
        }
        self.issued.verify_client_cert(end_entity, intermediates, now)
    }

    delegate_signatures!(issued);
}

/// Accepts every certificate without verifying anything.
///
/// The signature of the handshake is not verified either: it shows that the peer owns the key of its certificate, which
/// protects nothing if every certificate is accepted, and the library cannot read it of an X.509 v1 certificate.
#[derive(Debug)]
pub(crate) struct AnyCertificate {
    is_required: bool,
    schemes: Vec<SignatureScheme>,
}

impl AnyCertificate {
    /// Returns a verifier. Whether a certificate is required matters for clients only: servers always present one.
    pub(crate) fn new(is_required: bool, provider: &CryptoProvider) -> Self {
        Self { is_required, schemes: provider.signature_verification_algorithms.supported_schemes() }
    }
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        self.is_required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}
