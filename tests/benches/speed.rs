//! The cost of the exporter, compared with lower bounds for the same work. See README.md in this folder.
#![allow(clippy::print_stdout, clippy::expect_used, reason = "a benchmark prints, and fails loudly")]

mod bare;
mod broker;
mod codec;
mod exporter;
mod floor;
mod formats;
mod measure;
mod probes;
mod size;

/// Sections by the name that selects them.
const SECTIONS: [(&str, fn()); 11] = [
    ("codec", codec::decode_and_encode),
    ("start", probes::start),
    ("lookups", probes::lookups),
    ("memory", probes::memory),
    ("slow", probes::slow_broker),
    ("page", probes::page),
    ("list", probes::list),
    ("scale", probes::scale),
    ("size", size::hundred_thousand),
    ("formats", formats::text_and_open_metrics),
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
