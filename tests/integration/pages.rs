//! The page for people over HTTP; `browser` tests it in a browser.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use emqx_client_monitor::failure_help;
use emqx_client_monitor::outcome::FailureReason;
use fake_emqx::{FakeEmqx, Fault, Row, Version, When};
use ring::digest::{SHA256, digest};

use crate::support::{Exporter, Families, config_of, config_of_brokers};

fn broker(client_ids: &[&str]) -> FakeEmqx {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add_all(client_ids.iter().map(|id| Row::like("plain-user-1").client_id(id)));
    fake
}

/// A client in each state: the fourth one's lookups fail.
fn four_states() -> (FakeEmqx, Exporter) {
    let fake = broker(&["c-1", "c-2", "c-4"]);
    fake.disconnect("c-2");
    fake.inject(When::Lookup("c-4".to_owned()), Fault::status(500, "application/json", "{}"));
    let clients = [("Here", "c-1"), ("Away", "c-2"), ("Never", "c-3"), ("Odd", "c-4")];
    let exporter = Exporter::start(&config_of(&fake, "attempts: 1", &clients));
    (fake, exporter)
}

/// The page at this query, which must be one.
fn page(exporter: &Exporter, query: &str) -> String {
    let answer = exporter.get(&format!("/{query}"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.text()
}

/// The names in the first column, from top to bottom.
fn names(page: &str) -> Vec<String> {
    let lines = page.lines().filter_map(|line| line.split_once("<th scope=\"row\">"));
    lines.map(|(_, name)| between(name, "<bdi>", "</bdi>").to_owned()).collect()
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> &'a str {
    let rest = text.split_once(from).unwrap_or_else(|| panic!("{from} in {text}")).1;
    rest.split_once(to).unwrap_or_else(|| panic!("{to} in {rest}")).0
}

/// The row of a client.
fn row<'a>(page: &'a str, name: &str) -> &'a str {
    between(page, &format!("<bdi>{name}</bdi>"), "</tr>")
}

#[test]
fn each_state_has_its_label_and_its_symbol() {
    let (_fake, exporter) = four_states();
    let page = page(&exporter, "");
    for (name, symbol, label) in [
        ("Here", "●", "connected"),
        ("Away", "○", "offline"),
        ("Never", "✕", "absent"),
        ("Odd", "?", "unknown"),
    ] {
        let cell = format!("<span class=\"symbol\" aria-hidden=\"true\">{symbol}</span> {label}</td>");
        assert!(row(&page, name).contains(&cell), "{name}: {}", row(&page, name));
        assert!(page.contains(&format!("</span> 1 {label}</a>")), "{label} is counted");
    }
    assert!(page.contains(">probe partly failed</p>"), "{page}");
    assert!(page.contains("(1 client unknown)"), "{page}");
    assert_eq!(names(&page), ["Never", "Away", "Odd", "Here"], "who is gone stands first");
}

#[test]
fn each_page_shows_its_time_and_starts_new_probes() {
    let (fake, exporter) = four_states();
    let first = page(&exporter, "");
    assert_eq!(fake.request_count(), 5, "four lookups, and a second one for the absent client");
    assert!(first.contains("Live query at <time datetime=\""), "{first}");
    fake.remove("c-1");
    let second = page(&exporter, "");
    assert_eq!(fake.request_count(), 5 + 6, "two are absent now");
    assert!(row(&first, "Here").contains("connected") && row(&second, "Here").contains("absent"));
    let own = Families::parse(&exporter.get("/metrics").text());
    let failed = [("broker", "LocalEMQX"), ("result", "failure")];
    assert_eq!(
        own.value("emqx_client_monitor_probes_total", &failed),
        Some("2"),
        "they are probes like others"
    );
    assert_eq!(own.value("emqx_client_monitor_probes_in_flight", &[]), Some("0"));
}

