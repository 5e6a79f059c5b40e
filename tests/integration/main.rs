//! What a user can observe: the application that ships, against a broker that answers with recorded bytes and can
//! be made to misbehave, and against the real Prometheus.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "test support: what is not as it should be fails the test"
)]

mod http;
mod lookups;
mod prometheus;
mod secrets;
mod states;
mod support;
mod tls;
mod troubles;
