//! Why TLS failed, in words. The TLS library names most causes only by the identifiers of its source code.

use std::fmt;
use std::io;

use jiff::Timestamp;
use rustls::pki_types::UnixTime;
use rustls::{
    AlertDescription, CertificateError, Error, InconsistentKeys, InvalidMessage, OtherError, PeerIncompatible,
};

use crate::humanize::{age, utc};

/// Maximum number of names listed of a certificate.
const MAX_NAMES: usize = 8;
/// Maximum number of characters shown of each name.
const MAX_NAME_CHARS: usize = 100;

/// Returns why a TLS connection failed: one lower-case clause, which holds no text of the peer's but the names in its
/// certificate.
pub(crate) fn explain_io(error: &io::Error) -> String {
    if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        return explain(error);
    }
    match error.to_string() {
        // The texts of tokio-rustls and rustls.
        text if text == "tls handshake eof" => "the peer closed the connection during the handshake".to_owned(),
        text if text.starts_with("peer closed connection without") => {
            "the peer closed the connection without a TLS closure alert".to_owned()
        }
        text => text,
    }
}

/// The same of an error of the TLS library.
pub(crate) fn explain(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(error) => explain_certificate(error),
        Error::AlertReceived(alert) => explain_alert(*alert),
        Error::PeerIncompatible(error) => explain_incompatibility(error),
        Error::PeerMisbehaved(error) => format!("the peer violated the TLS protocol: {}", words(error)),
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => "the peer does not speak TLS".to_owned(),
        Error::InvalidMessage(error) => format!("the peer sent an invalid TLS message: {}", words(error)),
        Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
            "the peer sent an unexpected TLS message".to_owned()
        }
        Error::NoCertificatesPresented => "the peer presented no certificate".to_owned(),
        Error::NoApplicationProtocol => "the peer does not offer HTTP/1.1 (ALPN)".to_owned(),
        Error::DecryptError => "a TLS message of the peer cannot be decrypted".to_owned(),
        Error::PeerSentOversizedRecord => "the peer sent a TLS record that is too large".to_owned(),
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            "the key does not belong to the first certificate in the file".to_owned()
        }
        Error::InconsistentKeys(_) => "the key cannot be compared with the certificate".to_owned(),
        Error::General(text) => text.clone(),
        error => words(error),
    }
}

fn explain_certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::BadEncoding => "the certificate cannot be parsed".to_owned(),
        CertificateError::ExpiredContext { time, not_after } => format!(
            "the certificate expired at {}, {} ago",
            shown_time(*not_after),
            age(time.as_secs().saturating_sub(not_after.as_secs()))
        ),
        CertificateError::Expired => "the certificate ends before it begins".to_owned(),
        CertificateError::NotValidYet => "the certificate is not valid yet".to_owned(),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("the certificate is not valid before {}", shown_time(*not_before))
        }
        CertificateError::UnknownIssuer => "the certificate was issued by an unknown authority".to_owned(),
        CertificateError::NotValidForNameContext { expected, presented } => {
            format!("the certificate is not valid for {}{}", expected.to_str(), listed(presented))
        }
        CertificateError::NotValidForName => "the certificate is not valid for the name".to_owned(),
        CertificateError::BadSignature => "a signature of the certificate chain or handshake is invalid".to_owned(),
        CertificateError::UnhandledCriticalExtension => {
            "the certificate has a critical extension that is not supported".to_owned()
        }
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "the certificate has a key or signature of an unsupported kind, such as SHA-1 or RSA below 2048 bits"
                .to_owned()
        }
        CertificateError::InvalidPurpose => {
            "the extended key usage of the certificate does not allow this use".to_owned()
        }
        CertificateError::InvalidPurposeContext { required, .. } => {
            format!("the extended key usage of the certificate does not include {required}")
        }
        CertificateError::Other(OtherError(error)) => match error.downcast_ref() {
            Some(error) => explain_path(error),
            None => error.to_string(),
        },
        error => format!("the certificate is invalid: {}", words(error)),
    }
}

/// Explains the less common errors of the library for certificate chains.
fn explain_path(error: &webpki::Error) -> String {
    match error {
        webpki::Error::UnsupportedCertVersion => {
            "the certificate is of X.509 version 1, which cannot state its names; issue it with extensions \
             (subjectAltName)"
        }
        webpki::Error::CaUsedAsEndEntity => {
            "the certificate is one of a certificate authority, such as a self-signed one, and not itself among the \
             trusted ones"
        }
        webpki::Error::EndEntityUsedAsCa => {
            "the certificate was issued by one that is no certificate authority"
        }
        webpki::Error::UnsupportedCriticalExtension => {
            "the certificate has a critical extension that is not supported"
        }
        webpki::Error::NameConstraintViolation => {
            "the names of the certificate violate the name constraints of its authority"
        }
        webpki::Error::PathLenConstraintViolated | webpki::Error::MaximumPathDepthExceeded => {
            "the certificate chain is too long"
        }
        error => return format!("the certificate is invalid: {}", words(error)),
    }
    .to_owned()
}

