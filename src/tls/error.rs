//! Why TLS could not be set up.

use std::io;
use std::path::PathBuf;

use super::handshake_failure::explain;
use super::pem::{Pem, PemOrigin};

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
    /// The thread that should have read the files failed.
    #[error("cannot read the TLS files")]
    Thread(#[source] io::Error),
    /// A block of a PEM file cannot be read.
    #[error("{origin}:{line}: the {label} that begins here cannot be read: {reason}")]
    UnreadableBlock {
        /// The file.
        origin: PemOrigin,
        /// The line of the file, from 1.
        line: usize,
        /// What the block says it is, such as `CERTIFICATE`.
        label: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A PEM file without a certificate.
    #[error("{origin} holds no certificate; it must be a PEM file with at least one")]
    NoCertificate {
        /// The file.
        origin: PemOrigin,
    },
    /// A PEM file without a private key.
    #[error("{origin} holds no private key; it must be a PEM file with one")]
    NoPrivateKey {
        /// The file.
        origin: PemOrigin,
    },
    /// A private key that only a password opens.
    #[error("the private key in {origin} is encrypted; `openssl pkey -in KEY -out DECRYPTED` decrypts it")]
    EncryptedKey {
        /// The file.
        origin: PemOrigin,
    },
    /// The certificate and the key do not belong together, or are of an unsupported kind.
    #[error("{cert} and {key} are not a usable pair of certificate and key: {reason}")]
    CertAndKey {
        /// The certificate.
        cert: PemOrigin,
        /// The key.
        key: PemOrigin,
        /// What is wrong with it.
        reason: String,
    },
    /// The operating system has no certificate authorities.
    #[error("this system has no certificate authorities; install ca-certificates or name a CA file")]
    NoSystemRoots,
    /// A server name that no certificate can have.
    #[error("the server name must be a DNS name or an IP address")]
    ServerName,
    /// The TLS library does not accept the parameters.
    #[error("TLS cannot be set up: {reason}")]
    Unsupported {
        /// The error of the TLS library.
        reason: String,
    },
}

impl TlsError {
    /// Returns the error for parameters that the TLS library does not accept.
    pub(crate) fn unsupported(error: &rustls::Error) -> Self {
        Self::Unsupported { reason: explain(error) }
    }

    /// Returns the error for a certificate and key that the TLS library does not accept.
    pub(crate) fn cert_and_key(cert: &Pem, key: &Pem, error: &rustls::Error) -> Self {
        Self::CertAndKey { cert: cert.origin().clone(), key: key.origin().clone(), reason: explain(error) }
    }
}
