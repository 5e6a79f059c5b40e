//! The problems and warnings found while a configuration is read.

use std::cell::RefCell;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::document::Document;
use super::error::{ConfigError, MAX_REPORTED_PROBLEMS};
use super::node_path::NodePath;
use super::secret::{self, UncheckedSecret};

/// Maximum number of warnings reported.
const MAX_WARNINGS: usize = 50;

/// Collects problems and warnings, so that one problem does not hide the next.
pub(super) struct Diagnostics {
    directory: PathBuf,
    problems: RefCell<Vec<(NodePath, String)>>,
    warnings: RefCell<Vec<String>>,
    secrets: RefCell<Vec<UncheckedSecret>>,
}

impl Diagnostics {
    /// Returns the empty diagnostics of the file at `path`.
    pub(super) fn new(path: &Path) -> Self {
        Self {
            directory: path.parent().map(Path::to_path_buf).unwrap_or_default(),
            problems: RefCell::default(),
            warnings: RefCell::default(),
            secrets: RefCell::default(),
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

    /// Adds a secret that is read when everything else has been.
    pub(super) fn check_secret(&self, secret: UncheckedSecret) {
        self.secrets.borrow_mut().push(secret);
    }

    /// Returns the warnings, or an error with the problems, each located in `document`, and the warnings.
    pub(super) fn conclude(self, path: &Path, document: &Document<'_>) -> Result<Vec<String>, ConfigError> {
        let mut warnings = secret::check(&self.secrets.into_inner());
        warnings.extend(self.warnings.into_inner());
        let warnings = distinct(warnings);
        let mut problems = self.problems.into_inner();
        if problems.is_empty() {
            return Ok(warnings);
        }
        problems.sort_by(|(one, _), (other, _)| one.cmp(other));
        let omitted = problems.len().saturating_sub(MAX_REPORTED_PROBLEMS);
        let located = problems
            .into_iter()
            .take(MAX_REPORTED_PROBLEMS)
            .map(|(node, message)| (document.locate(&node), message))
            .collect();
        Err(ConfigError::problems(path, located, omitted, &warnings))
    }
}

/// Drops repeated warnings, as of a value that is read twice, and those beyond [`MAX_WARNINGS`].
fn distinct(warnings: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::new();
    let mut distinct: Vec<_> = warnings.into_iter().filter(|warning| seen.insert(warning.clone())).collect();
    let omitted = distinct.len().saturating_sub(MAX_WARNINGS);
    if omitted > 0 {
        distinct.truncate(MAX_WARNINGS);
        distinct.push(format!("... and {omitted} more warnings"));
    }
    distinct
}

/// Quotes a text that is not a secret, on one line and of bounded length.
pub(super) fn quoted(text: &str) -> String {
    const MAX_CHARS: usize = 60;
    let rest = if text.chars().nth(MAX_CHARS).is_some() { "..." } else { "" };
    format!("{:?}{rest}", text.chars().take(MAX_CHARS).collect::<String>())
}
