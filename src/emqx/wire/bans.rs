//! Bans on client IDs. Those on user names, addresses and patterns are passed over.

use serde::de::MapAccess;

use super::super::error::RequestError;
use super::Json;
use super::fact::{Stored, store};
use super::list::{ListPage, read_list};
use super::object::{Object, ObjectSeed, ReadObject, skip};
use crate::client::BanEnd;

/// A row of the list of bans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BanRow {
    /// A ban on exactly one client ID.
    ClientId {
        /// The client ID.
        client_id: String,
        /// When it ends. EMQX removes it up to a minute later.
        end: BanEnd,
    },
    /// A ban on something else.
    Other,
    /// A row that cannot be read.
    Unreadable {
        /// The client ID that it may be on; any, if that cannot be read either.
        client_id: Option<String>,
        /// What is wrong with it.
        what: String,
    },
}

#[derive(Default)]
struct BanFields {
    kind: Option<String>,
    who: Option<String>,
    until: Option<BanEnd>,
}

impl Object for BanFields {
    fn store_field<'de, A: MapAccess<'de>>(&mut self, field: &str, map: &mut A) -> Result<Stored, A::Error> {
        match field {
            "as" => store(&mut self.kind, "as", map),
            "who" => store(&mut self.who, "who", map),
            "until" => store(&mut self.until, "until", map),
            _ => skip(map),
        }
    }
}

impl From<ReadObject<BanFields>> for BanRow {
    fn from(row: ReadObject<BanFields>) -> Self {
        let ReadObject { object: BanFields { kind, who, until }, odd_field } = row;
        match (kind.as_deref(), who, until) {
            (Some(kind), ..) if kind != "clientid" => Self::Other,
            (Some(_), Some(client_id), Some(end)) if odd_field.is_none() => Self::ClientId { client_id, end },
            (_, client_id, _) => {
                let missing = || "a ban without `as`, `who` or `until`".to_owned();
                Self::Unreadable { client_id, what: odd_field.unwrap_or_else(missing) }
            }
        }
    }
}

/// Reads a page of at most `limit` bans.
///
/// # Errors
/// [`RequestError::Protocol`] for a truncated body, [`RequestError::TooManyRows`] for more rows than requested,
/// [`RequestError::Decode`] for anything else that is not a list. What is wrong with a row is no error of the list.
pub fn bans(json: Json<'_>, limit: usize) -> Result<ListPage<BanRow>, RequestError> {
    let ListPage { rows, count } = read_list(json, ObjectSeed::<BanFields>::default(), limit)?;
    Ok(ListPage { rows: rows.into_iter().map(BanRow::from).collect(), count })
}
