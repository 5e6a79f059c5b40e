//! The metric families of a client.

use std::net::IpAddr;

use super::{ClientMetric, ClientSamples, FamilyMeta, MetricType, SampleValue};
use crate::client::Group;
use crate::outcome::ClientState;

/// Builds the table below from one line per family.
macro_rules! table {
    ($($name:literal $type:ident $(($start:ident))? $group:ident $samples:expr, $help:literal;)+) => {
        &[$(ClientMetric {
            family: FamilyMeta { name: concat!("emqx_mqtt_client_", $name), help: $help, metric_type: MetricType::$type },
            group: Group::$group,
            start: start!($($start)?),
            samples: $samples,
        }),+]
    };
}

/// When the counts of a family began, from a value of the session.
macro_rules! start {
    () => {
        None
    };
    ($start:ident) => {
        Some(|client| client.session.as_ref()?.$start)
    };
}

/// One sample from a value of a group.
macro_rules! one {
    ($group:ident . $($field:ident).+) => {
        ClientSamples::One(|client| client.$group.as_ref()?.$($field).+.map(SampleValue::from))
    };
}

/// One sample for each value of a label, from the values of a group.
macro_rules! per_label {
    ($label:literal, $group:ident { $($value:literal => $($field:ident).+),+ }) => {
        ClientSamples::PerLabel($label, &[$(($value, |client| client.$group.as_ref()?.$($field).+.map(SampleValue::from))),+])
    };
}

