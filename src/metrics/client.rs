//! The series of a client that its broker described, in the groups they are asked for with.

use std::net::IpAddr;

use super::{ClientMetric, FamilyMeta, Kind, Samples, Value};
use crate::client::Group;

/// Names a family and its parts, so that the table below reads as one.
macro_rules! table {
    ($($name:literal $kind:ident $group:ident $samples:expr, $help:literal;)+) => {
        &[$(ClientMetric {
            family: FamilyMeta { name: concat!("emqx_mqtt_client_", $name), help: $help, kind: Kind::$kind },
            group: Group::$group,
            samples: $samples,
        }),+]
    };
}

/// A fact of a group as one sample.
macro_rules! one {
    ($group:ident . $($fact:ident).+) => {
        Samples::One(|client| client.$group.as_ref()?.$($fact).+.map(Value::from))
    };
}

/// Facts of a group as samples told apart by a label.
macro_rules! each {
    ($label:literal, $group:ident { $($value:literal => $($fact:ident).+),+ }) => {
        Samples::Each($label, &[$(($value, |client| client.$group.as_ref()?.$($fact).+.map(Value::from))),+])
    };
}

/// Every family that is told of a client the broker described, in the order they are told.
pub(super) const CLIENT_METRICS: &[ClientMetric] = table! {
    "info" Gauge Session Samples::Info(&[
        ("node", |client| client.node.clone()),
        ("proto_name", |client| client.session.as_ref()?.protocol_name.clone()),
        ("proto_ver", |client| Some(client.session.as_ref()?.protocol_version?.to_string())),
        ("clean_start", |client| Some(client.session.as_ref()?.clean_start?.to_string())),
    ]), "The node that holds the client's connection, or held it last, and how the client connected; always 1.";

    "session_created_timestamp_seconds" Gauge Session one!(session.created_at),
        "When the client's session began, in seconds since 1970; it survives reconnects of a persistent session.";
    "connected_timestamp_seconds" Gauge Session one!(session.connected_at),
        "When the client's present or last connection began, in seconds since 1970.";
    "disconnected_timestamp_seconds" Gauge Session one!(session.disconnected_at),
        "When the client's last connection ended, in seconds since 1970; only of a client that is away.";
    "keepalive_seconds" Gauge Session one!(session.keepalive_seconds),
        "Keepalive of the connection in seconds; 0 means none.";
    "session_expiry_interval_seconds" Gauge Session one!(session.expiry_interval),
        "How long the broker holds the session after a disconnect, in seconds; +Inf means for ever. \
         EMQX before 5.0.14 gives milliseconds here.";
    "session_expired" Gauge Session one!(session.expired),
        "Whether the session has expired and waits to be removed (1) or not (0); told by EMQX since 5.7.";

    "subscriptions" Gauge Queue one!(queue.subscriptions),
        "Subscriptions of the client's session.";
    "subscriptions_limit" Gauge Queue one!(queue.subscriptions_limit),
        "Most subscriptions the session may have; +Inf means no limit.";
    "inflight_messages" Gauge Queue one!(queue.inflight),
        "QoS 1 and 2 messages sent to the client and not yet acknowledged; refreshed by EMQX every 15 s.";
    "inflight_messages_limit" Gauge Queue one!(queue.inflight_limit),
        "Most messages in flight to the client; +Inf means no limit.";
    "mqueue_messages" Gauge Queue one!(queue.mqueue),
        "Messages queued for the client; refreshed by EMQX every 15 s.";
    "mqueue_messages_limit" Gauge Queue one!(queue.mqueue_limit),
        "Most messages queued for the client; +Inf means no limit.";
    "awaiting_pubrel_messages" Gauge Queue one!(queue.awaiting_pubrel),
        "QoS 2 messages received from the client whose PUBREL is outstanding; refreshed by EMQX every 15 s.";
    "awaiting_pubrel_messages_limit" Gauge Queue one!(queue.awaiting_pubrel_limit),
        "Most QoS 2 messages awaiting their PUBREL; +Inf means no limit.";
    "mqueue_dropped_messages_total" Counter Queue one!(queue.mqueue_dropped),
        "Messages dropped by the client's queue; starts at 0 with a new session and survives reconnects. \
         Refreshed by EMQX every 15 s.";

    "received_messages_total" Counter Traffic each!("qos", traffic {
        "0" => received_messages.qos0, "1" => received_messages.qos1, "2" => received_messages.qos2
    }), "PUBLISH packets the broker received from the client; starts at 0 with each connection. \
         Refreshed by EMQX every 15 s.";
    "sent_messages_total" Counter Traffic each!("qos", traffic {
        "0" => sent_messages.qos0, "1" => sent_messages.qos1, "2" => sent_messages.qos2
    }), "PUBLISH packets the broker sent to the client; starts at 0 with each connection. \
         Refreshed by EMQX every 15 s.";
    "received_messages_dropped_total" Counter Traffic one!(traffic.received_dropped),
        "Messages received from the client that the broker dropped; starts at 0 with each connection. \
         Refreshed by EMQX every 15 s.";
    "sent_messages_dropped_total" Counter Traffic one!(traffic.sent_dropped),
        "Messages for the client that the broker dropped; starts at 0 with each connection. \
         Refreshed by EMQX every 15 s.";
    "received_messages_dropped_by_reason_total" Counter Traffic each!("reason", traffic {
        "await_pubrel_timeout" => received_dropped_await_pubrel_timeout
    }), "Messages received from the client that the broker dropped, by reason; the total may be larger. \
         Starts at 0 with each connection. Refreshed by EMQX every 15 s.";
    "sent_messages_dropped_by_reason_total" Counter Traffic each!("reason", traffic {
        "expired" => sent_dropped_expired,
        "queue_full" => sent_dropped_queue_full,
        "too_large" => sent_dropped_too_large
    }), "Messages for the client that the broker dropped, by reason; the total may be larger. \
         Starts at 0 with each connection. Refreshed by EMQX every 15 s.";
    "received_bytes_total" Counter Traffic one!(traffic.received_bytes),
        "Bytes the broker received from the client; starts at 0 with each connection. \
         Refreshed by EMQX every 15 s.";
    "sent_bytes_total" Counter Traffic one!(traffic.sent_bytes),
        "Bytes the broker sent to the client; starts at 0 with each connection. Refreshed by EMQX every 15 s.";
    "received_packets_total" Counter Traffic one!(traffic.received_packets),
        "MQTT packets the broker received from the client; starts at 0 with each connection. \
         Refreshed by EMQX every 15 s.";
    "sent_packets_total" Counter Traffic one!(traffic.sent_packets),
        "MQTT packets the broker sent to the client; starts at 0 with each connection. \
         Refreshed by EMQX every 15 s.";

    "process_mailbox_messages" Gauge Process one!(process.mailbox),
        "Messages in the mailbox of the client's process on the broker; refreshed by EMQX every 15 s.";
    "process_reductions_total" Counter Process one!(process.reductions),
        "Reductions, Erlang's measure of work, of the client's process on the broker; starts at 0 with each \
         connection. Refreshed by EMQX every 15 s.";

    "ip_address" Gauge Address Samples::One(|client| match client.address.as_ref()?.ip? {
        IpAddr::V4(address) => Some(Value::Count(u32::from(address).into())),
        IpAddr::V6(_) => None,
    }), "The client's IPv4 address as an integer, as the broker sees it; none for IPv6.";
    "port" Gauge Address one!(address.port),
        "The client's TCP or UDP port, as the broker sees it.";
    "node_number" Gauge Address one!(address.node_number),
        "The number that the configuration of this exporter gives the node of the client.";
};
