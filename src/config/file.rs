//! Files of bounded size.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use super::error::ConfigError;
use super::location::{Location, SyntaxError};

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

/// The content of a regular file of at most `most` bytes.
pub(super) fn read_bounded(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    // Looked at before it is opened: opening a pipe that nobody writes to would never end.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut content = Vec::new();
    File::open(path)?.take(most as u64 + 1).read_to_end(&mut content)?;
    if content.len() > most {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {most} bytes")));
    }
    Ok(content)
}
