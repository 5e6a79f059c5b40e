//! What comes to light while a configuration is read: problems, each at its place, and warnings.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use super::error::{ConfigError, TOLD_PROBLEMS};
use super::location::NodePath;

/// Collects problems and warnings, so that reading goes on behind the first one.
pub(super) struct Diagnostics {
    directory: PathBuf,
    problems: RefCell<Vec<(NodePath, String)>>,
    warnings: RefCell<Vec<String>>,
}

impl Diagnostics {
    /// For the configuration in the file at `path`.
    pub(super) fn new(path: &Path) -> Self {
        Self {
            directory: path.parent().map(Path::to_path_buf).unwrap_or_default(),
            problems: RefCell::default(),
            warnings: RefCell::default(),
        }
    }

    /// The file that the configuration means by `name`.
    pub(super) fn resolve(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    pub(super) fn problem(&self, place: NodePath, message: String) {
        self.problems.borrow_mut().push((place, message));
    }

    pub(super) fn warning(&self, message: String) {
        self.warnings.borrow_mut().push(message);
    }

    /// The warnings, unless there are problems, which are then located in `text`.
    pub(super) fn conclude(self, path: &Path, text: &str) -> Result<Vec<String>, ConfigError> {
        let mut problems = self.problems.into_inner();
        if problems.is_empty() {
            return Ok(self.warnings.into_inner());
        }
        problems.sort_by(|(one, _), (other, _)| one.cmp(other));
        let more = problems.len().saturating_sub(TOLD_PROBLEMS);
        let located = problems
            .into_iter()
            .take(TOLD_PROBLEMS)
            .map(|(place, message)| (place.locate(text), message))
            .collect();
        Err(ConfigError::problems(path, located, more))
    }
}

/// A harmless text of the configuration, quoted, on one line and of bounded length.
pub(super) fn shown(text: &str) -> String {
    const MOST: usize = 60;
    let rest = if text.chars().nth(MOST).is_some() { "..." } else { "" };
    format!("{:?}{rest}", text.chars().take(MOST).collect::<String>())
}
