//! The text of a configuration file.

use std::path::Path;

use super::error::ConfigError;
use super::location::{Location, SyntaxError};
use crate::watched_files::read_bounded;

/// The largest configuration file, in bytes.
const LARGEST_CONFIGURATION: usize = 64 << 20;

/// The text of the configuration file.
pub(super) fn read_configuration(path: &Path) -> Result<String, ConfigError> {
    let content = read_bounded(path, LARGEST_CONFIGURATION)
        .map_err(|reason| ConfigError::Unreadable { path: path.to_path_buf(), reason })?;
    text(content, path)
}

/// The text that is the content of a file.
pub(super) fn text(content: Vec<u8>, path: &Path) -> Result<String, ConfigError> {
    String::from_utf8(content).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        let location = Location::of_byte(error.as_bytes(), offset);
        ConfigError::syntax(path, &SyntaxError::new(Some(location), "is not UTF-8 text"))
    })
}
