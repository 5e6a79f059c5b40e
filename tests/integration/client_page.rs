//! The page of one client and the runbook, and what every page has: titles and refresh.

use std::io::Write as _;
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use emqx_client_monitor::metrics;
use fake_emqx::{FakeEmqx, Fault, Row, Version, When};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::support::{Exporter, config_of, promtool, wait_until};

/// A client in each state: of those that are away, one is overdue, and the lookups of the last one fail.
fn fleet() -> (FakeEmqx, Exporter) {
    let fake = FakeEmqx::start(Version::V5_8_9);
    for id in ["c-1", "c-2", "c-3", "c-5"] {
        fake.add(Row::like("plain-user-1").client_id(id));
    }
    fake.change("c-1", |row| {
        row.set("recv_msg.qos0", 5_184_897)
            .set("recv_msg.qos1", 0)
            .set("recv_msg.qos2", 0)
            .set("mqueue_len", 12)
            .set("send_msg.dropped", 3)
    });
    for (id, seconds) in [("c-2", 10 * 60 + 30), ("c-3", 150 * 60)] {
        fake.disconnect(id);
        let at = (Timestamp::now() - Duration::from_secs(seconds)).to_string();
        fake.change(id, |row| row.set("disconnected_at", at.as_str()));
    }
    fake.inject(When::Lookup("c-5".to_owned()), Fault::status(500, "application/json", "{}"));
    let clients = [("Here", "c-1"), ("Resting", "c-2"), ("Late", "c-3"), ("Never", "c-4"), ("Odd", "c-5")];
    let exporter = Exporter::start(&config_of(&fake, "attempts: 1", &clients));
    (fake, exporter)
}

fn page(exporter: &Exporter, path: &str) -> String {
    let answer = exporter.get(path);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text()
}

fn client(exporter: &Exporter, alias: &str) -> String {
    page(exporter, &format!("/client?broker=LocalEMQX&client={alias}"))
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let rest = text.split_once(from).unwrap_or_else(|| panic!("{from} in {text}")).1;
    rest.split_once(to).unwrap_or_else(|| panic!("{to} in {rest}")).0
}

fn title(page: &str) -> &str {
    between(page, "<title>", "</title>")
}

/// The text of an element, as a reader sees it.
fn text(html: &str) -> String {
    let texts: Vec<_> = html.split('<').map(|part| part.rsplit('>').next().unwrap_or_default()).collect();
    texts.concat().replace("&#34;", "\"").replace("&#39;", "'").replace("&#38;", "&").trim().to_owned()
}

/// What the page says of a fact of the client.
fn fact(page: &str, name: &str) -> String {
    text(between(page, &format!("<dt>{name}</dt><dd "), "</dd>").split_once('>').expect("a class").1)
}

/// The series on the page: what they are called, and their values.
fn series(page: &str) -> Vec<(String, String)> {
    let table = between(page, "<table class=\"series\">", "</table>");
    let rows = table.split("<th scope=\"row\">").skip(1);
    rows.map(|row| {
        (text(between(row, "<code>", "</code>")), text(between(row, "<td class=\"number\">", "</td>")))
    })
    .collect()
}

#[test]
fn the_page_of_a_client_shows_everything_that_the_broker_says_of_it() {
    let (fake, exporter) = fleet();
    let page = client(&exporter, "Here");
    assert_eq!(fake.request_count(), 1, "only this client is requested");
    assert_eq!(title(&page), "Here connected · LocalEMQX · EMQX clients");
    for (name, value) in [
        ("Client ID", "c-1"),
        ("May be offline for", "15m"),
        ("Queued", "12"),
        ("Received", "5,184,897"),
        ("Sent, dropped", "3"),
        ("Node", "emqx@127.0.0.1"),
        ("Configured in", "monitored_clients[0]"),
    ] {
        assert_eq!(fact(&page, name), value, "{name}");
    }
    let series = series(&page);
    let value = |name: &str| {
        let mut found = series.iter().filter(|(series, _)| series == name);
        found.next().unwrap_or_else(|| panic!("{name} in {series:?}")).1.clone()
    };
    assert_eq!(value("emqx_mqtt_client_connected"), "1");
    assert_eq!(value("emqx_mqtt_client_received_messages_total{qos=\"0\"}"), "5184897");
    assert_eq!(value("emqx_mqtt_client_mqueue_messages"), "12");
    assert!(value("emqx_mqtt_client_connected_timestamp_seconds").contains(" UTC"), "{series:?}");
    // The groups that scrapes must ask for are there too.
    assert_eq!(value("emqx_mqtt_client_process_mailbox_messages"), "0");
    let scraped = exporter.get("/probe?broker=LocalEMQX&client=Here").text();
    for line in scraped.lines().filter(|line| line.starts_with("emqx_mqtt_client_")) {
        let name = line.split(['{', ' ']).next().expect("a name");
        assert!(series.iter().any(|(series, _)| series.split('{').next() == Some(name)), "{name}");
    }
    assert!(page.contains("href=\"probe?broker=LocalEMQX&#38;client=Here\""), "{page}");
    assert!(page.contains("href=\"probe?broker=LocalEMQX&#38;client=Here&#38;debug=true\""), "{page}");
    assert!(page.contains("href=\"./?broker=LocalEMQX\""), "{page}");
}

