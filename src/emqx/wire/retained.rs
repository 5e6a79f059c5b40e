//! Retained messages, without their payloads, and whether the retainer is enabled.
//!
//! `from_username` is not read: EMQX writes `"undefined"` for a client without a user name.

use jiff::Timestamp;
use serde::de::MapAccess;

use super::super::error::RequestError;
use super::fact::{Stored, store};
use super::list::{ListPage, read_list};
use super::object::{Object, ObjectSeed, skip};
use super::{Json, read};

/// A retained message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetainedMessage {
    /// Its topic.
    pub topic: String,
    /// The client ID of its publisher. Bridges, rules and the REST API have IDs of their own.
    pub from_clientid: Option<String>,
    /// When the broker received it, by the clock of the broker.
    pub published_at: Timestamp,
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

impl RetainedRow {
    fn into_message(self) -> Result<RetainedMessage, RequestError> {
        let Self { topic, from_clientid, publish_at } = self;
        let (topic, published_at) = topic
            .zip(publish_at)
            .ok_or_else(|| RequestError::decode("a retained message without `topic` or `publish_at`"))?;
        Ok(RetainedMessage { topic, from_clientid, published_at })
    }
}

/// Reads a page of at most `limit` retained messages.
///
/// # Errors
/// [`RequestError::Protocol`] for a truncated body, [`RequestError::TooManyRows`] for more rows than requested,
/// [`RequestError::Decode`] for anything else that is not a list of retained messages.
pub fn retained_messages(json: Json<'_>, limit: usize) -> Result<ListPage<RetainedMessage>, RequestError> {
    let ListPage { rows, count } = read_list(json, ObjectSeed::<RetainedRow>::default(), limit)?;
    let rows = rows.into_iter().map(|row| row.map_err(RequestError::decode)?.into_message());
    Ok(ListPage { rows: rows.collect::<Result<_, _>>()?, count })
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
    let Settings { enable } = read(json, ObjectSeed::default())?.map_err(RequestError::decode)?;
    enable.ok_or_else(|| RequestError::decode("`enable` of the retainer is missing"))
}
