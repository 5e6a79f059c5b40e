//! The problems and warnings found while a file is read.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};

use super::error::MAX_REPORTED_PROBLEMS;
use super::location::Location;
use super::node_path::NodePath;
use super::report::{MAX_WARNINGS, Report};
use super::secret::{self, UncheckedSecret};

/// Maximum number of problems that are kept to be reported in the order of the file.
const MAX_KEPT_PROBLEMS: usize = 10_000;

/// Maximum number of warnings that are kept: more than are reported, because a value that is read twice warns twice.
const MAX_KEPT_WARNINGS: usize = 4 * MAX_WARNINGS;

/// Collects the problems and warnings of a file, so that one problem does not hide the next.
pub(super) struct Diagnostics {
    directory: PathBuf,
    problems: RefCell<Vec<(NodePath, String)>>,
    /// Number of problems that were not kept.
    omitted: Cell<usize>,
    warnings: RefCell<Vec<(NodePath, String)>>,
    secrets: RefCell<Vec<UncheckedSecret>>,
    /// Whether warnings are located too. Those of the configuration itself name a setting that is found without.
    locates_warnings: bool,
}

impl Diagnostics {
    /// Returns the empty diagnostics of the file at `path`.
    pub(super) fn new(path: &Path) -> Self {
        Self {
            directory: path.parent().map(Path::to_path_buf).unwrap_or_default(),
            problems: RefCell::default(),
            omitted: Cell::default(),
            warnings: RefCell::default(),
            secrets: RefCell::default(),
            locates_warnings: false,
        }
    }

    /// Returns the empty diagnostics of a file of clients.
    pub(super) fn of_clients(path: &Path) -> Self {
        Self { locates_warnings: true, ..Self::new(path) }
    }

    /// Returns the path of a file named in the configuration; a relative one counts from the configuration's directory.
    pub(super) fn resolve(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    /// Returns the directory from which relative names count.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn problem(&self, node: NodePath, message: String) {
        let mut problems = self.problems.borrow_mut();
        if problems.len() < MAX_KEPT_PROBLEMS {
            problems.push((node, message));
        } else {
            self.omitted.set(self.omitted.get() + 1);
        }
    }

    /// Adds a warning that is not about a single node.
    pub(super) fn warning(&self, message: String) {
        self.warning_at(NodePath::default(), message);
    }

    pub(super) fn warning_at(&self, node: NodePath, message: String) {
        let mut warnings = self.warnings.borrow_mut();
        if warnings.len() < MAX_KEPT_WARNINGS {
            warnings.push((node, message));
        }
    }

    /// Adds a secret that is read when everything else has been.
    pub(super) fn check_secret(&self, secret: UncheckedSecret) {
        self.secrets.borrow_mut().push(secret);
    }

    /// Returns what is wrong with the file at `path`, in its order. `locate` returns where each of some nodes is.
    pub(super) fn report(self, path: &Path, locate: impl Fn(&[NodePath]) -> Vec<Option<Location>>) -> Report {
        let mut problems = self.problems.into_inner();
        problems.sort_by(|(one, _), (other, _)| one.cmp(other));
        let omitted = self.omitted.get() + problems.len().saturating_sub(MAX_REPORTED_PROBLEMS);
        problems.truncate(MAX_REPORTED_PROBLEMS);
        let (nodes, problems): (Vec<_>, Vec<_>) = problems.into_iter().unzip();
        let problems = locate(&nodes).into_iter().zip(problems).collect();

        let mut warnings: Vec<_> =
            secret::check(&self.secrets.into_inner()).into_iter().map(|warning| (None, warning)).collect();
        let (nodes, found): (Vec<_>, Vec<_>) = self.warnings.into_inner().into_iter().unzip();
        let locations = if self.locates_warnings { locate(&nodes) } else { vec![None; nodes.len()] };
        warnings.extend(locations.into_iter().zip(found));
        Report { path: path.to_path_buf(), problems, omitted, warnings }
    }
}

/// Quotes a text that is not a secret, on one line and of bounded length.
pub(super) fn quoted(text: &str) -> String {
    const MAX_CHARS: usize = 60;
    let rest = if text.chars().nth(MAX_CHARS).is_some() { "..." } else { "" };
    format!("{:?}{rest}", text.chars().take(MAX_CHARS).collect::<String>())
}
