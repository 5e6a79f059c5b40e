//! The files a web configuration was made from, so that it is known when they change.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};

use ring::digest::{SHA256, digest};

use crate::files::read_bounded;

/// The largest file that is read: many certificates, or many users.
const LARGEST: usize = 4 << 20;

/// What stood in each file when it was read, as a digest: one of them is a private key.
///
/// Contents are compared, not times: a Kubernetes secret changes by a swapped link, and a file may change twice
/// within the granularity of its time stamp.
#[derive(Debug, Default)]
pub(crate) struct Sources(RefCell<Vec<(PathBuf, Content)>>);

/// `None` is a file that could not be read.
type Content = Option<Vec<u8>>;

impl Sources {
    /// Reads a file of reasonable size, and notes what it held.
    pub(super) fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let content = read_bounded(path, LARGEST);
        self.0.borrow_mut().push((path.to_path_buf(), summary(&content)));
        content
    }

    /// Whether a file now holds something other than what was read.
    pub(crate) fn have_changed(&self) -> bool {
        self.0.borrow().iter().any(|(path, was)| summary(&read_bounded(path, LARGEST)) != *was)
    }
}

fn summary(content: &io::Result<Vec<u8>>) -> Content {
    content.as_ref().ok().map(|content| digest(&SHA256, content).as_ref().to_vec())
}
