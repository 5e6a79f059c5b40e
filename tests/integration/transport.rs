//! HTTP as brokers and proxies send it, byte by byte.

use std::process::Command;
use std::time::Duration;

use crate::support::{Exporter, Families, Program, RawServer, Run, Step};

const IDS: [&str; 12] = ["c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9", "c10", "c11", "c12"];

/// Long enough for what follows to be received by itself.
const PAUSE: Duration = Duration::from_millis(20);

const EARLY_HINTS: &str = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
const NOT_FOUND: &str = r#"{"code":"CLIENTID_NOT_FOUND","message":"Client ID not found"}"#;

fn row(client_id: &str) -> String {
    format!("{{\"clientid\":\"{client_id}\",\"connected\":true}}")
}

fn not_found() -> Step {
    Step::response("404 Not Found", NOT_FOUND)
}

fn probe(server: &RawServer, more: &str, ids: &[&str]) -> Families {
    Exporter::start(&server.config(more, ids)).probe_within("broker=LocalEMQX", "10")
}

fn check(server: &RawServer) -> Run {
    let run = Program::with_config(&server.config(", attempts: 1", &["c1"])).run(&["--check"]);
    Run { stderr: run.stderr.replace(&server.address().to_string(), "ADDRESS"), ..run }
}

/// What `--check` prints about a broker that answers with these bytes and ends the connection.
fn refusal(response: impl AsRef<[u8]>) -> String {
    let response = response.as_ref().to_vec();
    let run = check(&RawServer::start(move |_| vec![Step::send(&response), Step::Close]));
    assert_eq!(run.status, 2, "{}", run.stderr);
    run.stderr
}

#[test]
fn a_body_without_a_length_ends_with_the_connection() {
    for head in
        ["HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\n"]
    {
        let server = RawServer::start(move |request| {
            let body = row(&request.client_id);
            let (begin, end) = body.split_at(10);
            let begin = Step::send([head, begin].concat());
            vec![begin, Step::Pause(PAUSE), Step::send(end), Step::Close]
        });
        let families = probe(&server, "", &IDS);
        assert!(families.success(), "{head:?}: {:?}", families.reasons());
        assert_eq!(families.value("emqx_mqtt_clients", &[("state", "connected")]), Some("12"));
        assert_eq!(families.value("emqx_probe_api_retries", &[]), Some("0"));
    }
}

#[test]
fn a_body_without_a_length_is_truncated_if_its_json_is() {
    let said = refusal("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"clientid\":\"c1\",\"conn");
    assert!(said.contains("LocalEMQX: protocol: response cut short"), "{said}");
    let said = refusal("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"clientid\":\"c1\"");
    assert!(said.contains("LocalEMQX: protocol: response cut short after 16 of 100 bytes"), "{said}");
    let said = refusal("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{\"clientid\":\"c1\"\r\n");
    assert!(said.contains("LocalEMQX: protocol: response cut short after 16 bytes"), "{said}");
    let said = refusal("HTTP/1.1 200 OK\r\nContent-Len");
    assert!(said.contains("LocalEMQX: protocol: connection to ADDRESS broke: "), "{said}");
}

/// Probes one client whose first lookup is answered with "not found" and the second with its row. Each response is sent as
/// `steps` say. Both lookups must use one connection: the second begins when the first has ended, however slow that is.
fn assert_connection_is_reused(steps: impl Fn(&str, &str) -> Vec<Step> + Send + Sync + 'static) {
    let server = RawServer::start(move |request| match request.number {
        1 => steps("404 Not Found", NOT_FOUND),
        _ => steps("200 OK", &row(&request.client_id)),
    });
    let families = probe(&server, "", &IDS[..1]);
    assert!(families.success(), "{:?}", families.reasons());
    assert_eq!(families.value("emqx_mqtt_clients", &[("state", "connected")]), Some("1"));
    assert_eq!((server.requests(), server.connections()), (2, 1));
}