#[test]
fn clients_are_found_by_any_of_their_names_and_by_their_state() {
    let fake = broker(&["c-1", "c-2"]);
    fake.change("c-2", |row| row.username(Some("Gärtner")));
    let exporter =
        Exporter::start(&config_of(&fake, "", &[("Pump", "c-1"), ("Valve", "c-2"), ("Gone", "c-3")]));
    for (query, wanted) in [
        ("?filter=pUM", vec!["Pump"]),
        ("?filter=c-2", vec!["Valve"]),
        ("?filter=G%C3%84RT", vec!["Valve"]),
        ("?filter=emqx%40127", vec!["Pump", "Valve"]),
        ("?filter=c-&state=absent", vec!["Gone"]),
        ("?state=connected", vec!["Pump", "Valve"]),
        ("?state=unknown", vec![]),
        ("?broker=&filter=&state=&sort=", vec!["Gone", "Pump", "Valve"]),
        ("?broker=LocalEMQX&filter=+valve+", vec!["Valve"]),
    ] {
        let page = page(&exporter, query);
        assert_eq!(names(&page), wanted, "{query}");
        let narrowed = query.contains("filter=c") || query.contains("state=un");
        assert!(!narrowed || page.contains("Show all</a>"), "{query}");
    }
}

#[test]
fn every_column_sorts_in_both_directions_with_aria_sort() {
    let fake = broker(&["c-1", "c-2", "c-3"]);
    for (id, number) in [("c-1", 5), ("c-2", 40), ("c-3", 0)] {
        fake.change(id, |row| row.set("mqueue_len", number).set("send_msg.dropped", number));
    }
    let exporter =
        Exporter::start(&config_of(&fake, "", &[("A", "c-1"), ("B", "c-2"), ("C", "c-3"), ("Gone", "c-4")]));
    let sorted = |sort: &str| names(&page(&exporter, &format!("?sort={sort}")));
    assert_eq!(sorted("queue"), ["C", "A", "B", "Gone"]);
    assert_eq!(sorted("-queue"), ["B", "A", "C", "Gone"], "what is not known stands last, either way");
    assert_eq!(sorted("-alias"), ["Gone", "C", "B", "A"]);

    let unsorted = page(&exporter, "");
    let heads: Vec<_> = unsorted.lines().filter(|line| line.starts_with("<th scope=\"col\"")).collect();
    assert_eq!(heads.len(), 14, "{heads:?}");
    for head in heads {
        let link = between(head, "href=\"", "\"").replace("&#38;", "&");
        let followed = page(&exporter, link.trim_start_matches("./"));
        let title = between(head, "\">", "</a>").rsplit('>').next().unwrap_or_default();
        let now = followed
            .lines()
            .find(|line| line.starts_with("<th") && line.contains("aria-sort="))
            .expect("it is sorted by one column");
        assert!(now.contains(title), "{title}: {now}");
        let back = between(now, "href=\"", "\"");
        let is_descending = now.contains("aria-sort=\"descending\"");
        let turned = page(&exporter, &back.replace("&#38;", "&")[2..]);
        let other = if is_descending { "ascending" } else { "descending" };
        assert!(turned.contains(&format!(" aria-sort=\"{other}\"><a")), "{title}");
    }
}

#[test]
fn queues_drops_and_overdue_clients_are_highlighted() {
    let fake = broker(&["well", "burdened", "asleep", "lost"]);
    fake.change("burdened", |row| {
        row.set("mqueue_len", 7).set("send_msg.dropped", 3).set("recv_msg.dropped", 2)
    });
    fake.disconnect("asleep");
    fake.disconnect("lost");
    let mut config = config_of(&fake, "", &[("Well", "well"), ("Burdened", "burdened")]);
    // The recorded client went away long ago.
    let _ = writeln!(config, "  - {{alias: Asleep, client_id: asleep, offline_after: 100y}}");
    let _ = writeln!(config, "  - {{alias: Lost, client_id: lost, offline_after: 1m}}");
    let exporter = Exporter::start(&config);
    let page = page(&exporter, "");
    for (name, notable, alarming) in [("Well", 0, 0), ("Burdened", 3, 0), ("Asleep", 1, 0), ("Lost", 0, 2)] {
        let row = row(&page, name);
        let weights = [row.matches(" warning").count(), row.matches(" critical").count()];
        assert_eq!(weights, [notable, alarming], "{name}: {row}");
    }
    assert!(row(&page, "Burdened").contains("<td class=\"number warning\"><bdi>7</bdi></td>"), "{page}");
    assert!(row(&page, "Lost").contains(" UTC\">"), "when it went: {}", row(&page, "Lost"));
}

