//! A stateless Prometheus exporter for the state of individual MQTT clients of EMQX brokers.

pub mod client;
pub mod config;
pub mod emqx;
pub mod tls;
