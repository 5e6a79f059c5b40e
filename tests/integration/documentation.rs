//! The Markdown files: their links lead somewhere, their tables list what the program has, and Prometheus and the
//! program accept their examples.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use emqx_client_monitor::outcome::FailureReason;
use emqx_client_monitor::{failure_help, metrics};
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use serde_json::json;
use serde_yaml::Value;

use crate::support::{Program, ServerProcess, promtool};

const README: &str = include_str!("../../README.md");
const EXAMPLES: &str = include_str!("../../examples/README.md");

/// The README stays short enough to read whole; longer texts are next to their subject.
const README_MAX_LINES: usize = 299;

/// The words in backquotes in the first column of the table between these two lines.
fn listed<'a>(from: &str, to: &str) -> BTreeSet<&'a str> {
    let table = README.split_once(from).and_then(|(_, rest)| rest.split_once(to)).expect("the table exists").0;
    let first_columns = table.lines().filter_map(|line| line.strip_prefix("| `")?.split(" |").next());
    first_columns.flat_map(|names| names.split(['`', ',', ' '])).filter(|name| !name.is_empty()).collect()
}

#[test]
fn the_readme_lists_exactly_the_exposed_metrics() {
    let families: BTreeSet<_> = metrics::families().map(|family| family.name).collect();
    assert_eq!(listed("<!-- metrics:", "<!-- end of metrics -->"), families);
}

#[test]
fn the_readme_explains_every_reason_as_the_page_does() {
    let rows: Vec<_> = FailureReason::ALL
        .iter()
        .map(|reason| {
            format!("| `{reason}` | {} | {} |", failure_help::meaning(*reason), failure_help::remedy(*reason))
        })
        .collect();
    let table =
        README.split_once("<!-- reasons:").and_then(|(_, rest)| rest.split_once("<!-- end of reasons -->"));
    let table = table.expect("the table exists").0;
    assert_eq!(table.lines().filter(|line| line.starts_with("| `")).collect::<Vec<_>>(), rows);
}

/// What a user of the blackbox exporter is promised: these options and metrics exist.
#[test]
fn the_table_for_users_of_the_blackbox_exporter_is_true() {
    let table =
        EXAMPLES.split_once("<!-- blackbox:").and_then(|(_, rest)| rest.split_once("<!-- end of blackbox"));
    let rows = table.expect("the table exists").0.lines().filter_map(|line| line.strip_prefix("| "));
    let columns: Vec<_> = rows.filter_map(|row| row.split_once(" | ")).collect();
    assert!(columns.len() > 20, "{columns:?}");
    let quoted = |column: &str| -> Vec<String> {
        let words = column.split('`').skip(1).step_by(2);
        words.map(|word| word.split(['=', '{']).next().unwrap_or_default().to_owned()).collect()
    };
    let program = Program::with_config(
        "emqx: {alias: A, api_url: \"http://127.0.0.1:9/api\", api_key: k, api_secret: s}\n",
    );
    let help = program.run(&["--help"]).stdout;
    let own = ServerProcess::start(&program, &[]).get("/metrics");
    let families: BTreeSet<_> = metrics::families().map(|family| family.name).collect();
    for (theirs, ours) in columns {
        let is_same = ours.starts_with("the same");
        for name in quoted(ours).into_iter().chain(quoted(theirs).into_iter().filter(|_| is_same)) {
            let is_true = if name.starts_with("--") {
                help.contains(&name) || name == "--config.file" // an alias, which other tests use
            } else if name.starts_with("emqx_client_monitor_") {
                own.contains(&format!("# TYPE {name} "))
            } else if name.starts_with("emqx_") || name.starts_with("probe_") {
                families.contains(name.as_str())
            } else {
                true
            };
            assert!(is_true, "{name}: {theirs} | {ours}");
        }
    }
}

#[test]
fn the_readme_is_short_enough_for_a_first_visit() {
    let lines = README.lines().count();
    assert!(lines <= README_MAX_LINES, "README.md has {lines} lines");
}

