//! EMQX's own spelling of a client, read from JSON.
//!
//! Only the fields of the requested groups are read, whatever else a version sends. Fields that are
//! missing or `null` are left out. So are fields of an unexpected type, which are also reported with the client. Only a row
//! without a usable `clientid` or `connected` is not a client.

mod bans;
mod fact;
mod fields;
mod list;
mod object;
mod retained;
mod subscriptions;

use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::error::RequestError;
use crate::client::{Client, Groups, Limit};
use fact::store;
use fields::{prepared, store_field, wants_node};
use object::{FieldName, not_an_object};

pub use bans::{BanRow, bans};
pub use list::ListPage;
pub use retained::{RetainedMessage, is_retainer_enabled, retained_messages};
pub use subscriptions::subscriptions;

pub(super) use fields::{COUNTED_FIELDS, ListApiLevel, known as known_fields, names as field_names};

/// The JSON of a response body.
#[derive(Debug, Clone, Copy)]
pub struct Json<'a> {
    /// The body, as far as it came.
    pub body: &'a [u8],
    /// Whether the body is known to be complete.
    pub is_complete: bool,
}

/// Reads the response to a lookup.
///
/// # Errors
/// [`RequestError::Protocol`] for a truncated body, [`RequestError::Decode`] for anything else that is not a client.
pub fn row(json: Json<'_>, groups: Groups) -> Result<ClientRow, RequestError> {
    Ok(read(json, RowSeed(groups))?.into_client()?)
}

/// Reads the response to a list request for at most `limit` rows.
///
/// # Errors
/// [`RequestError::Protocol`] for a truncated body, [`RequestError::TooManyRows`] for more rows than requested,
/// [`RequestError::Decode`] for anything else that is not a list. A row that is not a client is an error of its own, not
/// of the list.
pub fn page(json: Json<'_>, groups: Groups, limit: usize) -> Result<Page, RequestError> {
    list::read_list(json, RowSeed(groups), limit)
}

/// Reads one JSON value, which must be the whole body.
///
/// An early end is a lost connection when nothing shows that the body is complete (`protocol`), and EMQX's mistake when
/// something does (`decode`).
fn read<'de, S: DeserializeSeed<'de>>(json: Json<'de>, seed: S) -> Result<S::Value, RequestError> {
    let mut deserializer = serde_json::Deserializer::from_slice(json.body);
    seed.deserialize(&mut deserializer).and_then(|value| deserializer.end().map(|()| value)).map_err(|error| {
        match error.classify() {
            serde_json::error::Category::Eof if !json.is_complete => {
                RequestError::Protocol { what: "response cut short".to_owned(), source: None }
            }
            _ => RequestError::decode(format!(
                "no valid JSON at line {} column {}",
                error.line(),
                error.column()
            )),
        }
    })
}

/// A page of the list of clients.
pub type Page = ListPage<Row>;

/// One row of a response: a client, or why it is none.
#[derive(Debug)]
pub struct Row(Result<ClientRow, BadRow>);

/// A row that is a client.
#[derive(Debug)]
pub struct ClientRow {
    /// The client, with every field that could be read.
    pub client: Client,
    /// What is wrong with the first field that could not be read.
    pub odd_field: Option<String>,
}

/// A row that is not a client.
#[derive(Debug)]
pub struct BadRow {
    /// The client ID, if the row has one.
    pub client_id: Option<Arc<str>>,
    /// Whether the row is a client ID and nothing else. EMQX sends that for a durable session whose metadata it is
    /// removing.
    pub is_bare: bool,
    /// What is wrong with the row.
    what: String,
}

impl From<BadRow> for RequestError {
    fn from(bad: BadRow) -> Self {
        Self::decode(bad.what)
    }
}

impl Row {
    /// Returns the client ID, if the row has one.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        match &self.0 {
            Ok(row) => Some(&row.client.client_id),
            Err(bad) => bad.client_id.as_deref(),
        }
    }

    /// Returns the client.
    ///
    /// # Errors
    /// A [`BadRow`], which as a [`RequestError::Decode`] says what is wrong.
    pub fn into_client(self) -> Result<ClientRow, BadRow> {
        self.0
    }

    fn not_an_object() -> Self {
        Self(Err(BadRow {
            client_id: None,
            is_bare: false,
            what: "a client that is no JSON object".to_owned(),
        }))
    }
}

/// Reads one row of the requested groups.
#[derive(Clone, Copy)]
struct RowSeed(Groups);

impl<'de> DeserializeSeed<'de> for RowSeed {
    type Value = Row;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Row, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for RowSeed {
    type Value = Row;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a client")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Row, A::Error> {
        let mut row = RowReader::new(self.0);
        while let Some(FieldName(name)) = map.next_key()? {
            row.read_field(&name, &mut map)?;
        }
        Ok(Row(row.finish()))
    }

    not_an_object! { Row::not_an_object() }
}

/// A row as far as it has been read.
struct RowReader {
    groups: Groups,
    client: Client,
    client_id: Option<Arc<str>>,
    connected: Option<bool>,
    durable: Option<bool>,
    field_count: usize,
    odd_field: Option<String>,
}

impl RowReader {
    fn new(groups: Groups) -> Self {
        let client = prepared(groups);
        let (client_id, connected, durable, odd_field) = (None, None, None, None);
        Self { groups, client, client_id, connected, durable, field_count: 0, odd_field }
    }

    fn read_field<'de, A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        let stored = match name {
            "clientid" => store(&mut self.client_id, "clientid", map)?,
            "connected" => store(&mut self.connected, "connected", map)?,
            "username" => store(&mut self.client.username, "username", map)?,
            "durable" => store(&mut self.durable, "durable", map)?,
            "node" if wants_node(self.groups) => store(&mut self.client.node, "node", map)?,
            name => store_field(&mut self.client, name, map)?,
        };
        self.field_count += 1;
        if self.odd_field.is_none() {
            self.odd_field = stored.err();
        }
        Ok(())
    }

    /// Returns the client of the row, if it has an ID and says whether it is connected.
    fn finish(self) -> Result<ClientRow, BadRow> {
        let Self { mut client, client_id, connected, durable, field_count, odd_field, .. } = self;
        let missing = |field| format!("`{field}` is missing");
        let (client_id, connected) = match (client_id, connected) {
            (Some(client_id), Some(connected)) => (client_id, connected),
            (client_id, _) => {
                let field = if client_id.is_none() { "clientid" } else { "connected" };
                let what = odd_field.unwrap_or_else(|| missing(field));
                return Err(BadRow { is_bare: client_id.is_some() && field_count == 1, client_id, what });
            }
        };
        client.client_id = client_id;
        client.connected = connected;
        if durable == Some(true) && !connected {
            forget_process_state(&mut client);
        }
        if let Some(queue) = client.queue.as_deref_mut()
            && queue.mqueue_limit == Some(Limit::AtMost(0))
        {
            // EMQX's way to say that the queue has no limit, unlike its other limits.
            queue.mqueue_limit = Some(Limit::Unlimited);
        }
        Ok(ClientRow { client, odd_field })
    }
}

/// Removes what only a live process knows. A durable session that is offline has none, and EMQX 5.7 and later send
/// constants instead: `mqueue_len` is 0 even if messages wait in the store.
fn forget_process_state(client: &mut Client) {
    if let Some(queue) = client.queue.as_deref_mut() {
        (queue.mqueue, queue.inflight, queue.awaiting_pubrel) = (None, None, None);
    }
    if let Some(process) = client.process.as_deref_mut() {
        (process.mailbox, process.reductions) = (None, None);
    }
}
