//! What a user can observe: the application that ships, against a broker that answers with recorded bytes and can
//! be made to misbehave, and against the real Prometheus.

mod demo;
mod http;
mod lookups;
mod prometheus;
mod readme;
mod states;
mod support;
