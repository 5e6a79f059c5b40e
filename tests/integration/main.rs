//! Tests of what users observe: the exporter that ships, against a fake broker with recorded responses and injected
//! faults, and against the real Prometheus.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::use_debug,
    reason = "a missing precondition fails the test, and quoted text is YAML"
)]

mod absence;
mod behind_a_proxy;
mod broker_memory;
mod browser;
mod check;
mod client_files;
mod client_page;
mod command_line;
mod completions;
mod config_files;
mod config_readme;
mod connections;
mod dashboard;
mod debug_view;
mod demo;
mod discovery;
mod documentation;
mod faults;
mod fleet_counts;
mod fleets;
mod http;
mod kubernetes;
mod lifecycle;
mod logs;
mod lookups;
mod memory;
mod name_server;
mod open_metrics;
mod overload;
mod pace;
mod pages;
mod prometheus;
mod properties;
mod proxy;
mod reload;
mod replicas;
mod rules;
mod schema;
mod secrets;
mod selection;
mod soak;
mod sorting;
mod states;
mod support;
mod systemd;
mod tls;
mod transport;
mod watch;
mod web_auth;
mod web_config;
