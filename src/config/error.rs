//! What is wrong with a configuration, for people.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::location::{Location, SyntaxError};

/// So many problems are told; somebody who sees them has enough to mend.
pub(super) const TOLD_PROBLEMS: usize = 50;

/// Why a configuration cannot be used. Never shows a value that may be a secret.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is no text to read.
    #[error(
        "cannot read the configuration file {}: {reason}; name another one with --cfg FILE, \
         or start from the commented example config/config.yaml", path.display()
    )]
    Unreadable {
        /// The file that was asked for.
        path: PathBuf,
        /// What the operating system says about it.
        reason: io::Error,
    },
    /// There is no web configuration to read.
    #[error("cannot read the web configuration file {}: {reason}", path.display())]
    WebUnreadable {
        /// The file that was asked for.
        path: PathBuf,
        /// What the operating system says about it.
        reason: io::Error,
    },
    /// The text is not a configuration.
    #[error(transparent)]
    Invalid(Problems),
}

/// The problems of a file, in its order; their `Display` is a line for each.
#[derive(Debug)]
pub struct Problems {
    told: Vec<String>,
    more: usize,
}

impl ConfigError {
    /// The one problem of a text that is no YAML document.
    pub(super) fn syntax(path: &Path, error: &SyntaxError) -> Self {
        Self::problems(path, vec![(error.location, error.message.clone())], 0)
    }

    /// Problems and where they stand, and the number of those not told.
    pub(super) fn problems(path: &Path, problems: Vec<(Option<Location>, String)>, more: usize) -> Self {
        let tell = |(location, message)| match location {
            Some(location) => format!("{}:{location}: {message}", path.display()),
            None => format!("{}: {message}", path.display()),
        };
        Self::Invalid(Problems { told: problems.into_iter().map(tell).collect(), more })
    }
}

impl Problems {
    /// How many problems there are, told or not.
    #[must_use]
    pub fn count(&self) -> usize {
        self.told.len() + self.more
    }
}

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.told.join("\n"))?;
        if self.more > 0 {
            write!(formatter, "\n... and {} more", self.more)?;
        }
        Ok(())
    }
}
