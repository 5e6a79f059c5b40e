//! The `prometheus` section: where the exporter listens, and which metric groups it reports by default.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::duration;
use super::mapping::Mapping;
use super::node_ref::NodeRef;
use crate::client::{Group, Groups, UnknownGroup};

const DEFAULT_PORT: u16 = 9671;
const DEFAULT_GROUPS: [Group; 3] = [Group::Session, Group::Queue, Group::Traffic];
const DEFAULT_OFFLINE_AFTER: Duration = Duration::from_secs(15 * 60);

/// Where the exporter listens, and which metric groups it reports by default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PrometheusSettings {
    /// The address to listen on. `::` stands for every address, IPv6 and IPv4.
    pub address: IpAddr,
    /// The port to listen on; 0 means any free one.
    pub port: u16,
    /// The groups of a probe whose request names none.
    #[serde(serialize_with = "serialize_groups")]
    pub collect: Groups,
    /// Whether scrapes that accept `OpenMetrics` get it, with the start of each counter.
    pub created_timestamps: bool,
}

impl PrometheusSettings {
    /// Returns the address and port to listen on.
    #[must_use]
    pub fn listens_at(&self) -> SocketAddr {
        SocketAddr::new(self.address, self.port)
    }
}

impl Default for PrometheusSettings {
    fn default() -> Self {
        Self {
            address: Ipv6Addr::UNSPECIFIED.into(),
            port: DEFAULT_PORT,
            collect: DEFAULT_GROUPS.into_iter().collect(),
            created_timestamps: false,
        }
    }
}

/// Serializes the groups without [`Group::State`], which is always reported.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a field by reference")]
fn serialize_groups<S: Serializer>(groups: &Groups, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(groups.iter().filter(|group| *group != Group::State).map(Group::name))
}

/// Reads the settings, and the `offline_after` of clients that set none.
pub(super) fn read(value: Option<NodeRef<'_>>) -> (PrometheusSettings, Duration) {
    const EXPECTED: &str = "a mapping of address, port, collect, created_timestamps and offline_after";
    let default = PrometheusSettings::default();
    let Some(mut mapping) = value.and_then(|value| Mapping::open(&value, EXPECTED)) else {
        return (default, DEFAULT_OFFLINE_AFTER);
    };
    let address = mapping.optional("address").and_then(|address| read_address(&address));
    let port = mapping.integer_or("port", default.port, &(0..=u16::MAX));
    let collect = mapping.optional("collect").and_then(|collect| read_groups(&collect));
    let created_timestamps = mapping.bool_or("created_timestamps", default.created_timestamps);
    let offline_after = mapping.optional("offline_after").and_then(|duration| duration::read(&duration));
    mapping.finish();
    let settings = PrometheusSettings {
        address: address.unwrap_or(default.address),
        port,
        collect: collect.unwrap_or(default.collect),
        created_timestamps,
    };
    (settings, offline_after.unwrap_or(DEFAULT_OFFLINE_AFTER))
}

fn read_address(value: &NodeRef<'_>) -> Option<IpAddr> {
    const EXPECTED: &str = "an IP address to listen on, such as \"::\" or 0.0.0.0";
    value.text(EXPECTED)?.parse().ok().or_else(|| value.expected(EXPECTED))
}

fn read_groups(value: &NodeRef<'_>) -> Option<Groups> {
    let expected = format!("a list of metric groups: {}", Group::ALL.map(Group::name).join(", "));
    let mut groups = Vec::new();
    for element in value.elements(expected)? {
        let Some(name) = element.text("the name of a metric group") else {
            continue;
        };
        match name.parse::<Group>() {
            Ok(group) if groups.contains(&group) => element.error("duplicate entry"),
            Ok(group) => groups.push(group),
            Err(unknown @ UnknownGroup) => element.error(unknown),
        }
    }
    Some(groups.into_iter().collect())
}
