//! Files of bounded size.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

/// The content of a regular file of at most `most` bytes.
pub(crate) fn read_bounded(path: &Path, most: usize) -> io::Result<Vec<u8>> {
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
