//! The Grafana dashboard, compared with what the exporter exposes and the rules record. Prometheus runs each of its queries,
//! without Grafana.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use emqx_client_monitor::metrics;
use jiff::Timestamp;
use serde_json::Value;

use crate::prometheus::example_at;
use crate::rules::{hurried_rules, recorded};
use crate::support::{Demo, Families, Prometheus, Series};

const DASHBOARD: &str = include_str!("../../examples/grafana/emqx-client-monitor.json");

/// By then the demo has shown all that it has to show, several times over.
const AT_MOST: Duration = Duration::from_secs(200);

/// Is connected at times, and away at others.
const CLIENT: &str = "QingpingCO2_Room2";

/// What Grafana would put for its macros and variables, the longer names first.
const PUT: [(&str, &str); 8] = [
    ("$__rate_interval", "10s"),
    ("$__interval", "1s"),
    ("$__range", "5m"),
    ("$broker", ".+"), // which stands for all of them
    ("$site", ".*"),   // the same, and those without a site
    ("$job", ".+"),
    ("$top", "200"),
    ("$client", CLIENT),
];

/// A query of the dashboard.
#[derive(Debug)]
enum DashboardQuery {
    /// Of present values.
    Now(String),
    /// Of the values of a period.
    Period(String),
    /// Of the values of a label of these series.
    Label(String, String),
}

#[test]
fn every_panel_has_a_description_and_uses_the_chosen_data_source() {
    let dashboard = dashboard();
    let panels = panels(&dashboard);
    let ids: BTreeSet<_> =
        panels.iter().map(|panel| panel["id"].as_u64().expect("a panel has an id")).collect();
    assert_eq!(ids.len(), panels.len(), "an id comes twice");
    assert_eq!(panels.iter().filter(|panel| is_row(panel)).count(), 4);

    for panel in panels {
        let title = title(panel);
        assert!(!title.is_empty(), "{panel}");
        if is_row(panel) {
            continue;
        }
        let description = panel["description"].as_str().unwrap_or_default();
        assert!(description.len() > 20 && description.ends_with('.'), "{title}: {description}");
        assert!(is_from_the_chosen_source(panel), "{title}");
        for target in targets(panel) {
            assert!(is_from_the_chosen_source(target), "{title}: {target}");
        }
    }
    let variables = dashboard["templating"]["list"].as_array().expect("variables");
    let names: Vec<_> = variables.iter().filter_map(|variable| variable["name"].as_str()).collect();
    assert_eq!(names, ["datasource", "broker", "site", "client", "job", "top", "exporter"]);
    let mut asked =
        variables.iter().filter(|variable| variable["type"] == "query").chain(annotations(&dashboard));
    assert!(asked.all(is_from_the_chosen_source));
}

#[test]
fn every_query_of_the_dashboard_returns_data_for_the_demo() {
    let began = Timestamp::now();
    let demo = Demo::start();
    let prometheus = Prometheus::start_beside(&example_at(demo.address()), &hurried_rules());
    mistype_a_probe(demo.address());

    let dashboard = dashboard();
    let mut without_data = queries(&dashboard);
    let since = Instant::now();
    loop {
        without_data.retain(|(_, query)| !has_data(query, &prometheus, began));
        if without_data.is_empty() {
            break;
        }
        assert!(since.elapsed() < AT_MOST, "no data for {without_data:#?}");
        thread::sleep(Duration::from_millis(200));
    }

    clients_that_cannot_be_queried_are_unknown_and_nothing_else(&dashboard, &prometheus);
    every_metric_exists(&dashboard, demo.address());
}

/// The table of clients while one broker cannot be queried.
fn clients_that_cannot_be_queried_are_unknown_and_nothing_else(dashboard: &Value, prometheus: &Prometheus) {
    let panels = panels(dashboard);
    let clients = panels.iter().find(|panel| title(panel) == "Clients").expect("the table is there");
    let columns: Vec<_> = names_of_columns(clients).zip(targets(clients)).collect();
    // One query, so that all results are of the same moment.
    let of_columns = columns.iter().map(|(name, target)| {
        let expression = put(target["expr"].as_str().expect("a query"));
        format!("label_replace({expression}, \"column\", \"{name}\", \"\", \"\")")
    });
    let table = of_columns.collect::<Vec<_>>().join(" or ");
    prometheus.wait_for(&table, |series| {
        let of = |broker, column| {
            let is_of =
                move |one: &&Series| one.label("broker") == Some(broker) && one.label("column") == Some(column);
            series.iter().filter(is_of)
        };
        let is_unknown = |one: &Series| one.value == "-1";
        if of("FactoryEMQX", "State").count() != 7 || !of("FactoryEMQX", "State").all(is_unknown) {
            return None;
        }
        // The watched clients and their history are still known.
        let known = ["State", "offline_after", "Available, 30 days", "Reconnects in the past hour"];
        for (column, _) in &columns {
            let is_said = of("FactoryEMQX", column).next().is_some();
            assert!(!is_said || known.contains(column), "{column} reports an unknown value: {series:?}");
        }
        assert_eq!(of("LocalEMQX", "State").count(), 12);
        assert!(!of("LocalEMQX", "State").any(is_unknown), "{series:?}");
        let of_pump = |column| of("LocalEMQX", column).find(|one| one.label("alias") == Some("GardenPump"));
        assert_eq!(of_pump("State").map(|one| one.value.as_str()), Some("0"));
        assert!(of_pump("Away for").is_some(), "{series:?}");
        Some(())
    });
}

