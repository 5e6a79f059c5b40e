//! The README is held to what the program does.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;

use emqx_client_monitor::outcome::FailureReason;
use emqx_client_monitor::{failure_help, metrics};

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
    let names: BTreeSet<_> = metrics::families().map(|family| family.name).collect();
    assert_eq!(listed("<!-- metrics:", "<!-- end of metrics -->"), names);
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

/// The name by which a heading is linked to.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase();
    kept.chars()
        .filter(|character| character.is_alphanumeric() || matches!(character, ' ' | '-' | '_'))
        .map(|character| if character == ' ' { '-' } else { character })
        .collect()
}

#[test]
fn every_link_of_the_readme_leads_somewhere() {
    let anchors: BTreeSet<_> = README.lines().filter(|line| line.starts_with('#')).map(anchor).collect();
    let links: Vec<_> =
        README.split("](").skip(1).filter_map(|rest| rest.split(')').next()).map(str::trim).collect();
    assert!(links.len() > 40, "{links:?}");
    for link in links {
        match link.strip_prefix('#') {
            Some(section) => assert!(anchors.contains(section), "there is no section {section}"),
            None if link.starts_with("https://") => {}
            None => {
                let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(link);
                assert!(path.exists(), "there is no {link}");
            }
        }
    }
}
