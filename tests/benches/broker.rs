//! Brokers with many clients, and configurations of exporters for them.

use std::fmt::Write as _;

use fake_emqx::{FakeEmqx, Retained, Row, Version};

/// Query of a probe of every client with the default groups.
pub(crate) const LIST_ALL: &str = "all=true&collect[]=session&collect[]=queue&collect[]=traffic";

/// Starts a broker with this many clients, each with values of its own.
pub(crate) fn with_clients(clients: usize) -> FakeEmqx {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add_all((0..clients).map(|number| {
        let more = 1_000 + number;
        Row::like("plain-user-1")
            .client_id(&device(number))
            .username(Some(&format!("user-{number}")))
            .set("keepalive", number % 300)
            .set("recv_msg.qos0", more * 7)
            .set("recv_oct", more * 1_021)
            .set("send_oct", more * 97)
    }));
    fake
}

pub(crate) fn device(number: usize) -> String {
    format!("device-{number:06}")
}

/// Retains a message for each of this many clients at `$seen/ID`, and subscribes it to `cmd/ID/#`.
pub(crate) fn remember(fake: &FakeEmqx, clients: usize) {
    for number in 0..clients {
        let id = device(number);
        fake.retain(Retained::by_rule(&id));
        fake.change(&id, |row| row.subscribed([format!("cmd/{id}/#").as_str()]));
    }
}

/// Request targets of the lookups of this many clients.
pub(crate) fn lookup_targets(clients: usize) -> Vec<String> {
    (0..clients).map(|number| format!("/api/v5/clients/{}", device(number))).collect()
}

/// A configuration that watches this many of the broker's clients.
pub(crate) fn config(fake: &FakeEmqx, watched: usize) -> String {
    config_with(fake, watched, "")
}

/// The same, with a further line of settings of the broker.
pub(crate) fn config_with(fake: &FakeEmqx, watched: usize, setting: &str) -> String {
    let mut config = format!(
        "emqx:\n  alias: LocalEMQX\n  api_url: {:?}\n  api_key: {:?}\n  api_secret: {:?}\n  {setting}\nmonitored_clients: [\n",
        fake.url(),
        fake.api_key(),
        fake.api_secret()
    );
    for number in 0..watched {
        let _ = writeln!(config, "  {{alias: Device {number}, client_id: {}}},", device(number));
    }
    config.push_str("]\n");
    config
}
