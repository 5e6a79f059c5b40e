//! The metric families of a fleet.

use super::{FamilyMeta, FleetMetric, FleetSamples, MetricType};

/// Builds the table below from one line per family.
macro_rules! table {
    ($($name:literal $samples:expr, $help:literal;)+) => {
        &[$(FleetMetric {
            family: FamilyMeta { name: concat!("emqx_mqtt_fleet_", $name), help: $help, metric_type: MetricType::Gauge },
            samples: $samples,
        }),+]
    };
}

/// Every family, in the order of the exposition.
pub(super) const FLEET_METRICS: &[FleetMetric] = table! {
    "clients" FleetSamples::PerLabel("state", |counts| {
        [("connected", counts.connected), ("disconnected", counts.disconnected)]
            .map(|(state, count)| (state.to_owned(), count))
            .into()
    }), "Number of clients of the fleet by state: connected, or disconnected (the broker holds the session); \
         no series if they could not be listed.";
    "expected_clients" FleetSamples::Configured("state", |fleet| {
        let expected = [("connected", fleet.expected_connected), ("session", fleet.expected_sessions)];
        expected.into_iter().filter_map(|(state, count)| Some((state.to_owned(), count?))).collect()
    }), "Number of clients that the fleet should have, connected or with a session: `expected_connected` and \
         `expected_sessions` in the configuration of this exporter.";
    "subscriptions" FleetSamples::One(|counts| counts.subscriptions),
        "Number of subscriptions of the fleet's sessions.";
    "inflight_messages" FleetSamples::One(|counts| counts.inflight),
        "Number of QoS 1 and 2 messages sent to clients of the fleet and not yet acknowledged. \
         Refreshed by EMQX every 15 s.";
    "mqueue_messages" FleetSamples::One(|counts| counts.mqueue),
        "Number of messages queued for clients of the fleet. Refreshed by EMQX every 15 s.";
    "clients_with_mqueue" FleetSamples::One(|counts| counts.clients_with_mqueue),
        "Number of clients of the fleet with queued messages. Refreshed by EMQX every 15 s.";
    "clients_with_mqueue_drops" FleetSamples::One(|counts| counts.clients_with_mqueue_drops),
        "Number of clients of the fleet whose queue has dropped messages since their session began. \
         Refreshed by EMQX every 15 s.";
    "clients_by_protocol" FleetSamples::PerLabel("proto_ver", |counts| {
        counts.by_protocol.iter().map(|(version, count)| (version.to_string(), *count)).collect()
    }), "Number of clients of the fleet by MQTT protocol version (3, 4 or 5).";
    "clients_by_node" FleetSamples::PerLabel("node", |counts| {
        counts.by_node.iter().map(|(node, count)| (node.to_string(), *count)).collect()
    }), "Number of clients of the fleet by EMQX node.";
    "labels" FleetSamples::Labels(|fleet| &fleet.labels),
        "Labels of the fleet in the configuration of this exporter, each with the prefix `label_`; always 1.";
};
