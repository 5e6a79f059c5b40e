//! What a list of clients is requested for: which fields, and of which clients.

use std::sync::Arc;

use super::url;
use super::wire::{COUNTED_FIELDS, ListApiLevel, field_names, known_fields};
use crate::client::{Group, Groups};

/// Fields and filter of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListQuery {
    groups: Groups,
    /// Whether only the fields are requested that counts of clients need.
    is_for_counts: bool,
    filter: Option<Arc<ListFilter>>,
}

/// A filter that leaves clients out on the broker's side. Others may come all the same: EMQX appends all offline durable
/// sessions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct ListFilter {
    /// A part of the client ID; never empty, which EMQX answers by a 500.
    pub part_of_client_id: Option<String>,
    /// The user name.
    pub username: Option<String>,
}

impl ListQuery {
    /// Requests the facts of these groups.
    #[must_use]
    pub fn of_groups(groups: Groups) -> Self {
        Self { groups, is_for_counts: false, filter: None }
    }

    /// Requests what counts of clients need. A field costs the broker about 2 µs a client.
    #[must_use]
    pub fn for_counts() -> Self {
        let groups = Groups::STATE.with(Group::Session).with(Group::Queue);
        Self { groups, is_for_counts: true, filter: None }
    }

    /// Requests the same of the clients that pass a filter.
    #[must_use]
    pub fn filtered(self, filter: Option<ListFilter>) -> Self {
        Self { filter: filter.map(Arc::new), ..self }
    }

    /// Returns the groups that the rows have, at least in part.
    #[must_use]
    pub fn groups(&self) -> Groups {
        self.groups
    }

    /// Returns the path and query of a page, as EMQX of this level expects it.
    pub(super) fn target(&self, number: u64, limit: usize, level: ListApiLevel) -> String {
        let fields = if self.is_for_counts {
            known_fields(COUNTED_FIELDS, level).join(",")
        } else {
            field_names(self.groups, level)
        };
        let filter = self.filter.as_deref();
        let parameters = [
            ("like_clientid", filter.and_then(|filter| filter.part_of_client_id.as_deref())),
            ("username", filter.and_then(|filter| filter.username.as_deref())),
        ];
        url::page_path(number, limit, &fields) + &url::filters(parameters)
    }
}
