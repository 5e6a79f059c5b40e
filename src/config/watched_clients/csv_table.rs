//! A CSV file of clients: its head line, and its records as the mappings that a YAML file would have.
//!
//! The records are read one by one into the same tree, so that a large file needs no more memory than its text.

use csv::{Reader, ReaderBuilder, StringRecord};

use super::labels::is_label_name;
use crate::config::diagnostics::{Diagnostics, quoted};
use crate::config::document::{Node, Scalar, ScalarKind};
use crate::config::error::SyntaxError;
use crate::config::location::Location;
use crate::config::node_path::NodePath;

/// The columns with a text, with a word, around which spaces mean nothing, and with a list separated by spaces.
const TEXTS: [&str; 2] = ["alias", "client_id"];
const WORDS: [&str; 1] = ["offline_after"];
const LISTS: [&str; 3] = ["brokers", "seen_topics", "subscriptions"];
/// Maximum number of fields shown of what should be a head line.
const MAX_NAMES_SHOWN: usize = 10;

const LABEL_PREFIX: &str = "label_";

/// A table whose head line has been read.
pub(super) struct CsvTable<'t> {
    text: &'t str,
    reader: Reader<&'t [u8]>,
    record: StringRecord,
    /// Where the head line begins.
    head: usize,
    columns: Vec<CsvColumn>,
    /// The mapping of the current record. Its entries are the columns that are not ignored, labels as the last of them.
    client: Node,
    /// The column of each entry, and behind them those of the labels.
    layout: Vec<usize>,
    labels: Vec<usize>,
}

/// What a column contains.
#[derive(Clone, Copy, PartialEq)]
enum CsvColumn {
    Text,
    Word,
    List,
    Label,
    Ignored,
}

/// A record of a table.
pub(super) struct Record<'r> {
    /// The mapping of a client.
    pub(super) client: &'r Node,
    /// The path that locates it.
    pub(super) path: NodePath,
    /// The line at which it begins.
    pub(super) line: u64,
}

impl<'t> CsvTable<'t> {
    /// Reads the head line. Its problems are reported to `diagnostics`.
    ///
    /// # Errors
    /// A text without a head line that names `alias` and `client_id`.
    pub(super) fn open(
        text: &'t str,
        ignored: &[String],
        diagnostics: &Diagnostics,
    ) -> Result<Self, SyntaxError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        // Records of another length are reported with the line that they have in the file.
        let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
        let mut record = StringRecord::new();
        let is_read = reader.read_record(&mut record).unwrap_or(false);
        let (head, _) = start_of(text, &record);
        let mut names: Vec<_> = record.iter().map(str::trim).collect();
        // Spreadsheets write columns that were in use once.
        while names.last().is_some_and(|name| name.is_empty()) {
            names.pop();
        }
        if !is_read || !["alias", "client_id"].iter().all(|required| names.contains(required)) {
            return Err(SyntaxError::new(Some(Location::of_byte(text.as_bytes(), head)), explain_head(&names)));
        }
        let (mut columns, mut entries, mut label_entries) = (Vec::new(), Vec::new(), Vec::new());
        let (mut layout, mut labels) = (Vec::new(), Vec::new());
        for (index, name) in names.iter().enumerate() {
            let column = column(name, ignored).unwrap_or_else(|problem| {
                diagnostics.problem(NodePath::default().value(head).value(index), problem);
                CsvColumn::Ignored
            });
            if column != CsvColumn::Ignored && names[..index].contains(name) {
                let problem = format!("duplicate column {}", quoted(name));
                diagnostics.problem(NodePath::default().value(head).value(index), problem);
            }
            match column {
                CsvColumn::Text | CsvColumn::Word | CsvColumn::List => {
                    layout.push(index);
                    entries.push((scalar(name), scalar("")));
                }
                CsvColumn::Label => {
                    labels.push(index);
                    label_entries.push((scalar(&name[LABEL_PREFIX.len()..]), scalar("")));
                }
                CsvColumn::Ignored => {}
            }
            columns.push(column);
        }
        if !labels.is_empty() {
            entries.push((scalar("labels"), Node::Mapping(label_entries)));
        }
        let client = Node::Mapping(entries);
        Ok(Self { text, reader, record, head, columns, client, layout, labels })
    }

    /// Reads the next record. Those that are no clients are reported to `diagnostics`.
    pub(super) fn next_client(
        &mut self,
        diagnostics: &Diagnostics,
        is_broker: impl Fn(&str) -> bool,
    ) -> Option<Record<'_>> {
        loop {
            let last = start_of(self.text, &self.record).0;
            // The text is UTF-8, and records may have any length: there are no errors.
            if !self.reader.read_record(&mut self.record).unwrap_or(false) {
                if is_unclosed(&self.text[last..]) {
                    let problem = "a quoted field of this record is not closed".to_owned();
                    diagnostics.problem(NodePath::default().value(last), problem);
                }
                return None;
            }
            if self.record.iter().all(|field| field.trim().is_empty()) {
                continue;
            }
            let (offset, line) = start_of(self.text, &self.record);
            let path = NodePath::default().value(offset);
            let is_empty = |index| self.record.get(index).is_none_or(|field| field.trim().is_empty());
            let is_complete = self.record.len() >= self.columns.len();
            if is_complete && (self.columns.len()..self.record.len()).all(is_empty) {
                self.fill_in(is_broker);
                return Some(Record { client: &self.client, path, line });
            }
            diagnostics.problem(
                path,
                format!("{} fields, but the head line has {}", self.record.len(), self.columns.len()),
            );
        }
    }

    /// Fills the fields of the record into the mapping.
    fn fill_in(&mut self, is_broker: impl Fn(&str) -> bool) {
        let Node::Mapping(entries) = &mut self.client else { return };
        for ((_, value), index) in entries.iter_mut().zip(&self.layout) {
            let field = self.record.get(*index).unwrap_or_default();
            let column = self.columns[*index];
            // The alias of a broker may have spaces.
            if column == CsvColumn::Text || is_broker(field) {
                set(value, field);
            } else if column == CsvColumn::List && field.trim().contains(char::is_whitespace) {
                *value = Node::Sequence(field.split_whitespace().map(scalar).collect());
            } else {
                set(value, field.trim());
            }
        }
        if let Some((_, Node::Mapping(labels))) = entries.get_mut(self.layout.len()) {
            for ((_, value), index) in labels.iter_mut().zip(&self.labels) {
                set(value, self.record.get(*index).unwrap_or_default());
            }
        }
    }

    /// Returns where nodes of the records are.
    pub(super) fn locate(&self, nodes: &[NodePath]) -> Vec<Option<Location>> {
        nodes.iter().map(|node| Some(self.locate_one(node.steps()))).collect()
    }

    fn locate_one(&self, steps: &[usize]) -> Location {
        let offset = steps.first().copied().unwrap_or_default();
        let column = match *steps {
            [offset, column, ..] if offset == self.head => column,
            [_, entry, label, ..] if entry >= self.layout.len() => {
                self.labels.get(label).copied().unwrap_or_default()
            }
            [_, entry, ..] => self.layout.get(entry).copied().unwrap_or_default(),
            _ => 0,
        };
        Location::of_byte(self.text.as_bytes(), offset + start_of_field(&self.text[offset..], column))
    }
}

