//! The errors of a configuration, as people read them.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::location::Location;
use super::report::Report;

/// Maximum number of problems reported.
pub(super) const MAX_REPORTED_PROBLEMS: usize = 50;

/// Why a configuration cannot be used. Never shows a value that may be a secret.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// No file was named, and there is none in any of the default places.
    #[error(
        "no configuration file: looked for {}; write one with `emqx-client-monitor --generate config > FILE`, \
         or name one with --cfg FILE",
        display_paths(looked_at)
    )]
    NotFound {
        /// The default places, in the order they were looked at.
        looked_at: Vec<PathBuf>,
    },
    /// The configuration file cannot be read.
    #[error(
        "cannot read the configuration file {}: {reason}; name another one with --cfg FILE, \
         or write one with `emqx-client-monitor --generate config > FILE`", path.display()
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        reason: io::Error,
    },
    /// The web configuration file cannot be read.
    #[error("cannot read the web configuration file {}: {reason}", path.display())]
    WebUnreadable {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        reason: io::Error,
    },
    /// The text is not a configuration.
    #[error(transparent)]
    Invalid(Problems),
}

/// The problems of the configuration and the files it names, and its warnings; their `Display` is a line for each.
#[derive(Debug)]
pub struct Problems {
    pub(super) reported: Vec<String>,
    pub(super) omitted: usize,
    pub(super) warnings: Vec<String>,
}

/// Why a text is not a YAML document that can be read.
#[derive(Debug)]
pub(super) struct SyntaxError {
    pub(super) location: Option<Location>,
    pub(super) message: String,
}

impl SyntaxError {
    pub(super) fn new(location: Option<Location>, message: impl Into<String>) -> Self {
        Self { location, message: message.into() }
    }
}

impl ConfigError {
    /// Returns the error of the file at `path` whose text is not a YAML document.
    pub(super) fn syntax(path: &Path, error: SyntaxError) -> Self {
        Report::of_syntax(path, error).into_error(&[])
    }
}

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.reported.join("\n"))?;
        if self.omitted > 0 {
            write!(formatter, "\n... and {} more", self.omitted)?;
        }
        self.warnings.iter().try_for_each(|warning| write!(formatter, "\n{warning}"))
    }
}

fn display_paths(paths: &[PathBuf]) -> String {
    let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
    paths.join(", ")
}
