//! What is wrong with a file, and the error that several files make.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::error::{ConfigError, MAX_REPORTED_PROBLEMS, Problems, SyntaxError};
use super::location::Location;

/// Maximum number of warnings reported.
pub(super) const MAX_WARNINGS: usize = 50;

/// The problems and warnings of a file, in its order.
pub(super) struct Report {
    pub(super) path: PathBuf,
    pub(super) problems: Vec<(Option<Location>, String)>,
    /// Number of problems that are left out.
    pub(super) omitted: usize,
    pub(super) warnings: Vec<(Option<Location>, String)>,
}

impl Report {
    /// Returns the report of a file whose text is not what the file should contain.
    pub(super) fn of_syntax(path: &Path, error: SyntaxError) -> Self {
        Self {
            path: path.to_path_buf(),
            problems: vec![(error.location, error.message)],
            omitted: 0,
            warnings: Vec::new(),
        }
    }

    /// Returns whether nothing is wrong.
    pub(super) fn is_empty(&self) -> bool {
        self.problems.is_empty() && self.warnings.is_empty()
    }

    /// Returns the warnings of the configuration file, of which this is the report, and of the `others` that it names;
    /// or the error with their problems.
    pub(super) fn conclude(self, others: &[Self]) -> Result<Vec<String>, ConfigError> {
        if !self.problems.is_empty() || others.iter().any(|other| !other.problems.is_empty()) {
            return Err(self.into_error(others));
        }
        let own = self.warnings.into_iter().map(|(_, warning)| warning);
        let of_others = others.iter().flat_map(|other| {
            other.warnings.iter().map(|(location, warning)| format!("{}: {warning}", other.place(*location)))
        });
        Ok(distinct(own.chain(of_others)))
    }

    /// Returns the error of the problems of the configuration file and the `others` that it names.
    pub(super) fn into_error(self, others: &[Self]) -> ConfigError {
        let (mut reported, mut warnings, mut omitted) = (Vec::new(), Vec::new(), 0);
        for report in [self].iter().chain(others) {
            let place = |location: &Option<Location>| report.place(*location);
            reported.extend(
                report.problems.iter().map(|(location, message)| format!("{}: {message}", place(location))),
            );
            warnings.extend(
                report.warnings.iter().map(|(location, text)| format!("{}: warning: {text}", place(location))),
            );
            omitted += report.omitted;
        }
        omitted += reported.len().saturating_sub(MAX_REPORTED_PROBLEMS);
        reported.truncate(MAX_REPORTED_PROBLEMS);
        ConfigError::Invalid(Problems { reported, omitted, warnings: distinct(warnings) })
    }

    fn place(&self, location: Option<Location>) -> String {
        let path = self.path.display();
        location.map_or_else(|| path.to_string(), |location| format!("{path}:{location}"))
    }
}

/// Drops repeated warnings, as of a value that is read twice, and those beyond [`MAX_WARNINGS`].
fn distinct(warnings: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut seen = HashSet::new();
    let mut distinct: Vec<_> = warnings.into_iter().filter(|warning| seen.insert(warning.clone())).collect();
    let omitted = distinct.len().saturating_sub(MAX_WARNINGS);
    if omitted > 0 {
        distinct.truncate(MAX_WARNINGS);
        distinct.push(format!("... and {omitted} more warnings"));
    }
    distinct
}
