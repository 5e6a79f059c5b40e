//! Why TLS could not be set up.

use std::io;
use std::path::{Path, PathBuf};

use super::CertFiles;
use super::handshake_failure::explain;
use super::pem::Block;

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
    #[error("{}:{line}: the {label} that begins here cannot be read: {reason}", path.display())]
    UnreadableBlock {
        /// The file.
        path: PathBuf,
        /// The line of the file, from 1.
        line: usize,
        /// What the block says it is, such as `CERTIFICATE`.
        label: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A PEM file without a certificate.
    #[error("{} holds no certificate; it must be a PEM file with at least one", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// A PEM file without a private key.
    #[error("{} holds no private key; it must be a PEM file with one", path.display())]
    NoPrivateKey {
        /// The file.
        path: PathBuf,
    },
    /// A private key that only a password opens.
    #[error("the private key in {} is encrypted; `openssl pkey -in KEY -out DECRYPTED` decrypts it", path.display())]
    EncryptedKey {
        /// The file.
        path: PathBuf,
    },
    /// The certificate and the key do not belong together, or are of an unsupported kind.
    #[error("{} and {} are not a usable pair of certificate and key: {reason}", files.cert_file.display(), files.key_file.display())]
    CertAndKey {
        /// The pair.
        files: CertFiles,
        /// What is wrong with it.
        reason: String,
    },
    /// The operating system has no certificate authorities.
    #[error("this system has no certificate authorities; install ca-certificates or name a CA file")]
    NoSystemRoots,
    /// A server name that no certificate can have.
    #[error("the server name must be a DNS name or an IP address")]
    ServerName,
    /// The TLS library refused its own defaults.
    #[error("TLS cannot be set up: {reason}")]
    Unsupported {
        /// The error of the TLS library.
        reason: String,
    },
}

impl TlsError {
    pub(super) fn unreadable_block(path: &Path, block: &Block<'_>, reason: String) -> Self {
        Self::UnreadableBlock { path: path.to_owned(), line: block.line, label: block.label.to_owned(), reason }
    }

    /// Returns the error for a certificate and key that the TLS library does not accept.
    pub(crate) fn cert_and_key(files: &CertFiles, error: &rustls::Error) -> Self {
        Self::CertAndKey { files: files.clone(), reason: explain(error) }
    }
}
