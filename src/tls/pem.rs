//! Certificates and keys in PEM files.

use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::TlsError;
use crate::watched_files::WatchedFiles;

/// Maximum size of a PEM file. The CA bundle of an operating system has 0.25 MiB.
const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;

/// Reads the certificates of a PEM file, in the order of the file.
///
/// # Errors
/// A file that cannot be read, is not PEM or contains no certificate.
pub(crate) fn read_certificates(
    path: &Path,
    files: &mut WatchedFiles,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(&read(path, files)?)
        .collect::<Result<_, _>>()
        .map_err(|source| TlsError::Pem { path: path.to_owned(), source })?;
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate { path: path.to_owned() });
    }
    Ok(certificates)
}

/// Reads the certificates of a PEM file as trust anchors, without those that cannot be parsed.
///
/// # Errors
/// As of [`read_certificates`], or none of the certificates can be parsed.
pub(crate) fn read_roots(path: &Path, files: &mut WatchedFiles) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    let (added, _) = roots.add_parsable_certificates(read_certificates(path, files)?);
    if added == 0 {
        return Err(TlsError::NoCertificate { path: path.to_owned() });
    }
    Ok(roots)
}

/// Reads the first private key of a PEM file.
///
/// # Errors
/// A file that cannot be read, is not PEM or contains no private key.
pub(crate) fn read_private_key(
    path: &Path,
    files: &mut WatchedFiles,
) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(&read(path, files)?)
        .map_err(|source| TlsError::Pem { path: path.to_owned(), source })
}

fn read(path: &Path, files: &mut WatchedFiles) -> Result<Vec<u8>, TlsError> {
    files.read(path, MAX_FILE_BYTES).map_err(|source| TlsError::Read { path: path.to_owned(), source })
}
