//! What Prometheus is given: where it asks, and what it is told by default.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::duration;
use super::section::Section;
use super::value::Value;
use crate::client::{Group, Groups, UnknownGroup};

const DEFAULT_PORT: u16 = 9671;
const DEFAULT_GROUPS: [Group; 3] = [Group::Session, Group::Queue, Group::Traffic];
const DEFAULT_OFFLINE_AFTER: Duration = Duration::from_secs(15 * 60);

/// Where to serve, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrometheusSettings {
    /// The address to listen on. `::` stands for every address, IPv6 and IPv4.
    pub address: IpAddr,
    /// The port to listen on; 0 stands for any free one.
    pub port: u16,
    /// The groups a probe answers with when it does not ask for others.
    pub collect: Groups,
}

impl PrometheusSettings {
    /// Where to listen.
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
        }
    }
}

/// The settings, and how long a client that does not say may be away.
pub(super) fn read(value: Option<Value<'_>>) -> (PrometheusSettings, Duration) {
    const RIGHT: &str = "a mapping of address, port, collect and offline_after";
    let default = PrometheusSettings::default();
    let Some(mut section) = value.and_then(|value| Section::open(&value, RIGHT)) else {
        return (default, DEFAULT_OFFLINE_AFTER);
    };
    let address = section.optional("address").and_then(|address| read_address(&address));
    let port = section.integer_or("port", default.port, &(0..=u16::MAX));
    let collect = section.optional("collect").and_then(|collect| read_groups(&collect));
    let offline_after = section.optional("offline_after").and_then(|duration| duration::read(&duration));
    section.finish();
    let settings = PrometheusSettings {
        address: address.unwrap_or(default.address),
        port,
        collect: collect.unwrap_or(default.collect),
    };
    (settings, offline_after.unwrap_or(DEFAULT_OFFLINE_AFTER))
}

fn read_address(value: &Value<'_>) -> Option<IpAddr> {
    const RIGHT: &str = "an IP address to listen on, such as \"::\" or 0.0.0.0";
    value.text(RIGHT)?.parse().ok().or_else(|| value.expected(RIGHT))
}

fn read_groups(value: &Value<'_>) -> Option<Groups> {
    const RIGHT: &str = "a list of metric groups: state, session, queue, traffic, process or address";
    let mut groups = Vec::new();
    for element in value.elements(RIGHT)? {
        let Some(name) = element.text("the name of a metric group") else {
            continue;
        };
        match name.parse::<Group>() {
            Ok(group) if groups.contains(&group) => element.error("is in this list already"),
            Ok(group) => groups.push(group),
            Err(unknown @ UnknownGroup) => element.error(unknown),
        }
    }
    Some(groups.into_iter().collect())
}
