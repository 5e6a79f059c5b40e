//! The version of the program, for `--version` and the metric `emqx_client_monitor_build_info`.

/// The version of this exporter.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit it was built from, or `unknown`.
pub const COMMIT: &str = env!("EMQX_CLIENT_MONITOR_COMMIT");

/// The version of the compiler that built it.
pub const RUSTC: &str = env!("EMQX_CLIENT_MONITOR_RUSTC");

/// Version, commit and compiler in one line.
pub const LINE: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    " (commit ",
    env!("EMQX_CLIENT_MONITOR_COMMIT"),
    ", rustc ",
    env!("EMQX_CLIENT_MONITOR_RUSTC"),
    ")"
);
