//! Bans on client IDs. Those on user names, addresses and patterns are passed over.

use serde::de::MapAccess;

use super::super::error::RequestError;
use super::Json;
use super::fact::{Stored, store};
use super::list::{ListPage, read_list};
use super::object::{Object, ObjectSeed, skip};
use crate::client::BanEnd;

/// A ban on exactly one client ID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ban {
    /// The client ID.
    pub client_id: String,
    /// When it ends. EMQX removes it up to a minute later.
    pub end: BanEnd,
}

#[derive(Default)]
struct BanRow {
    kind: Option<String>,
    who: Option<String>,
    until: Option<BanEnd>,
}

impl Object for BanRow {
    fn store_field<'de, A: MapAccess<'de>>(&mut self, field: &str, map: &mut A) -> Result<Stored, A::Error> {
        match field {
            "as" => store(&mut self.kind, "as", map),
            "who" => store(&mut self.who, "who", map),
            "until" => store(&mut self.until, "until", map),
            _ => skip(map),
        }
    }
}

impl BanRow {
    /// Returns the ban, if it is one on a client ID.
    fn into_ban(self) -> Result<Option<Ban>, RequestError> {
        match self {
            Self { kind: Some(kind), .. } if kind != "clientid" => Ok(None),
            Self { kind: Some(_), who: Some(client_id), until: Some(end) } => Ok(Some(Ban { client_id, end })),
            _ => Err(RequestError::decode("a ban without `as`, `who` or `until`")),
        }
    }
}

/// Reads a page of at most `limit` bans, and returns `None` for each that is not on a client ID.
///
/// # Errors
/// [`RequestError::Protocol`] for a truncated body, [`RequestError::TooManyRows`] for more rows than requested,
/// [`RequestError::Decode`] for anything else that is not a list of bans: a row that cannot be read may be a client's.
pub fn bans(json: Json<'_>, limit: usize) -> Result<ListPage<Option<Ban>>, RequestError> {
    let ListPage { rows, count } = read_list(json, ObjectSeed::<BanRow>::default(), limit)?;
    let rows = rows.into_iter().map(|row| row.map_err(RequestError::decode)?.into_ban());
    Ok(ListPage { rows: rows.collect::<Result<_, _>>()?, count })
}
