//! Facts that a certificate states about itself.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use rustls::pki_types::UnixTime;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::time::ASN1Time;

/// A parsed certificate of any X.509 version.
pub(crate) struct Certificate<'a>(X509Certificate<'a>);

/// The side of a TLS connection that presents a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

impl<'a> Certificate<'a> {
    /// Parses the certificate at the beginning of `der`, and returns it with the bytes that follow it; `None` when
    /// there is no certificate.
    pub(crate) fn parse(der: &'a [u8]) -> Option<(Self, &'a [u8])> {
        X509Certificate::from_der(der).ok().map(|(rest, certificate)| (Self(certificate), rest))
    }

    /// The beginning of its validity.
    pub(crate) fn not_before(&self) -> UnixTime {
        unix_time(self.0.validity().not_before)
    }

    /// The end of its validity.
    pub(crate) fn not_after(&self) -> UnixTime {
        unix_time(self.0.validity().not_after)
    }

    /// Its public key, as a DER-encoded `SubjectPublicKeyInfo`.
    pub(crate) fn public_key(&self) -> &[u8] {
        self.0.public_key().raw
    }

    /// Returns whether its extended key usage, if it has one, allows this side to present it.
    pub(crate) fn may_be_presented_by(&self, side: Side) -> bool {
        match self.0.extended_key_usage() {
            Ok(None) => true,
            Ok(Some(usage)) => match side {
                Side::Client => usage.value.any || usage.value.client_auth,
                Side::Server => usage.value.any || usage.value.server_auth,
            },
            Err(_) => false,
        }
    }

    /// The common name of its subject.
    pub(crate) fn common_name(&self) -> Option<&str> {
        self.0.subject().iter_common_name().next().and_then(|name| name.as_str().ok())
    }

    /// The DNS names and IP addresses of its subject alternative name extension.
    pub(crate) fn names(&self) -> Vec<String> {
        self.general_names(name)
    }

    /// The same together with e-mail addresses and URIs.
    pub(crate) fn alternative_names(&self) -> Vec<String> {
        self.general_names(|general_name| match general_name {
            GeneralName::RFC822Name(name) | GeneralName::URI(name) => Some((*name).to_owned()),
            _ => name(general_name),
        })
    }

    fn general_names(&self, text_of: impl Fn(&GeneralName<'_>) -> Option<String>) -> Vec<String> {
        let names = self.0.subject_alternative_name().ok().flatten();
        names.iter().flat_map(|names| &names.value.general_names).filter_map(text_of).collect()
    }
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(address) => <[u8; 4]>::try_from(*address)
            .map(|octets| Ipv4Addr::from(octets).to_string())
            .or_else(|_| <[u8; 16]>::try_from(*address).map(|octets| Ipv6Addr::from(octets).to_string()))
            .ok(),
        _ => None,
    }
}

/// Times before 1970 count as 1970.
fn unix_time(time: ASN1Time) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(u64::try_from(time.timestamp()).unwrap_or_default()))
}
