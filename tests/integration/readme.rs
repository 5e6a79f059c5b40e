//! The README is held to what the program does.

use std::collections::BTreeSet;

use emqx_client_monitor::outcome::Reason;
use emqx_client_monitor::{advice, metrics};

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