#[test]
fn names_of_clients_are_never_interpreted() {
    let hostile =
        "\"><script>document.title='gone'</script><img src=x onerror=alert(1)>&amp;\u{202E}\u{1b}[2J\u{2028}'";
    let alias = hostile.replace('\u{1b}', "\u{2066}");
    let fake = broker(&["c-1"]);
    fake.add(Row::like("plain-user-1").client_id(hostile).username(Some(hostile)).set("node", hostile));
    let exporter = Exporter::start(&config_of(&fake, "", &[("Well", "c-1"), (&alias, hostile)]));
    let query = format!("?filter={}", "%22%3E%3Cscript%3Edocument");
    for query in ["", query.as_str(), "?sort=username"] {
        let page = page(&exporter, query);
        assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
        assert!(!page.contains(['\u{202E}', '\u{2028}', '\u{1b}']), "{page}");
        assert!(page.contains("&#60;script&#62;document"), "{page}");
        assert!(page.contains("&#38;amp;\u{FFFD}\u{FFFD}[2J\u{FFFD}&#39;"), "{page}");
    }
    // A name may come from an inventory, that of a broker too.
    let named = serde_json::Value::from("<b>Broker\u{202E}\u{200F}".repeat(40)).to_string();
    let config = config_of(&fake, "", &[("Well", "c-1")]).replacen("LocalEMQX", &named, 1);
    let named = page(&Exporter::start(&config), "");
    assert!(
        !named.contains(['\u{202E}', '\u{200F}']) && named.contains("<bdi>&#60;b&#62;Broker\u{FFFD}"),
        "{named}"
    );
    assert!(named.len() < 20_000, "{}", named.len());
    // A broker may say anything, too.
    fake.inject(When::Any, Fault::status(418, "text/html", hostile));
    let page = page(&exporter, "");
    assert!(!page.contains("<script") && page.contains("418"), "{page}");
}

#[test]
fn a_very_long_name_does_not_fill_the_page() {
    let name = "x".repeat(60_000);
    let fake = broker(&["c-1"]);
    fake.change("c-1", |row| row.username(Some(&name)));
    let exporter = Exporter::start(&config_of(&fake, "", &[("Well", "c-1")]));
    let page = page(&exporter, "");
    assert!(page.contains(&format!(">{}…<", "x".repeat(160))));
    assert!(page.len() < 20_000, "{}", page.len());
}

#[test]
fn each_failure_is_explained() {
    type Brew = fn() -> Fault;
    let faults: [(FailureReason, Brew); 6] = [
        (FailureReason::Unauthorized, || Fault::status(401, "application/json", "{}")),
        (FailureReason::Forbidden, || Fault::status(403, "application/json", "{}")),
        (FailureReason::HttpStatus, || Fault::status(503, "text/html", "down")),
        (FailureReason::Protocol, || Fault::Reset),
        (FailureReason::Decode, || Fault::body("<html>a login page</html>")),
        (FailureReason::Timeout, || Fault::Silent),
    ];
    for (reason, fault) in faults {
        let fake = broker(&["c-1"]);
        fake.inject(When::Any, fault());
        let exporter =
            Exporter::start(&config_of(&fake, "attempts: 1\ntimeout_seconds: 0.3", &[("Well", "c-1")]));
        let page = page(&exporter, "").replace("&#39;", "'").replace("&#62;", ">");
        let remedy = failure_help::remedy(reason).split('`').enumerate().map(|(part, words)| {
            if part % 2 == 1 { format!("<code>{words}</code>") } else { words.to_owned() }
        });
        let remedy: String = remedy.collect();
        assert!(page.contains(">probe failed</p>"), "{reason}: {page}");
        for words in [failure_help::meaning(reason), &remedy, &format!("<code>{reason}</code>")] {
            assert!(page.contains(words), "{words} in {page}");
        }
        assert!(row(&page, "Well").contains("unknown"), "{page}");
        assert!(!page.contains(&fake.api_secret()), "{page}");
    }
}

