//! The `ssl` setting of a broker: which authorities to trust, and which certificate to present.

use rustls::pki_types::ServerName;
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::document::ScalarKind;
use super::mapping::Mapping;
use super::node_ref::{NOT_BOOLEAN, NodeRef};
use crate::tls::{BrokerTls, CertFiles, TlsSettings, Trust};

const EXPECTED: &str = "true, false, the path of a CA file, or a mapping of ca_file, cert_file, key_file, \
                     server_name and insecure_skip_verify";

/// Returns the settings of a broker without `ssl`.
pub(super) fn default() -> TlsSettings {
    trusting(Trust::System)
}

/// Reads the settings in any of their forms.
pub(super) fn read(value: &NodeRef<'_>) -> Option<TlsSettings> {
    if value.is_mapping() {
        return read_mapping(value);
    }
    match value.kind() {
        Some(ScalarKind::Bool(true)) => Some(trusting(Trust::System)),
        Some(ScalarKind::Bool(false)) => Some(trusting(Trust::SkipVerify)),
        Some(ScalarKind::Text) if value.is_boolean_word() => {
            value.refuse(format_args!("must be {EXPECTED}; {NOT_BOOLEAN}"))
        }
        Some(ScalarKind::Text) => value.file().map(|path| trusting(Trust::CaFile(path))),
        _ => value.expected(EXPECTED),
    }
}

/// Reads the files that the settings name; reports their errors and warnings at `value`.
pub(super) fn load(settings: TlsSettings, value: &NodeRef<'_>) -> Option<BrokerTls> {
    let (tls, warnings) = BrokerTls::load(settings).map_err(|error| value.error_from(&error)).ok()?;
    for warning in warnings {
        value.diagnostics().warning(format!("{}: {warning}", value.name()));
    }
    Some(tls)
}

/// Warns that settings other than `true` and `false` have no effect on an http URL.
pub(super) fn warn_without_tls(value: &NodeRef<'_>) {
    if !matches!(value.kind(), Some(ScalarKind::Bool(_))) {
        value.warn("has no effect, because api_url is http");
    }
}

impl Serialize for BrokerTls {
    /// Serializes the settings as the mapping that [`read`] reads.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let TlsSettings { trust, client_cert, server_name } = self.settings();
        let mut mapping = serializer.serialize_map(None)?;
        if let Trust::CaFile(path) = trust {
            mapping.serialize_entry("ca_file", path)?;
        }
        if let Some(CertFiles { cert_file, key_file }) = client_cert {
            mapping.serialize_entry("cert_file", cert_file)?;
            mapping.serialize_entry("key_file", key_file)?;
        }
        if let Some(name) = server_name {
            mapping.serialize_entry("server_name", name)?;
        }
        mapping.serialize_entry("insecure_skip_verify", &(*trust == Trust::SkipVerify))?;
        mapping.end()
    }
}

fn trusting(trust: Trust) -> TlsSettings {
    TlsSettings { trust, client_cert: None, server_name: None }
}

fn read_mapping(value: &NodeRef<'_>) -> Option<TlsSettings> {
    let mut mapping = Mapping::open(value, EXPECTED)?;
    let trust = read_trust(&mut mapping);
    let client_cert = read_client_cert(&mut mapping, value);
    let server_name = mapping.optional("server_name").and_then(|name| read_server_name(&name));
    mapping.finish();
    Some(TlsSettings { trust, client_cert, server_name })
}

fn read_trust(mapping: &mut Mapping<'_>) -> Trust {
    let ca_file = mapping.optional("ca_file");
    let skips_verification = mapping.bool_or("insecure_skip_verify", false);
    match ca_file {
        Some(ca_file) if skips_verification => {
            ca_file.error("conflicts with insecure_skip_verify: true; keep one of them");
            Trust::SkipVerify
        }
        Some(ca_file) => ca_file.file().map_or(Trust::System, Trust::CaFile),
        None if skips_verification => Trust::SkipVerify,
        None => Trust::System,
    }
}

fn read_client_cert(mapping: &mut Mapping<'_>, whole: &NodeRef<'_>) -> Option<CertFiles> {
    match (mapping.optional("cert_file"), mapping.optional("key_file")) {
        (Some(cert_file), Some(key_file)) => {
            let (cert_file, key_file) = (cert_file.file(), key_file.file());
            Some(CertFiles { cert_file: cert_file?, key_file: key_file? })
        }
        (None, None) => None,
        (Some(_), None) => whole.refuse("cert_file needs key_file; set both or neither"),
        (None, Some(_)) => whole.refuse("key_file needs cert_file; set both or neither"),
    }
}

fn read_server_name(value: &NodeRef<'_>) -> Option<String> {
    const EXPECTED: &str = "a DNS name or an IP address";
    let name = value.line(EXPECTED)?;
    if ServerName::try_from(name).is_err() { value.expected(EXPECTED) } else { Some(name.to_owned()) }
}
