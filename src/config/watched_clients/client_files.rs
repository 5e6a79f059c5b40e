//! Reads `monitored_client_files`: the files with more clients.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::ClientAssignment;
use super::csv_table::CsvTable;
use crate::client::Origin;
use crate::config::diagnostics::Diagnostics;
use crate::config::document::Document;
use crate::config::error::SyntaxError;
use crate::config::mapping::Mapping;
use crate::config::node_ref::NodeRef;
use crate::config::read_text;
use crate::config::report::Report;
use crate::file_glob::FileGlob;
use crate::watched_files::WatchedFiles;

const LIST: &str = "a list of files or globs, such as [\"clients.d/*.yaml\", inventory.csv]";
const ENTRY: &str = "the name of a file, a glob, or a mapping of path and ignore_columns";
const PATH: &str = "the name of a file or a glob";
const COLUMNS: &str = "a list of column names";

/// The largest file of clients, in bytes.
const MAX_FILE_BYTES: usize = 64 << 20;

/// Maximum size of all files of clients together, in bytes.
const MAX_TOTAL_BYTES: usize = 256 << 20;

/// Maximum number of files of clients.
const MAX_FILES: usize = 10_000;

/// An entry of `monitored_client_files`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePattern {
    /// The name or the glob.
    pub path: String,
    /// The columns of CSV files that are ignored.
    pub ignore_columns: Vec<String>,
    /// Number of files that it stands for.
    pub files: usize,
}

/// Reads the files, and keeps what is found out about them.
pub(in crate::config) struct ClientFiles<'f> {
    /// The configuration file, which no glob matches.
    config_file: PathBuf,
    watched: &'f mut WatchedFiles,
    /// The entries of the configuration in use: a glob that matched files must go on to match some.
    before: &'f [FilePattern],
    seen: HashSet<PathBuf>,
    total_bytes: usize,
    pub(in crate::config) patterns: Vec<FilePattern>,
    pub(in crate::config) reports: Vec<Report>,
}

impl<'f> ClientFiles<'f> {
    pub(in crate::config) fn new(
        config_file: &Path,
        watched: &'f mut WatchedFiles,
        before: &'f [FilePattern],
    ) -> Self {
        Self {
            config_file: config_file.to_path_buf(),
            watched,
            before,
            seen: HashSet::new(),
            total_bytes: 0,
            patterns: Vec::new(),
            reports: Vec::new(),
        }
    }

    /// Reads the files of the list, and assigns their clients.
    pub(in crate::config) fn read(&mut self, list: &NodeRef<'_>, assignment: &mut ClientAssignment<'_>) {
        for entry in list.elements(LIST).unwrap_or_default() {
            let Some((pattern, ignore_columns)) = read_entry(&entry) else { continue };
            let Some(path) = pattern.line(PATH) else { continue };
            let files = self.find(&pattern, path);
            self.patterns.push(FilePattern {
                path: path.to_owned(),
                ignore_columns: ignore_columns.clone(),
                files: files.len(),
            });
            for file in files {
                if self.seen.insert(file.clone()) {
                    self.read_file(&file, &pattern, &ignore_columns, assignment);
                }
            }
        }
    }

    /// Returns the files that a name or a glob stands for.
    fn find(&mut self, pattern: &NodeRef<'_>, path: &str) -> Vec<PathBuf> {
        if !FileGlob::is_glob(path) {
            return vec![pattern.diagnostics().resolve(path)];
        }
        let glob = match FileGlob::parse(path, pattern.diagnostics().directory()) {
            Ok(glob) => glob,
            Err(error) => {
                pattern.error(format_args!("malformed glob at character {}: {}", error.pos + 1, error.msg));
                return Vec::new();
            }
        };
        let mut files = match self.watched.list(glob) {
            Ok(files) => files,
            Err(error) => {
                pattern.error_from(&error);
                return Vec::new();
            }
        };
        files.retain(|file| *file != self.config_file);
        let before = self.before.iter().find(|before| before.path == path).map_or(0, |before| before.files);
        match files.len() {
            0 if before > 0 => pattern.error(format_args!(
                "matches no file; it matched {before} before. Is a volume not mounted? If its clients are to go, remove it"
            )),
            0 => pattern.warn("matches no file"),
            1..=MAX_FILES => {}
            too_many => {
                pattern.error(format_args!("matches {too_many} files; at most {MAX_FILES} are possible"));
                files.clear();
            }
        }
        files
    }

    fn read_file(
        &mut self,
        file: &Path,
        pattern: &NodeRef<'_>,
        ignore_columns: &[String],
        assignment: &mut ClientAssignment<'_>,
    ) {
        let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let is_table = match extension {
            "csv" => true,
            "yaml" | "yml" | "json" => false,
            _ => {
                return pattern
                    .error(format_args!("{}: must end in .yaml, .yml, .json or .csv", file.display()));
            }
        };
        let max_bytes = MAX_FILE_BYTES.min(MAX_TOTAL_BYTES - self.total_bytes);
        let content = match self.watched.read(file, max_bytes) {
            Ok(content) => content,
            Err(reason) => return pattern.error(format_args!("cannot read {}: {reason}", file.display())),
        };
        self.total_bytes += content.len();
        let report = read_text::decode(content).and_then(|text| {
            if is_table {
                read_table(file, &text, ignore_columns, assignment)
            } else {
                read_list(file, &text, assignment)
            }
        });
        let report = report.unwrap_or_else(|error| Report::of_syntax(file, error));
        if !report.is_empty() {
            self.reports.push(report);
        }
    }
}

/// Returns the node of the name or glob, and the columns to ignore.
fn read_entry<'d>(entry: &NodeRef<'d>) -> Option<(NodeRef<'d>, Vec<String>)> {
    if !entry.is_mapping() {
        return if entry.as_text().is_some() {
            Some((entry.clone(), Vec::new()))
        } else {
            entry.expected(ENTRY)
        };
    }
    let mut mapping = Mapping::open(entry, ENTRY)?;
    let path = mapping.required("path", PATH);
    let columns = mapping.optional("ignore_columns");
    mapping.finish();
    let columns = columns.and_then(|columns| columns.elements(COLUMNS)).unwrap_or_default();
    let names = columns.iter().filter_map(|column| column.line("the name of a column").map(ToOwned::to_owned));
    Some((path?, names.collect()))
}

fn read_list(file: &Path, text: &str, assignment: &mut ClientAssignment<'_>) -> Result<Report, SyntaxError> {
    let document = Document::parse(text)?;
    let diagnostics = Diagnostics::of_clients(file);
    let path: Arc<Path> = file.into();
    assignment.accept_list(&NodeRef::root(document.root(), &diagnostics), |index| {
        Origin::List(Arc::clone(&path), index)
    });
    Ok(diagnostics.report(file, |nodes| document.locate(nodes)))
}

fn read_table(
    file: &Path,
    text: &str,
    ignore_columns: &[String],
    assignment: &mut ClientAssignment<'_>,
) -> Result<Report, SyntaxError> {
    let diagnostics = Diagnostics::of_clients(file);
    let mut table = CsvTable::open(text, ignore_columns, &diagnostics)?;
    let path: Arc<Path> = file.into();
    while let Some(record) = table.next_client(&diagnostics, |alias| assignment.is_broker(alias)) {
        let origin = Origin::Table(Arc::clone(&path), u32::try_from(record.line).unwrap_or(u32::MAX));
        assignment.accept(&NodeRef::at(record.path, record.client, &diagnostics), origin);
    }
    Ok(diagnostics.report(file, |nodes| table.locate(nodes)))
}
