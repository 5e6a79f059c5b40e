//! What the tests share: an exporter that runs, the program that ships, the demo, the real Prometheus, and a reader
//! of what they say.

mod alertmanager;
mod demo;
mod exporter;
mod families;
mod haproxy;
mod https;
mod pki;
mod program;
mod prometheus;
mod served;
mod terminal;

pub(crate) use alertmanager::Alertmanager;
pub(crate) use demo::Demo;
pub(crate) use exporter::{Exporter, config_of, config_of_brokers, watching};
pub(crate) use families::Families;
pub(crate) use haproxy::HaProxy;
pub(crate) use https::{Asker, Reply};
pub(crate) use pki::{Authority, FIXTURES, Leaf, Tls};
pub(crate) use program::{Program, Run, bare_command, send_signal};
pub(crate) use prometheus::{Prometheus, Series, promtool};
pub(crate) use served::Served;
pub(crate) use terminal::{Terminal, run_in_terminal};
