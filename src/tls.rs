//! TLS towards a broker, loaded from the files of the configuration and loaded again when they change.

mod pem;
mod verifier;

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore, crypto};

use crate::watched_files::WatchedFiles;

pub(crate) use self::pem::{read_certificates, read_private_key, read_roots};
pub(crate) use self::verifier::AnyCertificate;

/// The TLS settings of a broker, as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// Which certificates of the broker are accepted.
    pub trust: Trust,
    /// The client certificate for a broker that requests one.
    pub client_cert: Option<CertFiles>,
    /// The name that the broker's certificate must have and that SNI sends, instead of the URL's host.
    pub server_name: Option<String>,
}

/// Which certificates of a broker are accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// Those issued by the certificate authorities of the operating system.
    System,
    /// Those issued by the certificate authorities in this PEM file.
    CaFile(PathBuf),
    /// Every certificate: nothing is verified.
    SkipVerify,
}

/// A certificate and its private key, both in PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertFiles {
    /// The certificate chain, the end-entity certificate first.
    pub cert_file: PathBuf,
    /// The private key.
    pub key_file: PathBuf,
}

/// Why TLS could not be set up. One sentence, which names the file.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is missing, unreadable or too large.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// A file is not PEM, or contains something other than it should.
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
    #[error("{} and {} are not a usable pair of certificate and key", files.cert_file.display(), files.key_file.display())]
    CertAndKey {
        /// The pair.
        files: CertFiles,
        /// The error of the TLS library.
        source: rustls::Error,
    },
    /// The operating system has no certificate authorities.
    #[error("this system has no certificate authorities; install ca-certificates or name a CA file")]
    NoSystemRoots,
    /// A server name that no certificate can have.
    #[error("the server name must be a DNS name or an IP address")]
    ServerName,
    /// The TLS library refused its own defaults.
    #[error("TLS cannot be set up")]
    Unsupported(#[from] rustls::Error),
}

/// TLS towards one broker, shared by its probes so that TLS sessions are resumed.
#[derive(Debug)]
pub struct BrokerTls {
    settings: TlsSettings,
    loaded: Mutex<Arc<Loaded>>,
}

impl PartialEq for BrokerTls {
    /// Compares the settings. The contents of the files may change at any time.
    fn eq(&self, other: &Self) -> bool {
        self.settings == other.settings
    }
}

/// The configuration of the TLS library, and the files it was made from.
#[derive(Debug)]
struct Loaded {
    config: Arc<ClientConfig>,
    files: WatchedFiles,
}

impl BrokerTls {
    /// Reads the files, so that a bad one is found when the configuration is loaded.
    ///
    /// # Errors
    /// A file that cannot be read or contains no certificate or key, a pair that does not match, a server name that
    /// no certificate can have, or a system without certificate authorities where these are needed.
    pub fn load(settings: TlsSettings) -> Result<Self, TlsError> {
        if let Some(name) = &settings.server_name {
            ServerName::try_from(name.as_str()).map_err(|_| TlsError::ServerName)?;
        }
        let loaded = Arc::new(Loaded::read(&settings)?);
        Ok(Self { settings, loaded: Mutex::new(loaded) })
    }

    /// Returns the configuration for a new probe, and reads files that have changed. It blocks on these files.
    ///
    /// # Errors
    /// As of [`BrokerTls::load`].
    pub fn current(&self) -> Result<Arc<ClientConfig>, TlsError> {
        // Not locked while files are read, so that nobody waits for a hung disk twice.
        let mut loaded = Arc::clone(&self.lock());
        if loaded.files.have_changed() {
            loaded = Arc::new(Loaded::read(&self.settings)?);
            *self.lock() = Arc::clone(&loaded);
        }
        Ok(Arc::clone(&loaded.config))
    }

    fn lock(&self) -> MutexGuard<'_, Arc<Loaded>> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The name to verify and to send by SNI, where it is not the URL's host.
    pub fn server_name(&self) -> Option<&str> {
        self.settings.server_name.as_deref()
    }

    /// The settings it was loaded from.
    pub fn settings(&self) -> &TlsSettings {
        &self.settings
    }
}

impl Loaded {
    fn read(settings: &TlsSettings) -> Result<Self, TlsError> {
        let mut files = WatchedFiles::default();
        let config = Arc::new(read_config(settings, &mut files)?);
        Ok(Self { config, files })
    }
}

fn read_config(settings: &TlsSettings, files: &mut WatchedFiles) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let builder = match &settings.trust {
        Trust::System => builder.with_root_certificates(system_roots()?),
        Trust::CaFile(path) => builder.with_root_certificates(read_roots(path, files)?),
        Trust::SkipVerify => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate::new(true, &provider)))
        }
    };
    let mut config = match &settings.client_cert {
        Some(pair) => {
            let chain = read_certificates(&pair.cert_file, files)?;
            let key = read_private_key(&pair.key_file, files)?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|source| TlsError::CertAndKey { files: pair.clone(), source })?
        }
        None => builder.with_no_client_auth(),
    };
    // EMQX would accept HTTP/2, which gains nothing here and whose library has known weaknesses.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn system_roots() -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if added == 0 {
        return Err(TlsError::NoSystemRoots);
    }
    Ok(roots)
}