#[test]
fn the_page_of_a_client_is_honest_about_every_state() {
    let (_fake, exporter) = fleet();
    for (alias, state, class, series_count) in [
        ("Resting", "offline", "warning state disconnected", 20..60),
        ("Late", "offline", "critical state disconnected", 20..60),
        ("Never", "absent", "critical state absent", 3..4),
        ("Odd", "unknown", "warning state unknown", 1..2),
    ] {
        let page = client(&exporter, alias);
        assert_eq!(title(&page), format!("{alias} {state} · LocalEMQX · EMQX clients"));
        assert!(page.contains(&format!("<p class=\"text {class} pill\">")), "{alias}: {page}");
        let series = series(&page);
        assert!(series_count.contains(&series.len()), "{alias}: {series:?}");
        assert_eq!(page.contains("The broker answered with an unexpected HTTP status."), alias == "Odd");
    }
    assert_eq!(fact(&client(&exporter, "Late"), "In state for"), "2 hours");
}

#[test]
fn the_promql_on_the_page_of_a_client_is_promql() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    let alias = r#"the "pump" \ 1"#;
    let exporter = Exporter::start(&config_of(&fake, "", &[(alias, "c-1")]));
    let page = client(&exporter, "the+%22pump%22+%5C+1");
    let queries = between(&page, "<dl class=\"queries\">", "</dl>");
    let queries: Vec<_> =
        queries.split("<code>").skip(1).map(|rest| text(rest.split("</code>").next().expect("code"))).collect();
    assert!(queries.len() > 5, "{queries:?}");
    assert!(queries[0].ends_with(r#"{broker="LocalEMQX",alias="the \"pump\" \\ 1"}"#), "{}", queries[0]);
    let rules: Vec<_> = queries.iter().map(|query| json!({"record": "result", "expr": query})).collect();
    let groups = json!({"groups": [{"name": "page", "rules": rules}]});
    let mut file = tempfile::NamedTempFile::with_suffix(".yml").expect("a temporary file");
    file.write_all(groups.to_string().as_bytes()).expect("a temporary file takes text");
    let path = file.path().to_str().expect("a path in UTF-8");
    assert_eq!(promtool(&["check", "rules", "--lint=none", path], None), Ok(()), "{queries:?}");
    // They name metrics that exist.
    for query in &queries {
        let names = query.split(|letter: char| !letter.is_ascii_alphanumeric() && !matches!(letter, '_' | ':'));
        for name in names.filter(|name| name.starts_with("emqx_mqtt_client_")) {
            assert!(metrics::families().any(|family| family.name == name), "{name}");
        }
    }
}

#[test]
fn names_on_the_page_of_a_client_are_never_interpreted() {
    let hostile = "\"><script>x</script>&amp;\u{202E}\u{1b}[2J'";
    let alias = hostile.replace('\u{1b}', "\u{2066}");
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add(Row::like("plain-user-1").client_id(hostile).username(Some(hostile)).set("node", hostile));
    let exporter = Exporter::start(&config_of(&fake, "", &[(&alias, hostile)]));
    let query: String = url::form_urlencoded::byte_serialize(alias.as_bytes()).collect();
    let page = client(&exporter, &query);
    assert!(!page.contains("<script") && !page.contains(['\u{202E}', '\u{2066}', '\u{1b}']), "{page}");
    assert!(title(&page).starts_with("&#34;&#62;&#60;script&#62;x"), "{page}");
    assert!(!page.contains("http-equiv"), "no refresh unless it is chosen");
}

#[test]
fn titles_count_clients_unless_a_broker_takes_long() {
    let (fake, exporter) = fleet();
    let overview = page(&exporter, "/");
    assert_eq!(title(&overview), "1 probe failed, 1 overdue, 1 of 5 connected · EMQX clients");
    assert!(overview.contains("<bdi>5,184,897</bdi>"), "{overview}");
    let overdue = page(&exporter, "/?overdue=true");
    assert!(overdue.contains("<bdi>Late</bdi>") && !overdue.contains("<bdi>Resting</bdi>"), "{overdue}");
    assert!(overdue.contains("1 of 5 watched clients"), "{overdue}");
    // A probe ends at its time-out of 3 s.
    fake.inject(When::Any, Fault::Silent);
    let silent = Exporter::start(&config_of(&fake, "timeout_seconds: 3\nattempts: 1", &[("Here", "c-1")]));
    assert_eq!(title(&page(&silent, "/")), "EMQX clients");
}

#[test]
fn the_colours_of_the_counts_are_those_of_their_rows() {
    let (fake, exporter) = fleet();
    let classes = |page: &str| -> Vec<String> {
        let counts = between(page, "<ul class=\"states\"", "</ul>");
        counts
            .split("<li class=\"")
            .skip(1)
            .map(|item| item.split('"').next().unwrap_or_default().to_owned())
            .collect()
    };
    assert_eq!(
        classes(&page(&exporter, "/")),
        ["connected ", "disconnected critical", "absent critical", "unknown warning", "critical"],
        "one of those that are offline is overdue"
    );
    assert!(fake.remove("c-3"));
    assert_eq!(
        classes(&page(&exporter, "/")),
        ["connected ", "disconnected warning", "absent critical", "unknown warning"]
    );
    let legend = text(between(&page(&exporter, "/"), "<p class=\"legend\">", "</p>"));
    assert!(
        legend.starts_with("amber away within offline_after") && legend.contains("red away for longer"),
        "{legend}"
    );
}

#[test]
fn a_page_is_refreshed_at_the_interval_that_the_visitor_chooses() {
    let (_fake, exporter) = fleet();
    for path in ["/?refresh=30&sort=alias", "/client?broker=LocalEMQX&client=Here&refresh=30"] {
        let chosen = page(&exporter, path);
        assert!(chosen.contains("<meta http-equiv=\"refresh\" content=\"30\">"), "{chosen}");
        assert!(chosen.contains("Refreshed every 30s."), "{chosen}");
        let stop = between(&chosen, "<a href=\"", "\">Stop</a>").rsplit("href=\"").next().expect("a link");
        let stopped = page(&exporter, &format!("/{}", stop.trim_start_matches("./").replace("&#38;", "&")));
        assert!(!stopped.contains("http-equiv") && stopped.contains("refresh=10\">every 10s</a>"), "{stopped}");
        assert!(!path.contains("sort") || stop.contains("sort=alias"), "{stop}");
    }
    // It stays while the visitor looks around.
    let overview = page(&exporter, "/?refresh=30");
    assert!(overview.contains("client=Here&#38;refresh=30\""), "{overview}");
    assert!(overview.contains("<input type=\"hidden\" name=\"refresh\" value=\"30\">"), "{overview}");
    let client = page(&exporter, "/client?broker=LocalEMQX&client=Here&refresh=30");
    for link in ["href=\"./?refresh=30\"", "href=\"./?broker=LocalEMQX&#38;refresh=30\""] {
        assert!(client.contains(link), "{link} in {client}");
    }
}

/// A screen on a wall recovers by itself.
#[test]
fn a_page_that_cannot_probe_now_is_a_page_and_keeps_its_refresh() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add(Row::like("plain-user-1").client_id("c-1"));
    let exporter = Exporter::start_with(&config_of(&fake, "", &[("Here", "c-1")]), 1);
    let path = "/client?broker=LocalEMQX&client=Here&refresh=30";
    fake.inject(When::Any, Fault::Silent);
    let mut first = TcpStream::connect(exporter.address()).expect("it listens");
    first.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).expect("it takes a request");
    wait_until("the first probe runs", || fake.request_count() > 0);
    let answer = exporter.get(path);
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    let page = answer.text();
    assert!(page.contains("<meta http-equiv=\"refresh\" content=\"30\">"), "{page}");
    assert!(page.contains("--web.max-probes") && title(&page).starts_with("Not probed"), "{page}");
}