#[test]
fn a_broker_without_watched_clients_is_probed() {
    let fake = broker(&["c-1"]);
    let exporter = Exporter::start(&config_of(&fake, "", &[]));
    let page = page(&exporter, "");
    assert!(
        page.contains(">probe succeeded</p>") && page.contains("This broker has no watched clients"),
        "{page}"
    );
}

fn two_brokers() -> ([FakeEmqx; 2], String) {
    let fakes = [broker(&["c-1"]), broker(&["c-1", "c-2"])];
    let clients = "  - {alias: One, client_id: c-1, brokers: [First]}\n  \
                   - {alias: Two, client_id: c-2, brokers: [Second]}\n";
    let config = config_of_brokers(&[("First", &fakes[0]), ("Second", &fakes[1])], clients);
    (fakes, config)
}

#[test]
fn several_brokers_are_shown_together_or_one_at_a_time() {
    let (fakes, config) = two_brokers();
    let exporter = Exporter::start(&config);
    let both = page(&exporter, "");
    assert_eq!(names(&both), ["One", "Two"]);
    for link in [
        "href=\"#broker-1\"",
        "href=\"./?broker=Second\"",
        "href=\"probe?broker=Second\"",
        "href=\"probe?broker=Second&#38;debug=true\"",
        "href=\"client?broker=Second&#38;client=Two\"",
        "href=\"runbook\"",
        "href=\"metrics\"",
    ] {
        assert!(both.contains(link), "{link} in {both}");
    }
    let requests = fakes[0].request_count();
    let second = page(&exporter, "?broker=Second");
    assert_eq!(names(&second), ["Two"]);
    assert_eq!(fakes[0].request_count(), requests, "the other one is not probed");
    assert!(second.contains("<title>1 of 1 connected · Second · EMQX clients</title>"), "{second}");
}

#[test]
fn a_broker_is_shown_before_others_have_responded() {
    let (fakes, config) = two_brokers();
    fakes[1].inject(When::Any, Fault::Silent);
    let exporter = Exporter::start(&config);
    let mut connection = TcpStream::connect(exporter.address()).expect("it listens");
    connection.set_read_timeout(Some(Duration::from_secs(60))).expect("a time");
    connection
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\naccept-encoding: gzip\r\n\r\n")
        .expect("it takes a request");
    let (mut shown, mut part) = (Vec::new(), [0; 4096]);
    while !String::from_utf8_lossy(&shown).contains("</section>") {
        let count = connection.read(&mut part).expect("a part of the page");
        assert!(count > 0, "the page ended early");
        shown.extend_from_slice(&part[..count]);
    }
    let shown = String::from_utf8_lossy(&shown);
    assert!(shown.contains("<bdi>One</bdi>") && !shown.contains("<bdi>Two</bdi>"), "{shown}");
}

/// The others are not, so it comes last, after a second in which the order is that of the configuration.
#[test]
fn a_broker_that_takes_long_comes_last() {
    let (fakes, config) = two_brokers();
    let exporter =
        Exporter::start(&config.replace("api_secret:", "attempts: 1, timeout_seconds: 3, api_secret:"));
    assert_eq!(names(&page(&exporter, "")), ["One", "Two"]);
    fakes[0].inject(When::Any, Fault::Silent);
    let page = page(&exporter, "");
    assert_eq!(names(&page), ["Two", "One"]);
    assert!(page.contains("href=\"#broker-0\"") && page.contains("<section id=\"broker-0\""), "{page}");
}

#[test]
fn a_broker_beyond_the_limit_of_probes_is_not_probed() {
    let (fakes, config) = two_brokers();
    fakes[0].set_latency(Duration::from_millis(200));
    let exporter = Exporter::start_with(&config, 1);
    let page = page(&exporter, "");
    assert_eq!(names(&page), ["One"]);
    assert!(page.contains(">not probed</p>") && page.contains("--web.max-probes"), "{page}");
    assert_eq!(fakes[1].request_count(), 0);
}

