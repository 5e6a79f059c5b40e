//! EMQX's own spelling of a client, read from JSON.
//!
//! Only the facts of the wanted groups are read, whatever else a version sends. A fact that is missing or `null`
//! stays unknown; one of a wrong type spoils its row, never its neighbours.

mod fact;
mod fields;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::error::RequestError;
use crate::client::{Client, Groups, Limit};
use fact::store;
use fields::{prepared, take, wants_node};

pub(super) use fields::names as field_names;

/// The JSON of an answer.
#[derive(Debug, Clone, Copy)]
pub struct Json<'a> {
    /// The body, as far as it came.
    pub body: &'a [u8],
    /// Whether it is known to have come whole.
    pub is_complete: bool,
}

/// Reads the answer to a lookup.
///
/// # Errors
/// [`RequestError::Protocol`] for one that was cut short, [`RequestError::Decode`] for anything else that is no client.
pub fn row(json: Json<'_>, groups: Groups) -> Result<Client, RequestError> {
    Ok(read(json, RowSeed(groups))?.into_client()?)
}

/// Reads the answer to a list request.
///
/// # Errors
/// [`RequestError::Protocol`] for one that was cut short, [`RequestError::Decode`] for anything else that is no list. A row
/// that is no client is an error of its own, not of the list.
pub fn page(json: Json<'_>, groups: Groups) -> Result<Page, RequestError> {
    let Contents { rows, count } = read(json, PageSeed(groups))?;
    let rows = rows.ok_or_else(|| RequestError::decode("a list of clients without `data`"))?;
    Ok(Page { rows, count })
}

/// Reads one JSON value, which must be the whole body.
///
/// An early end is the connection's fault when nothing shows that the body came whole (`protocol`), and EMQX's
/// when it did (`decode`).
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
#[derive(Debug)]
pub struct Page {
    /// Its rows, in the broker's order.
    pub rows: Vec<Row>,
    /// How many clients the broker has, if it says so.
    pub count: Option<u64>,
}

/// One row of an answer: a client, or what is wrong with it.
#[derive(Debug)]
pub struct Row(Result<Client, BadRow>);

/// A row that is no client.
#[derive(Debug)]
pub struct BadRow {
    /// Whose row it is, if it says so.
    pub client_id: Option<Arc<str>>,
    /// What is wrong with it.
    what: String,
}

impl From<BadRow> for RequestError {
    fn from(bad: BadRow) -> Self {
        Self::decode(bad.what)
    }
}

impl Row {
    /// Whose row it is, if it says so.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        match &self.0 {
            Ok(client) => Some(&client.client_id),
            Err(bad) => bad.client_id.as_deref(),
        }
    }

    /// The client.
    ///
    /// # Errors
    /// A [`BadRow`], which as an [`RequestError::Decode`] says what is wrong.
    pub fn into_client(self) -> Result<Client, BadRow> {
        self.0
    }
}

/// Reads one row of the wanted groups.
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
        let mut client = prepared(self.0);
        let wants_node = wants_node(self.0);
        let (mut client_id, mut connected, mut wrong) = (None, None, None);
        while let Some(field) = map.next_key::<Cow<'de, str>>()? {
            let taken = match field.as_ref() {
                "clientid" => store(&mut client_id, "clientid", &mut map)?,
                "connected" => store(&mut connected, "connected", &mut map)?,
                "username" => store(&mut client.username, "username", &mut map)?,
                "node" if wants_node => store(&mut client.node, "node", &mut map)?,
                field => take(&mut client, field, &mut map)?,
            };
            wrong = wrong.or(taken.err());
        }
        Ok(Row(finished(client, client_id, connected, wrong)))
    }

    // A row of any other kind spoils itself, not the page it stands on.

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Row, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Row::not_an_object())
    }

    fn visit_unit<E>(self) -> Result<Row, E> {
        Ok(Row::not_an_object())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Row, E> {
        Ok(Row::not_an_object())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Row, E> {
        Ok(Row::not_an_object())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Row, E> {
        Ok(Row::not_an_object())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Row, E> {
        Ok(Row::not_an_object())
    }

    fn visit_str<E>(self, _: &str) -> Result<Row, E> {
        Ok(Row::not_an_object())
    }
}

impl Row {
    fn not_an_object() -> Self {
        Self(Err(BadRow { client_id: None, what: "a client that is no JSON object".to_owned() }))
    }
}

/// The client that a row tells of, if the row tells enough.
fn finished(
    mut client: Client,
    client_id: Option<Arc<str>>,
    connected: Option<bool>,
    wrong: Option<String>,
) -> Result<Client, BadRow> {
    let missing = |field| format!("`{field}` is missing");
    let wrong = wrong
        .or_else(|| client_id.is_none().then(|| missing("clientid")))
        .or_else(|| connected.is_none().then(|| missing("connected")));
    match (client_id, connected, wrong) {
        (Some(client_id), Some(connected), None) => {
            client.client_id = client_id;
            client.connected = connected;
            if let Some(queue) = client.queue.as_deref_mut()
                && queue.mqueue_limit == Some(Limit::AtMost(0))
            {
                // EMQX's way to say that the queue has no limit, unlike its other limits.
                queue.mqueue_limit = Some(Limit::Unlimited);
            }
            Ok(client)
        }
        (client_id, _, wrong) => Err(BadRow { client_id, what: wrong.unwrap_or_default() }),
    }
}

/// What a page holds, each part if it is there.
struct Contents {
    rows: Option<Vec<Row>>,
    count: Option<u64>,
}

/// Reads `{"data": [row, ...], "meta": {"count": ...}}`.
#[derive(Clone, Copy)]
struct PageSeed(Groups);

impl<'de> DeserializeSeed<'de> for PageSeed {
    type Value = Contents;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Contents, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for PageSeed {
    type Value = Contents;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of clients")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Contents, A::Error> {
        let mut contents = Contents { rows: None, count: None };
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            match key.as_ref() {
                "data" => contents.rows = Some(map.next_value_seed(DataSeed(self.0))?),
                "meta" => contents.count = map.next_value::<Meta>()?.count,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(contents)
    }
}

/// What a page says about the list.
#[derive(Deserialize)]
struct Meta {
    /// Missing where EMQX does not count.
    count: Option<u64>,
}

/// Reads the rows of a page.
struct DataSeed(Groups);

impl<'de> DeserializeSeed<'de> for DataSeed {
    type Value = Vec<Row>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Row>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for DataSeed {
    type Value = Vec<Row>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of clients")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<Row>, A::Error> {
        let mut rows = Vec::new();
        while let Some(row) = seq.next_element_seed(RowSeed(self.0))? {
            rows.push(row);
        }
        Ok(rows)
    }
}
