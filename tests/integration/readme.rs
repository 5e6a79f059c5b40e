//! The README is held to what the program does.

use std::collections::BTreeSet;
use std::io::Write as _;

use emqx_client_monitor::outcome::Reason;
use emqx_client_monitor::{advice, metrics};

use crate::support::promtool;

const README: &str = include_str!("../../README.md");

/// The words in backquotes in the first column of the table between these two lines.
fn listed<'a>(from: &str, to: &str) -> BTreeSet<&'a str> {
    let table =
        README.split_once(from).and_then(|(_, rest)| rest.split_once(to)).expect("the table is there").0;
    let first_columns = table.lines().filter_map(|line| line.strip_prefix("| `")?.split(" |").next());
    first_columns.flat_map(|names| names.split(['`', ',', ' '])).filter(|name| !name.is_empty()).collect()
}

#[test]
fn the_readme_lists_every_metric_and_no_other() {
    let told: BTreeSet<_> = metrics::headings().map(|heading| heading.name).collect();
    assert_eq!(listed("<!-- metrics:", "<!-- end of metrics -->"), told);
}

#[test]
fn the_readme_explains_every_reason_as_the_page_does() {
    let rows: Vec<_> = Reason::ALL
        .iter()
        .map(|reason| format!("| `{reason}` | {} | {} |", advice::meaning(*reason), advice::remedy(*reason)))
        .collect();
    let table =
        README.split_once("<!-- reasons:").and_then(|(_, rest)| rest.split_once("<!-- end of reasons -->"));
    let table = table.expect("the table is there").0;
    assert_eq!(table.lines().filter(|line| line.starts_with("| `")).collect::<Vec<_>>(), rows);
}

/// What stands in backquotes in the second column of the table of questions.
#[test]
fn the_questions_the_readme_tells_to_ask_are_promql() {
    let table = README.split_once("| question | PromQL |").expect("the table is there").1;
    let rows = table.lines().skip(2).take_while(|line| line.starts_with("| "));
    let expressions: Vec<_> =
        rows.filter_map(|row| row.split('`').find(|part| part.contains("emqx_"))).collect();
    assert!(expressions.len() >= 4, "{expressions:?}");
    let rules =
        expressions.iter().map(|expression| serde_json::json!({"record": "answer", "expr": expression}));
    let groups = serde_json::json!({"groups": [{"name": "readme", "rules": rules.collect::<Vec<_>>()}]});
    let mut file = tempfile::NamedTempFile::with_suffix(".yml").expect("a temporary file");
    file.write_all(groups.to_string().as_bytes()).expect("a temporary file takes text");
    let path = file.path().to_str().expect("a path in UTF-8");
    assert_eq!(promtool(&["check", "rules", "--lint=none", path], None), Ok(()), "{expressions:?}");
}
