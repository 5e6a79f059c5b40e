//! `tls_server_config`: the certificate to present, the clients to accept, and the minimum TLS version.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::sign::SingleCertAndKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};

use super::client_auth;
use crate::config::mapping::Mapping;
use crate::config::node_ref::NodeRef;
use crate::tls::{CertFiles, TlsError, certify, read_certificates, read_private_key};
use crate::watched_files::WatchedFiles;

const EXPECTED: &str = "a mapping of cert_file, key_file, client_ca_file, client_auth_type and min_version";

/// Keys of the toolkit's format that are not supported, and what to do instead.
const UNSUPPORTED: [(&str, &str); 8] = [
    ("cert", "is not supported: write the certificate into a file and name it in cert_file"),
    ("key", "is not supported: write the key into a file and name it in key_file"),
    ("client_ca", "is not supported: write the authorities into a file and name it in client_ca_file"),
    ("client_allowed_sans", "is not supported: give these clients an authority of their own in client_ca_file"),
    ("max_version", "is not supported: TLS 1.3 is always enabled; remove it"),
    ("cipher_suites", "is not supported: only secure cipher suites are enabled; remove it"),
    ("curve_preferences", "is not supported: only secure curves are enabled; remove it"),
    ("prefer_server_cipher_suites", "is not supported and not needed; remove it"),
];

/// Reads the section and the files it names. Returns also whether clients must present a certificate.
pub(super) fn read(value: &NodeRef<'_>, files: &mut WatchedFiles) -> Option<(Arc<ServerConfig>, bool)> {
    let mut section = Mapping::open(value, EXPECTED)?;
    for (key, why) in UNSUPPORTED {
        section.refuse(key, why);
    }
    let cert_file = section.required("cert_file", "the certificate to present, a PEM file");
    let key_file = section.required("key_file", "the private key of cert_file, a PEM file");
    let min_version = section.optional("min_version");
    let client_auth_type = section.optional("client_auth_type");
    let client_ca_file = section.optional("client_ca_file");
    section.finish();

    let provider = Arc::new(ring::default_provider());
    let certificate = read_certificate(&cert_file?, &key_file?, files, &provider);
    let versions = min_version.map_or_else(|| Some(vec![&TLS13, &TLS12]), |value| read_versions(&value));
    let verifier = client_auth::read(client_auth_type, client_ca_file, files, &provider);
    let requires_certificate = verifier.as_ref().is_some_and(|verifier| verifier.client_auth_mandatory());

    let builder = ServerConfig::builder_with_provider(provider).with_protocol_versions(&versions?);
    let builder = builder.map_err(|error| value.error(error)).ok()?;
    let mut config = builder.with_client_cert_verifier(verifier?).with_cert_resolver(certificate?);
    // HTTP/2 gains nothing here, and its library has known weaknesses.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Some((Arc::new(config), requires_certificate))
}

fn read_certificate(
    cert_value: &NodeRef<'_>,
    key_value: &NodeRef<'_>,
    files: &mut WatchedFiles,
    provider: &CryptoProvider,
) -> Option<Arc<SingleCertAndKey>> {
    let (cert_file, key_file) = (cert_value.file(), key_value.file());
    let pair = CertFiles { cert_file: cert_file?, key_file: key_file? };
    // Both are read before either ends the function, so that the problems of both are reported.
    let chain = read_certificates(&pair.cert_file, files).map_err(|error| cert_value.error_from(&error)).ok();
    let key = read_private_key(&pair.key_file, files).map_err(|error| key_value.error_from(&error)).ok();
    certify(chain?, key?, provider)
        .map_err(|error| cert_value.error_from(&TlsError::cert_and_key(&pair, &error)))
        .ok()
}

fn read_versions(value: &NodeRef<'_>) -> Option<Vec<&'static SupportedProtocolVersion>> {
    match value.as_text() {
        Some("TLS12") => Some(vec![&TLS13, &TLS12]),
        Some("TLS13") => Some(vec![&TLS13]),
        Some("TLS10" | "TLS11") => {
            value.expected("TLS12 or TLS13: TLS 1.0 and 1.1 are broken, and never enabled here")
        }
        _ => value.expected("TLS12 or TLS13"),
    }
}
