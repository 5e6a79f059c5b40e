//! The `ssl` of a broker: whom to trust, and what to show.

use rustls::pki_types::ServerName;

use super::document::Kind;
use super::section::Section;
use super::value::Value;
use crate::tls::{BrokerTls, CertFiles, TlsSettings, Trust};

const RIGHT: &str = "true, false, the name of a CA file, or a mapping of ca_file, cert_file, key_file, \
                     server_name and insecure_skip_verify";

/// What holds when nothing is said.
pub(super) fn default() -> TlsSettings {
    trusting(Trust::System)
}

/// The settings in any of their forms.
pub(super) fn read(value: &Value<'_>) -> Option<TlsSettings> {
    if value.is_mapping() {
        return read_mapping(value);
    }
    match value.kind() {
        Some(Kind::Bool(true)) => Some(trusting(Trust::System)),
        Some(Kind::Bool(false)) => Some(trusting(Trust::SkipVerify)),
        Some(Kind::Text) => value.file().map(|path| trusting(Trust::CaFile(path))),
        _ => value.expected(RIGHT),
    }
}

/// Reads the files; what is wrong with them is a problem of the setting at `value`.
pub(super) fn load(settings: TlsSettings, value: &Value<'_>) -> Option<BrokerTls> {
    let tls = BrokerTls::load(settings).map_err(|error| value.error_from(&error)).ok()?;
    for warning in tls.warnings() {
        value.diagnostics().warning(format!("{}: {warning}", value.name()));
    }
    Some(tls)
}

/// Says that settings other than `true` and `false` are in vain without TLS.
pub(super) fn warn_without_tls(value: &Value<'_>) {
    if !matches!(value.kind(), Some(Kind::Bool(_))) {
        value.diagnostics().warning(format!("{} has no effect: api_url is http", value.name()));
    }
}

fn trusting(trust: Trust) -> TlsSettings {
    TlsSettings { trust, client_cert: None, server_name: None }
}

fn read_mapping(value: &Value<'_>) -> Option<TlsSettings> {
    let mut section = Section::open(value, RIGHT)?;
    let trust = read_trust(&mut section);
    let client_cert = read_client_cert(&mut section, value);
    let server_name = section.optional("server_name").and_then(|name| read_server_name(&name));
    section.finish();
    Some(TlsSettings { trust, client_cert, server_name })
}

fn read_trust(section: &mut Section<'_>) -> Trust {
    let ca_file = section.optional("ca_file");
    let skips_verification = section.bool_or("insecure_skip_verify", false);
    match ca_file {
        Some(ca_file) if skips_verification => {
            ca_file.error("contradicts insecure_skip_verify, which trusts anyone; keep one of them");
            Trust::SkipVerify
        }
        Some(ca_file) => ca_file.file().map_or(Trust::System, Trust::CaFile),
        None if skips_verification => Trust::SkipVerify,
        None => Trust::System,
    }
}

fn read_client_cert(section: &mut Section<'_>, whole: &Value<'_>) -> Option<CertFiles> {
    match (section.optional("cert_file"), section.optional("key_file")) {
        (Some(cert_file), Some(key_file)) => {
            let (cert_file, key_file) = (cert_file.file(), key_file.file());
            Some(CertFiles { cert_file: cert_file?, key_file: key_file? })
        }
        (None, None) => None,
        (Some(_), None) => whole.expected("given key_file as well: cert_file needs it"),
        (None, Some(_)) => whole.expected("given cert_file as well: key_file needs it"),
    }
}

fn read_server_name(value: &Value<'_>) -> Option<String> {
    const RIGHT: &str = "a DNS name or an IP address";
    let name = value.line(RIGHT)?;
    if ServerName::try_from(name).is_err() { value.expected(RIGHT) } else { Some(name.to_owned()) }
}
