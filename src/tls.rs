//! TLS towards a broker: made from the configuration's files, and made anew when those files change.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{self, CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use crate::files::read_bounded;

/// The largest certificate, key or bundle that is read. The bundle of a whole operating system has 0.25 MiB.
const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;

/// What the configuration says about TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// Whom to trust.
    pub trust: Trust,
    /// The certificate to show a broker that wants one.
    pub identity: Option<Identity>,
    /// The name the broker's certificate must bear, and that is asked for by SNI, instead of the URL's host.
    pub server_name: Option<String>,
}

/// Which certificates of a broker are believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Those signed by the certificate authorities of the operating system.
    System,
    /// Those signed by the certificate authorities in this PEM file.
    CaFile(PathBuf),
    /// Any: the peer is not verified.
    Anyone,
}

/// A client certificate and its key, both PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The certificate chain, the client's own certificate first.
    pub cert_file: PathBuf,
    /// The private key.
    pub key_file: PathBuf,
}

/// Why TLS could not be set up. One sentence, which names the file.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is missing, unreadable or absurdly large.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file is no PEM file, or holds something other than it should.
    #[error("{} is not a usable PEM file", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: rustls::pki_types::pem::Error,
    },
    /// A PEM file without a certificate.
    #[error("{} holds no certificate; it must be a PEM file with at least one", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// The certificate and the key do not belong together, or are of an unsupported kind.
    #[error("{} and {} are not a usable pair of certificate and key", identity.cert_file.display(), identity.key_file.display())]
    Identity {
        /// The pair.
        identity: Identity,
        /// What rustls said of them.
        source: rustls::Error,
    },
    /// The operating system has no certificate authorities.
    #[error("this system has no certificate authorities; install ca-certificates or name a CA file")]
    NoSystemRoots,
    /// A server name that no certificate can bear.
    #[error("the server name must be a DNS name or an IP address")]
    ServerName,
    /// The TLS library refused its own defaults.
    #[error("TLS cannot be set up")]
    Unsupported(#[from] rustls::Error),
}

/// The TLS set-up of one broker, shared by its probes so that TLS sessions can be resumed.
#[derive(Debug)]
pub struct Tls {
    settings: TlsSettings,
    made: Mutex<Made>,
}

impl PartialEq for Tls {
    /// Whether both were asked for the same. What their files hold may change at any time.
    fn eq(&self, other: &Self) -> bool {
        self.settings == other.settings
    }
}

/// A set-up, and the contents of the files it was made from.
#[derive(Debug)]
struct Made {
    files: Files,
    config: Arc<ClientConfig>,
}

impl Tls {
    /// Reads the files once, so that a bad one is found at the start.
    ///
    /// # Errors
    /// A file that cannot be read or holds no certificate or key, a pair that does not match, a server name that
    /// no certificate can bear, or a system without certificate authorities where these are wanted.
    pub fn load(settings: TlsSettings) -> Result<Self, TlsError> {
        if let Some(name) = &settings.server_name {
            ServerName::try_from(name.as_str()).map_err(|_| TlsError::ServerName)?;
        }
        let files = Files::read(&settings)?;
        let config = Arc::new(client_config(&settings, &files)?);
        Ok(Self { settings, made: Mutex::new(Made { files, config }) })
    }

    /// The set-up for a new probe, with files that have changed read anew. It blocks on these files.
    ///
    /// Contents are compared, not times: a Kubernetes secret changes by a swapped link, and a file may change
    /// twice within the granularity of its time stamp.
    ///
    /// # Errors
    /// The same as [`Tls::load`].
    pub fn current(&self) -> Result<Arc<ClientConfig>, TlsError> {
        let files = Files::read(&self.settings)?;
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if made.files != files {
            let config = Arc::new(client_config(&self.settings, &files)?);
            *made = Made { files, config };
        }
        Ok(Arc::clone(&made.config))
    }

    /// The name to verify and to ask for, where it is not the URL's host.
    pub fn server_name(&self) -> Option<&str> {
        self.settings.server_name.as_deref()
    }

    /// What it was made from.
    pub fn settings(&self) -> &TlsSettings {
        &self.settings
    }
}

/// The contents of the files a set-up is made from.
#[derive(PartialEq, Eq)]
struct Files {
    ca: Option<Vec<u8>>,
    cert: Option<Vec<u8>>,
    key: Option<Vec<u8>>,
}

impl std::fmt::Debug for Files {
    /// Nothing of their contents: one of them is a private key.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Files").finish_non_exhaustive()
    }
}

impl Files {
    fn read(settings: &TlsSettings) -> Result<Self, TlsError> {
        let ca = match &settings.trust {
            Trust::CaFile(path) => Some(read(path)?),
            Trust::System | Trust::Anyone => None,
        };
        let (cert, key) = match &settings.identity {
            Some(identity) => (Some(read(&identity.cert_file)?), Some(read(&identity.key_file)?)),
            None => (None, None),
        };
        Ok(Self { ca, cert, key })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    read_bounded(path, MAX_FILE_BYTES).map_err(|source| TlsError::Read { path: path.to_owned(), source })
}

fn client_config(settings: &TlsSettings, files: &Files) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let builder = match (&settings.trust, &files.ca) {
        (Trust::Anyone, _) => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate::new(&provider)))
        }
        (Trust::CaFile(path), Some(pem)) => builder.with_root_certificates(roots_of_file(path, pem)?),
        (Trust::CaFile(_) | Trust::System, _) => builder.with_root_certificates(roots_of_system()?),
    };
    let mut config = match (&settings.identity, &files.cert, &files.key) {
        (Some(identity), Some(cert), Some(key)) => {
            let chain = certificates(&identity.cert_file, cert)?;
            let key = PrivateKeyDer::from_pem_slice(key)
                .map_err(|source| TlsError::Pem { path: identity.key_file.clone(), source })?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|source| TlsError::Identity { identity: identity.clone(), source })?
        }
        _ => builder.with_no_client_auth(),
    };
    // EMQX would agree to HTTP/2, which gains nothing here and whose library has known weaknesses.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

pub(crate) fn roots_of_file(path: &Path, pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(certificates(path, pem)?);
    if usable == 0 {
        return Err(TlsError::NoCertificate { path: path.to_owned() });
    }
    Ok(roots)
}

fn roots_of_system() -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    let (usable, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if usable == 0 {
        return Err(TlsError::NoSystemRoots);
    }
    Ok(roots)
}

pub(crate) fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|source| TlsError::Pem { path: path.to_owned(), source })?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate { path: path.to_owned() });
    }
    Ok(chain)
}

/// Believes any certificate whose key the peer owns: what `ssl: false` asks for.
#[derive(Debug)]
struct AnyCertificate(WebPkiSupportedAlgorithms);

impl AnyCertificate {
    fn new(provider: &CryptoProvider) -> Self {
        Self(provider.signature_verification_algorithms)
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
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        crypto::verify_tls12_signature(message, cert, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        crypto::verify_tls13_signature(message, cert, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
