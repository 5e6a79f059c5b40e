//! What the exporter costs, beside what the same work costs at least. How to run and read it: README.md beside this.
#![allow(clippy::print_stdout, clippy::expect_used, reason = "a benchmark prints, and fails loudly")]

mod bare;
mod broker;
mod codec;
mod exporter;
mod floor;
mod measure;
mod probes;

/// Every section, by the name that picks it.
const SECTIONS: [(&str, fn()); 8] = [
    ("codec", codec::decode_and_encode),
    ("start", probes::start),
    ("lookups", probes::lookups),
    ("slow", probes::slow_broker),
    ("page", probes::page),
    ("walk", probes::walk),
    ("fleet", probes::fleet),
    ("stuck", probes::stuck_broker),
];

fn main() {
    // Cargo adds `--bench`.
    let filter = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    for (name, run) in SECTIONS {
        if filter.as_deref().is_none_or(|filter| name.contains(filter)) {
            run();
        }
    }
}
