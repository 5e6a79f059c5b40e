//! Certificates and keys in PEM files.

use std::fmt;
use std::path::{Path, PathBuf};

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

/// The text of a PEM file, or one that the configuration itself holds.
pub(crate) struct Pem {
    origin: PemOrigin,
    text: String,
}

/// Where a PEM text comes from, as messages name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PemOrigin {
    /// From this file.
    File(PathBuf),
    /// From the configuration itself, under this key.
    Inline(&'static str),
}

impl fmt::Display for PemOrigin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(formatter),
            Self::Inline(key) => write!(formatter, "the text of {key}"),
        }
    }
}

impl Pem {
    /// Reads a PEM file.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(crate) fn read(path: &Path, files: &mut WatchedFiles) -> Result<Self, TlsError> {
        let content = files.read(path, MAX_FILE_BYTES);
        let content = content.map_err(|source| TlsError::Read { path: path.to_owned(), source })?;
        // Text between the blocks may be in any encoding, and is not read.
        Ok(Self::new(PemOrigin::File(path.to_owned()), &String::from_utf8_lossy(&content)))
    }

    /// Takes a text that the configuration itself holds under this key.
    pub(crate) fn inline(key: &'static str, text: &str) -> Self {
        Self::new(PemOrigin::Inline(key), text)
    }

    fn new(origin: PemOrigin, text: &str) -> Self {
        // Byte order marks stand inside the file too, where several were concatenated.
        Self { origin, text: text.replace('\u{feff}', "") }
    }

    /// Where the text comes from.
    pub(crate) fn origin(&self) -> &PemOrigin {
        &self.origin
    }

    /// Returns the certificates, in the order of the text.
    ///
    /// # Errors
    /// No certificate, or an unreadable one.
    pub(crate) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let mut certificates = Vec::new();
        for block in certificate_blocks(&self.text) {
            let certificate = certificate(&block);
            certificates.push(certificate.map_err(|reason| self.unreadable(&block, reason))?);
        }
        if certificates.is_empty() {
            return Err(TlsError::NoCertificate { origin: self.origin.clone() });
        }
        Ok(certificates)
    }

    /// Returns the certificates as trusted ones, with a warning for each that cannot be read.
    ///
    /// # Errors
    /// No certificate that can be read.
    pub(crate) fn trusted(&self) -> Result<(TrustedCertificates, Vec<String>), TlsError> {
        let (mut trusted, mut unreadable) = (TrustedCertificates::new(), Vec::new());
        for block in certificate_blocks(&self.text) {
            let added = certificate(&block)
                .and_then(|certificate| trusted.add(certificate).map_err(|error| explain(&error)));
            unreadable.extend(added.err().map(|reason| self.unreadable(&block, reason)));
        }
        if trusted.certificates().is_empty() {
            let nothing = TlsError::NoCertificate { origin: self.origin.clone() };
            return Err(unreadable.into_iter().next().unwrap_or(nothing));
        }
        Ok((trusted, unreadable.iter().map(|error| format!("{error}; it is skipped")).collect()))
    }

    /// Returns the first private key.
    ///
    /// # Errors
    /// No private key, or an unreadable or an encrypted one.
    pub(crate) fn private_key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        let Some(block) = blocks(&self.text).find(|block| block.label.ends_with("PRIVATE KEY")) else {
            return Err(TlsError::NoPrivateKey { origin: self.origin.clone() });
        };
        if block.label.starts_with("ENCRYPTED") || block.text.contains("\nProc-Type:") {
            return Err(TlsError::EncryptedKey { origin: self.origin.clone() });
        }
        PrivateKeyDer::from_pem_slice(block.text.as_bytes()).map_err(|error| {
            let reason = match error {
                pem::Error::NoItemsFound => "it is of an unsupported kind",
                _ => "it is not valid base64 between matching BEGIN and END lines",
            };
            self.unreadable(&block, reason.to_owned())
        })
    }

    fn unreadable(&self, block: &Block<'_>, reason: String) -> TlsError {
        TlsError::UnreadableBlock {
            origin: self.origin.clone(),
            line: block.line,
            label: block.label.to_owned(),
            reason,
        }
    }
}

/// A block of a PEM file, from its BEGIN line through its END line.
struct Block<'a> {
    /// The number of the BEGIN line, from 1.
    line: usize,
    /// What the BEGIN line says it is, such as `CERTIFICATE`.
    label: &'a str,
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
