//! Brokers behind an HTTP proxy, and further headers of requests.

use std::fs;
use std::net::TcpListener;

use fake_emqx::{FakeEmqx, Fault, Row, Version, When};

use crate::support::{
    Authority, ConnectProxy, Exporter, Families, Program, Proxying, ServerProcess, Tls, config_of,
};

const CANARY: &str = "canary-of-a-header";

fn broker() -> FakeEmqx {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add(Row::like("plain-user-1").client_id("device"));
    fake
}

/// A configuration in which only the proxy can resolve the name of the broker.
fn config(fake: &FakeEmqx, proxy: &ConnectProxy, more: &str) -> String {
    let more = format!("proxy_url: http://{}\n{more}", proxy.address());
    config_of(fake, &more, &[("device", "device")]).replace(&fake.url(), &fake.url_with_host("broker.invalid"))
}

fn probe(config: &str) -> Families {
    Exporter::start(config).probe_within("broker=LocalEMQX", "10")
}

/// What `--check` says about the failure, with names in place of ports.
fn failure(fake: &FakeEmqx, proxy: &ConnectProxy) -> String {
    let run = Program::with_config(&config(fake, proxy, "attempts: 1")).run(&["--check", "--timeout", "1"]);
    assert_eq!(run.status, 2, "{}", run.stderr);
    let port = format!("broker.invalid:{}", fake.address().port());
    run.stderr.replace(&proxy.address().to_string(), "PROXY").replace(&port, "BROKER")
}

#[test]
fn requests_go_through_the_proxy_which_resolves_the_name() {
    let fake = broker();
    for proxying in [Proxying::Opens, Proxying::OpensSlowly] {
        fake.reset_counters();
        let proxy = ConnectProxy::start(fake.address(), proxying);
        let families = probe(&config(&fake, &proxy, ""));
        assert!(families.success(), "{:?}", families.reasons());
        let authority = format!("broker.invalid:{}", fake.address().port());
        let requests = proxy.requests();
        assert_eq!(requests.len(), 1, "one connection serves the probe");
        let [line, host, user_agent] = requests[0].as_slice() else { panic!("{requests:?}") };
        assert_eq!(line, &format!("CONNECT {authority} HTTP/1.1"));
        assert_eq!(host, &format!("Host: {authority}"));
        assert!(user_agent.starts_with("User-Agent: emqx-client-monitor/"), "no credentials: {user_agent}");
        assert_eq!(fake.requests()[0].header("host"), Some(authority.as_str()));
        let phases = families.all("emqx_probe_phase_duration_seconds", &[]);
        let phases: Vec<_> = phases.iter().map(|one| one.labels["phase"].as_str()).collect();
        assert_eq!(phases, ["connect", "processing", "transfer"], "the proxy is an address");
    }
}

#[test]
fn tls_goes_through_the_proxy_to_the_broker() {
    let authority = Authority::new("CA");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let ca = authority.write(directory.path(), "ca.pem");
    for (name, reasons) in [("broker.invalid", &[][..]), ("another.invalid", &["tls"])] {
        let fake = FakeEmqx::start_tls(Version::V5_8_9, Tls::presenting(&authority.server(&[name])).config());
        fake.add(Row::like("plain-user-1").client_id("device"));
        let proxy = ConnectProxy::start(fake.address(), Proxying::Opens);
        let families = probe(&config(&fake, &proxy, &format!("ssl: {}", ca.display())));
        assert_eq!(families.reasons(), reasons);
        assert_eq!(families.all("probe_ssl_earliest_cert_expiry", &[]).len(), 1);
    }
}

#[test]
fn a_failure_says_which_step_failed() {
    let fake = broker();
    let through = "LocalEMQX: connect: cannot connect to BROKER through the proxy PROXY: ";
    let answers = |answer: &str| Proxying::Answers(answer.as_bytes().to_vec());
    for (proxying, said) in [
        (
            answers("HTTP/1.1 403 Forbidden: canary\r\n\r\n"),
            "the proxy answered 403; it does not allow this address",
        ),
        (answers("HTTP/1.1 407 Auth\r\n\r\n"), "the proxy answered 407; it requires Proxy-Authorization"),
        (answers("HTTP/1.1 405 No\r\n\r\n"), "the proxy answered 405; it does not support CONNECT"),
        (answers("HTTP/1.1 502 Bad\r\n\r\n"), "the proxy answered 502; it cannot reach the broker"),
        (answers("HTTP/1.1 302 Found\r\nLocation: http://x/\r\n\r\n"), "the proxy answered 302 ("),
        (answers(""), "the proxy closed the connection without a complete answer"),
        (answers("HTTP/1.1 200 O"), "the proxy closed the connection without a complete answer"),
        (answers("SSH-2.0-OpenSSH_9.2\r\n"), "the proxy did not answer in HTTP/1.1"),
        (answers("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 404"), "the proxy sent more than an answer to CONNECT"),
        (answers("HTTP/1.1 101 Switching Protocols\r\n\r\n"), "the proxy answered 101 ("),
        (Proxying::Silent, "timed out waiting for the proxy's answer"),
    ] {
        let proxy = ConnectProxy::start(fake.address(), proxying);
        let text = failure(&fake, &proxy);
        assert!(text.starts_with(&format!("{through}{said}")), "{said}: {text}");
        assert!(!text.contains("canary"), "the words of a proxy may echo secrets: {text}");
    }
    let endless = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(40_000));
    let proxy = ConnectProxy::start(fake.address(), answers(&endless));
    assert!(failure(&fake, &proxy).contains("the proxy sent a head that does not end"));
    assert_eq!(fake.connections(), 0);
}

