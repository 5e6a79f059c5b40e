//! The clients of a fleet as a list is read: each once, and of each only what is counted.

use std::collections::HashMap;
use std::sync::Arc;

use crate::client::Client;
use crate::fleet::FleetCounts;

/// The clients of a fleet by ID.
#[derive(Default)]
pub(super) struct FleetMembers {
    members: HashMap<Arc<str>, Member>,
    /// The names of nodes, which thousands of clients share.
    nodes: Vec<Arc<str>>,
}

/// What is counted of a client.
struct Member {
    connected: bool,
    protocol_version: Option<u64>,
    node: Option<Arc<str>>,
    subscriptions: Option<u64>,
    inflight: Option<u64>,
    mqueue: Option<u64>,
    mqueue_dropped: Option<u64>,
}

impl FleetMembers {
    /// Adds a client. While a session moves it may come twice; then the connected one counts.
    pub(super) fn add(&mut self, client: &Client) {
        if self.members.get(&client.client_id).is_some_and(|earlier| earlier.connected || !client.connected) {
            return;
        }
        let node = client.node.as_deref().map(|node| self.share(node));
        let (session, queue) = (client.session.as_deref(), client.queue.as_deref());
        let member = Member {
            connected: client.connected,
            protocol_version: session.and_then(|session| session.protocol_version),
            node,
            subscriptions: queue.and_then(|queue| queue.subscriptions),
            inflight: queue.and_then(|queue| queue.inflight),
            mqueue: queue.and_then(|queue| queue.mqueue),
            mqueue_dropped: queue.and_then(|queue| queue.mqueue_dropped),
        };
        self.members.insert(Arc::clone(&client.client_id), member);
    }

    fn share(&mut self, node: &str) -> Arc<str> {
        if let Some(shared) = self.nodes.iter().find(|shared| &***shared == node) {
            return Arc::clone(shared);
        }
        let shared: Arc<str> = node.into();
        self.nodes.push(Arc::clone(&shared));
        shared
    }

    /// Returns the IDs of the clients.
    pub(super) fn client_ids(&self) -> impl Iterator<Item = &str> {
        self.members.keys().map(|client_id| &**client_id)
    }

    /// Returns the counts.
    pub(super) fn count(&self) -> FleetCounts {
        let mut counts = FleetCounts::default();
        for member in self.members.values() {
            let of_state = if member.connected { &mut counts.connected } else { &mut counts.disconnected };
            *of_state += 1;
            let sums = [
                (&mut counts.subscriptions, member.subscriptions),
                (&mut counts.inflight, member.inflight),
                (&mut counts.mqueue, member.mqueue),
            ];
            for (sum, value) in sums {
                *sum = sum.saturating_add(value.unwrap_or_default());
            }
            let is_some = |value: Option<u64>| u64::from(value.is_some_and(|value| value > 0));
            counts.clients_with_mqueue += is_some(member.mqueue);
            counts.clients_with_mqueue_drops += is_some(member.mqueue_dropped);
            if let Some(version) = member.protocol_version {
                *counts.by_protocol.entry(version).or_default() += 1;
            }
            if let Some(node) = &member.node {
                *counts.by_node.entry(Arc::clone(node)).or_default() += 1;
            }
        }
        counts
    }
}