#[test]
fn chunked_bodies_leave_the_connection_usable() {
    assert_connection_is_reused(|status, body| {
        let (begin, end) = body.split_at(10);
        vec![
            Step::send(format!("HTTP/1.1 {status}\r\nTransfer-Encoding: chunked\r\n\r\na\r\n{begin}\r\n")),
            Step::Pause(PAUSE),
            Step::send(format!("{:x};x=y\r\n{end}\r\n0\r\nTrailer: z\r\n\r\n", end.len())),
        ]
    });
}

#[test]
fn interim_responses_are_skipped() {
    for pause in [Duration::ZERO, PAUSE / 4] {
        assert_connection_is_reused(move |status, body| {
            let interim = (0..8).flat_map(|_| [Step::send(EARLY_HINTS), Step::Pause(pause)]);
            interim.chain([Step::response(status, body)]).collect()
        });
    }
    let said = refusal(EARLY_HINTS.repeat(9));
    assert!(said.contains("protocol: connection to ADDRESS broke: more than 8 interim responses"), "{said}");
}

#[test]
fn an_unrequested_response_is_never_used_for_the_next_request() {
    // Behind a response: whole, or in two parts.
    for split in [usize::MAX, 40] {
        let server = RawServer::start(move |request| {
            let stray =
                format!("HTTP/1.1 404 Not Found\r\ncontent-length: {}\r\n\r\n{NOT_FOUND}", NOT_FOUND.len());
            let (first, rest) = stray.split_at(split.min(stray.len()));
            let body = row(&request.client_id);
            let both = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}{first}", body.len());
            vec![Step::send(both), Step::Pause(PAUSE), Step::send(rest)]
        });
        let families = probe(&server, ", attempts: 1", &IDS);
        assert!(families.success(), "{:?}", families.reasons());
        assert_eq!(families.value("emqx_mqtt_clients", &[("state", "connected")]), Some("12"));
        assert_eq!(families.value("emqx_probe_api_retries", &[]), Some("0"));
        assert_eq!(server.connections(), 12, "none served twice");
    }
}

#[test]
fn a_stray_response_on_an_idle_connection_ends_it() {
    // The retry is sent when the connection of the first response has been idle for a while.
    let server = RawServer::start(|request| {
        let response = Step::response("200 OK", &row(&request.client_id));
        match (request.client_id.as_str(), request.number) {
            ("c1", _) => vec![response, Step::Pause(PAUSE), not_found()],
            (_, 1 | 2) => vec![Step::Pause(3 * PAUSE), Step::response("503 Service Unavailable", "")],
            _ => vec![response],
        }
    });
    let families = probe(&server, ", concurrency: 2", &["c1", "c2"]);
    assert!(families.success(), "{:?}", families.reasons());
    assert_eq!(families.value("emqx_mqtt_clients", &[("state", "connected")]), Some("2"));
    assert_eq!(server.requests(), 3);
}

#[test]
fn http_that_is_malformed_is_not_taken_for_tls() {
    let headers = "X-Header: value\r\n".repeat(200);
    for head in [
        format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: 2\r\n\r\n{{}}"),
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}".to_owned(),
        "HTTP/1.1 200 OK\r\nX-Header: folded\r\n value\r\nContent-Length: 2\r\n\r\n{}".to_owned(),
    ] {
        let said = refusal(&head);
        assert!(said.contains("LocalEMQX: protocol: malformed HTTP response of ADDRESS: "), "{said}");
        let failures = said.lines().filter(|line| !line.starts_with("help: "));
        assert_eq!(failures.filter(|line| line.contains("TLS")).count(), 0, "{said}");
    }
    let said = refusal("SSH-2.0-OpenSSH\r\n");
    assert!(said.contains("response of ADDRESS is not HTTP/1.1; if it speaks TLS, "), "{said}");
}

