//! Which fact of which group each of EMQX's fields is.

use serde::de::{IgnoredAny, MapAccess};

use super::fact::{Stored, store};
use crate::client::{Client, Group, Groups};

/// A level of EMQX's list API, named by the first version that has it. A version refuses a `fields=` with a name that it
/// does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::emqx) enum ListApiLevel {
    /// EMQX 5.0: `fields=` is ignored, and up to 5.4 a page has at most 1 000 rows.
    V5_0,
    /// EMQX 5.6: `fields=`.
    V5_6,
    /// EMQX 5.7: `is_expired` and `durable`.
    V5_7,
}

/// The fields that are younger than `fields=` itself, with the level that has them.
const YOUNG_FIELDS: [(&str, ListApiLevel); 2] =
    [("is_expired", ListApiLevel::V5_7), ("durable", ListApiLevel::V5_7)];

/// Returns the `fields=` for these groups, separated by commas.
pub(in crate::emqx) fn names(groups: Groups, level: ListApiLevel) -> String {
    let mut names = vec!["clientid"];
    if wants_node(groups) {
        names.push("node");
    }
    names.extend(groups.iter().flat_map(names_of));
    if groups.contains(Group::Queue) || groups.contains(Group::Process) {
        names.push("durable");
    }
    known(&names, level).join(",")
}

/// The fields that counts of clients need.
pub(in crate::emqx) const COUNTED_FIELDS: &[&str] = &[
    "clientid",
    "node",
    "connected",
    "username",
    "proto_ver",
    "subscriptions_cnt",
    "inflight_cnt",
    "mqueue_len",
    "mqueue_dropped",
    "durable",
];

/// Returns those of the fields that EMQX of this level knows.
pub(in crate::emqx) fn known<'n>(names: &[&'n str], level: ListApiLevel) -> Vec<&'n str> {
    let is_known = |name: &&&str| YOUNG_FIELDS.iter().all(|(young, since)| *young != **name || *since <= level);
    names.iter().filter(is_known).copied().collect()
}

/// Returns whether one of the groups has the client's node.
pub(super) fn wants_node(groups: Groups) -> bool {
    groups.contains(Group::Session) || groups.contains(Group::Address)
}

/// Lists the fields of each group, `clientid` and `node` aside, which belong to several.
macro_rules! fields {
    ($($group:ident: $variant:ident { $($field:literal => $($fact:ident).+,)+ })+) => {
        /// Returns the fields of a group.
        const fn names_of(group: Group) -> &'static [&'static str] {
            match group {
                Group::State => &["connected", "username"],
                $(Group::$variant => &[$($field),+],)+
                Group::Seen | Group::Banned | Group::Subscriptions => &[],
            }
        }

        /// Returns an empty client with each requested group.
        pub(super) fn prepared(groups: Groups) -> Client {
            let mut client = Client::default();
            $(if groups.contains(Group::$variant) {
                client.$group = Some(Box::default());
            })+
            client
        }

        /// Stores a field of a requested group, and skips any other.
        pub(super) fn store_field<'de, A: MapAccess<'de>>(
            client: &mut Client,
            field: &str,
            map: &mut A,
        ) -> Result<Stored, A::Error> {
            match field {
                $($($field => {
                    if let Some(facts) = client.$group.as_deref_mut() {
                        return store(&mut facts.$($fact).+, $field, map);
                    }
                })+)+
                _ => {}
            }
            map.next_value::<IgnoredAny>().map(|_| Ok(()))
        }
    };
}

fields! {
    session: Session {
        "proto_name" => protocol_name,
        "proto_ver" => protocol_version,
        "clean_start" => clean_start,
        "created_at" => created_at,
        "connected_at" => connected_at,
        "disconnected_at" => disconnected_at,
        "keepalive" => keepalive_seconds,
        "expiry_interval" => expiry_interval,
        "is_expired" => expired,
    }
    queue: Queue {
        "subscriptions_cnt" => subscriptions,
        "subscriptions_max" => subscriptions_limit,
        "inflight_cnt" => inflight,
        "inflight_max" => inflight_limit,
        "mqueue_len" => mqueue,
        "mqueue_max" => mqueue_limit,
        "awaiting_rel_cnt" => awaiting_pubrel,
        "awaiting_rel_max" => awaiting_pubrel_limit,
        "mqueue_dropped" => mqueue_dropped,
    }
    traffic: Traffic {
        "recv_msg.qos0" => received_messages.qos0,
        "recv_msg.qos1" => received_messages.qos1,
        "recv_msg.qos2" => received_messages.qos2,
        "recv_msg.dropped" => received_dropped,
        "recv_msg.dropped.await_pubrel_timeout" => received_dropped_await_pubrel_timeout,
        "recv_oct" => received_bytes,
        "recv_pkt" => received_packets,
        "send_msg.qos0" => sent_messages.qos0,
        "send_msg.qos1" => sent_messages.qos1,
        "send_msg.qos2" => sent_messages.qos2,
        "send_msg.dropped" => sent_dropped,
        "send_msg.dropped.expired" => sent_dropped_expired,
        "send_msg.dropped.queue_full" => sent_dropped_queue_full,
        "send_msg.dropped.too_large" => sent_dropped_too_large,
        "send_oct" => sent_bytes,
        "send_pkt" => sent_packets,
    }
    process: Process {
        "mailbox_len" => mailbox,
        "reductions" => reductions,
    }
    address: Address {
        "ip_address" => ip,
        "port" => port,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_asked_for_exactly_what_the_groups_need() {
        assert_eq!(names(Groups::STATE, ListApiLevel::V5_7), "clientid,connected,username");
        assert_eq!(
            names(Groups::STATE.with(Group::Address), ListApiLevel::V5_7),
            "clientid,node,connected,username,ip_address,port"
        );
        let session = Groups::STATE.with(Group::Session);
        assert!(names(session, ListApiLevel::V5_7).contains("is_expired"));
        assert!(!names(session, ListApiLevel::V5_6).contains("is_expired"));
        let queue = Groups::STATE.with(Group::Queue);
        assert!(names(queue, ListApiLevel::V5_7).ends_with(",durable"));
        assert!(!names(queue, ListApiLevel::V5_6).contains("durable"));
    }

    /// The names that `fields=` accepts since EMQX 5.6.0; 5.7.0 added `is_expired`. Any other makes it refuse.
    #[test]
    fn every_field_can_be_asked_for() {
        const ACCEPTED: &str = "awaiting_rel_cnt awaiting_rel_max clean_start clientid connected connected_at \
            created_at disconnected_at expiry_interval heap_size inflight_cnt inflight_max ip_address is_bridge \
            keepalive mailbox_len mountpoint mqueue_dropped mqueue_len mqueue_max node port proto_name proto_ver \
            recv_cnt recv_msg recv_msg.dropped recv_msg.dropped.await_pubrel_timeout recv_msg.qos0 recv_msg.qos1 \
            recv_msg.qos2 recv_oct recv_pkt reductions send_cnt send_msg send_msg.dropped \
            send_msg.dropped.expired send_msg.dropped.queue_full send_msg.dropped.too_large send_msg.qos0 \
            send_msg.qos1 send_msg.qos2 send_oct send_pkt subscriptions_cnt subscriptions_max username";
        let accepted: Vec<_> = ACCEPTED.split_whitespace().collect();
        for name in names(Group::ALL.into_iter().collect(), ListApiLevel::V5_6).split(',') {
            assert!(accepted.contains(&name), "{name}");
        }
    }
}
