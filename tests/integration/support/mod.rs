//! Shared by the tests: running exporters, programs and brokers, and a strict parser of the exposition.

mod alertmanager;
mod connect_proxy;
mod demo;
mod exporter;
mod families;
mod haproxy;
mod http_client;
mod pki;
mod program;
mod prometheus;
mod raw_server;
mod resolver;
mod server_process;
mod terminal;
mod wait;
pub(crate) mod web_config_dir;

pub(crate) use alertmanager::Alertmanager;
pub(crate) use connect_proxy::{ConnectProxy, Proxying};
pub(crate) use demo::Demo;
pub(crate) use exporter::{Exporter, Response, config_of, config_of_brokers, send, watching};
pub(crate) use families::Families;
pub(crate) use haproxy::HaProxy;
pub(crate) use http_client::{HttpClient, Reply};
pub(crate) use pki::{Authority, FIXTURES, Leaf, Tls};
pub(crate) use program::{Program, Run, bare_command, send_signal};
pub(crate) use prometheus::{Prometheus, Release, Series, free_address, promtool};
pub(crate) use raw_server::{RawServer, Step};
pub(crate) use resolver::with_resolver;
pub(crate) use server_process::ServerProcess;
pub(crate) use terminal::{Terminal, run_in_terminal};
pub(crate) use wait::wait_until;
