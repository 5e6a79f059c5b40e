//! EMQX's own spelling of a client, read from JSON.
//!
//! Only the facts of the wanted groups are read, whatever else a version sends. A fact that is missing or `null`
//! stays unknown; one of a wrong type spoils its row, never its neighbours.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;

use jiff::Timestamp;
use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::error::AskError;
use super::http::Reply;
use crate::client::{Client, ExpiryInterval, Group, Groups, Limit};

/// The expiry interval by which MQTT 5 says "never" (section 3.1.2.11.2).
const EXPIRY_NEVER: u64 = 0xFFFF_FFFF;

/// Reads the answer to a lookup.
pub(super) fn row(reply: &Reply, groups: Groups) -> Result<Client, AskError> {
    whole(reply, RowSeed(groups))?.into_client()
}

/// Reads the rows of a list.
pub(super) fn rows(reply: &Reply, groups: Groups) -> Result<Vec<Row>, AskError> {
    whole(reply, PageSeed(groups))?.ok_or_else(|| AskError::decode("a list of clients without `data`"))
}

/// Reads one JSON value, which must be the whole body.
///
/// An early end is the connection's fault when nothing shows that the body came whole (`protocol`), and EMQX's
/// when it did (`decode`).
fn whole<'de, S: DeserializeSeed<'de>>(reply: &'de Reply, seed: S) -> Result<S::Value, AskError> {
    let mut deserializer = serde_json::Deserializer::from_slice(reply.body());
    seed.deserialize(&mut deserializer).and_then(|value| deserializer.end().map(|()| value)).map_err(|error| {
        match error.classify() {
            serde_json::error::Category::Eof if !reply.is_whole() => {
                AskError::Protocol { what: "the answer was cut short".to_owned(), source: None }
            }
            _ => AskError::decode(format!("no valid JSON at line {} column {}", error.line(), error.column())),
        }
    })
}

/// One row of an answer: a client, or what is wrong with it.
#[derive(Debug)]
pub(super) struct Row(Result<Client, BadRow>);

/// A row that cannot be told.
#[derive(Debug)]
struct BadRow {
    client_id: Option<String>,
    what: String,
}

impl Row {
    /// Whose row it is, if it says so.
    pub(super) fn client_id(&self) -> Option<&str> {
        match &self.0 {
            Ok(client) => Some(&client.client_id),
            Err(bad) => bad.client_id.as_deref(),
        }
    }

    /// The client, or [`AskError::Decode`].
    pub(super) fn into_client(self) -> Result<Client, AskError> {
        self.0.map_err(|bad| AskError::decode(bad.what))
    }
}

/// A JSON value, as far as a fact can be one.
enum Value<'de> {
    Null,
    Flag(bool),
    Count(u64),
    Text(Cow<'de, str>),
    /// A negative or fractional number, a list or an object.
    Other,
}

/// What a JSON value may be read as.
trait Fact: Sized {
    /// Ends the sentence "... must be ...".
    const WANTED: &'static str;
    fn read(value: Value<'_>) -> Option<Self>;
}

impl Fact for bool {
    const WANTED: &'static str = "true or false";
    fn read(value: Value<'_>) -> Option<Self> {
        if let Value::Flag(flag) = value { Some(flag) } else { None }
    }
}

impl Fact for u64 {
    const WANTED: &'static str = "a count";
    fn read(value: Value<'_>) -> Option<Self> {
        if let Value::Count(count) = value { Some(count) } else { None }
    }
}

impl Fact for String {
    const WANTED: &'static str = "a text";
    fn read(value: Value<'_>) -> Option<Self> {
        if let Value::Text(text) = value { Some(text.into_owned()) } else { None }
    }
}

impl Fact for Timestamp {
    const WANTED: &'static str = "a time as of RFC 3339";
    fn read(value: Value<'_>) -> Option<Self> {
        if let Value::Text(text) = value { text.parse().ok() } else { None }
    }
}

impl Fact for IpAddr {
    const WANTED: &'static str = "an IP address";
    fn read(value: Value<'_>) -> Option<Self> {
        if let Value::Text(text) = value { text.parse().ok() } else { None }
    }
}

impl Fact for Limit {
    const WANTED: &'static str = "a count or \"infinity\"";
    fn read(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Count(most) => Some(Self::AtMost(most)),
            Value::Text(text) if text == "infinity" => Some(Self::Unlimited),
            _ => None,
        }
    }
}

impl Fact for ExpiryInterval {
    const WANTED: &'static str = "a count of seconds";
    fn read(value: Value<'_>) -> Option<Self> {
        match u64::read(value)? {
            EXPIRY_NEVER => Some(Self::Never),
            seconds => Some(Self::Seconds(seconds)),
        }
    }
}

