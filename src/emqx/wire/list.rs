//! Reads `{"data": [row, ...], "meta": {"count": ...}}`, EMQX's form of a list, whatever its rows are.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::super::error::RequestError;
use super::fact::store;
use super::object::{FieldName, not_an_object};
use super::{Json, read};

/// A page of a list.
#[derive(Debug)]
pub struct ListPage<T> {
    /// Its rows, in the broker's order.
    pub rows: Vec<T>,
    /// How many rows the list has, if the broker says so.
    pub count: Option<u64>,
}

/// Reads a page of at most `limit` rows, each by `row`.
pub(super) fn read_list<'de, S>(
    json: Json<'de>,
    row: S,
    limit: usize,
) -> Result<ListPage<S::Value>, RequestError>
where
    S: DeserializeSeed<'de> + Copy,
{
    let ListBody { rows, count } = read(json, ListSeed(RowsSeed { row, limit }))?;
    let rows = rows.ok_or_else(|| RequestError::decode("a list without `data`"))?;
    Ok(ListPage { rows: rows.at_most(limit)?, count })
}

/// Reads an array of at most `limit` rows, each by `row`.
pub(super) fn read_array<'de, S>(json: Json<'de>, row: S, limit: usize) -> Result<Vec<S::Value>, RequestError>
where
    S: DeserializeSeed<'de> + Copy,
{
    read(json, RowsSeed { row, limit })?.at_most(limit)
}

/// What a list response holds, each part if it is there.
struct ListBody<T> {
    rows: Option<Rows<T>>,
    count: Option<u64>,
}

/// The rows of a page.
struct Rows<T> {
    rows: Vec<T>,
    /// Whether there were more than requested; those are not read.
    has_more: bool,
}

impl<T> Rows<T> {
    fn at_most(self, limit: usize) -> Result<Vec<T>, RequestError> {
        if self.has_more { Err(RequestError::TooManyRows { limit }) } else { Ok(self.rows) }
    }
}

/// Reads a list.
struct ListSeed<S>(RowsSeed<S>);

impl<'de, S: DeserializeSeed<'de> + Copy> DeserializeSeed<'de> for ListSeed<S> {
    type Value = ListBody<S::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, S: DeserializeSeed<'de> + Copy> Visitor<'de> for ListSeed<S> {
    type Value = ListBody<S::Value>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut body = ListBody { rows: None, count: None };
        while let Some(FieldName(name)) = map.next_key()? {
            match name.as_ref() {
                "data" => body.rows = Some(map.next_value_seed(self.0)?),
                "meta" => body.count = map.next_value_seed(MetaSeed)?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(body)
    }
}

/// Reads the number of rows from what a page says about its list. EMQX does not always count, and a count of another type
/// is none: it only decides how the rows are requested.
struct MetaSeed;

impl<'de> DeserializeSeed<'de> for MetaSeed {
    type Value = Option<u64>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<u64>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for MetaSeed {
    type Value = Option<u64>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("facts about a list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Option<u64>, A::Error> {
        let mut count = None;
        while let Some(FieldName(name)) = map.next_key()? {
            if name == "count" {
                // Whatever is wrong with it does not matter.
                let _ = store(&mut count, "count", &mut map)?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(count)
    }

    not_an_object! { None }
}

/// Reads the rows of a page.
#[derive(Clone, Copy)]
struct RowsSeed<S> {
    row: S,
    limit: usize,
}

impl<'de, S: DeserializeSeed<'de> + Copy> DeserializeSeed<'de> for RowsSeed<S> {
    type Value = Rows<S::Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, S: DeserializeSeed<'de> + Copy> Visitor<'de> for RowsSeed<S> {
    type Value = Rows<S::Value>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut rows = Vec::new();
        while rows.len() < self.limit {
            match seq.next_element_seed(self.row)? {
                Some(row) => rows.push(row),
                None => return Ok(Rows { rows, has_more: false }),
            }
        }
        let mut has_more = false;
        while seq.next_element::<IgnoredAny>()?.is_some() {
            has_more = true;
        }
        Ok(Rows { rows, has_more })
    }
}