#[test]
fn a_redirect_names_the_new_address() {
    for (location, shown) in [
        ("https://emqx.example:18084/api/v5/clients/c1?x=y", "https://emqx.example:18084/api"),
        ("https://the-user:the-password@emqx.example/login", "https://emqx.example/login"),
    ] {
        let said = refusal(format!("HTTP/1.1 301 Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"));
        let expected = format!(
            "LocalEMQX: http_status: HTTP status 301: redirected to {shown}; write the new address into `api_url` ("
        );
        assert!(said.contains(&expected), "{said}");
    }
    let said = refusal("HTTP/1.1 302 Found\r\nLocation: /the-secret/login\r\nContent-Length: 0\r\n\r\n");
    assert!(said.contains("LocalEMQX: http_status: HTTP status 302 ("), "{said}");
    assert!(!said.contains("the-secret"), "{said}");
}

#[test]
fn an_error_status_is_reported_whatever_its_body() {
    let large = "x".repeat(3 << 20);
    for response in [
        format!("HTTP/1.1 401 Unauthorized\r\nContent-Length: {}\r\n\r\n{large}", large.len()),
        format!("HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n{large}"),
        "HTTP/1.1 401 Unauthorized\r\nContent-Length: 100\r\n\r\ncut".to_owned(),
        "HTTP/1.1 401 Unauthorized\r\nTransfer-Encoding: chunked\r\n\r\nno size".to_owned(),
        "HTTP/1.1 401 Unauthorized\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n???".to_owned(),
    ] {
        let server = RawServer::start(move |_| vec![Step::send(&response), Step::Close]);
        let families = probe(&server, "", &["c1"]);
        families.assert_nothing_known(&["unauthorized"]);
        assert_eq!(families.value("emqx_probe_http_status_code", &[]), Some("401"));
        assert_eq!(server.requests(), 1);
    }
}

#[test]
fn the_body_of_an_error_is_not_awaited() {
    let head = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 100\r\n\r\n";
    let server = RawServer::start(move |_| vec![Step::send(head), Step::Pause(Duration::from_secs(30))]);
    let exporter = Exporter::start(&server.config("", &["c1"]));
    exporter.probe_within("broker=LocalEMQX", "4").assert_nothing_known(&["unauthorized"]);
}

#[test]
fn a_shortage_of_file_descriptors_is_named() {
    // Each lookup keeps a connection open, more than there are descriptors for.
    let server = RawServer::start(|_| vec![Step::Pause(Duration::from_secs(2)), Step::Close]);
    let ids: Vec<_> = (0..48).map(|number| format!("c{number}")).collect();
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    let program = Program::with_config(&server.config(", attempts: 1, concurrency: 40", &ids));
    let check = program.command();
    let run = |limit: u32| {
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -n $0 && exec \"$@\""]).arg(limit.to_string());
        command.arg(check.get_program()).args(check.get_args()).args(["--check", "--timeout", "1"]);
        Run::of(command.output().expect("a shell"))
    };
    let said = run(24).stderr;
    let expected = "LocalEMQX: connect: cannot connect to ";
    assert!(said.contains(expected) && said.contains("no file descriptors left; "), "{said}");
}

#[test]
fn a_stray_response_after_the_next_request_makes_no_client_absent() {
    // Each request but the first of a connection may get the stray response before its own.
    let server = RawServer::start(|request| {
        let response = Step::response("200 OK", &row(&request.client_id));
        vec![response, Step::Pause(Duration::from_millis(1)), not_found()]
    });
    let exporter = Exporter::start(&server.config("", &IDS));
    for _ in 0..20 {
        let families = exporter.probe_within("broker=LocalEMQX", "10");
        assert_eq!(families.value("emqx_mqtt_clients", &[("state", "absent")]), Some("0"));
    }
}

#[test]
fn a_response_about_another_client_is_not_believed_on_a_shared_connection() {
    let server = RawServer::start(|request| {
        let client_id = if request.number == 3 { "another" } else { &request.client_id };
        vec![Step::response("200 OK", &row(client_id))]
    });
    let families = probe(&server, ", concurrency: 1", &IDS);
    assert!(families.success(), "{:?}", families.reasons());
    assert_eq!(families.value("emqx_mqtt_clients", &[("state", "connected")]), Some("12"));
    assert_eq!(server.requests(), 13);

    let server = RawServer::start(|_| vec![Step::response("200 OK", &row("another"))]);
    probe(&server, "", &IDS).assert_nothing_known(&["decode"]);
}
