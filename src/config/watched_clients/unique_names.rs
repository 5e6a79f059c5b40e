//! The aliases and client IDs in use on a broker, which are unique there.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::client::WatchedClient;

/// The clients of a broker by alias and by client ID. Names that are empty have been reported as missing.
#[derive(Default)]
pub(super) struct UniqueNames {
    aliases: HashSet<ByAlias>,
    client_ids: HashSet<ByClientId>,
}

impl UniqueNames {
    /// Adds the alias of a client, or returns the client that has it already.
    pub(super) fn add_alias(&mut self, client: &Arc<WatchedClient>) -> Option<Arc<WatchedClient>> {
        let first = self.aliases.get(&*client.alias).map(|ByAlias(first)| Arc::clone(first));
        if first.is_none() && !client.alias.is_empty() {
            self.aliases.insert(ByAlias(Arc::clone(client)));
        }
        first
    }

    /// Adds the client ID of a client, or returns the client that has it already.
    pub(super) fn add_client_id(&mut self, client: &Arc<WatchedClient>) -> Option<Arc<WatchedClient>> {
        let first = self.client_ids.get(&*client.client_id).map(|ByClientId(first)| Arc::clone(first));
        if first.is_none() && !client.client_id.is_empty() {
            self.client_ids.insert(ByClientId(Arc::clone(client)));
        }
        first
    }
}

/// Defines a client that is compared by one of its names, so that a set of them copies no name.
macro_rules! by_name {
    ($by:ident, $name:ident) => {
        struct $by(Arc<WatchedClient>);

        impl Borrow<str> for $by {
            fn borrow(&self) -> &str {
                &self.0.$name
            }
        }

        impl Hash for $by {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.0.$name.hash(state);
            }
        }

        impl PartialEq for $by {
            fn eq(&self, other: &Self) -> bool {
                self.0.$name == other.0.$name
            }
        }

        impl Eq for $by {}
    };
}

by_name!(ByAlias, alias);
by_name!(ByClientId, client_id);
