//! `tls_server_config`: the certificate to present, the clients to accept, and the TLS parameters.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::sign::SingleCertAndKey;

use super::client_auth::ClientAuthSettings;
use super::pem_setting::PemSetting;
use super::tls_parameters::Parameters;
use crate::config::mapping::Mapping;
use crate::config::node_ref::NodeRef;
use crate::tls::{TlsError, certify};
use crate::watched_files::WatchedFiles;

/// TLS of the exporter's own port.
#[derive(Debug, Clone)]
pub struct WebTls {
    /// The configuration of the TLS library.
    pub config: Arc<ServerConfig>,
    /// Whether clients must present a certificate.
    pub requires_client_certificate: bool,
    /// Whether the certificate must have one of certain names.
    pub limits_client_names: bool,
}

/// Reads the section and the files it names.
pub(super) fn read(value: &NodeRef<'_>, files: &mut WatchedFiles) -> Option<WebTls> {
    let mut section = Mapping::open(value, "a mapping of cert_file, key_file and other settings")?;
    let cert = PemSetting::find(&mut section, "cert", "cert_file");
    if cert.is_none() {
        section.missing("cert_file (or cert)", "the certificate to present, a PEM file");
    }
    let key = PemSetting::find(&mut section, "key", "key_file");
    if key.is_none() {
        section.missing("key_file (or key)", "the private key of the certificate, a PEM file");
    }
    let client_auth = ClientAuthSettings::find(&mut section);
    let parameters = Parameters::read(&mut section);
    section.finish();

    // The key and the verifier depend on no other parameter, so their problems are reported together with those of the
    // parameters.
    let provider = Arc::new(ring::default_provider());
    let certificate = cert.zip(key).and_then(|(cert, key)| read_certificate(&cert, &key, files, &provider));
    let client_auth = client_auth.read(files, &provider);
    let (parameters, client_auth) = (parameters?, client_auth?);

    let requires_client_certificate = client_auth.verifier.client_auth_mandatory();
    let builder = ServerConfig::builder_with_provider(Arc::new(parameters.provider));
    let builder = builder.with_protocol_versions(&parameters.versions);
    let builder = value.ok_or_error(builder.map_err(|error| TlsError::unsupported(&error)))?;
    let mut config = builder.with_client_cert_verifier(client_auth.verifier).with_cert_resolver(certificate?);
    config.ignore_client_order = parameters.prefers_server_order;
    // HTTP/2 gains nothing here, and its library has known weaknesses.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Some(WebTls {
        config: Arc::new(config),
        requires_client_certificate,
        limits_client_names: client_auth.limits_names,
    })
}

fn read_certificate(
    cert: &PemSetting<'_>,
    key: &PemSetting<'_>,
    files: &mut WatchedFiles,
    provider: &CryptoProvider,
) -> Option<Arc<SingleCertAndKey>> {
    // Both are read before either ends the function, so that the problems of both are reported.
    let (cert_pem, key_pem) = (cert.read(files), key.read(files));
    let chain = cert_pem.as_ref().and_then(|pem| cert.value.ok_or_error(pem.certificates()));
    let private_key = key_pem.as_ref().and_then(|pem| key.value.ok_or_error(pem.private_key()));
    let certified = certify(chain?, private_key?, provider);
    let (cert_pem, key_pem) = (cert_pem?, key_pem?);
    cert.value.ok_or_error(certified.map_err(|error| TlsError::cert_and_key(&cert_pem, &key_pem, &error)))
}