fn explain_alert(alert: AlertDescription) -> String {
    let hint = match alert {
        AlertDescription::CertificateRequired => "it requires a client certificate",
        AlertDescription::UnknownCA => "it does not know the issuer of our certificate",
        AlertDescription::BadCertificate
        | AlertDescription::UnsupportedCertificate
        | AlertDescription::CertificateUnknown => "it does not accept our certificate",
        AlertDescription::CertificateExpired => "our certificate has expired",
        AlertDescription::CertificateRevoked => "our certificate is revoked",
        AlertDescription::ProtocolVersion => "it supports neither TLS 1.2 nor TLS 1.3",
        AlertDescription::HandshakeFailure => "it found no common parameters, or misses a client certificate",
        AlertDescription::UnrecognisedName => "it does not serve the requested name",
        AlertDescription::AccessDenied => "it denies access to our certificate",
        AlertDescription::Unknown(number) => return format!("the peer sent the unknown TLS alert {number}"),
        _ => return format!("the peer sent the TLS alert \"{}\"", words(&alert)),
    };
    format!("the peer sent the TLS alert \"{}\": {hint}", words(&alert))
}

fn explain_incompatibility(error: &PeerIncompatible) -> String {
    match error {
        PeerIncompatible::ServerDoesNotSupportTls12Or13
        | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
        | PeerIncompatible::Tls12NotOffered
        | PeerIncompatible::Tls12NotOfferedOrEnabled
        | PeerIncompatible::SupportedVersionsExtensionRequired => "there is no common TLS version".to_owned(),
        PeerIncompatible::NoCipherSuitesInCommon => "there is no common cipher suite".to_owned(),
        PeerIncompatible::NoKxGroupsInCommon | PeerIncompatible::NamedGroupsExtensionRequired => {
            "there is no common key exchange group".to_owned()
        }
        PeerIncompatible::NoSignatureSchemesInCommon
        | PeerIncompatible::NoCertificateRequestSignatureSchemesInCommon => {
            "there is no common signature scheme".to_owned()
        }
        error => format!("the peer is incompatible: {}", words(error)),
    }
}

/// Returns the names a certificate has instead of the expected one.
fn listed(names: &[String]) -> String {
    if names.is_empty() {
        return ": it states no names (subjectAltName), and a common name does not count".to_owned();
    }
    let shown = names.iter().take(MAX_NAMES);
    let shown: Vec<String> = shown.map(|name| name.chars().take(MAX_NAME_CHARS).collect()).collect();
    let rest = match names.len().saturating_sub(MAX_NAMES) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(", only for {}{rest}", shown.join(", ").escape_debug())
}

fn shown_time(time: UnixTime) -> String {
    let time = i64::try_from(time.as_secs()).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.map_or_else(|| "a time out of range".to_owned(), utc)
}

/// Splits the identifier at the beginning of a `Debug` text into words: `UnknownCA` becomes `unknown CA`.
fn words(error: &impl fmt::Debug) -> String {
    let debug = format!("{error:?}");
    let letters: Vec<char> = debug.chars().take_while(char::is_ascii_alphanumeric).collect();
    let mut spaced = String::new();
    for (index, letter) in letters.iter().enumerate() {
        let begins_word = letter.is_ascii_uppercase()
            && index > 0
            && (!letters[index - 1].is_ascii_uppercase()
                || letters.get(index + 1).is_some_and(char::is_ascii_lowercase));
        if begins_word {
            spaced.push(' ');
        }
        spaced.push(*letter);
    }
    let is_acronym = |word: &str| word.len() > 1 && word.chars().all(|letter| letter.is_ascii_uppercase());
    let words: Vec<_> = spaced
        .split(' ')
        .map(|word| if is_acronym(word) { word.to_owned() } else { word.to_ascii_lowercase() })
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_without_a_sentence_of_their_own_are_in_words_too() {
        let alert = |alert| explain(&Error::AlertReceived(alert));
        assert_eq!(
            alert(AlertDescription::UnknownPSKIdentity),
            "the peer sent the TLS alert \"unknown PSK identity\""
        );
        assert_eq!(alert(AlertDescription::DecodeError), "the peer sent the TLS alert \"decode error\"");
        assert_eq!(alert(AlertDescription::Unknown(200)), "the peer sent the unknown TLS alert 200");
        let path = |error: webpki::Error| {
            explain(&Error::InvalidCertificate(CertificateError::Other(OtherError(std::sync::Arc::new(error)))))
        };
        assert_eq!(
            path(webpki::Error::MalformedExtensions),
            "the certificate is invalid: malformed extensions"
        );
        assert_eq!(
            explain(&Error::InvalidMessage(InvalidMessage::MissingData("a field"))),
            "the peer sent an invalid TLS message: missing data"
        );
    }

    #[test]
    fn names_of_a_certificate_are_bounded_and_harmless() {
        let names: Vec<_> = (0..20).map(|number| format!("{number}\u{1b}[31m{}", "x".repeat(200))).collect();
        let listed = listed(&names);
        assert!(listed.len() < MAX_NAMES * (MAX_NAME_CHARS + 10) + 50, "{listed}");
        assert!(listed.ends_with(" and 12 more") && !listed.contains('\u{1b}'), "{listed}");
    }
}
