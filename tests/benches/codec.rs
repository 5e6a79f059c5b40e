//! Decodes a list page and encodes its exposition, within this process.

use std::sync::Arc;
use std::time::Duration;

use emqx_client_monitor::client::{Group, Groups};
use emqx_client_monitor::emqx::wire::{self, Json, Page};
use emqx_client_monitor::metrics::exposition::Exposition;
use emqx_client_monitor::outcome::{ClientIdentity, ClientStatus, Outcome, ProbedClient};

use crate::bare::BareClient;
use crate::broker;
use crate::exporter::Exporter;
use crate::floor;
use crate::measure::{median, milliseconds, ratio, timed};

const CLIENTS: usize = 10_000;
const ROUNDS: usize = 15;

/// The list page that the exporter requests from a broker with 10 000 clients.
fn page() -> Vec<u8> {
    let fake = broker::with_clients(CLIENTS);
    Exporter::start(&broker::config(&fake, 0)).probe(broker::LIST_ALL);
    let target = fake.requests()[0].target.clone();
    let mut page = Vec::new();
    BareClient::connect(&fake).get(&target, |chunk| page.extend_from_slice(chunk));
    page
}

pub(crate) fn decode_and_encode() {
    let json = page();
    let groups: Groups = [Group::Session, Group::Queue, Group::Traffic].into_iter().collect();
    let mut text = String::new();
    let (mut decode, mut encode) = (Vec::new(), Vec::new());
    let mut bytes = 0;
    for round in 0..ROUNDS {
        let (page, ours) = timed(|| wire::page(Json { body: &json, is_complete: true }, groups, CLIENTS));
        let (plain, floor) = timed(|| floor::decode(&json));
        decode.push((ours, floor));

        let outcome = outcome(page.expect("a page"), groups);
        if round == 0 {
            assert_same_text(outcome, &plain);
            continue;
        }
        let (written, ours) = timed(|| Exposition::new(outcome).map(|chunk| chunk.len()).sum::<usize>());
        // Reuses the memory of the round before.
        text.clear();
        let ((), floor) = timed(|| floor::encode(&plain.data, &mut text));
        encode.push((ours, floor));
        bytes = written;
    }
    println!("decoding and encoding {CLIENTS} clients{:>24} {:>12} {:>7}", "processor", "floor", "ratio");
    print("  decode", json.len(), &decode);
    print("  encode", bytes, &encode);
    let both: Vec<_> = decode[1..].iter().zip(&encode).map(|(d, e)| (d.0 + e.0, d.1 + e.1)).collect();
    print("  both", json.len() + bytes, &both);
}

fn print(name: &str, bytes: usize, rounds: &[(Duration, Duration)]) {
    let ours = median(rounds.iter().map(|round| round.0));
    let floor = median(rounds.iter().map(|round| round.1));
    let megabytes = bytes as f64 / 1e6;
    println!(
        "{name:<8} {megabytes:>6.1} MB {:>36.1} ms {:>9.1} ms {:>7.2}",
        milliseconds(ours),
        milliseconds(floor),
        ratio(ours, floor)
    );
}

/// The outcome of a probe whose list has this page only.
fn outcome(page: Page, groups: Groups) -> Outcome {
    let clients = page.rows.into_iter().map(|row| row.into_client().expect("a client").client);
    let clients = clients.map(|client| {
        ProbedClient::new(ClientIdentity::Listed(Arc::clone(&client.client_id)), ClientStatus::Known(client))
    });
    Outcome { timeout: Duration::from_secs(10), ..Outcome::new("LocalEMQX", groups, clients.collect()) }
}

/// Asserts that exporter and floor write the same text; otherwise the comparison means nothing.
fn assert_same_text(outcome: Outcome, plain: &floor::Page) {
    let ours: Vec<u8> = Exposition::new(outcome).flatten().collect();
    let mut text = String::new();
    floor::encode(&plain.data, &mut text);
    let first = "# HELP emqx_mqtt_client_connected ";
    let at = ours.windows(first.len()).position(|window| window == first.as_bytes()).expect("the first family");
    let ours = str::from_utf8(&ours[at..]).expect("text");
    let differing = ours.lines().zip(text.lines()).find(|(ours, floor)| ours != floor);
    assert_eq!(differing, None);
    assert_eq!(ours.len(), text.len());
}
