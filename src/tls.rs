//! TLS towards a broker, loaded from the files of the configuration and loaded again when they change.

mod delegate_signatures;
mod error;
mod handshake_failure;
mod named_clients;
mod pem;
mod presented;
mod system;
mod verifier;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{self, CryptoProvider};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, InconsistentKeys};
use tracing::warn;

use crate::blocking::Blocking;
use crate::certificate::Certificate;
use crate::watched_files::WatchedFiles;

pub use self::error::TlsError;
pub(crate) use self::handshake_failure::explain_io;
pub(crate) use self::named_clients::NamedClients;
pub(crate) use self::pem::Pem;
pub use self::pem::PemOrigin;
pub(crate) use self::presented::PresentedCertificates;
use self::presented::RecordingVerifier;
pub(crate) use self::system::system_certificates;
pub(crate) use self::verifier::{AnyCertificate, TrustedCertificates};

/// The TLS settings of a broker, as configured.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TlsSettings {
    /// Which certificates of the broker are accepted.
    pub trust: Trust,
    /// The client certificate for a broker that requests one.
    pub client_cert: Option<CertFiles>,
    /// The name that the broker's certificate must have and that SNI sends, instead of the URL's host.
    pub server_name: Option<String>,
}

/// Which certificates of a broker are accepted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Trust {
    /// Those issued by the certificate authorities of the operating system.
    System,
    /// Those in this PEM file, and those issued by the certificate authorities in it.
    CaFile(PathBuf),
    /// Every certificate: nothing is verified.
    SkipVerify,
}

/// A certificate and its private key, both in PEM files.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CertFiles {
    /// The certificate chain, the end-entity certificate first.
    pub cert_file: PathBuf,
    /// The private key.
    pub key_file: PathBuf,
}

/// TLS towards one broker, shared by its probes so that TLS sessions are resumed.
#[derive(Debug)]
pub struct BrokerTls(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    settings: TlsSettings,
    /// `None` until the files have been read once.
    loaded: Mutex<Option<Arc<Loaded>>>,
}

/// The configuration of the TLS library, and what it was made from.
#[derive(Debug)]
struct Loaded {
    config: Arc<ClientConfig>,
    files: WatchedFiles,
    warnings: Vec<String>,
}

/// The result of reading the files, shared by all callers that wait for it.
type ReadResult = Result<Arc<ClientConfig>, Arc<TlsError>>;

/// Reads of TLS files that are in progress, one for each combination of files.
static READS: LazyLock<Blocking<TlsSettings, ReadResult>> = LazyLock::new(Blocking::new);

/// How long loading the configuration waits for the files of a broker.
const LOAD_LIMIT: Duration = Duration::from_secs(2);

impl PartialEq for BrokerTls {
    /// Compares the settings. The contents of the files may change at any time.
    fn eq(&self, other: &Self) -> bool {
        self.settings() == other.settings()
    }
}

impl BrokerTls {
    /// Reads the files, so that a bad one is found when the configuration is loaded, and returns warnings about them.
    ///
    /// It blocks on the files, but not for long: those on a hung disk are left to the probes.
    ///
    /// # Errors
    /// A file that cannot be read or contains no certificate or key, a pair that does not match, a server name that
    /// no certificate can have, or a system without certificate authorities where these are needed.
    pub fn load(settings: TlsSettings) -> Result<(Self, Vec<String>), Arc<TlsError>> {
        if let Some(name) = &settings.server_name {
            ServerName::try_from(name.as_str()).map_err(|_| TlsError::ServerName)?;
        }
        let shared = Arc::new(Shared { settings, loaded: Mutex::new(None) });
        let reader = Arc::clone(&shared);
        let warnings = match READS.wait(shared.settings.clone(), LOAD_LIMIT, move || reader.read(&|_| ())) {
            Ok(result) => {
                result?;
                shared.lock().as_ref().map(|loaded| loaded.warnings.clone()).unwrap_or_default()
            }
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                let seconds = LOAD_LIMIT.as_secs();
                vec![format!("the files could not be read within {seconds} s; probes fail until they can")]
            }
            Err(error) => return Err(Arc::new(TlsError::Thread(error))),
        };
        Ok((Self(shared), warnings))
    }

    /// Returns the configuration for a new probe, after reading files that have changed.
    ///
    /// # Errors
    /// As of [`BrokerTls::load`].
    pub async fn current(&self) -> Result<Arc<ClientConfig>, Arc<TlsError>> {
        let shared = Arc::clone(&self.0);
        let read = READS.run(self.0.settings.clone(), move || shared.read(&|warning| warn!("{warning}")));
        read.await.map_err(|error| Arc::new(TlsError::Thread(error)))?
    }

    /// The name to verify and to send by SNI, where it is not the URL's host.
    #[must_use]
    pub fn server_name(&self) -> Option<&str> {
        self.0.settings.server_name.as_deref()
    }

    /// The settings it was loaded from.
    #[must_use]
    pub fn settings(&self) -> &TlsSettings {
        &self.0.settings
    }
}

