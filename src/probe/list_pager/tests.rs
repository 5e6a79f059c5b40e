//! What is found does not depend on the order or the number of times in which the rows of a moving list come.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;
use crate::client::{Group, Groups};
use crate::emqx::wire::{Json, page};

/// Who is looked for, and who is not.
const CLIENT_IDS: [&str; 6] = ["a", "b", "c", "d", "stranger", ""];

fn is_wanted(client_id: &str) -> bool {
    client_id.len() == 1
}

/// A row of the list.
#[derive(Debug, Clone)]
struct Listed {
    client_id: &'static str,
    connected: bool,
    /// In seconds since noon.
    connected_at: Option<u8>,
    is_bad: bool,
}

impl Listed {
    /// How much what it says is worth.
    fn worth(&self) -> (bool, Option<u8>) {
        (self.connected, self.connected_at)
    }
}

prop_compose! {
    fn any_row()(
        client_id in prop::sample::select(CLIENT_IDS.as_slice()),
        connected in any::<bool>(),
        connected_at in prop::option::of(0..4_u8),
        is_bad in prop::bool::weighted(0.1),
    ) -> Listed {
        Listed { client_id, connected, connected_at, is_bad }
    }
}

/// The rows on pages of any size, as EMQX writes them. The user name of each is its number in the list.
fn listed(pages: &[Vec<Listed>]) -> Vec<Page> {
    let mut number = 0;
    let mut written = |row: &Listed| {
        let mut json = format!("{{\"clientid\":{:?},\"username\":\"{number}\",\"connected\":", row.client_id);
        json.push_str(if row.is_bad {
            "\"yes\""
        } else if row.connected {
            "true"
        } else {
            "false"
        });
        if let Some(seconds) = row.connected_at {
            write!(json, ",\"connected_at\":\"2024-05-01T12:00:0{seconds}.000+00:00\"").expect("it fits");
        }
        number += 1;
        json + "}"
    };
    let mut read = |rows: &Vec<Listed>| {
        let rows: Vec<_> = rows.iter().map(&mut written).collect();
        let body = format!("{{\"data\":[{}],\"meta\":{{\"count\":6}}}}", rows.join(","));
        page(Json { body: body.as_bytes(), is_complete: true }, Groups::STATE.with(Group::Session), 8)
            .expect("it is a page")
    };
    pages.iter().map(&mut read).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_wanted_client_is_found_once_as_its_truest_row_tells_it(
        pages in prop::collection::vec(prop::collection::vec(any_row(), 0..8), 0..5),
    ) {
        let mut found = ListedClients::default();
        for row in listed(&pages).into_iter().flat_map(|page| page.rows) {
            found.push(row, &is_wanted);
        }
        found.finish();

        let rows: Vec<_> = pages.concat().into_iter().enumerate().collect();
        let wanted = |is_bad| move |(_, row): &&(usize, Listed)| is_wanted(row.client_id) && row.is_bad == is_bad;
        let mut expected: Vec<(&str, String, bool)> = Vec::new();
        for (_, row) in rows.iter().filter(wanted(false)) {
            if expected.iter().any(|(client_id, ..)| *client_id == row.client_id) {
                continue;
            }
            let of_client = rows.iter().filter(wanted(false)).filter(|(_, of)| of.client_id == row.client_id);
            // Of two that are worth the same, the one that came first.
            let (number, truest) = of_client.rev().max_by_key(|(_, of)| of.worth()).expect("there is this row");
            expected.push((row.client_id, number.to_string(), truest.connected));
        }
        expected.sort_unstable();
        let clients: Vec<_> = found.clients.iter().filter_map(|client| client.status.client()).map(|client| {
            (&*client.client_id, client.username.clone().unwrap_or_default(), client.connected)
        }).collect();
        prop_assert_eq!(&clients, &expected);

        let is_good = |client_id: &str| expected.iter().any(|(good, ..)| *good == client_id);
        let bad: BTreeSet<_> = rows.iter().filter(wanted(true)).map(|(_, row)| row.client_id).collect();
        let bad: Vec<_> = bad.into_iter().filter(|client_id| !is_good(client_id)).map(Some).collect();
        let found_bad: Vec<_> = found.bad_rows.iter().map(|bad| bad.client_id.as_deref()).collect();
        prop_assert_eq!(found_bad, bad);
    }

    /// The list moves between two pages: some rows are repeated, and others are missed.
    #[test]
    fn pages_in_another_order_find_the_same_clients(
        pages in prop::collection::vec(prop::collection::vec(any_row(), 0..8), 0..5).prop_flat_map(|pages| {
            (Just(pages.clone()), Just([pages.clone(), pages].concat()).prop_shuffle())
        }),
    ) {
        let worth_of = |pages: &[Vec<Listed>]| {
            let mut found = ListedClients::default();
            for row in listed(pages).into_iter().flat_map(|page| page.rows) {
                found.push(row, &is_wanted);
            }
            found.finish();
            let mut worth: Vec<_> = found.clients.iter().filter_map(|client| client.status.client()).map(|client| {
                (client.client_id.clone(), client.connected, client.session.as_ref().and_then(|session| session.connected_at))
            }).collect();
            worth.sort_unstable();
            worth
        };
        let (once, twice) = pages;
        prop_assert_eq!(worth_of(&once), worth_of(&twice));
    }
}