/// Where each of EMQX's fields goes: the group that wants it, and the fact of that group that it is.
macro_rules! fields {
    ($($group:ident: $variant:ident { $($field:literal => $($fact:ident).+,)+ })+) => {
        /// A client with a place for each wanted group.
        fn prepared(groups: Groups) -> Client {
            let mut client = Client::default();
            $(if groups.contains(Group::$variant) {
                client.$group = Some(Box::default());
            })+
            client
        }

        /// Takes one field of a wanted group in, and passes any other over.
        fn take<'de, A: MapAccess<'de>>(
            client: &mut Client,
            field: &str,
            map: &mut A,
        ) -> Result<Taken, A::Error> {
            match field {
                $($($field => {
                    if let Some(facts) = client.$group.as_deref_mut() {
                        return store(&mut facts.$($fact).+, $field, map);
                    }
                })+)+
                _ => {}
            }
            map.next_value::<IgnoredAny>().map(|_| Ok(()))
        }
    };
}

fields! {
    session: Session {
        "proto_name" => protocol_name,
        "proto_ver" => protocol_version,
        "clean_start" => clean_start,
        "created_at" => created_at,
        "connected_at" => connected_at,
        "disconnected_at" => disconnected_at,
        "keepalive" => keepalive_seconds,
        "expiry_interval" => expiry_interval,
        "is_expired" => expired,
    }
    queue: Queue {
        "subscriptions_cnt" => subscriptions,
        "subscriptions_max" => subscriptions_limit,
        "inflight_cnt" => inflight,
        "inflight_max" => inflight_limit,
        "mqueue_len" => mqueue,
        "mqueue_max" => mqueue_limit,
        "awaiting_rel_cnt" => awaiting_pubrel,
        "awaiting_rel_max" => awaiting_pubrel_limit,
        "mqueue_dropped" => mqueue_dropped,
    }
    traffic: Traffic {
        "recv_msg.qos0" => received_messages.qos0,
        "recv_msg.qos1" => received_messages.qos1,
        "recv_msg.qos2" => received_messages.qos2,
        "recv_msg.dropped" => received_dropped,
        "recv_msg.dropped.await_pubrel_timeout" => received_dropped_await_pubrel_timeout,
        "recv_oct" => received_bytes,
        "recv_pkt" => received_packets,
        "send_msg.qos0" => sent_messages.qos0,
        "send_msg.qos1" => sent_messages.qos1,
        "send_msg.qos2" => sent_messages.qos2,
        "send_msg.dropped" => sent_dropped,
        "send_msg.dropped.expired" => sent_dropped_expired,
        "send_msg.dropped.queue_full" => sent_dropped_queue_full,
        "send_msg.dropped.too_large" => sent_dropped_too_large,
        "send_oct" => sent_bytes,
        "send_pkt" => sent_packets,
    }
    process: Process {
        "mailbox_len" => mailbox,
        "reductions" => reductions,
    }
    address: Address {
        "ip_address" => ip,
        "port" => port,
    }
}

/// Whether a field was of the right type; if not, what is wrong with it.
type Taken = Result<(), String>;

fn store<'de, T: Fact, A: MapAccess<'de>>(
    fact: &mut Option<T>,
    field: &'static str,
    map: &mut A,
) -> Result<Taken, A::Error> {
    *fact = match map.next_value()? {
        Value::Null => None,
        value => match T::read(value) {
            Some(value) => Some(value),
            None => return Ok(Err(format!("`{field}` must be {}", T::WANTED))),
        },
    };
    Ok(Ok(()))
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
        let wants_node = self.0.contains(Group::Session) || self.0.contains(Group::Address);
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
    client_id: Option<String>,
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

/// Reads `{"data": [row, ...], "meta": ...}`; `None` when there is no `data`.
#[derive(Clone, Copy)]
struct PageSeed(Groups);

impl<'de> DeserializeSeed<'de> for PageSeed {
    type Value = Option<Vec<Row>>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for PageSeed {
    type Value = Option<Vec<Row>>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of clients")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut data = None;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if key == "data" {
                data = Some(map.next_value_seed(DataSeed(self.0))?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(data)
    }
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

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value<'de>, E> {
        Ok(Value::Flag(flag))
    }

    fn visit_u64<E>(self, count: u64) -> Result<Value<'de>, E> {
        Ok(Value::Count(count))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Value<'de>, E> {
        Ok(Value::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Value<'de>, E> {
        Ok(Value::Other)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Value::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Value::Other)
    }
}
