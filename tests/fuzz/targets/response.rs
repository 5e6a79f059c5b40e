//! Decodes arbitrary bytes as a response of EMQX. Decoded values equal those of `serde_json`, and their exposition is
//! valid.
#![no_main]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use emqx_client_monitor::client::{Client, Group, Groups};
use emqx_client_monitor::emqx::RequestError;
use emqx_client_monitor::emqx::wire::{self, BanRow, ClientRow, Json, ListPage};
use emqx_client_monitor::metrics::exposition::Exposition;
use emqx_client_monitor::outcome::{ClientIdentity, ClientStatus, Outcome, ProbedClient};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

use families::Families;

// The tests' strict parser of the exposition; a part of it is used here.
#[allow(dead_code)]
#[path = "../../integration/support/families.rs"]
mod families;

fuzz_target!(|body: &[u8]| {
    let clients = decode_row(body).into_iter().chain(decode_page(body));
    expose(clients);
    decode_memory(body);
});

/// Decodes the response to a lookup.
fn decode_row(body: &[u8]) -> Option<Client> {
    let row = decode_all(body, wire::row).ok();
    let state = wire::row(Json { body, is_complete: true }, Groups::STATE).ok();
    if let Some(ClientRow { client, odd_field }) = &row {
        let state = state.expect("fewer groups have no more odd fields").client;
        assert_eq!(
            (&state.client_id, &state.username, state.connected),
            (&client.client_id, &client.username, client.connected)
        );
        if let (None, Ok(value)) = (odd_field, serde_json::from_slice(body)) {
            assert_decoded(client, &value);
        }
    }
    row.map(|row| row.client)
}

/// Decodes the response to a list request.
fn decode_page(body: &[u8]) -> Vec<Client> {
    let Ok(page) = decode_all(body, |json, groups| wire::page(json, groups, 10_000)) else {
        return Vec::new();
    };
    let value = serde_json::from_slice::<Value>(body).ok();
    let rows = value.as_ref().map(|value| value["data"].as_array().expect("a page has rows"));
    assert!(rows.is_none_or(|rows| rows.len() == page.rows.len()), "a row was lost");
    let mut clients = Vec::new();
    for (index, row) in page.rows.into_iter().enumerate() {
        let client_id = row.client_id().map(str::to_owned);
        match row.into_client() {
            Ok(ClientRow { client, odd_field }) => {
                assert_eq!(client_id.as_deref(), Some(&*client.client_id));
                if let (None, Some(rows)) = (odd_field, rows) {
                    assert_decoded(&client, &rows[index]);
                }
                clients.push(client);
            }
            Err(bad) => assert!(!RequestError::from(bad).to_string().is_empty()),
        }
    }
    clients
}

/// Decodes the responses about what a broker remembers.
fn decode_memory(body: &[u8]) {
    let value = serde_json::from_slice::<Value>(body).ok();
    let rows = |count: usize| {
        let rows = value.as_ref()?["data"].as_array().expect("a list has rows");
        assert_eq!(rows.len(), count, "a row was lost");
        Some(rows)
    };
    if let Ok(ListPage { rows: messages, .. }) =
        decode_all(body, |json, _| wire::retained_messages(json, 10_000))
    {
        for (message, row) in messages.iter().zip(rows(messages.len()).into_iter().flatten()) {
            if message.odd_field.is_none() {
                assert!(message.topic.is_some() && message.published_at.is_some());
                assert_eq!(row["topic"].as_str(), message.topic.as_deref());
                assert_eq!(row["from_clientid"].as_str(), message.from_clientid.as_deref());
            }
        }
    }
    if let Ok(ListPage { rows: bans, .. }) = decode_all(body, |json, _| wire::bans(json, 10_000)) {
        for (ban, row) in bans.iter().zip(rows(bans.len()).into_iter().flatten()) {
            match ban {
                BanRow::ClientId { client_id, .. } => {
                    assert_eq!(
                        (row["as"].as_str(), row["who"].as_str()),
                        (Some("clientid"), Some(&**client_id))
                    );
                }
                BanRow::Other => {}
                BanRow::Unreadable { what, .. } => assert!(!what.is_empty()),
            }
        }
    }
    if let Ok(topics) = decode_all(body, |json, _| wire::subscriptions(json, "sub-all"))
        && let Some(value) = &value
    {
        let rows = value.as_array().expect("it is a list").iter();
        assert!(rows.map(|row| row["topic"].as_str()).eq(topics.iter().map(|topic| Some(topic.as_str()))));
    }
    let is_enabled = decode_all(body, |json, _| wire::is_retainer_enabled(json)).ok();
    if let (Some(is_enabled), Some(value)) = (is_enabled, &value) {
        assert_eq!(value["enable"].as_bool(), Some(is_enabled));
    }
}

/// Decodes all groups. Whether a body is known to be complete changes only the error of a bad one.
fn decode_all<T, E: std::error::Error>(
    body: &[u8],
    decode: fn(Json<'_>, Groups) -> Result<T, E>,
) -> Result<T, E> {
    let all = Group::ALL.into_iter().collect();
    let incomplete = decode(Json { body, is_complete: false }, all);
    let complete = decode(Json { body, is_complete: true }, all);
    assert_eq!(incomplete.is_ok(), complete.is_ok());
    for error in incomplete.as_ref().err().into_iter().chain(complete.as_ref().err()) {
        assert!(!error.to_string().is_empty());
    }
    complete
}

/// Asserts that `serde_json` decodes the same values from a row.
fn assert_decoded(client: &Client, row: &Value) {
    assert_eq!(row["clientid"].as_str(), Some(&*client.client_id));
    assert_eq!(row["connected"].as_bool(), Some(client.connected));
    assert_eq!(row["username"].as_str(), client.username.as_deref());
    let queue = client.queue.as_ref().expect("a requested group");
    assert_eq!(row["mqueue_len"].as_u64(), queue.mqueue);
    let session = client.session.as_ref().expect("a requested group");
    assert_eq!(row["proto_name"].as_str(), session.protocol_name.as_deref());
    assert_eq!(row["connected_at"].is_string(), session.connected_at.is_some());
}

/// Writes the exposition of the clients, each once, and parses it.
fn expose(clients: impl Iterator<Item = Client>) {
    let mut by_id = BTreeMap::<Arc<str>, Client>::new();
    for client in clients {
        let known = by_id.remove(&client.client_id);
        let client = known.map_or_else(|| client.clone(), |known| known.preferred(client.clone()));
        by_id.insert(Arc::clone(&client.client_id), client);
    }
    let expected: Vec<_> = by_id.keys().cloned().collect();
    let probed =
        |(client_id, client)| ProbedClient::new(ClientIdentity::Listed(client_id), ClientStatus::Known(client));
    let outcome = Outcome {
        timeout: Duration::from_secs(10),
        duration: Duration::from_millis(7),
        ..Outcome::new("LocalEMQX", Group::ALL.into_iter().collect(), by_id.into_iter().map(probed).collect())
    };
    let text: Vec<u8> = Exposition::new(outcome).flatten().collect();
    let families = Families::parse(str::from_utf8(&text).expect("the exposition is UTF-8"));
    let samples = families.all("emqx_mqtt_client_connected", &[]);
    let exposed: Vec<_> = samples.iter().map(|sample| sample.labels["client_id"].as_str()).collect();
    assert_eq!(exposed, expected.iter().map(AsRef::as_ref).collect::<Vec<_>>());
}