#[test]
fn long_lists_are_truncated_with_a_note() {
    let ids: Vec<_> = (0..120).map(|number| format!("c-{number:03}")).collect();
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    let fakes = [broker(&ids), broker(&[])];
    let mut clients = String::new();
    for id in &ids {
        let _ = writeln!(clients, "  - {{alias: {id}, client_id: {id}, brokers: [First]}}");
    }
    let exporter =
        Exporter::start(&config_of_brokers(&[("First", &fakes[0]), ("Second", &fakes[1])], &clients));
    let both = page(&exporter, "");
    assert_eq!(names(&both).len(), 100);
    assert!(both.contains("First 100 of 120 matching clients"), "{both}");
    assert_eq!(names(&page(&exporter, "?broker=First")).len(), 120);
}

#[test]
fn an_invalid_query_is_explained_and_no_broker_is_probed() {
    let (fake, exporter) = four_states();
    let long = format!("?filter={}", "x".repeat(201));
    for (query, status, says) in [
        ("?broker=%3Cb%3E", 404, "unknown broker &#34;&#60;b&#62;&#34;; configured brokers: LocalEMQX"),
        (
            "?state=gone",
            400,
            "unknown state &#34;gone&#34;; known states: connected, disconnected, absent, unknown",
        ),
        ("?sort=size", 400, "unknown column &#34;size&#34;; available columns: alias, state, since"),
        ("?sort=broker", 400, "unknown column"),
        ("?overdue=maybe", 400, "`overdue` must be true or false"),
        ("?refresh=4", 400, "`refresh` must be a number of seconds from 5 to 86400"),
        ("?refresh=soon", 400, "`refresh` must be"),
        ("client?broker=LocalEMQX", 400, "missing parameter &#34;client&#34;"),
        ("client?client=Here", 400, "missing parameter &#34;broker&#34;"),
        ("client?broker=Other&client=Here", 404, "unknown broker &#34;Other&#34;"),
        (
            "client?broker=LocalEMQX&client=c-1",
            404,
            "unknown client &#34;c-1&#34; of broker &#34;LocalEMQX&#34;",
        ),
        ("client?broker=LocalEMQX&client=Here&sort=x", 400, "known parameters: broker, client, refresh"),
        ("?colour=red", 400, "unknown parameter &#34;colour&#34;"),
        (long.as_str(), 400, "longer than 200 characters"),
    ] {
        let answer = exporter.get(&format!("/{query}"));
        assert_eq!(answer.status, status, "{query}");
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
        assert!(answer.text().contains(says), "{query}: {}", answer.text());
        assert!(answer.header("content-security-policy").is_some());
    }
    for path in ["/", "/client?broker=LocalEMQX&client=Here", "/runbook"] {
        assert_eq!(exporter.request("HEAD", path, &[]).status, 200, "{path}");
        assert_eq!(exporter.request("POST", path, &[]).status, 405, "{path}");
    }
    assert_eq!(fake.connections(), 0);
}

#[test]
fn the_content_security_policy_allows_only_the_pages_own_style() {
    let (_fake, exporter) = four_states();
    let answer = exporter.get("/");
    let policy = answer.header("content-security-policy").expect("a policy").to_owned();
    let page = answer.text();
    let style = digest(&SHA256, between(&page, "<style>", "</style>").as_bytes());
    assert_eq!(
        policy,
        format!(
            "default-src 'none'; style-src 'sha256-{}'; img-src data:; form-action 'self'; base-uri 'none'; \
             frame-ancestors 'none'",
            BASE64_STANDARD.encode(style)
        )
    );
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    let elsewhere =
        page.split(['"', '\'', '(']).filter(|text| text.starts_with("http") || text.starts_with("//"));
    assert_eq!(elsewhere.collect::<Vec<_>>(), ["http://www.w3.org/2000/svg"], "a name, not an address");
    assert!(!page.contains(" style=") && !page.contains(" on"), "{page}");
}