/// Returns the offset and the line at which a record begins. The reader counts line ends as part of the next record.
fn start_of(text: &str, record: &StringRecord) -> (usize, u64) {
    let Some(position) = record.position() else { return (0, 1) };
    let start = usize::try_from(position.byte()).unwrap_or_default().min(text.len());
    let line_ends = text[start..].bytes().take_while(|byte| matches!(byte, b'\r' | b'\n'));
    let (skipped, lines) =
        line_ends.fold((0, 0), |(skipped, lines), byte| (skipped + 1, lines + u64::from(byte == b'\n')));
    (start + skipped, position.line() + lines)
}

/// Returns the offset of a field of the record that `text` begins with.
fn start_of_field(text: &str, column: usize) -> usize {
    let mut is_quoted = false;
    let separators = text.bytes().enumerate().filter(|(_, byte)| {
        is_quoted ^= *byte == b'"';
        *byte == b',' && !is_quoted
    });
    let mut starts = std::iter::once(0).chain(separators.map(|(offset, _)| offset + 1));
    starts.nth(column).unwrap_or_default()
}

/// Returns whether a record, the last of its text, has a quoted field without an end: then it swallows what is added.
fn is_unclosed(record: &str) -> bool {
    if !record.contains('"') {
        return false;
    }
    let extended = format!("{record}\n,");
    let reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(extended.as_bytes());
    reader.into_records().count() < 2
}

/// Returns what the column of this name contains, or what is wrong with it.
fn column(name: &str, ignored: &[String]) -> Result<CsvColumn, String> {
    if ignored.iter().any(|ignored| ignored == name) {
        return Ok(CsvColumn::Ignored);
    }
    if name.is_empty() {
        let problem =
            "a column has no name; name it, and name it under ignore_columns if it is not for this exporter";
        return Err(problem.to_owned());
    }
    if TEXTS.contains(&name) {
        return Ok(CsvColumn::Text);
    }
    if WORDS.contains(&name) {
        return Ok(CsvColumn::Word);
    }
    if LISTS.contains(&name) {
        return Ok(CsvColumn::List);
    }
    match name.strip_prefix(LABEL_PREFIX) {
        Some(label) if is_label_name(label) => Ok(CsvColumn::Label),
        Some(_) => Err(format!(
            "{}: label names consist of letters, digits and _, and do not begin with a digit or with __",
            quoted(name)
        )),
        None => Err(format!(
            "unknown column {}; known columns: {}, label_NAME; others can be named under ignore_columns",
            quoted(name),
            [&TEXTS[..], &WORDS, &LISTS].concat().join(", ")
        )),
    }
}

/// Says why these are not the names of a head line.
fn explain_head(names: &[&str]) -> String {
    let first = names.first().copied().unwrap_or_default();
    let separator = [(';', "a semicolon"), ('\t', "a tab")].into_iter().find(|(sign, _)| first.contains(*sign));
    if let Some((_, separator)) = separator {
        return format!(
            "the fields must be separated by commas; this file seems to separate them by {separator}"
        );
    }
    let found: Vec<_> = names.iter().take(MAX_NAMES_SHOWN).map(|name| quoted(name)).collect();
    let found = if found.is_empty() { String::new() } else { format!("; found {}", found.join(", ")) };
    format!("must begin with a head line that names the columns, alias and client_id among them{found}")
}

fn scalar(text: &str) -> Node {
    let mut node = Node::Scalar(Scalar { kind: ScalarKind::Null, text: String::new() });
    set(&mut node, text);
    node
}

/// Sets the text of a node; an empty field is null.
fn set(node: &mut Node, text: &str) {
    let kind = if text.is_empty() { ScalarKind::Null } else { ScalarKind::Text };
    if let Node::Scalar(scalar) = node {
        scalar.kind = kind;
        scalar.text.clear();
        scalar.text.push_str(text);
    } else {
        *node = Node::Scalar(Scalar { kind, text: text.to_owned() });
    }
}
