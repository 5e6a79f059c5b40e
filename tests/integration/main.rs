//! What a user can observe: the application that ships, against a broker that answers with recorded bytes and can
//! be made to misbehave, and against the real Prometheus.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "test support: what is not as it should be fails the test"
)]

mod check;
mod command_line;
mod http;
mod lookups;
mod prometheus;
mod states;
mod support;
