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
//! Not implemented: list filters other than `clientid`, `clients_v2`, other endpoints, methods other than GET, and
//! idle time-outs.
#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "test support: a wrong fixture or call fails the test"
)]

mod auth;
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
mod routes;
mod row;
mod server;
mod shared;

pub use blackhole::Blackhole;
pub use fake::FakeEmqx;
pub use fault::{Cut, Fault, FaultPlan, OddHead, Packet, When};
pub use recorded::{Version, body as recorded};
pub use request::Request;
pub use row::Row;
