//! TLS towards a broker: made from the configuration's files, and made anew when those files change.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::ClientConfig;

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
#[error("x")]
pub struct TlsError;

/// The TLS set-up of one broker.
#[derive(Debug)]
pub struct Tls;

impl Tls {
    /// Reads the files once, so that a bad one is found at the start.
    ///
    /// # Errors
    /// A file that cannot be read or holds no certificate or key.
    pub fn load(_settings: TlsSettings) -> Result<Self, TlsError> {
        Err(TlsError)
    }

    /// The set-up for a new probe, with files that have changed read anew.
    pub fn current(&self) -> Result<Arc<ClientConfig>, TlsError> {
        Err(TlsError)
    }
}
