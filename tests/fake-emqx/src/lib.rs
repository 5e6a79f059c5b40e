//! An EMQX REST API for tests, benches and the demo.
//!
//! [`FakeEmqx`] listens on a real loopback socket and answers like EMQX 5.8.9 or 5.0.26 with recorded bytes. It
//! holds a fleet of MQTT clients that can be changed while it runs, and can be made to misbehave in every way
//! a broker, a proxy or a network does. It runs on a thread of its own, so that it serves sync tests (which
//! run the real binary) and async ones alike, and ends when it is dropped.
//!
//! ```
//! use fake_emqx::{FakeEmqx, Row, Trouble, Version, When};
//!
//! let fake = FakeEmqx::start(Version::V5_8_9);
//! fake.add(Row::recorded(Version::V5_8_9, "plain-user-1"));
//! fake.add(Row::like("plain-user-1").client_id("dev-7").set("keepalive", 10));
//! fake.disconnect("dev-7");
//! fake.trouble(When::Lookup("dev-7".into()), Trouble::Silent.times(1));
//! assert!(fake.url().starts_with("http://127.0.0.1:"));
//! ```
//!
//! What it does not do: other filters of the list than `clientid`, `clients_v2`, any other endpoint, any
//! method but GET, idle time-outs.
#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "test support: a wrong fixture or call should fail the test"
)]

mod answer;
mod auth;
mod connection;
mod fake;
mod fleet;
mod json;
mod list;
mod misbehave;
mod recorded;
mod request;
mod routes;
mod row;
mod server;
mod shared;
mod trouble;

pub use fake::FakeEmqx;
pub use recorded::{Version, body as recorded};
pub use request::Request;
pub use row::Row;
pub use trouble::{Cut, Plan, Trouble, When};