/// Every family, in the order of the exposition.
pub(super) const CLIENT_METRICS: &[ClientMetric] = table! {
    "connected" Gauge State ClientSamples::WithoutUsername(|client| match client.status.state() {
        ClientState::Connected => Some(true.into()),
        ClientState::Disconnected | ClientState::Absent => Some(false.into()),
        ClientState::Unknown => None,
    }), "Whether the client is connected (1) or not (0); no series if that is unknown.";
    "session_present" Gauge State ClientSamples::WithoutUsername(|client| match client.status.state() {
        ClientState::Connected | ClientState::Disconnected => Some(true.into()),
        ClientState::Absent => Some(false.into()),
        ClientState::Unknown => None,
    }), "Whether the broker holds a session of the client, connected or not (1), or not (0); \
         no series if that is unknown.";
    "offline_threshold_seconds" Gauge State ClientSamples::WithoutUsername(|client| {
        Some(SampleValue::Float(client.offline_after()?.as_secs_f64()))
    }), "How long the client may be offline, in seconds: `offline_after` in the configuration of this exporter.";

    "labels" Gauge State ClientSamples::Labels(|client| client.labels().filter(|labels| !labels.is_empty())),
        "Labels of the client in the configuration of this exporter, each with the prefix `label_`; always 1.";

    "info" Gauge Session ClientSamples::Info(&[
        ("node", |client| client.node.clone()),
        ("proto_name", |client| client.session.as_ref()?.protocol_name.clone()),
        ("proto_ver", |client| Some(client.session.as_ref()?.protocol_version?.to_string())),
        ("clean_start", |client| Some(client.session.as_ref()?.clean_start?.to_string())),
    ]), "Information about the client's connection and its EMQX node; always 1.";

    "session_created_timestamp_seconds" Gauge Session one!(session.created_at),
        "Start time of the session, in seconds since 1970. A persistent session survives reconnects.";
    "connected_timestamp_seconds" Gauge Session one!(session.connected_at),
        "Start time of the current or last connection, in seconds since 1970.";
    "disconnected_timestamp_seconds" Gauge Session one!(session.disconnected_at),
        "End time of the last connection, in seconds since 1970; only for disconnected clients.";
    "keepalive_seconds" Gauge Session one!(session.keepalive_seconds),
        "Keepalive interval of the connection, in seconds; 0 if disabled.";
    "session_expiry_interval_seconds" Gauge Session one!(session.expiry_interval),
        "Session expiry interval, in seconds; +Inf if the session never expires. \
         EMQX before 5.0.14 reports milliseconds.";
    "session_expired" Gauge Session one!(session.expired),
        "Whether the session has expired and awaits removal (1) or not (0). Requires EMQX 5.7.";

    "subscriptions" Gauge Queue one!(queue.subscriptions),
        "Number of subscriptions of the session.";
    "subscriptions_limit" Gauge Queue one!(queue.subscriptions_limit),
        "Maximum number of subscriptions of the session; +Inf if unlimited.";
    "inflight_messages" Gauge Queue one!(queue.inflight),
        "Number of QoS 1 and 2 messages sent to the client and not yet acknowledged. Refreshed by EMQX every 15 s.";
    "inflight_messages_limit" Gauge Queue one!(queue.inflight_limit),
        "Maximum number of messages in flight to the client; +Inf if unlimited.";
    "mqueue_messages" Gauge Queue one!(queue.mqueue),
        "Number of messages queued for the client. Refreshed by EMQX every 15 s.";
    "mqueue_messages_limit" Gauge Queue one!(queue.mqueue_limit),
        "Maximum number of messages queued for the client; +Inf if unlimited.";
    "awaiting_pubrel_messages" Gauge Queue one!(queue.awaiting_pubrel),
        "Number of QoS 2 messages received from the client that await their PUBREL. \
         Refreshed by EMQX every 15 s.";
    "awaiting_pubrel_messages_limit" Gauge Queue one!(queue.awaiting_pubrel_limit),
        "Maximum number of QoS 2 messages that await their PUBREL; +Inf if unlimited.";
    "mqueue_dropped_messages_total" Counter(created_at) Queue one!(queue.mqueue_dropped),
        "Total number of messages dropped by the client's queue. Reset with a new session. \
         Refreshed by EMQX every 15 s.";

    "received_messages_total" Counter(connected_at) Traffic per_label!("qos", traffic {
        "0" => received_messages.qos0, "1" => received_messages.qos1, "2" => received_messages.qos2
    }), "Total number of messages received from the client. Reset with each connection. \
         Refreshed by EMQX every 15 s.";
    "sent_messages_total" Counter(connected_at) Traffic per_label!("qos", traffic {
        "0" => sent_messages.qos0, "1" => sent_messages.qos1, "2" => sent_messages.qos2
    }), "Total number of messages sent to the client. Reset with each connection. \
         Refreshed by EMQX every 15 s.";
    "received_messages_dropped_total" Counter(connected_at) Traffic one!(traffic.received_dropped),
        "Total number of messages received from the client and dropped. Reset with each connection. \
         Refreshed by EMQX every 15 s.";
    "sent_messages_dropped_total" Counter(connected_at) Traffic one!(traffic.sent_dropped),
        "Total number of messages for the client that were dropped. Reset with each connection. \
         Refreshed by EMQX every 15 s.";
    "received_messages_dropped_by_reason_total" Counter(connected_at) Traffic per_label!("reason", traffic {
        "await_pubrel_timeout" => received_dropped_await_pubrel_timeout
    }), "Total number of messages received from the client and dropped, by reason; \
         does not include every reason. Reset with each connection. Refreshed by EMQX every 15 s.";
    "sent_messages_dropped_by_reason_total" Counter(connected_at) Traffic per_label!("reason", traffic {
        "expired" => sent_dropped_expired,
        "queue_full" => sent_dropped_queue_full,
        "too_large" => sent_dropped_too_large
    }), "Total number of messages for the client that were dropped, by reason; \
         does not include every reason. Reset with each connection. Refreshed by EMQX every 15 s.";
    "received_bytes_total" Counter(connected_at) Traffic one!(traffic.received_bytes),
        "Total number of bytes received from the client. Reset with each connection. \
         Refreshed by EMQX every 15 s.";
    "sent_bytes_total" Counter(connected_at) Traffic one!(traffic.sent_bytes),
        "Total number of bytes sent to the client. Reset with each connection. Refreshed by EMQX every 15 s.";
    "received_packets_total" Counter(connected_at) Traffic one!(traffic.received_packets),
        "Total number of MQTT packets received from the client. Reset with each connection. \
         Refreshed by EMQX every 15 s.";
    "sent_packets_total" Counter(connected_at) Traffic one!(traffic.sent_packets),
        "Total number of MQTT packets sent to the client. Reset with each connection. \
         Refreshed by EMQX every 15 s.";

    "process_mailbox_messages" Gauge Process one!(process.mailbox),
        "Number of messages in the mailbox of the client's Erlang process. Refreshed by EMQX every 15 s.";
    "process_reductions_total" Counter(connected_at) Process one!(process.reductions),
        "Total number of reductions (units of work) of the client's Erlang process. Reset with each connection. \
         Refreshed by EMQX every 15 s.";

    "ip_address" Gauge Address ClientSamples::One(|client| match client.address.as_ref()?.ip? {
        IpAddr::V4(address) => Some(SampleValue::Count(u32::from(address).into())),
        IpAddr::V6(_) => None,
    }), "IPv4 address of the client as seen by the broker, as an integer; no series for IPv6.";
    "port" Gauge Address one!(address.port),
        "TCP or UDP port of the client as seen by the broker.";
    "node_number" Gauge Address one!(address.node_number),
        "Number of the client's EMQX node, from `nodes` in the configuration of this exporter.";

    "seen_message_timestamp_seconds" Gauge Seen ClientSamples::WithoutUsername(|client| {
        client.last_seen().map(SampleValue::from)
    }), "When the newest of the client's retained messages in `seen_topics` was published, in seconds since 1970, by the \
         clock of the broker; no series if there is none.";
    "id_banned" Gauge Banned ClientSamples::WithoutUsername(|client| client.is_banned().map(SampleValue::from)),
        "Whether there is a ban on exactly this client ID (1) or not (0); bans on user names, addresses and patterns are not \
         reported. Only for clients that the broker does not know.";
    "id_ban_end_timestamp_seconds" Gauge Banned ClientSamples::WithoutUsername(|client| {
        client.ban_end().map(SampleValue::from)
    }), "When the ban on exactly this client ID ends, in seconds since 1970; +Inf if it never does.";
    "expected_subscription_present" Gauge Subscriptions ClientSamples::PerSubscription("topic", |subscription| {
        subscription.is_present.into()
    }), "Whether the client has a subscription that `subscriptions` names (1) or not (0); only for clients that the broker \
         knows.";
};
