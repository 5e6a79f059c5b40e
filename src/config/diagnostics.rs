//! The problems and warnings found while a configuration is read.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use super::error::{ConfigError, MAX_REPORTED_PROBLEMS};
use super::node_path::NodePath;

/// Collects problems and warnings, so that one problem does not hide the next.
pub(super) struct Diagnostics {
    directory: PathBuf,
    problems: RefCell<Vec<(NodePath, String)>>,
    warnings: RefCell<Vec<String>>,
}

impl Diagnostics {
    /// Returns the empty diagnostics of the file at `path`.
    pub(super) fn new(path: &Path) -> Self {
        Self {
            directory: path.parent().map(Path::to_path_buf).unwrap_or_default(),
            problems: RefCell::default(),
            warnings: RefCell::default(),
        }
    }

    /// Returns the path of a file named in the configuration; a relative one counts from the configuration's directory.
    pub(super) fn resolve(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    pub(super) fn problem(&self, node: NodePath, message: String) {
        self.problems.borrow_mut().push((node, message));
    }

    pub(super) fn warning(&self, message: String) {
        self.warnings.borrow_mut().push(message);
    }

    /// Returns the warnings, or an error with the problems, each located in `text`.
    pub(super) fn conclude(self, path: &Path, text: &str) -> Result<Vec<String>, ConfigError> {
        let mut problems = self.problems.into_inner();
        if problems.is_empty() {
            return Ok(self.warnings.into_inner());
        }
        problems.sort_by(|(one, _), (other, _)| one.cmp(other));
        let omitted = problems.len().saturating_sub(MAX_REPORTED_PROBLEMS);
        let located = problems
            .into_iter()
            .take(MAX_REPORTED_PROBLEMS)
            .map(|(node, message)| (node.locate(text), message))
            .collect();
        Err(ConfigError::problems(path, located, omitted))
    }
}

/// Quotes a text that is no secret, on one line and of bounded length.
pub(super) fn quoted(text: &str) -> String {
    const MAX_CHARS: usize = 60;
    let rest = if text.chars().nth(MAX_CHARS).is_some() { "..." } else { "" };
    format!("{:?}{rest}", text.chars().take(MAX_CHARS).collect::<String>())
}