/// What a table calls the answers to its targets; those that give only labels are hidden, and have no name.
fn names_of_columns(table: &Value) -> impl Iterator<Item = &str> {
    let transformations = table["transformations"].as_array().expect("a table puts answers together");
    let organized = transformations.iter().find(|one| one["id"] == "organize").expect("a table names columns");
    let name_of = |target: &Value| {
        let answer = format!("Value #{}", target["refId"].as_str().expect("a target has a letter"));
        organized["options"]["renameByName"][answer].as_str().unwrap_or("only labels")
    };
    targets(table).iter().map(name_of)
}

/// Every series in a query is exposed by the exporter, recorded by a rule or made by Prometheus.
fn every_metric_exists(dashboard: &Value, exporter: &str) {
    let own = Families::parse(&text_of(&format!("http://{exporter}/metrics")));
    let recorded = recorded();
    let mut known: BTreeSet<&str> = metrics::families().map(|family| family.name).collect();
    known.extend(own.samples.iter().map(|sample| sample.name.as_str()));
    known.extend(recorded.iter().map(String::as_str).chain(["up", "ALERTS", "ALERTS_FOR_STATE"]));

    for (panel, query) in queries(dashboard) {
        let (DashboardQuery::Now(text) | DashboardQuery::Period(text) | DashboardQuery::Label(_, text)) =
            &query;
        let named = metrics_in(text);
        assert!(!named.is_empty(), "{panel}: {text}");
        let unknown: Vec<_> = named.difference(&known).collect();
        assert!(unknown.is_empty(), "{panel}: nothing is called {unknown:?}");
    }
}

#[test]
fn the_names_of_metrics_are_found_in_a_query() {
    let query = "max by (broker, a_b) (x:y_z{q=~\"a|b\"} * 1e3 or f(\"g\")) and on (alias) rate(up[5m] @ end()) > bool Inf";
    assert_eq!(metrics_in(query), BTreeSet::from(["up", "x:y_z"]));
    assert_eq!(metrics_in("{__name__=~\"a_b|c\", d=~\"e\"}"), BTreeSet::from(["a_b", "c"]));
}

fn dashboard() -> Value {
    serde_json::from_str(DASHBOARD).expect("the dashboard is JSON")
}

/// All panels, rows and what is folded in them included.
fn panels<'a>(dashboard: &'a Value) -> Vec<&'a Value> {
    let panels = dashboard["panels"].as_array().expect("a dashboard has panels");
    let folded = |panel: &'a Value| panel["panels"].as_array().into_iter().flatten();
    panels.iter().flat_map(|panel| std::iter::once(panel).chain(folded(panel))).collect()
}

fn is_row(panel: &Value) -> bool {
    panel["type"] == "row"
}

fn title(panel: &Value) -> &str {
    panel["title"].as_str().unwrap_or_default()
}

fn targets(panel: &Value) -> &[Value] {
    panel["targets"].as_array().map_or(&[], Vec::as_slice)
}

fn is_from_the_chosen_source(part: &Value) -> bool {
    part["datasource"]["type"] == "prometheus" && part["datasource"]["uid"] == "${datasource}"
}

/// The annotations that Prometheus is asked for.
fn annotations(dashboard: &Value) -> impl Iterator<Item = &Value> {
    let all = dashboard["annotations"]["list"].as_array().expect("annotations");
    all.iter().filter(|annotation| annotation["builtIn"].is_null())
}

/// The queries of panels, annotations and variables, with the titles and names of these.
fn queries(dashboard: &Value) -> Vec<(String, DashboardQuery)> {
    let mut queries = Vec::new();
    for panel in panels(dashboard) {
        for target in targets(panel) {
            let expression = put(target["expr"].as_str().expect("a target has a query"));
            let is_instant = target["instant"].as_bool().expect("a target is instant or not");
            let query =
                if is_instant { DashboardQuery::Now(expression) } else { DashboardQuery::Period(expression) };
            queries.push((title(panel).to_owned(), query));
        }
    }
    for annotation in annotations(dashboard) {
        let name = annotation["name"].as_str().expect("a name").to_owned();
        queries.push((name, DashboardQuery::Period(put(annotation["expr"].as_str().expect("a query")))));
    }
    for variable in dashboard["templating"]["list"].as_array().expect("variables") {
        if variable["type"] == "query" {
            let name = variable["name"].as_str().expect("a name").to_owned();
            queries.push((name, label_values(variable["query"]["query"].as_str().expect("a query"))));
        }
    }
    assert!(queries.len() > 50);
    queries
}