#[test]
fn every_runbook_url_opens_its_section_on_the_exporter() {
    let (fake, exporter) = fleet();
    let answer = exporter.get("/runbook");
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    let page = answer.text();
    assert_eq!(title(&page), "Runbook · EMQX clients");
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/prometheus/rules");
    let files = std::fs::read_dir(directory).expect("a directory").map(|entry| entry.expect("an entry").path());
    let rules = files.filter(|path| path.to_string_lossy().ends_with(".rules.yml"));
    let rules: Vec<Value> = rules
        .map(|path| serde_yaml::from_str(&std::fs::read_to_string(path).expect("rules")).expect("YAML"))
        .collect();
    let groups = rules.iter().flat_map(|file| file["groups"].as_array().expect("groups"));
    let rules = groups.flat_map(|group| group["rules"].as_array().expect("rules"));
    let urls: Vec<_> = rules.filter_map(|rule| rule["annotations"]["runbook_url"].as_str()).collect();
    assert!(urls.len() > 10, "{urls:?}");
    for url in urls {
        let anchor = url.strip_prefix("http://emqx-client-monitor:9671/runbook#").expect("one host for all");
        assert!(page.contains(&format!("<h3 id=\"{anchor}\">")), "{url}");
    }
    // Links lead to sections of the page, and nowhere else.
    let main = between(&page, "<main", "</main>");
    for link in main.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap_or_default()) {
        let section = link.strip_prefix('#').unwrap_or_else(|| panic!("{link} leads elsewhere"));
        assert!(main.contains(&format!(" id=\"{section}\"")), "{link}");
    }
    assert_eq!(fake.request_count(), 0);
}
