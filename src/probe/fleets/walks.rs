//! Chooses the lists that are read for some fleets.
//!
//! A list takes EMQX some time for each of its clients, and more for each row that it returns. Reading all clients once
//! costs about as much as six filters that return nothing (measured on EMQX 6.2.2 with 10 000 clients).

use std::sync::Arc;

use crate::emqx::ListFilter;
use crate::fleet::Fleet;
use crate::glob::Glob;

/// Cost of a row of the list of all clients, in ns.
const LISTED: u64 = 38_000;
/// Cost of a client that a filter by part of its ID passes over, in ns.
const SCANNED: u64 = 6_500;
/// Cost of a row that such a filter returns, in ns.
const RETURNED: u64 = 31_000;

/// Up to this number of filters, filtered lists cost at most a third more than the list of all clients, and may cost a
/// small part of it.
const ALWAYS_FILTERED: usize = 3;
/// From this number of filters on, the list of all clients costs less, however few they return.
const NEVER_FILTERED: usize = 6;

/// Longest part of a client ID, and longest user name, that a request line has room for, in bytes.
const MAX_FILTER_BYTES: usize = 1_000;

/// A list to be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct WalkSpec {
    /// `None` for all clients.
    pub(super) filter: Option<ListFilter>,
    /// The indexes of the fleets that it is for.
    pub(super) fleets: Vec<usize>,
}

/// Returns the filter that narrows the list to the clients of a fleet and few others, if there is one.
pub(in crate::probe) fn filter_of(fleet: &Fleet) -> Option<ListFilter> {
    let is_usable =
        |text: &String| !text.is_empty() && text.len() <= MAX_FILTER_BYTES && !text.contains(char::is_control);
    let part_of_client_id = fleet.client_id.as_ref().map(Glob::longest_literal).filter(is_usable);
    let username = fleet.username.as_ref().and_then(Glob::literal).filter(is_usable);
    let filter = ListFilter { part_of_client_id, username };
    (filter != ListFilter::default()).then_some(filter)
}

/// Returns the list of all clients, for all of the fleets.
pub(super) fn one_walk(fleets: &[Arc<Fleet>]) -> Vec<WalkSpec> {
    vec![WalkSpec { filter: None, fleets: (0..fleets.len()).collect() }]
}

/// Returns one filtered list for each filter; `None` if a fleet has no filter.
fn filtered_walks(fleets: &[Arc<Fleet>]) -> Option<Vec<WalkSpec>> {
    let mut walks: Vec<WalkSpec> = Vec::new();
    for (index, fleet) in fleets.iter().enumerate() {
        let filter = Some(filter_of(fleet)?);
        match walks.iter_mut().find(|walk| walk.filter == filter) {
            Some(same) => same.fleets.push(index),
            None => walks.push(WalkSpec { filter, fleets: vec![index] }),
        }
    }
    Some(walks)
}

/// Returns whether the choice depends on how many clients the broker has: which lists cost less if the fleets are as
/// large as the configuration expects.
pub(super) fn depends_on_count(fleets: &[Arc<Fleet>]) -> bool {
    let walks = filtered_walks(fleets).map_or(0, |walks| walks.len());
    (ALWAYS_FILTERED..NEVER_FILTERED).contains(&walks) && expected_clients(fleets).is_some()
}

/// Returns how many clients the fleets have together, as far as the configuration expects it of each.
fn expected_clients(fleets: &[Arc<Fleet>]) -> Option<u64> {
    let expected = |fleet: &Arc<Fleet>| fleet.expected_sessions.or(fleet.expected_connected);
    fleets.iter().try_fold(0_u64, |sum, fleet| Some(sum.saturating_add(expected(fleet)?)))
}

/// Returns the lists that cost the broker least. `count` is the number of its clients, where the choice depends on it.
pub(super) fn walks_for(fleets: &[Arc<Fleet>], count: Option<u64>) -> Vec<WalkSpec> {
    let Some(filtered) = filtered_walks(fleets) else { return one_walk(fleets) };
    let is_filtered_cheaper = match count.zip(expected_clients(fleets)) {
        Some((count, expected)) => {
            let scanned = count.saturating_mul(SCANNED).saturating_mul(filtered.len() as u64);
            scanned.saturating_add(expected.saturating_mul(RETURNED)) < count.saturating_mul(LISTED)
        }
        None => filtered.len() <= ALWAYS_FILTERED,
    };
    if is_filtered_cheaper { filtered } else { one_walk(fleets) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fleet(client_id: &str, username: &str, expected: Option<u64>) -> Arc<Fleet> {
        let pattern = |text: &str| (!text.is_empty()).then(|| text.parse().expect("a pattern"));
        Arc::new(Fleet {
            alias: client_id.to_owned(),
            client_id: pattern(client_id),
            username: pattern(username),
            expected_connected: None,
            expected_sessions: expected,
            labels: crate::client::Labels::default(),
        })
    }

    fn filter(client_id: &str, username: &str) -> Option<(Option<String>, Option<String>)> {
        let ListFilter { part_of_client_id, username } = filter_of(&fleet(client_id, username, None))?;
        Some((part_of_client_id, username))
    }

    #[test]
    fn the_longest_literal_part_and_exact_user_names_narrow_a_list() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(filter("thermo-*", ""), Some((some("thermo-"), None)));
        assert_eq!(filter("a-*-building-?", "house"), Some((some("-building-"), some("house"))));
        assert_eq!(filter(r"\*\?x*y", "house-*"), Some((some("*?x"), None)));
        assert_eq!(filter("*", "house"), Some((None, some("house"))));
        for (client_id, username) in [("*", ""), ("??*", "house?"), ("", "*"), ("\u{1}*", "")] {
            assert_eq!(filter(client_id, username), None, "{client_id} {username}");
        }
    }

    #[test]
    fn few_fleets_are_asked_for_by_filter_and_many_by_one_list() {
        let fleets = |count: usize| {
            (0..count).map(|number| fleet(&format!("f{number}-*"), "", None)).collect::<Vec<_>>()
        };
        for (count, lists) in [(1, 1), (3, 3), (4, 1), (20, 1)] {
            let walks = walks_for(&fleets(count), None);
            assert_eq!(walks.len(), lists, "{count}");
            assert_eq!(walks.iter().any(|walk| walk.filter.is_none()), count > 3, "{count}");
        }
        let mut with_any = fleets(1);
        with_any.push(fleet("*", "", None));
        assert_eq!(walks_for(&with_any, None), one_walk(&with_any));
        let same = [fleet("a-*", "", None), fleet("a-*?", "", None)];
        assert_eq!(walks_for(&same, None).len(), 1);
    }

    #[test]
    fn expected_sizes_decide_in_between() {
        let fleets = |count: usize, expected| {
            (0..count).map(|number| fleet(&format!("f{number}-*"), "", Some(expected))).collect::<Vec<_>>()
        };
        assert!(
            depends_on_count(&fleets(4, 100))
                && !depends_on_count(&fleets(2, 100))
                && !depends_on_count(&fleets(6, 1))
        );
        assert_eq!(walks_for(&fleets(4, 100), Some(10_000)).len(), 4);
        assert_eq!(walks_for(&fleets(4, 2_000), Some(10_000)).len(), 1);
        assert_eq!(walks_for(&fleets(3, 5_000), Some(10_000)).len(), 1);
    }
}