impl Shared {
    /// Reads the files if they have not been read or have changed, and reports what is odd about them.
    fn read(&self, warn: &dyn Fn(&str)) -> ReadResult {
        let current = self.lock().clone();
        if let Some(current) = current
            && !current.files.have_changed()
        {
            return Ok(Arc::clone(&current.config));
        }
        let loaded = Arc::new(Loaded::read(&self.settings)?);
        loaded.warnings.iter().for_each(|warning| warn(warning));
        *self.lock() = Some(Arc::clone(&loaded));
        Ok(Arc::clone(&loaded.config))
    }

    /// Never held while files are read.
    fn lock(&self) -> MutexGuard<'_, Option<Arc<Loaded>>> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Loaded {
    fn read(settings: &TlsSettings) -> Result<Self, TlsError> {
        let (mut files, mut warnings) = (WatchedFiles::default(), Vec::new());
        let provider = Arc::new(crypto::ring::default_provider());
        let verifier = match &settings.trust {
            Trust::System => server_verifier(&system_certificates(&mut files)?, &provider)?,
            Trust::CaFile(path) => {
                let (trusted, unreadable) = Pem::read(path, &mut files)?.trusted()?;
                warnings = unreadable;
                server_verifier(&Arc::new(trusted), &provider)?
            }
            Trust::SkipVerify => Arc::new(AnyCertificate::new(true, &provider)),
        };
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::unsupported(&error))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(RecordingVerifier(verifier)));
        let mut config = match &settings.client_cert {
            Some(pair) => {
                let cert = Pem::read(&pair.cert_file, &mut files)?;
                let key = Pem::read(&pair.key_file, &mut files)?;
                let certified = certify(cert.certificates()?, key.private_key()?, &provider)
                    .map_err(|error| TlsError::cert_and_key(&cert, &key, &error))?;
                builder.with_client_cert_resolver(certified)
            }
            None => builder.with_no_client_auth(),
        };
        // EMQX would accept HTTP/2, which gains nothing here and whose library has known weaknesses.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), files, warnings })
    }
}

fn server_verifier(
    trusted: &Arc<TrustedCertificates>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
    trusted.server_verifier(provider).map_err(|error| TlsError::Unsupported { reason: error.to_string() })
}

/// Returns a certificate chain together with the key of its first certificate, to be presented to every peer.
///
/// The constructor of the TLS library refuses X.509 v1, which many instructions produce for client certificates, and
/// which brokers accept.
///
/// # Errors
/// A key of an unsupported kind, or of another certificate.
pub(crate) fn certify(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    provider: &CryptoProvider,
) -> Result<Arc<SingleCertAndKey>, rustls::Error> {
    let key = provider.key_provider.load_private_key(key)?;
    let certificate = chain.first().and_then(|certificate| Certificate::parse(certificate));
    if let (Some(of_key), Some((certificate, _))) = (key.public_key(), certificate)
        && of_key.as_ref() != certificate.public_key()
    {
        return Err(InconsistentKeys::KeyMismatch.into());
    }
    Ok(Arc::new(SingleCertAndKey::from(CertifiedKey::new(chain, key))))
}