/// `label_values(SELECTOR, LABEL)`, the one form that is used.
fn label_values(query: &str) -> DashboardQuery {
    let arguments = query.strip_prefix("label_values(").and_then(|rest| rest.strip_suffix(')'));
    let (selector, label) =
        arguments.and_then(|both| both.rsplit_once(", ")).expect("label_values(SELECTOR, LABEL)");
    DashboardQuery::Label(label.to_owned(), put(selector))
}

fn put(expression: &str) -> String {
    let filled = PUT.iter().fold(expression.to_owned(), |filled, (name, value)| filled.replace(name, value));
    assert!(!filled.contains('$'), "what does Grafana put here? {filled}");
    filled
}

/// Whether there is anything to show.
fn has_data(query: &DashboardQuery, prometheus: &Prometheus, since: Timestamp) -> bool {
    let values = match query {
        DashboardQuery::Now(expression) => prometheus
            .query(expression)
            .map(|series| series.into_iter().map(|one| one.value).collect::<Vec<_>>()),
        DashboardQuery::Period(expression) => prometheus.values_since(expression, since),
        DashboardQuery::Label(label, selector) => prometheus.label_values(label, selector, since),
    };
    values.is_some_and(|values| values.iter().any(|value| value != "NaN"))
}

/// Grafana finds the panels, fields and variables that links name, and the exporter has the pages.
#[test]
fn links_lead_to_pages_of_the_exporter() {
    let dashboard = dashboard();
    let mut urls: Vec<_> = DASHBOARD
        .lines()
        .filter_map(|line| Some(line.split_once("\"url\": \"")?.1.split_once('"')?.0))
        .filter_map(|url| url.strip_prefix("${exporter}"))
        .collect();
    urls.sort_unstable();
    urls.dedup();
    let paths: BTreeSet<_> = urls.iter().filter_map(|url| url.split(['?', '#']).next()).collect();
    assert_eq!(paths, BTreeSet::from(["/", "/client", "/runbook"]));
    let demo = Demo::start();
    for url in urls {
        let filled = [
            ("${__data.fields.Broker:percentencode}", "LocalEMQX"),
            ("${__field.labels.broker:percentencode}", "LocalEMQX"),
            ("${__data.fields.Client:percentencode}", CLIENT),
            ("${__field.labels.alias:percentencode}", CLIENT),
            ("${client:percentencode}", CLIENT),
            ("${__data.fields.runbook}", "emqxclientoffline"),
        ]
        .iter()
        .fold(url.to_owned(), |filled, (name, value)| filled.replace(name, value));
        assert!(!filled.contains('$'), "{filled}");
        let page = text_of(&format!("http://{}{filled}", demo.address()));
        let anchor = filled.split_once('#').map_or(String::new(), |(_, anchor)| format!("id=\"{anchor}\""));
        assert!(page.contains(&anchor), "{filled}");
    }
    let exporter = dashboard["templating"]["list"].as_array().into_iter().flatten().last().expect("a variable");
    let rules = crate::rules::RUNBOOK_URL.trim_end_matches("/runbook");
    assert_eq!(exporter["query"], rules, "rules and dashboard name the same exporter");
}

/// A refused probe appears as soon as there was one.
fn mistype_a_probe(exporter: &str) {
    let refused = ureq::get(format!("http://{exporter}/probe?broker=Misspelt")).call();
    assert!(matches!(refused, Err(ureq::Error::StatusCode(400))), "{refused:?}");
}

fn text_of(url: &str) -> String {
    ureq::get(url).call().expect("it answers").body_mut().read_to_string().expect("a text")
}

/// The names of series in a query: words outside of texts, matchers, windows and lists of labels that are no functions.
fn metrics_in(query: &str) -> BTreeSet<&str> {
    const BEFORE_LABELS: [&str; 6] = ["by", "on", "without", "ignoring", "group_left", "group_right"];
    const OPERATORS: [&str; 6] = ["and", "or", "unless", "bool", "offset", "Inf"];
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let (mut names, mut rest) = (BTreeSet::new(), query);
    while let Some(start) = rest.find(|c: char| is_word(c) || matches!(c, '{' | '[' | '"')) {
        rest = &rest[start..];
        let end = match rest.as_bytes()[0] {
            b'{' => rest.find('}'),
            b'[' => rest.find(']'),
            b'"' => rest[1..].find('"').map(|end| end + 2),
            _ => rest.find(|c| !is_word(c)),
        };
        let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
        let alternatives = word.strip_prefix("{__name__=~\"").and_then(|matcher| matcher.split('"').next());
        names.extend(alternatives.into_iter().flat_map(|names| names.split('|')));
        rest = after.trim_start();
        let is_function = ["(", "by (", "without ("].iter().any(|next| rest.starts_with(next));
        if BEFORE_LABELS.contains(&word) {
            rest = rest.split_once(')').map_or("", |(_, rest)| rest);
        } else if word.starts_with(|c: char| c.is_ascii_alphabetic())
            && !is_function
            && !OPERATORS.contains(&word)
        {
            names.insert(word);
        }
    }
    names
}