#[test]
fn every_link_leads_to_an_existing_file_and_section() {
    let pages = pages();
    let links: usize = pages.iter().map(|page| page.links.len()).sum();
    assert!(pages.len() > 10 && links > 80, "{links} links on {} pages", pages.len());
    let broken: Vec<_> =
        pages.iter().flat_map(|page| page.links.iter().filter_map(|link| broken(page, link, &pages))).collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

/// Says what is wrong with a link of this page.
fn broken(page: &Page, link: &str, pages: &[Page]) -> Option<String> {
    if link.starts_with("https://") || link.starts_with("http://localhost:") {
        return None;
    }
    let (path, section) = link.split_once('#').map_or((link, None), |(path, section)| (path, Some(section)));
    let directory = page.path.parent().expect("a file is in a directory");
    let target = if path.is_empty() { page.path.clone() } else { directory.join(path) };
    let wrong = |what: &str| Some(format!("{}: {link}: {what}", page.path.display()));
    let Ok(target) = target.canonicalize() else { return wrong("no such file") };
    if !target.starts_with(root()) {
        return wrong("outside of the repository");
    }
    let section = section?;
    match pages.iter().find(|page| page.path == target) {
        Some(page) if page.anchors.contains(section) => None,
        _ => wrong("no such section"),
    }
}

/// The code in the second column of every table of questions.
#[test]
fn every_query_is_promql() {
    let queries: Vec<_> = pages().into_iter().flat_map(|page| page.queries).collect();
    assert!(queries.len() >= 5, "{queries:?}");
    let rules = queries.iter().map(|query| json!({"record": "result", "expr": query}));
    let groups = json!({"groups": [{"name": "documentation", "rules": rules.collect::<Vec<_>>()}]});
    let file = temporary(&groups.to_string());
    let path = file.path().to_str().expect("a path in UTF-8");
    assert_eq!(promtool(&["check", "rules", "--lint=none", path], None), Ok(()), "{queries:?}");
}

#[test]
fn every_example_in_yaml_is_valid() {
    let mut whole = BTreeSet::new();
    for Page { path, yaml, .. } in pages() {
        for text in yaml {
            let example: Value = serde_yaml::from_str(&text).expect("YAML");
            let keys = example.as_mapping().expect("a mapping").keys().filter_map(Value::as_str);
            match keys.collect::<Vec<_>>()[..] {
                ["emqx", ..] => {
                    let run = Program::with_config(&text).run(&["--config.check"]);
                    assert_eq!(run.status, 0, "{}: {}", path.display(), run.stderr);
                    whole.insert("emqx");
                }
                ["scrape_configs", ..] => {
                    let file = temporary(&text);
                    let file = file.path().to_str().expect("a path in UTF-8");
                    assert_eq!(promtool(&["check", "config", file], None), Ok(()), "{}", path.display());
                    whole.insert("scrape_configs");
                }
                _ => {}
            }
        }
    }
    assert_eq!(whole, BTreeSet::from(["emqx", "scrape_configs"]));
}

fn temporary(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::with_suffix(".yml").expect("a temporary file");
    file.write_all(text.as_bytes()).expect("a temporary file takes text");
    file
}

/// A Markdown file.
struct Page {
    path: PathBuf,
    /// The targets of its links and images.
    links: Vec<String>,
    /// The names under which its headings are linked to.
    anchors: BTreeSet<String>,
    /// The code in columns with the head `PromQL`.
    queries: Vec<String>,
    /// Its code blocks in YAML.
    yaml: Vec<String>,
}

/// Every Markdown file of the repository.
fn pages() -> Vec<Page> {
    let mut pages = Vec::new();
    collect(&root(), &mut pages);
    pages
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).canonicalize().expect("the repository exists")
}

fn collect(directory: &Path, pages: &mut Vec<Page>) {
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name in UTF-8");
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            collect(&path, pages);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(Page::read(path));
        }
    }
}

/// Where the parser is.
#[derive(Default)]
struct Position {
    /// The text of the heading so far, within a heading.
    heading: Option<String>,
    column: usize,
    in_table_head: bool,
    /// Which column of this table has the head `PromQL`.
    query_column: Option<usize>,
    /// The text of the code block so far, within one in YAML.
    yaml: Option<String>,
}

impl Page {
    fn read(path: PathBuf) -> Self {
        let text = std::fs::read_to_string(&path).expect("text");
        let mut page = Self { path, links: vec![], anchors: BTreeSet::new(), queries: vec![], yaml: vec![] };
        let mut position = Position::default();
        for event in Parser::new_ext(&text, Options::ENABLE_TABLES) {
            page.read_event(event, &mut position);
        }
        page
    }

    fn read_event(&mut self, event: Event<'_>, position: &mut Position) {
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                self.links.push(dest_url.into_string());
            }
            Event::Start(Tag::Heading { .. }) => position.heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => {
                self.anchors.extend(position.heading.take().map(|heading| anchor(&heading)));
            }
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) if &*language == "yaml" => {
                position.yaml = Some(String::new());
            }
            Event::End(TagEnd::CodeBlock) => self.yaml.extend(position.yaml.take()),
            Event::Start(Tag::TableHead) => {
                *position = Position { in_table_head: true, ..Position::default() };
            }
            Event::End(TagEnd::TableHead) => position.in_table_head = false,
            Event::End(TagEnd::Table) => position.query_column = None,
            Event::Start(Tag::TableRow) => position.column = 0,
            Event::End(TagEnd::TableCell) => position.column += 1,
            Event::Code(query) if position.query_column == Some(position.column) => {
                self.queries.push(query.into_string());
            }
            Event::Text(text) | Event::Code(text) => position.read_text(&text),
            _ => {}
        }
    }
}

impl Position {
    fn read_text(&mut self, text: &str) {
        if let Some(written) = self.heading.as_mut().or(self.yaml.as_mut()) {
            written.push_str(text);
        } else if self.in_table_head && text == "PromQL" {
            self.query_column = Some(self.column);
        }
    }
}

/// The name under which GitHub links to a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    kept.chars()
        .filter(|character| character.is_alphanumeric() || matches!(character, ' ' | '-' | '_'))
        .map(|character| if character == ' ' { '-' } else { character })
        .collect()
}
