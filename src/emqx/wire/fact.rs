//! The types that a field of a client may have, and how each is read from JSON.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::client::{BanEnd, ExpiryInterval, Limit};

/// The expiry interval by which MQTT 5 says "never" (section 3.1.2.11.2).
const EXPIRY_NEVER: u64 = 0xFFFF_FFFF;

/// Whether a field had the expected type; if not, what is wrong with it.
pub(super) type Stored = Result<(), String>;

/// Reads the next value into `fact`. A `null` or a value of another type leaves it empty.
pub(super) fn store<'de, T: Fact, A: MapAccess<'de>>(
    fact: &mut Option<T>,
    field: &'static str,
    map: &mut A,
) -> Result<Stored, A::Error> {
    *fact = match map.next_value()? {
        Value::Null => None,
        value => match T::read(value) {
            Some(value) => Some(value),
            None => return Ok(Err(format!("`{field}` must be {}", T::WANTED))),
        },
    };
    Ok(Ok(()))
}

/// A JSON value, as far as a fact may be read from it.
pub(super) enum Value<'de> {
    Null,
    Flag(bool),
    Count(u64),
    Text(Cow<'de, str>),
    /// A negative or fractional number, a list or an object.
    Other,
}

/// A type that a field may have.
pub(super) trait Fact: Sized {
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
    const WANTED: &'static str = "a non-negative integer";
    fn read(value: Value<'_>) -> Option<Self> {
        if let Value::Count(count) = value { Some(count) } else { None }
    }
}

impl Fact for String {
    const WANTED: &'static str = "a string";
    fn read(value: Value<'_>) -> Option<Self> {
        if let Value::Text(text) = value { Some(text.into_owned()) } else { None }
    }
}

impl Fact for Arc<str> {
    const WANTED: &'static str = String::WANTED;
    fn read(value: Value<'_>) -> Option<Self> {
        if let Value::Text(text) = value { Some(text.into()) } else { None }
    }
}

impl Fact for Timestamp {
    const WANTED: &'static str = "an RFC 3339 time";
    fn read(value: Value<'_>) -> Option<Self> {
        if let Value::Text(text) = value { text.parse().ok() } else { None }
    }
}

impl Fact for IpAddr {
    const WANTED: &'static str = "an IP address";
    fn read(value: Value<'_>) -> Option<Self> {
        // A dual-stack listener of EMQX reports IPv4 peers as `::ffff:192.0.2.1`.
        if let Value::Text(text) = value { text.parse().ok().map(|ip: Self| ip.to_canonical()) } else { None }
    }
}

impl Fact for Limit {
    const WANTED: &'static str = "a non-negative integer or \"infinity\"";
    fn read(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Count(most) => Some(Self::AtMost(most)),
            Value::Text(text) if text == "infinity" => Some(Self::Unlimited),
            _ => None,
        }
    }
}

impl Fact for ExpiryInterval {
    const WANTED: &'static str = "a number of seconds";
    fn read(value: Value<'_>) -> Option<Self> {
        match u64::read(value)? {
            EXPIRY_NEVER => Some(Self::Never),
            seconds => Some(Self::Seconds(seconds)),
        }
    }
}

impl Fact for BanEnd {
    const WANTED: &'static str = "an RFC 3339 time or \"infinity\"";
    fn read(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Text(text) if text == "infinity" => Some(Self::Never),
            value => Timestamp::read(value).map(Self::At),
        }
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
