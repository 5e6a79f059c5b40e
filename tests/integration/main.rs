//! What a user can observe: the application that ships, against a broker that answers with recorded bytes and can
//! be made to misbehave, and against the real Prometheus.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::use_debug,
    reason = "what a test relies on and does not find fails it, and quoted text is YAML"
)]

mod browser;
mod check;
mod command_line;
mod completions;
mod config_readme;
mod dashboard;
mod demo;
mod discovery;
mod documentation;
mod faults;
mod fleets;
mod http;
mod kubernetes;
mod lifecycle;
mod logs;
mod lookups;
mod overload;
mod pages;
mod prometheus;
mod properties;
mod reload;
mod replicas;
mod rules;
mod schema;
mod secrets;
mod soak;
mod sorting;
mod states;
mod support;
mod tls;
mod transport;
mod watch;
mod web_auth;
