//! Certificates and keys in PEM files.

use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::handshake_failure::explain;
use super::{TlsError, TrustedCertificates};
use crate::certificate::Certificate;
use crate::watched_files::WatchedFiles;

/// Maximum size of a PEM file. The CA bundle of an operating system has 0.25 MiB.
const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;

/// Labels of blocks with a certificate. OpenSSL writes the second with its trust settings behind the certificate, and
/// reads the third.
const CERTIFICATE_LABELS: [&str; 3] = ["CERTIFICATE", "TRUSTED CERTIFICATE", "X509 CERTIFICATE"];

/// Reads the certificates of a PEM file, in the order of the file.
///
/// # Errors
/// A file that cannot be read, or contains no certificate or an unreadable one.
pub(crate) fn read_certificates(
    path: &Path,
    files: &mut WatchedFiles,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read(path, files)?;
    let mut certificates = Vec::new();
    for block in certificate_blocks(&pem) {
        let certificate = certificate(&block);
        certificates.push(certificate.map_err(|reason| TlsError::unreadable_block(path, &block, reason))?);
    }
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate { path: path.to_owned() });
    }
    Ok(certificates)
}

/// Reads the certificates of a PEM file as trusted ones, and returns them with a warning for each that cannot be read.
///
/// # Errors
/// A file that cannot be read, or contains no certificate that can.
pub(crate) fn read_trusted(
    path: &Path,
    files: &mut WatchedFiles,
) -> Result<(TrustedCertificates, Vec<String>), TlsError> {
    let pem = read(path, files)?;
    let (mut trusted, mut unreadable) = (TrustedCertificates::new(), Vec::new());
    for block in certificate_blocks(&pem) {
        let added = certificate(&block)
            .and_then(|certificate| trusted.add(certificate).map_err(|error| explain(&error)));
        unreadable.extend(added.err().map(|reason| TlsError::unreadable_block(path, &block, reason)));
    }
    if trusted.certificates().is_empty() {
        let nothing = TlsError::NoCertificate { path: path.to_owned() };
        return Err(unreadable.into_iter().next().unwrap_or(nothing));
    }
    Ok((trusted, unreadable.iter().map(|error| format!("{error}; it is skipped")).collect()))
}

/// Reads the first private key of a PEM file.
///
/// # Errors
/// A file that cannot be read, or contains no private key, an unreadable or an encrypted one.
pub(crate) fn read_private_key(
    path: &Path,
    files: &mut WatchedFiles,
) -> Result<PrivateKeyDer<'static>, TlsError> {
    let pem = read(path, files)?;
    let Some(block) = blocks(&pem).find(|block| block.label.ends_with("PRIVATE KEY")) else {
        return Err(TlsError::NoPrivateKey { path: path.to_owned() });
    };
    if block.label.starts_with("ENCRYPTED") || block.text.contains("\nProc-Type:") {
        return Err(TlsError::EncryptedKey { path: path.to_owned() });
    }
    PrivateKeyDer::from_pem_slice(block.text.as_bytes()).map_err(|error| {
        let reason = match error {
            pem::Error::NoItemsFound => "it is of an unsupported kind",
            _ => "it is not valid base64 between matching BEGIN and END lines",
        };
        TlsError::unreadable_block(path, &block, reason.to_owned())
    })
}

fn read(path: &Path, files: &mut WatchedFiles) -> Result<String, TlsError> {
    let content = files.read(path, MAX_FILE_BYTES);
    let content = content.map_err(|source| TlsError::Read { path: path.to_owned(), source })?;
    // Text between the blocks may be in any encoding, and is not read. Byte order marks stand inside the file too, where
    // several were concatenated.
    Ok(String::from_utf8_lossy(&content).replace('\u{feff}', ""))
}

/// A block of a PEM file, from its BEGIN line through its END line.
pub(super) struct Block<'a> {
    /// The number of the BEGIN line, from 1.
    pub(super) line: usize,
    /// What the BEGIN line says it is, such as `CERTIFICATE`.
    pub(super) label: &'a str,
    text: &'a str,
}

fn certificate_blocks(pem: &str) -> impl Iterator<Item = Block<'_>> {
    blocks(pem).filter(|block| CERTIFICATE_LABELS.contains(&block.label))
}

/// Returns the blocks of a PEM file. One without an END line extends to the next BEGIN line or the end of the file.
fn blocks(pem: &str) -> impl Iterator<Item = Block<'_>> {
    let mut lines = pem.split_inclusive('\n').scan(0, |offset, line| {
        let start = *offset;
        *offset += line.len();
        Some((start, line))
    });
    let begins: Vec<_> = lines
        .by_ref()
        .enumerate()
        .filter_map(|(index, (start, line))| begin_label(line).map(|label| (index + 1, start, label)))
        .collect();
    let ends: Vec<_> = begins.iter().skip(1).map(|(_, start, _)| *start).chain([pem.len()]).collect();
    begins.into_iter().zip(ends).map(|((line, start, label), end)| Block {
        line,
        label,
        text: up_to_end_line(&pem[start..end]),
    })
}

fn begin_label(line: &str) -> Option<&str> {
    line.trim_end().strip_prefix("-----BEGIN ")?.strip_suffix("-----")
}

/// Cuts what follows the END line.
fn up_to_end_line(text: &str) -> &str {
    let end = text.find("\n-----END ").map(|at| at + 1);
    let line_end = end.map(|at| text[at..].find('\n').map_or(text.len(), |length| at + length + 1));
    &text[..line_end.unwrap_or(text.len())]
}

/// Decodes a block with a certificate.
fn certificate(block: &Block<'_>) -> Result<CertificateDer<'static>, String> {
    let mut lines: Vec<&str> = block.text.lines().map(str::trim).collect();
    if lines.pop() != Some(format!("-----END {}-----", block.label).as_str()) {
        return Err("its END line is missing".to_owned());
    }
    let base64: String = lines.iter().skip(1).flat_map(|line| line.split_whitespace()).collect();
    let der = BASE64_STANDARD.decode(base64).map_err(|_| "it is not valid base64".to_owned())?;
    let (_, rest) = Certificate::parse(&der).ok_or("it is not a certificate")?;
    Ok(CertificateDer::from(der[..der.len() - rest.len()].to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_found_between_other_text_with_their_lines() {
        let pem = "text\r\n-----BEGIN A B-----\r\nAAAA\r\n-----END A B-----\r\nmore\n-----BEGIN C-----\n\
                   -----BEGIN D-----\n-----END D-----";
        let found: Vec<_> = blocks(pem).map(|block| (block.line, block.label, block.text)).collect();
        assert_eq!(
            found,
            [
                (2, "A B", "-----BEGIN A B-----\r\nAAAA\r\n-----END A B-----\r\n"),
                (6, "C", "-----BEGIN C-----\n"),
                (7, "D", "-----BEGIN D-----\n-----END D-----"),
            ]
        );
        assert_eq!(blocks("").count(), 0);
    }
}
