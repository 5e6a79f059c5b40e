//! A fake EMQX REST API for tests, benches and the demo.
//!
//! [`FakeEmqx`] listens on a real loopback socket and responds with the recorded bytes of real brokers. It holds a
//! table of MQTT clients that tests change while it runs, and injects every fault that a broker, a proxy or a network
//! can have. It runs on a thread of its own, so it serves tests that run the real binary as well as async ones. It
//! stops when dropped.
//!
//! ```
//! use fake_emqx::{FakeEmqx, Fault, Row, Version, When};
//!
//! let fake = FakeEmqx::start(Version::V5_8_9);
//! fake.add(Row::recorded(Version::V5_8_9, "plain-user-1"));
//! fake.add(Row::like("plain-user-1").client_id("dev-7").set("keepalive", 10));
//! fake.disconnect("dev-7");
//! fake.inject(When::Lookup("dev-7".into()), Fault::Silent.times(1));
//! assert!(fake.url().starts_with("http://127.0.0.1:"));
//! ```
//!
//! It remembers what a broker remembers, each readable at EMQX's endpoint: retained messages (without payloads), bans,
//! and the subscriptions of each row.
//!
//! ```
//! use fake_emqx::{Ban, FakeEmqx, Fault, Retained, Row, Version, When};
//!
//! let fake = FakeEmqx::start(Version::V6_2_2);
//! fake.retain(Retained::new("tele/dev-7/STATE", "dev-7").at_text("2026-11-27T07:17:26.176+00:00"));
//! fake.remember_connections(); // the rule: from now on the messages at `$seen/ID` follow the table of clients
//! fake.add(Row::like("plain-user-1").client_id("dev-8").subscribed(["cmd/dev-8/#"])); // renews `$seen/dev-8`
//! fake.ban(Ban::by_flapping_detection("dev-8")); // kicks it, which renews `$seen/dev-8` again
//! fake.enable_retainer(false); // messages are kept, but the list is empty
//! fake.inject(When::Retained, Fault::refused_by_scope());
//! fake.inject(When::Bans, Fault::Silent.times(1)); // also `When::Retainer` and `When::Subscriptions`
//! assert!(fake.requests().iter().all(|request| !request.is_retained_list() && !request.is_ban_list()));
//! ```
//!
//! Not implemented: list filters other than `clientid` (clients, bans) and `topic`, payloads of retained messages
//! (`message/{topic}`), `clients_v2`, other endpoints, methods other than GET, and idle time-outs.
#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "test support: a wrong fixture or call fails the test"
)]

mod auth;
mod bans;
mod blackhole;
mod client_table;
mod connection;
mod fake;
mod fault;
mod inject;
mod json;
mod list_query;
mod recorded;
mod request;
mod response;
mod retained;
mod routes;
mod row;
mod server;
mod shared;
mod topic;

pub use bans::Ban;
pub use blackhole::Blackhole;
pub use fake::FakeEmqx;
pub use fault::{Cut, Fault, FaultPlan, OddHead, Packet, When};
pub use recorded::{Version, body as recorded};
pub use request::Request;
pub use retained::Retained;
pub use row::Row;
