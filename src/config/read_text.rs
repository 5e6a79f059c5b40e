//! Reads the text of a configuration file.

use std::path::Path;

use super::error::{ConfigError, SyntaxError};
use super::location::Location;
use crate::watched_files::WatchedFiles;

/// The largest configuration file, in bytes.
const MAX_CONFIGURATION_BYTES: usize = 64 << 20;

/// Returns the text of the configuration file at `path`, and adds the file to `files`.
pub(super) fn read_configuration(path: &Path, files: &mut WatchedFiles) -> Result<String, ConfigError> {
    let content = files
        .read(path, MAX_CONFIGURATION_BYTES)
        .map_err(|reason| ConfigError::Unreadable { path: path.to_path_buf(), reason })?;
    text(content, path)
}

/// Decodes the content of the file at `path`.
pub(super) fn text(content: Vec<u8>, path: &Path) -> Result<String, ConfigError> {
    decode(content).map_err(|error| ConfigError::syntax(path, error))
}

/// Decodes the content of a file.
pub(super) fn decode(content: Vec<u8>) -> Result<String, SyntaxError> {
    if content.starts_with(b"\xff\xfe") || content.starts_with(b"\xfe\xff") {
        return Err(SyntaxError::new(None, "UTF-16 text; save the file as UTF-8"));
    }
    String::from_utf8(content).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        SyntaxError::new(
            Some(Location::of_byte(error.as_bytes(), offset)),
            "not valid UTF-8; save the file as UTF-8",
        )
    })
}
