//! An answer of EMQX: whatever it is, it is read or refused; what is read is what `serde_json` reads, and can be
//! told to Prometheus.
#![no_main]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use emqx_client_monitor::client::{Client, Group, Groups};
use emqx_client_monitor::emqx::RequestError;
use emqx_client_monitor::emqx::wire::{self, ClientRow, Json};
use emqx_client_monitor::metrics::exposition::Exposition;
use emqx_client_monitor::outcome::{
    ClientIdentity, ClientStatus, Failures, Outcome, ProbedClient, RequestStats,
};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

use families::Families;

// The tests' own reader of the exposition, of which little is needed here.
#[allow(dead_code)]
#[path = "../../integration/support/families.rs"]
mod families;

fuzz_target!(|body: &[u8]| {
    let clients = read_row(body).into_iter().chain(read_page(body));
    tell(clients);
});

/// The client of the answer to a lookup.
fn read_row(body: &[u8]) -> Option<Client> {
    let row = whole(body, wire::row).ok();
    let state = wire::row(Json { body, is_complete: true }, Groups::STATE).ok();
    if let Some(ClientRow { client, odd_field }) = &row {
        let state = state.expect("fewer groups have no more odd fields").client;
        assert_eq!(
            (&state.client_id, &state.username, state.connected),
            (&client.client_id, &client.username, client.connected)
        );
        if let (None, Ok(value)) = (odd_field, serde_json::from_slice(body)) {
            assert_told(client, &value);
        }
    }
    row.map(|row| row.client)
}

/// The clients of the answer to a list request.
fn read_page(body: &[u8]) -> Vec<Client> {
    let Ok(page) = whole(body, |json, groups| wire::page(json, groups, 10_000)) else {
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
                    assert_told(&client, &rows[index]);
                }
                clients.push(client);
            }
            Err(bad) => assert!(!RequestError::from(bad).to_string().is_empty()),
        }
    }
    clients
}

/// Reads everything there is to read. Whether a body is known to be whole changes only what is said of a bad one.
fn whole<T, E: std::error::Error>(body: &[u8], read: fn(Json<'_>, Groups) -> Result<T, E>) -> Result<T, E> {
    let all = Group::ALL.into_iter().collect();
    let cut = read(Json { body, is_complete: false }, all);
    let whole = read(Json { body, is_complete: true }, all);
    assert_eq!(cut.is_ok(), whole.is_ok());
    for error in cut.as_ref().err().into_iter().chain(whole.as_ref().err()) {
        assert!(!error.to_string().is_empty());
    }
    whole
}

/// Fails unless `serde_json` reads the same of a row.
fn assert_told(client: &Client, row: &Value) {
    assert_eq!(row["clientid"].as_str(), Some(&*client.client_id));
    assert_eq!(row["connected"].as_bool(), Some(client.connected));
    assert_eq!(row["username"].as_str(), client.username.as_deref());
    let queue = client.queue.as_ref().expect("the queue was asked for");
    assert_eq!(row["mqueue_len"].as_u64(), queue.mqueue);
    let session = client.session.as_ref().expect("the session was asked for");
    assert_eq!(row["proto_name"].as_str(), session.protocol_name.as_deref());
    assert_eq!(row["connected_at"].is_string(), session.connected_at.is_some());
}

/// Tells the clients, each once, and reads what was told.
fn tell(clients: impl Iterator<Item = Client>) {
    let mut by_id = BTreeMap::<Arc<str>, Client>::new();
    for client in clients {
        let known = by_id.remove(&client.client_id);
        let client = known.map_or_else(|| client.clone(), |known| known.preferred(client.clone()));
        by_id.insert(Arc::clone(&client.client_id), client);
    }
    let expected: Vec<_> = by_id.keys().cloned().collect();
    let told = |(client_id, client)| ProbedClient {
        identity: ClientIdentity::Listed(client_id),
        status: ClientStatus::Known(client),
    };
    let outcome = Outcome {
        broker: "LocalEMQX".to_owned(),
        groups: Group::ALL.into_iter().collect(),
        clients: by_id.into_iter().map(told).collect(),
        is_complete: true,
        failures: Failures::default(),
        requests: RequestStats::default(),
        timeout: Duration::from_secs(10),
        duration: Duration::from_millis(7),
    };
    let text: Vec<u8> = Exposition::new(outcome).flatten().collect();
    let families = Families::parse(str::from_utf8(&text).expect("the exposition is UTF-8"));
    let told = families.all("emqx_mqtt_client_connected", &[]);
    let told: Vec<_> = told.iter().map(|sample| sample.labels["client_id"].as_str()).collect();
    assert_eq!(told, expected.iter().map(AsRef::as_ref).collect::<Vec<_>>());
}
