//! `tls_server_config`: the certificate to show, the clients to let in, and the oldest TLS to speak.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::server::ResolvesServerCert;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};

use super::client_auth;
use super::sources::Sources;
use crate::config::mapping::Mapping;
use crate::config::node_ref::NodeRef;
use crate::tls::{Identity, TlsError, certificates};

const RIGHT: &str = "a mapping of cert_file, key_file, client_ca_file, client_auth_type and min_version";

/// What of the toolkit's format is not spoken here, and what to do about it.
const UNSUPPORTED: [(&str, &str); 8] = [
    ("cert", "is not supported: write the certificate into a file and name it in cert_file"),
    ("key", "is not supported: write the key into a file and name it in key_file"),
    ("client_ca", "is not supported: write the authorities into a file and name it in client_ca_file"),
    ("client_allowed_sans", "is not supported: give these clients an authority of their own in client_ca_file"),
    ("max_version", "is not supported: TLS 1.3 is always spoken; remove it"),
    ("cipher_suites", "is not supported: only safe cipher suites are spoken; remove it"),
    ("curve_preferences", "is not supported: only safe curves are spoken; remove it"),
    ("prefer_server_cipher_suites", "is not supported and not needed; remove it"),
];

/// Reads the settings and the files they name.
pub(super) fn read(value: &NodeRef<'_>, sources: &Sources) -> Option<Arc<ServerConfig>> {
    let mut section = Mapping::open(value, RIGHT)?;
    for (key, why) in UNSUPPORTED {
        section.refuse(key, why);
    }
    let cert_file = section.required("cert_file", "the certificate to show, a PEM file");
    let key_file = section.required("key_file", "the private key of cert_file, a PEM file");
    let min_version = section.optional("min_version");
    let client_auth_type = section.optional("client_auth_type");
    let client_ca_file = section.optional("client_ca_file");
    section.finish();

    let provider = Arc::new(ring::default_provider());
    let identity = read_identity(&cert_file?, &key_file?, sources, &provider);
    let versions = min_version.map_or_else(|| Some(vec![&TLS13, &TLS12]), |value| read_versions(&value));
    let verifier = client_auth::read(client_auth_type, client_ca_file, sources, &provider);

    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(&versions?);
    let builder = builder.map_err(|error| value.error(error)).ok()?;
    let mut config = builder.with_client_cert_verifier(verifier?).with_cert_resolver(identity?);
    // HTTP/2 gains nothing here, and its library has known weaknesses.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Some(Arc::new(config))
}

fn read_identity(
    cert_value: &NodeRef<'_>,
    key_value: &NodeRef<'_>,
    sources: &Sources,
    provider: &CryptoProvider,
) -> Option<Arc<dyn ResolvesServerCert>> {
    let (cert_file, key_file) = (cert_value.file(), key_value.file());
    let identity = Identity { cert_file: cert_file?, key_file: key_file? };
    let chain = sources
        .read(&identity.cert_file)
        .map_err(|source| TlsError::Read { path: identity.cert_file.clone(), source })
        .and_then(|pem| certificates(&identity.cert_file, &pem));
    let key = sources
        .read(&identity.key_file)
        .map_err(|source| TlsError::Read { path: identity.key_file.clone(), source })
        .and_then(|pem| {
            PrivateKeyDer::from_pem_slice(&pem)
                .map_err(|source| TlsError::Pem { path: identity.key_file.clone(), source })
        });
    // Both are looked at before either stops the reading, so that both are told.
    let chain = chain.map_err(|error| cert_value.error_from(&error)).ok();
    let key = key.map_err(|error| key_value.error_from(&error)).ok();
    let pair = CertifiedKey::from_der(chain?, key?, provider)
        .map_err(|source| TlsError::Identity { identity, source })
        .map_err(|error| cert_value.error_from(&error))
        .ok()?;
    Some(Arc::new(SingleCertAndKey::from(pair)))
}

fn read_versions(value: &NodeRef<'_>) -> Option<Vec<&'static SupportedProtocolVersion>> {
    match value.as_text() {
        Some("TLS12") => Some(vec![&TLS13, &TLS12]),
        Some("TLS13") => Some(vec![&TLS13]),
        Some("TLS10" | "TLS11") => {
            value.expected("TLS12 or TLS13: TLS 1.0 and 1.1 are broken, and never spoken here")
        }
        _ => value.expected("TLS12 or TLS13"),
    }
}
