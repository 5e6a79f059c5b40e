//! Files that are read again when they change: reads of bounded size, and digests that show a change.
//!
//! Contents are compared, not times: Kubernetes updates a mounted secret by swapping a symbolic link, and a file can
//! change twice within the granularity of its time stamp.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use ring::digest::{Context, SHA256, SHA256_OUTPUT_LEN, digest};

use crate::file_glob::{FileGlob, ListError};

/// The files from which something was made, and a digest of what each of them contained.
///
/// The contents themselves are not kept: some of them are private keys.
#[derive(Default)]
pub(crate) struct WatchedFiles {
    files: Vec<WatchedFile>,
    /// What else was read, each with a function that returns whether it has changed.
    sources: Vec<Box<dyn Fn() -> bool + Send + Sync>>,
}

struct WatchedFile {
    path: PathBuf,
    max_bytes: usize,
    digest: Option<Digest>,
}

/// SHA-256 of a content.
type Digest = [u8; SHA256_OUTPUT_LEN];

/// Bytes that are read at once to see whether a file has changed.
const CHUNK_BYTES: usize = 64 << 10;

impl WatchedFiles {
    /// Reads a regular file of at most `max_bytes` bytes, and watches it whether or not that succeeds.
    ///
    /// # Errors
    /// As of [`read_bounded`].
    pub(crate) fn read(&mut self, path: &Path, max_bytes: usize) -> io::Result<Vec<u8>> {
        let content = read_bounded(path, max_bytes);
        let digest = content.as_ref().ok().map(|content| digest(&SHA256, content));
        self.files.push(WatchedFile { path: path.to_path_buf(), max_bytes, digest: digest.map(to_bytes) });
        content
    }

    /// Returns the files that a glob stands for, in the order of their names, and watches which these are.
    ///
    /// # Errors
    /// A directory that cannot be read.
    pub(crate) fn list(&mut self, glob: FileGlob) -> Result<Vec<PathBuf>, ListError> {
        let files = glob.files();
        let listed = files.as_ref().ok().cloned();
        self.watch(move || glob.files().ok() != listed);
        files
    }

    /// Watches something that is no single file.
    pub(crate) fn watch(&mut self, has_changed: impl Fn() -> bool + Send + Sync + 'static) {
        self.sources.push(Box::new(has_changed));
    }

    /// Returns whether a file now contains something other than what was read, or can be read no longer or again.
    pub(crate) fn have_changed(&self) -> bool {
        let has_changed = |file: &WatchedFile| digest_file(&file.path, file.max_bytes).ok() != file.digest;
        self.files.iter().any(has_changed) || self.sources.iter().any(|has_changed| has_changed())
    }
}

impl fmt::Debug for WatchedFiles {
    /// Shows the paths, but no digest.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.files.iter().map(|file| &file.path)).finish()
    }
}

/// Reads a regular file of at most `max_bytes` bytes.
///
/// # Errors
/// A file that is missing, unreadable, larger, or not a regular file.
pub(crate) fn read_bounded(path: &Path, max_bytes: usize) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    open(path)?.take(max_bytes as u64 + 1).read_to_end(&mut content)?;
    if content.len() > max_bytes { Err(too_large(max_bytes)) } else { Ok(content) }
}

/// Returns the digest of a file without holding its content in memory.
///
/// # Errors
/// As of [`read_bounded`].
fn digest_file(path: &Path, max_bytes: usize) -> io::Result<Digest> {
    let mut file = open(path)?;
    let mut digest = Context::new(&SHA256);
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut total = 0;
    loop {
        let length = file.read(&mut chunk)?;
        total += length;
        if total > max_bytes {
            return Err(too_large(max_bytes));
        }
        if length == 0 {
            return Ok(to_bytes(digest.finish()));
        }
        digest.update(&chunk[..length]);
    }
}

/// Opens a regular file.
fn open(path: &Path) -> io::Result<File> {
    // Checked before the file is opened, because opening a pipe without a writer blocks forever.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    File::open(path)
}

fn too_large(max_bytes: usize) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, format!("larger than {max_bytes} bytes"))
}

fn to_bytes(digest: ring::digest::Digest) -> Digest {
    let mut bytes = [0; SHA256_OUTPUT_LEN];
    bytes.copy_from_slice(digest.as_ref());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_noticed_by_content_whatever_the_time_stamp() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("file");
        fs::write(&path, "one").expect("a file");
        let modified = fs::metadata(&path).and_then(|metadata| metadata.modified()).expect("a time");
        let mut files = WatchedFiles::default();
        assert_eq!(files.read(&path, 3).expect("a file"), b"one");
        assert!(!files.have_changed());

        fs::write(&path, "two").expect("a file");
        File::options().write(true).open(&path).and_then(|file| file.set_modified(modified)).expect("a time");
        assert!(files.have_changed());
        fs::remove_file(&path).expect("it is there");
        assert!(files.have_changed());
        fs::write(&path, "one").expect("a file");
        assert!(!files.have_changed(), "the content that was read is back");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_watched_until_it_can() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("file");
        let mut files = WatchedFiles::default();
        assert!(files.read(&path, 3).is_err());
        assert!(!files.have_changed());
        fs::write(&path, "four").expect("a file");
        assert!(!files.have_changed(), "too large is not readable either");
        fs::write(&path, "one").expect("a file");
        assert!(files.have_changed());
        assert!(!format!("{files:?}").contains("one"));
    }
}
