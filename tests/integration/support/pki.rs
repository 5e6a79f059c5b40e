//! Certificates for tests, and TLS servers that present them.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    SanType, date_time_ymd,
};
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};

/// Where the certificates are that `openssl` made.
pub(crate) const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/certificates");

/// A certificate authority.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
pub(crate) struct Leaf {
    pub(crate) cert: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, key_pair()).expect("a certificate"))
    }

    /// The authority's certificate.
    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// Writes the authority's certificate to a file in this directory.
    pub(crate) fn write(&self, directory: &Path, name: &str) -> PathBuf {
        let path = directory.join(name);
        std::fs::write(&path, self.pem()).expect("the directory takes files");
        path
    }

    /// Issues a server certificate for these names and addresses.
    pub(crate) fn server(&self, names: &[&str]) -> Leaf {
        self.leaf(&server_params(names))
    }

    /// A server's certificate that expires at the start of this year.
    pub(crate) fn server_until(&self, names: &[&str], year: i32) -> Leaf {
        let mut params = server_params(names);
        params.not_after = date_time_ymd(year, 1, 1);
        self.leaf(&params)
    }

    /// A server's certificate that expired at the start of 2020.
    pub(crate) fn expired_server(&self, names: &[&str]) -> Leaf {
        let mut params = server_params(names);
        params.not_before = date_time_ymd(2019, 1, 1);
        params.not_after = date_time_ymd(2020, 1, 1);
        self.leaf(&params)
    }

    /// A server's certificate for `localhost` that expired at the start of 2020, signed by itself.
    pub(crate) fn expired_self_signed() -> Leaf {
        let mut params = server_params(&["localhost"]);
        params.not_before = date_time_ymd(2019, 1, 1);
        params.not_after = date_time_ymd(2020, 1, 1);
        let key = key_pair();
        let cert = params.self_signed(&key).expect("a certificate");
        Leaf { cert: cert.pem(), key: key.serialize_pem() }
    }

    /// Issues a client certificate without names.
    pub(crate) fn client(&self) -> Leaf {
        self.client_named(Vec::new())
    }

    /// Issues a client certificate with these subject alternative names.
    pub(crate) fn client_named(&self, names: Vec<SanType>) -> Leaf {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.subject_alt_names = names;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.leaf(&params)
    }

    fn leaf(&self, params: &CertificateParams) -> Leaf {
        let key = key_pair();
        let cert = params.signed_by(&key, &self.0).expect("a certificate");
        Leaf { cert: cert.pem(), key: key.serialize_pem() }
    }

    pub(crate) fn roots(&self) -> Arc<RootCertStore> {
        let mut roots = RootCertStore::empty();
        let certificate: &rcgen::Certificate = self.0.as_ref();
        roots.add(certificate.der().clone()).expect("a root");
        roots.into()
    }
}

fn server_params(names: &[&str]) -> CertificateParams {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("parameters");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

fn key_pair() -> KeyPair {
    KeyPair::generate().expect("a key")
}

impl Leaf {
    /// Writes `cert.pem` and `key.pem` to this directory.
    pub(crate) fn write(&self, directory: &Path) {
        std::fs::write(directory.join("cert.pem"), &self.cert).expect("the directory takes files");
        std::fs::write(directory.join("key.pem"), &self.key).expect("the directory takes files");
    }

    /// Reads `NAME.pem` and `NAME.key` of the fixtures.
    pub(crate) fn fixture(name: &str) -> Self {
        let read = |extension| {
            std::fs::read_to_string(format!("{FIXTURES}/{name}.{extension}")).expect("there is such a fixture")
        };
        Self { cert: read("pem"), key: read("key") }
    }

    /// Does not check whether the pair matches, which is impossible for X.509 v1.
    pub(crate) fn certified(&self) -> Arc<CertifiedKey> {
        let chain =
            CertificateDer::pem_slice_iter(self.cert.as_bytes()).map(|certificate| certificate.expect("PEM"));
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).expect("a key");
        let key = default_provider().key_provider.load_private_key(key).expect("a supported key");
        Arc::new(CertifiedKey::new(chain.collect(), key))
    }
}

/// How a fake broker uses TLS.
pub(crate) struct Tls {
    resolver: Arc<RecordingResolver>,
    versions: &'static [&'static SupportedProtocolVersion],
    clients: Option<Arc<RootCertStore>>,
}

/// The certificate it presents, and the SNI names of its connections.
#[derive(Debug)]
struct RecordingResolver {
    pair: Arc<CertifiedKey>,
    names: Mutex<Vec<Option<String>>>,
}

impl Tls {
    pub(crate) fn presenting(leaf: &Leaf) -> Self {
        let resolver = Arc::new(RecordingResolver { pair: leaf.certified(), names: Mutex::default() });
        Self { resolver, versions: rustls::DEFAULT_VERSIONS, clients: None }
    }

    /// Requires a client certificate of this authority.
    pub(crate) fn requiring_clients_of(mut self, authority: &Authority) -> Self {
        self.clients = Some(authority.roots());
        self
    }

    /// Enables no other version.
    pub(crate) fn only(mut self, versions: &'static [&'static SupportedProtocolVersion]) -> Self {
        self.versions = versions;
        self
    }

    /// The SNI name of each connection.
    pub(crate) fn sni_names(&self) -> Vec<Option<String>> {
        self.resolver.names.lock().expect("an unpoisoned lock").clone()
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        let provider = Arc::new(default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(self.versions)
            .expect("the versions are known");
        let builder = match &self.clients {
            Some(roots) => builder.with_client_cert_verifier(
                WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), provider)
                    .build()
                    .expect("a verifier"),
            ),
            None => builder.with_no_client_auth(),
        };
        Arc::new(builder.with_cert_resolver(Arc::clone(&self.resolver) as Arc<dyn ResolvesServerCert>))
    }
}

impl ResolvesServerCert for RecordingResolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.names.lock().expect("an unpoisoned lock").push(hello.server_name().map(ToOwned::to_owned));
        Some(Arc::clone(&self.pair))
    }
}
