//! Reads `monitored_fleets` and assigns each fleet to its brokers.

use std::sync::Arc;

use super::ClientAssignment;
use crate::config::mapping::Mapping;
use crate::config::node_ref::NodeRef;
use crate::fleet::Fleet;
use crate::glob::Glob;

const FLEETS: &str = "a list of fleets, each with alias and a pattern: client_id, username or both";
const ALIAS: &str = "a name of your choice for this fleet";

impl ClientAssignment<'_> {
    /// Assigns the fleets of a list.
    pub(in crate::config) fn accept_fleets(&mut self, list: &NodeRef<'_>) {
        for value in list.elements(FLEETS).unwrap_or_default() {
            if let Some(mapping) = Mapping::open(&value, "a mapping with alias and client_id or username") {
                self.accept_fleet(&value, mapping);
            }
        }
    }

    fn accept_fleet(&mut self, whole: &NodeRef<'_>, mut mapping: Mapping<'_>) {
        let alias_value = mapping.required("alias", ALIAS);
        let client_id = mapping.optional("client_id");
        let username = mapping.optional("username");
        let indexes = self.read_brokers(&mut mapping);
        let expected_connected = mapping.optional("expected_connected");
        let expected_sessions = mapping.optional("expected_sessions");
        let labels = mapping.optional("labels").map(|value| self.labels.read(&value));
        mapping.finish();

        if client_id.is_none() && username.is_none() {
            whole.error("client_id or username is missing; expected a pattern such as \"thermo-*\"");
        }
        let number = |value: &NodeRef<'_>| value.integer(&(0..=u64::MAX));
        let connected = expected_connected.as_ref().and_then(number);
        let sessions = expected_sessions.as_ref().and_then(number);
        if let (Some(value), Some(connected), Some(sessions)) = (&expected_sessions, connected, sessions)
            && sessions < connected
        {
            value.error("must not be less than expected_connected: connected clients have sessions too");
        }
        let Some((alias_value, alias)) =
            alias_value.as_ref().and_then(|value| Some((value, value.line(ALIAS)?)))
        else {
            return;
        };
        let fleet = Arc::new(Fleet {
            alias: alias.to_owned(),
            client_id: client_id.and_then(|value| read_pattern(&value)),
            username: username.and_then(|value| read_pattern(&value)),
            expected_connected: connected,
            expected_sessions: sessions,
            labels: labels.unwrap_or_default(),
        });
        for broker in indexes {
            let Some(broker) = &mut self.brokers[broker].broker else { continue };
            if broker.fleets.iter().any(|other| other.alias == alias) {
                return alias_value.error("duplicate alias; another fleet of the same broker has it");
            }
            broker.fleets.push(Arc::clone(&fleet));
        }
    }
}

fn read_pattern(value: &NodeRef<'_>) -> Option<Glob> {
    match value.text("a pattern such as \"thermo-*\"")?.parse() {
        Ok(pattern) => Some(pattern),
        Err(error) => value.refuse(error),
    }
}
