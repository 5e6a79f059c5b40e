//! What the broker remembers of watched clients: signs of life, bans, and expected subscriptions.

mod banned;
mod odd_answers;
mod people;
mod seen;
mod seen_listings;
mod subscriptions;

use fake_emqx::{FakeEmqx, Row};

use crate::support::{Exporter, Families, config_of};

const PROBE: &str = "broker=LocalEMQX";

/// Starts an exporter with these keys of the broker that watches these clients by their IDs.
fn watching_with(fake: &FakeEmqx, keys: &str, client_ids: &[&str]) -> Exporter {
    let clients: Vec<_> = client_ids.iter().map(|id| (*id, *id)).collect();
    Exporter::start(&config_of(fake, keys, &clients))
}

/// The value of a series of a client.
fn of<'a>(families: &'a Families, name: &str, client_id: &str) -> Option<&'a str> {
    families.value(&format!("emqx_mqtt_client_{name}"), &[("client_id", client_id)])
}

fn last_seen<'a>(families: &'a Families, client_id: &str) -> Option<&'a str> {
    of(families, "seen_message_timestamp_seconds", client_id)
}

/// Whether everything of a group was answered.
fn group<'a>(families: &'a Families, group: &str) -> Option<&'a str> {
    families.value("emqx_probe_group_success", &[("group", group)])
}

fn like(id: &str) -> Row {
    Row::like("plain-user-1").client_id(id)
}

/// The debug view of a probe.
fn debug_view(exporter: &Exporter, query: &str) -> String {
    exporter.get(&format!("/probe?{query}&debug=true")).text()
}
