//! `client_auth_type` and `client_ca_file`: which certificates clients must show.

use std::str::FromStr;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{self, CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoClientAuth, WebPkiClientVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, RootCertStore, SignatureScheme};

use super::sources::Sources;
use crate::config::node_ref::NodeRef;
use crate::tls::{TlsError, roots_of_file};

/// What is asked of clients, in the words of Go's TLS library, which the toolkit's format took over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ClientAuth {
    NoClientCert,
    RequestClientCert,
    RequireAnyClientCert,
    VerifyClientCertIfGiven,
    RequireAndVerifyClientCert,
}

impl FromStr for ClientAuth {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Ok(match name {
            "NoClientCert" => Self::NoClientCert,
            "RequestClientCert" => Self::RequestClientCert,
            // The second is an old name of the toolkit's for the first.
            "RequireAnyClientCert" | "RequireClientCert" => Self::RequireAnyClientCert,
            "VerifyClientCertIfGiven" => Self::VerifyClientCertIfGiven,
            "RequireAndVerifyClientCert" => Self::RequireAndVerifyClientCert,
            _ => return Err(()),
        })
    }
}

/// The verifier that does what is asked of clients.
pub(super) fn read(
    auth_type: Option<NodeRef<'_>>,
    ca_file: Option<NodeRef<'_>>,
    sources: &Sources,
    provider: &Arc<CryptoProvider>,
) -> Option<Arc<dyn ClientCertVerifier>> {
    const RIGHT: &str = "NoClientCert, RequestClientCert, RequireAnyClientCert, VerifyClientCertIfGiven or \
                         RequireAndVerifyClientCert";
    let roots = ca_file.as_ref().map(|value| read_roots(value, sources));
    let auth = match &auth_type {
        Some(value) => value.text(RIGHT)?.parse().ok().or_else(|| value.expected(RIGHT))?,
        None => ClientAuth::NoClientCert,
    };
    let any = |mandatory| -> Arc<dyn ClientCertVerifier> { Arc::new(AnyClient::new(mandatory, provider)) };
    match (auth, ca_file, roots) {
        (ClientAuth::NoClientCert, None, _) => Some(Arc::new(NoClientAuth)),
        (ClientAuth::NoClientCert, Some(ca_file), _) => {
            ca_file.error("asks nobody for a certificate: add client_auth_type: RequireAndVerifyClientCert");
            None
        }
        (ClientAuth::RequestClientCert | ClientAuth::RequireAnyClientCert, ca_file, _) => {
            if let Some(ca_file) = ca_file {
                ca_file.diagnostics().warning(format!(
                    "{} has no effect: this client_auth_type verifies nobody; RequireAndVerifyClientCert does",
                    ca_file.name()
                ));
            }
            Some(any(auth == ClientAuth::RequireAnyClientCert))
        }
        (ClientAuth::VerifyClientCertIfGiven, Some(ca_file), Some(roots)) => {
            verifier(&ca_file, roots?, false, provider)
        }
        (ClientAuth::RequireAndVerifyClientCert, Some(ca_file), Some(roots)) => {
            verifier(&ca_file, roots?, true, provider)
        }
        (ClientAuth::VerifyClientCertIfGiven | ClientAuth::RequireAndVerifyClientCert, ..) => {
            auth_type?.error("needs client_ca_file: the authorities whose clients are let in, a PEM file");
            None
        }
    }
}

fn read_roots(value: &NodeRef<'_>, sources: &Sources) -> Option<RootCertStore> {
    let path = value.file()?;
    sources
        .read(&path)
        .map_err(|source| TlsError::Read { path: path.clone(), source })
        .and_then(|pem| roots_of_file(&path, &pem))
        .map_err(|error| value.error_from(&error))
        .ok()
}

fn verifier(
    ca_file: &NodeRef<'_>,
    roots: RootCertStore,
    mandatory: bool,
    provider: &Arc<CryptoProvider>,
) -> Option<Arc<dyn ClientCertVerifier>> {
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let builder = if mandatory { builder } else { builder.allow_unauthenticated() };
    builder.build().map_err(|error| ca_file.error(error)).ok()
}

/// Lets in any client that owns the key of the certificate it shows, whoever signed that.
#[derive(Debug)]
struct AnyClient {
    mandatory: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

impl AnyClient {
    fn new(mandatory: bool, provider: &CryptoProvider) -> Self {
        Self { mandatory, algorithms: provider.signature_verification_algorithms }
    }
}

impl ClientCertVerifier for AnyClient {
    fn client_auth_mandatory(&self) -> bool {
        self.mandatory
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        crypto::verify_tls12_signature(message, cert, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        crypto::verify_tls13_signature(message, cert, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
