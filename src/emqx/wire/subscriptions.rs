//! The subscriptions of one client.

use serde::de::MapAccess;

use super::super::error::RequestError;
use super::Json;
use super::fact::{Stored, store};
use super::list::read_array;
use super::object::{Object, ObjectSeed, skip};

#[derive(Default)]
struct Subscription {
    topic: Option<String>,
    client_id: Option<String>,
}

impl Object for Subscription {
    fn store_field<'de, A: MapAccess<'de>>(&mut self, field: &str, map: &mut A) -> Result<Stored, A::Error> {
        match field {
            "topic" => store(&mut self.topic, "topic", map),
            "clientid" => store(&mut self.client_id, "clientid", map),
            _ => skip(map),
        }
    }
}

/// Reads the topic filters that a client is subscribed to.
///
/// # Errors
/// [`RequestError::Protocol`] for a truncated body, [`RequestError::Decode`] for anything else that is not the list of this
/// client's subscriptions: a missing one would look like a subscription that the client lacks.
pub fn subscriptions(json: Json<'_>, client_id: &str) -> Result<Vec<String>, RequestError> {
    // The size of the body bounds their number.
    let rows = read_array(json, ObjectSeed::<Subscription>::default(), usize::MAX)?;
    rows.into_iter()
        .map(|row| {
            let Subscription { topic, client_id: of } = row.whole()?;
            if of.is_some_and(|of| of != client_id) {
                return Err(RequestError::decode("a subscription of another client than the requested one"));
            }
            topic.ok_or_else(|| RequestError::decode("a subscription without `topic`"))
        })
        .collect()
}