#[test]
fn a_proxy_that_refuses_is_not_asked_again() {
    let fake = broker();
    for (status, requests) in [("407 Proxy Authentication Required", 1), ("403 Forbidden", 1), ("502 Bad", 3)] {
        let proxy = ConnectProxy::start(
            fake.address(),
            Proxying::Answers(format!("HTTP/1.1 {status}\r\n\r\n").into_bytes()),
        );
        let families = probe(&config(&fake, &proxy, "attempts: 3\nconcurrency: 1"));
        assert_eq!(families.reasons(), ["connect"], "{status}");
        assert_eq!(proxy.requests().len(), requests, "{status}");
    }
}

#[test]
fn an_unreachable_proxy_is_named() {
    let fake = broker();
    let free =
        TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
    for (proxy, said) in [
        (free.to_string(), format!("LocalEMQX: connect: cannot connect to the proxy {free}: ")),
        (
            "proxy.invalid:3128".to_owned(),
            "LocalEMQX: dns: cannot resolve the proxy proxy.invalid: ".to_owned(),
        ),
    ] {
        let more = format!("proxy_url: http://{proxy}\nattempts: 1");
        let run = Program::with_config(&config_of(&fake, &more, &[("device", "device")])).run(&["--check"]);
        assert!(run.stderr.starts_with(&said), "{}", run.stderr);
    }
    assert_eq!(fake.connections(), 0, "the broker is not asked past the proxy");
}

#[test]
fn the_proxy_gets_its_password_anew_from_each_probe() {
    let fake = broker();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("proxy");
    let line = |password: &str| format!("Proxy-Authorization: Basic {password}");
    let proxy = ConnectProxy::start(fake.address(), Proxying::OpensFor(line(CANARY)));
    fs::write(&file, format!("Basic {CANARY}\n")).expect("a file");
    let header = format!("proxy_connect_header: {{Proxy-Authorization: {{file: {}}}}}", file.display());
    let program = Program::with_config(&config(&fake, &proxy, &header));
    let served = ServerProcess::start(&program, &["--log.level", "debug"]);
    let path = "/probe?broker=LocalEMQX&debug=true";
    assert!(served.get(path).contains("\nprobe_success 1\n"));
    proxy.change(Proxying::OpensFor(line("rotated")));
    let refused = served.get(path);
    assert!(refused.contains("the proxy answered 407") && !refused.contains(CANARY), "{refused}");
    fs::write(&file, "Basic rotated").expect("a file");
    assert!(served.get(path).contains("\nprobe_success 1\n"));
    assert!(fake.requests().iter().all(|request| request.header("proxy-authorization").is_none()));
    let log = served.end();
    assert!(!log.contains(CANARY) && !log.contains("rotated"), "{log}");
}

#[test]
fn variables_name_no_proxy() {
    let fake = broker();
    let mut program = Program::with_config(&config_of(&fake, "", &[("device", "device")]));
    for variable in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        program = program.with_variable(variable, "http://127.0.0.1:1");
    }
    assert_eq!(program.run(&["--check"]).status, 0);
}

#[test]
fn further_headers_are_sent_and_never_shown() {
    let fake = broker();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("token");
    fs::write(&file, format!("{CANARY}\n")).expect("a file");
    let headers = format!(
        "headers: {{CF-Access-Client-Id: {{file: {}}}, X-Tenant: \"Bearer second-canary-é\"}}\nattempts: 1",
        file.display()
    );
    let program = Program::with_config(&config_of(&fake, &headers, &[("device", "device")]));
    let served = ServerProcess::start(&program, &["--log.level", "debug"]);
    let path = "/probe?broker=LocalEMQX&debug=true";
    let mut seen = served.get(path);
    assert!(seen.contains("\nprobe_success 1\n"));
    assert_eq!(fake.requests()[0].header("cf-access-client-id"), Some(CANARY));
    assert!(fake.requests()[0].header("authorization").is_some(), "the API key is sent as before");

    fs::write(&file, "rotated-canary").expect("a file");
    seen += &served.get(path);
    assert_eq!(fake.requests()[1].header("cf-access-client-id"), Some("rotated-canary"));

    // A confused server echoes what it was sent.
    for location in ["rotated-canary", "second-canary-%C3%A9"] {
        let redirect =
            format!("HTTP/1.1 302 Found\r\nlocation: http://x.example/{location}\r\ncontent-length: 0\r\n\r\n");
        fake.inject(When::Any, Fault::raw(redirect));
        let shown = served.get(path);
        assert!(shown.contains("HTTP status 302"), "{shown}");
        seen += &shown;
    }
    seen += &served.get("/");
    let config = served.get("/config");
    assert!(config.contains("CF-Access-Client-Id:\n") && config.contains("X-Tenant: <secret>"), "{config}");
    fs::remove_file(&file).expect("it was there");
    let missing = served.get(path);
    assert!(missing.contains("config: cannot read the secret file"), "{missing}");
    for text in [seen, config, missing, served.end()] {
        assert!(!text.contains("canary"), "{text}");
    }
}
