//! What a user can observe: the application that ships, against a broker that answers with recorded bytes and can
//! be made to misbehave, and against the real Prometheus.

mod check;
mod command_line;
mod http;
mod lookups;
mod prometheus;
mod states;
mod support;
