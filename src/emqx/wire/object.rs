//! Reads JSON objects field by field.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::super::error::RequestError;
use super::fact::Stored;

/// The name of a field. Unlike serde's `Cow`, it is borrowed from the body unless it holds an escape.
pub(super) struct FieldName<'de>(pub(super) Cow<'de, str>);

impl<'de> Deserialize<'de> for FieldName<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;

        impl<'de> Visitor<'de> for NameVisitor {
            type Value = FieldName<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("the name of a field")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<FieldName<'de>, E> {
                Ok(FieldName(Cow::Borrowed(name)))
            }

            fn visit_str<E>(self, name: &str) -> Result<FieldName<'de>, E> {
                Ok(FieldName(Cow::Owned(name.to_owned())))
            }
        }

        deserializer.deserialize_str(NameVisitor)
    }
}

/// Visits values that are not objects where one was expected: such a value is a bad row, and the page stays readable.
macro_rules! not_an_object {
    ($result:expr) => {
        not_an_object! {
            $result; visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str
        }

        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok($result)
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            Ok($result)
        }
    };
    ($result:expr; $($visit:ident: $value:ty),+) => {
        $(fn $visit<E: Error>(self, _: $value) -> Result<Self::Value, E> {
            Ok($result)
        })+
    };
}

pub(super) use not_an_object;

/// An object of which some fields are read.
pub(super) trait Object: Default {
    /// Stores a field, or skips it by [`skip`].
    fn store_field<'de, A: MapAccess<'de>>(&mut self, field: &str, map: &mut A) -> Result<Stored, A::Error>;
}

/// Skips the value of a field that is not read.
pub(super) fn skip<'de, A: MapAccess<'de>>(map: &mut A) -> Result<Stored, A::Error> {
    map.next_value::<IgnoredAny>().map(|_| Ok(()))
}

/// An object, as far as it could be read.
pub(super) struct ReadObject<T> {
    pub(super) object: T,
    /// What is wrong with the first field that could not be read.
    pub(super) odd_field: Option<String>,
}

impl<T> ReadObject<T> {
    /// Returns the object, if every field could be read.
    pub(super) fn whole(self) -> Result<T, RequestError> {
        self.odd_field.map_or(Ok(self.object), |odd_field| Err(RequestError::decode(odd_field)))
    }
}

/// Reads an object. Whatever is wrong with it, what follows it stays readable.
pub(super) struct ObjectSeed<T>(PhantomData<T>);

impl<T> Default for ObjectSeed<T> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T> Clone for ObjectSeed<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for ObjectSeed<T> {}

impl<'de, T: Object> DeserializeSeed<'de> for ObjectSeed<T> {
    type Value = ReadObject<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Object> Visitor<'de> for ObjectSeed<T> {
    type Value = ReadObject<T>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut object = T::default();
        let mut odd_field = None;
        while let Some(FieldName(name)) = map.next_key()? {
            let stored = object.store_field(&name, &mut map)?;
            odd_field = odd_field.or(stored.err());
        }
        Ok(ReadObject { object, odd_field })
    }

    not_an_object! {
        ReadObject { object: T::default(), odd_field: Some("a row that is no JSON object".to_owned()) }
    }
}
