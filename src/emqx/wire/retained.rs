//! Retained messages, without their payloads, and whether the retainer is enabled.
//!
//! `from_username` is not read: EMQX writes `"undefined"` for a client without a user name.

use jiff::Timestamp;
use serde::de::MapAccess;

use super::super::error::RequestError;
use super::fact::{Stored, store};
use super::list::{ListPage, read_list};
use super::object::{Object, ObjectSeed, ReadObject, skip};
use super::{Json, read};

/// A retained message, as far as it could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetainedMessage {
    /// Its topic.
    pub topic: Option<String>,
    /// The client ID of its publisher. Bridges, rules and the REST API have IDs of their own.
    pub from_clientid: Option<String>,
    /// When the broker received it, by the clock of the broker.
    pub published_at: Option<Timestamp>,
    /// What is wrong with the first field that could not be read or is missing.
    pub odd_field: Option<String>,
}

#[derive(Default)]
struct RetainedRow {
    topic: Option<String>,
    from_clientid: Option<String>,
    publish_at: Option<Timestamp>,
}

impl Object for RetainedRow {
    fn store_field<'de, A: MapAccess<'de>>(&mut self, field: &str, map: &mut A) -> Result<Stored, A::Error> {
        match field {
            "topic" => store(&mut self.topic, "topic", map),
            "from_clientid" => store(&mut self.from_clientid, "from_clientid", map),
            "publish_at" => store(&mut self.publish_at, "publish_at", map),
            _ => skip(map),
        }
    }
}

impl From<ReadObject<RetainedRow>> for RetainedMessage {
    fn from(row: ReadObject<RetainedRow>) -> Self {
        let ReadObject { object: RetainedRow { topic, from_clientid, publish_at }, odd_field } = row;
        let is_short = topic.is_none() || publish_at.is_none();
        let missing = || is_short.then(|| "a retained message without `topic` or `publish_at`".to_owned());
        let odd_field = odd_field.or_else(missing);
        Self { topic, from_clientid, published_at: publish_at, odd_field }
    }
}

/// Reads a page of at most `limit` retained messages.
///
/// # Errors
/// [`RequestError::Protocol`] for a truncated body, [`RequestError::TooManyRows`] for more rows than requested,
/// [`RequestError::Decode`] for anything else that is not a list. What is wrong with a row is no error of the list.
pub fn retained_messages(json: Json<'_>, limit: usize) -> Result<ListPage<RetainedMessage>, RequestError> {
    let ListPage { rows, count } = read_list(json, ObjectSeed::<RetainedRow>::default(), limit)?;
    Ok(ListPage { rows: rows.into_iter().map(RetainedMessage::from).collect(), count })
}

#[derive(Default)]
struct Settings {
    enable: Option<bool>,
}

impl Object for Settings {
    fn store_field<'de, A: MapAccess<'de>>(&mut self, field: &str, map: &mut A) -> Result<Stored, A::Error> {
        match field {
            "enable" => store(&mut self.enable, "enable", map),
            _ => skip(map),
        }
    }
}

/// Reads from the settings of the retainer whether it is enabled.
///
/// # Errors
/// [`RequestError::Protocol`] for a truncated body, [`RequestError::Decode`] for anything else that does not say so.
pub fn is_retainer_enabled(json: Json<'_>) -> Result<bool, RequestError> {
    let Settings { enable } = read(json, ObjectSeed::default())?.whole()?;
    enable.ok_or_else(|| RequestError::decode("`enable` of the retainer is missing"))
}
