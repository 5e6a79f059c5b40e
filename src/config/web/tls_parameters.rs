//! TLS versions, cipher suites and curves, by the names of Go's TLS library, from which the toolkit took them.

use std::collections::HashSet;

use rustls::crypto::{CryptoProvider, SupportedKxGroup, ring};
use rustls::version::{TLS12, TLS13};
use rustls::{NamedGroup, SupportedCipherSuite, SupportedProtocolVersion};

use crate::config::mapping::Mapping;
use crate::config::node_ref::NodeRef;

/// Cipher suites of Go that the TLS library lacks: those with CBC or without forward secrecy.
const LACKING_SUITES: [&str; 8] = [
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
];

/// Go's names of curves that the TLS library has.
const CURVES: [(&str, NamedGroup); 3] = [
    ("X25519", NamedGroup::X25519),
    ("CurveP256", NamedGroup::secp256r1),
    ("CurveP384", NamedGroup::secp384r1),
];

/// Curves of Go that it lacks.
const LACKING_CURVES: [&str; 2] = ["CurveP521", "X25519MLKEM768"];

/// Go's names of TLS versions, from the oldest.
const VERSIONS: [&str; 4] = ["TLS10", "TLS11", "TLS12", "TLS13"];
const TLS12_INDEX: usize = 2;
const TLS13_INDEX: usize = 3;

/// What is offered in TLS handshakes.
pub(super) struct Parameters {
    /// The cipher suites and curves, the preferred ones first.
    pub(super) provider: CryptoProvider,
    pub(super) versions: Vec<&'static SupportedProtocolVersion>,
    /// Whether the order of the cipher suites counts, not that of the client.
    pub(super) prefers_server_order: bool,
}

impl Parameters {
    /// Reads the settings in `tls_server_config`.
    pub(super) fn read(section: &mut Mapping<'_>) -> Option<Self> {
        let versions = read_versions(section.optional("min_version"), section.optional("max_version"));
        let cipher_suites = section.optional("cipher_suites").map(|list| read_cipher_suites(&list));
        let curves = section.optional("curve_preferences").map(|list| read_curves(&list));
        let prefers_server_order = section.bool_or("prefer_server_cipher_suites", true);

        let mut provider = ring::default_provider();
        if let Some(cipher_suites) = cipher_suites {
            provider.cipher_suites = cipher_suites?;
        }
        if let Some(curves) = curves {
            provider.kx_groups = curves?;
        }
        Some(Self { provider, versions: versions?, prefers_server_order })
    }
}

/// Returns the listed cipher suites. Those of TLS 1.3 are always enabled, as in Go.
fn read_cipher_suites(list: &NodeRef<'_>) -> Option<Vec<SupportedCipherSuite>> {
    let all = ring::default_provider().cipher_suites;
    let named: Vec<_> = all.iter().map(|suite| (go_name(*suite), *suite)).collect();
    let listed = read_names(list, &named, &LACKING_SUITES)?;
    if listed.is_empty() {
        return Some(all);
    }
    let (listed_of_tls13, of_tls12): (Vec<_>, Vec<_>) = listed.into_iter().partition(is_of_tls13);
    let of_tls13: Vec<_> = all.into_iter().filter(is_of_tls13).collect();
    if !listed_of_tls13.is_empty() && listed_of_tls13.len() < of_tls13.len() {
        list.warn("selects cipher suites of TLS 1.2 only: all of TLS 1.3 are always enabled");
    }
    Some([of_tls13, of_tls12].concat())
}

fn is_of_tls13(suite: &SupportedCipherSuite) -> bool {
    suite.tls13().is_some()
}

/// The names of both libraries differ in the prefix of TLS 1.3 only.
fn go_name(suite: SupportedCipherSuite) -> String {
    suite.suite().as_str().unwrap_or_default().replace("TLS13_", "TLS_")
}

fn read_curves(list: &NodeRef<'_>) -> Option<Vec<&'static dyn SupportedKxGroup>> {
    let all = ring::default_provider().kx_groups;
    let named: Vec<_> = CURVES
        .iter()
        .filter_map(|(name, curve)| {
            let group = all.iter().find(|group| group.name() == *curve)?;
            Some(((*name).to_owned(), *group))
        })
        .collect();
    let listed = read_names(list, &named, &LACKING_CURVES)?;
    Some(if listed.is_empty() { all } else { listed })
}

/// Returns what the TLS library has under the names of a list, and warns of names that it lacks. Reports invented names,
/// and a list of which nothing is left.
fn read_names<T: Copy>(list: &NodeRef<'_>, known: &[(String, T)], lacking: &[&str]) -> Option<Vec<T>> {
    let names: Vec<_> = known.iter().map(|(name, _)| name.as_str()).collect();
    let expected = format!("one of {}", names.join(", "));
    let elements = list.elements("a list of names")?;
    let (mut found, mut seen, mut all_are_known) = (Vec::new(), HashSet::new(), true);
    for element in &elements {
        let name = element.as_text().unwrap_or_default();
        if let Some((_, value)) = known.iter().find(|(known, _)| known == name) {
            // A repeated name adds nothing.
            found.extend(seen.insert(name).then_some(*value));
        } else if lacking.contains(&name) {
            element.warn(format_args!("{name} is skipped, because it is not supported"));
        } else {
            all_are_known = false;
            element.error(format_args!("must be {expected}"));
        }
    }
    if !all_are_known {
        return None;
    }
    if found.is_empty() && !elements.is_empty() {
        return list.refuse(format_args!("none of these is supported; add {expected}"));
    }
    Some(found)
}

/// Returns the versions from `min` through `max`.
fn read_versions(
    min: Option<NodeRef<'_>>,
    max: Option<NodeRef<'_>>,
) -> Option<Vec<&'static SupportedProtocolVersion>> {
    let lowest = min.as_ref().map_or(Some(TLS12_INDEX), read_version);
    let highest = max.as_ref().map_or(Some(TLS13_INDEX), read_version);
    let (lowest, highest) = (lowest?, highest?);
    if let Some(min) = min.filter(|_| lowest < TLS12_INDEX) {
        min.warn("TLS 1.0 and 1.1 are broken and never enabled: TLS12 is the minimum");
    }
    let versions: Vec<_> = [(TLS13_INDEX, &TLS13), (TLS12_INDEX, &TLS12)]
        .into_iter()
        .filter(|(index, _)| (lowest..=highest).contains(index))
        .map(|(_, version)| version)
        .collect();
    if let Some(max) = max.filter(|_| versions.is_empty()) {
        return max.refuse("leaves no TLS version; it must be TLS12 or TLS13, and not below min_version");
    }
    Some(versions)
}

/// Returns the place of a version among [`VERSIONS`].
fn read_version(value: &NodeRef<'_>) -> Option<usize> {
    let index = VERSIONS.iter().position(|version| value.as_text() == Some(version));
    index.or_else(|| value.expected("TLS12 or TLS13"))
}
