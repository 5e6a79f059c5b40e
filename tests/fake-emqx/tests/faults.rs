//! Each fault has the effect on the wire that its documentation says.
#![allow(clippy::unwrap_used, reason = "tests may fail")]

mod common;

use std::io::{ErrorKind, Read, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{connect, get, receive, send};
use fake_emqx::{Blackhole, Cut, FakeEmqx, Fault, OddHead, Packet, Row, Version, When, recorded};

const LOOKUP: &str = "/api/v5/clients/plain-user-1";

fn fake_with(when: When, fault: impl Into<fake_emqx::FaultPlan>) -> FakeEmqx {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add(Row::like("plain-user-1"));
    fake.inject(when, fault);
    fake
}

/// All bytes until the connection ends, and the error that ended it.
fn exchange(fake: &FakeEmqx) -> (Vec<u8>, Option<ErrorKind>) {
    let mut stream = connect(fake);
    send(&mut stream, "GET", LOOKUP);
    rest_of(&mut stream)
}

fn rest_of(stream: &mut impl Read) -> (Vec<u8>, Option<ErrorKind>) {
    let mut bytes = Vec::new();
    let end = stream.read_to_end(&mut bytes).err().map(|error| error.kind());
    (bytes, end)
}

fn plain() -> &'static [u8] {
    recorded(Version::V5_8_9, "08-client-plain")
}

#[test]
fn the_first_matching_fault_applies_until_it_is_used_up() {
    let fake = fake_with(When::Lookups, Fault::Healthy.times(1));
    fake.inject(When::Lookup("plain-user-1".into()), Fault::status(503, "text/plain", "busy").times(2));
    fake.inject(When::Any, Fault::node_down());
    assert_eq!(get(&fake, LOOKUP).status(), 200);
    assert_eq!(get(&fake, "/api/v5/clients/other").status(), 500);
    assert_eq!(get(&fake, LOOKUP).text(), "busy");
    assert_eq!(get(&fake, LOOKUP).status(), 503);
    assert_eq!(get(&fake, LOOKUP).body, recorded(Version::V5_8_9, "hung-parallel-list"));
    fake.clear_faults();
    assert_eq!(get(&fake, LOOKUP).body, plain());
    fake.inject(When::Page(2), Fault::node_down());
    assert_eq!(get(&fake, "/api/v5/clients").status(), 200);
    assert_eq!(get(&fake, "/api/v5/clients?page=2").status(), 500);
    fake.inject(When::lookups_of(["x", "y"]), Fault::booting_html_404());
    assert!(get(&fake, "/api/v5/clients/y").text().starts_with("<html>"));
    assert_eq!(get(&fake, LOOKUP).status(), 200);
}

#[test]
fn well_formed_responses_replace_the_healthy_one() {
    let fake = fake_with(When::Any, Fault::redirect("http://elsewhere/").times(1));
    let response = get(&fake, LOOKUP);
    assert!(response.status() == 302 && response.head.contains("\r\nlocation: http://elsewhere/\r\n"));
    fake.inject(When::Any, Fault::encoded("gzip", b"\x1f\x8b").times(1));
    let response = get(&fake, LOOKUP);
    assert!(response.head.contains("\r\ncontent-encoding: gzip\r\n") && response.body == b"\x1f\x8b");
    fake.inject(When::Any, Fault::body("[".repeat(200_000)).times(1));
    assert_eq!(get(&fake, LOOKUP).body.len(), 200_000);
}

#[test]
fn a_silent_connection_stays_open_until_the_client_closes_it() {
    let fake = fake_with(When::Any, Fault::Silent.times(1));
    let mut stream = connect(&fake);
    send(&mut stream, "GET", LOOKUP);
    assert!(fake.wait_for_requests(1, Duration::from_secs(10)));
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let error = stream.read(&mut [0]).unwrap_err().kind();
    assert!(matches!(error, ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    assert_eq!(get(&fake, LOOKUP).status(), 200, "other requests are served meanwhile");
    assert_eq!(fake.max_in_flight(), 2);
    let started = Instant::now();
    drop(fake);
    assert!(started.elapsed() < Duration::from_secs(5), "dropping the fake does not wait for it");
}

#[test]
fn slow_responses_arrive() {
    let fake = fake_with(When::Any, Fault::Slow(Duration::from_millis(30)).times(1));
    let started = Instant::now();
    assert_eq!(get(&fake, LOOKUP).body, plain());
    assert!(started.elapsed() >= Duration::from_millis(30));
    fake.set_latency(Duration::from_millis(30));
    let started = Instant::now();
    assert_eq!(get(&fake, LOOKUP).body, plain());
    assert!(started.elapsed() >= Duration::from_millis(30));
    fake.set_latency(Duration::ZERO);
    for fault in [Fault::TrickleHead(Duration::ZERO), Fault::TrickleBody(Duration::ZERO)] {
        fake.inject(When::Any, fault.times(1));
        assert_eq!(get(&fake, LOOKUP).body, plain());
    }
}

#[test]
fn bodies_are_cut() {
    let half = &plain()[..plain().len() / 2];
    for (cut, frame, end) in [
        (Cut::Length, "content-length: 1124\r\n", ""),
        (Cut::WithinChunk, "transfer-encoding: chunked\r\n", ""),
        (Cut::BeforeLastChunk, "transfer-encoding: chunked\r\n", "\r\n"),
        (Cut::Unframed, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ndate", ""),
    ] {
        let (bytes, error) = exchange(&fake_with(When::Any, Fault::CutBody(cut)));
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains(frame), "{cut:?}");
        assert!(text.ends_with(&format!("{}{end}", str::from_utf8(half).unwrap())), "{cut:?}");
        assert_eq!(error, None, "{cut:?}");
    }
}

#[test]
fn connections_are_reset_and_closed() {
    let (bytes, error) = exchange(&fake_with(When::Any, Fault::Reset));
    assert_eq!((bytes.len(), error), (0, Some(ErrorKind::ConnectionReset)));
    let (bytes, error) = exchange(&fake_with(When::Any, Fault::ResetAfterHead));
    assert!(bytes.ends_with(b"server: Cowboy\r\n\r\n"));
    assert_eq!(error, Some(ErrorKind::ConnectionReset));
    let (bytes, error) = exchange(&fake_with(When::Any, Fault::CloseBeforeResponse));
    assert_eq!((bytes.len(), error), (0, None));
    let (bytes, error) = exchange(&fake_with(When::Any, Fault::raw("SSH-2.0-OpenSSH_9.6\r\n")));
    assert_eq!((bytes.as_slice(), error), (&b"SSH-2.0-OpenSSH_9.6\r\n"[..], None));
}

#[test]
fn kept_connections_close_unannounced() {
    let fake = fake_with(When::Any, Fault::CloseAfterResponse(Duration::ZERO).times(1));
    let mut stream = connect(&fake);
    send(&mut stream, "GET", LOOKUP);
    let response = receive(&mut stream);
    assert!(response.body == plain() && !response.head.contains("close"));
    assert_eq!(rest_of(&mut stream), (Vec::new(), None));

    fake.inject(When::Any, Fault::CloseAtNextRequest.times(1));
    let mut stream = connect(&fake);
    send(&mut stream, "GET", LOOKUP);
    assert_eq!(receive(&mut stream).body, plain());
    send(&mut stream, "GET", LOOKUP);
    assert_eq!(rest_of(&mut stream), (Vec::new(), None));
    assert_eq!(fake.request_count(), 3);
}

#[test]
fn an_endless_body_goes_on() {
    let fake = fake_with(When::Any, Fault::EndlessBody);
    let mut stream = connect(&fake);
    send(&mut stream, "GET", LOOKUP);
    let mut bytes = vec![0; 4 << 20];
    stream.read_exact(&mut bytes).unwrap();
    assert!(bytes.starts_with(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n"));
}

#[test]
fn connections_fail_before_the_first_request() {
    let fake = fake_with(When::Connect, Fault::Reset.times(1));
    let (bytes, error) = rest_of(&mut connect(&fake));
    assert_eq!((bytes.len(), error), (0, Some(ErrorKind::ConnectionReset)));
    fake.inject(When::Connect, Fault::raw("SSH-2.0\r\n").times(1));
    assert_eq!(rest_of(&mut connect(&fake)).0, b"SSH-2.0\r\n");
    assert_eq!(get(&fake, LOOKUP).status(), 200);
    assert_eq!((fake.connections(), fake.request_count()), (3, 1));
}

#[test]
fn tls_is_served() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let fake = FakeEmqx::start_tls(Version::V5_8_9, Arc::new(server));
    fake.add(Row::like("plain-user-1"));
    assert_eq!(fake.url_with_host("localhost"), format!("https://localhost:{}/api/", fake.address().port()));

    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = Arc::new(client);
    let connect = || {
        let session = rustls::ClientConnection::new(Arc::clone(&client), "localhost".try_into().unwrap());
        rustls::StreamOwned::new(session.unwrap(), connect(&fake))
    };
    let mut stream = connect();
    for _ in 0..2 {
        send(&mut stream, "GET", LOOKUP);
        assert_eq!(receive(&mut stream).body, plain());
    }
    fake.inject(When::Lookups, Fault::CutBody(Cut::Length).times(1));
    send(&mut stream, "GET", LOOKUP);
    let (bytes, error) = rest_of(&mut stream);
    assert!(bytes.starts_with(b"HTTP/1.1 200") && error == Some(ErrorKind::UnexpectedEof), "{error:?}");
    fake.inject(When::Connect, Fault::CloseBeforeResponse.times(1));
    assert!(connect().write_all(b"GET").is_err(), "the handshake fails");
    assert_eq!(fake.connections(), 2);
}

#[test]
fn an_unframed_body_ends_with_the_connection() {
    let (bytes, error) = exchange(&fake_with(When::Any, Fault::Unframed));
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert_eq!((body.as_bytes(), error), (plain(), None));
    assert!(!head.contains("content-length") && !head.contains("transfer-encoding"), "{head}");
    assert!(head.contains("\r\nconnection: close"), "{head}");
}

#[test]
fn interim_responses_precede_the_healthy_one() {
    for packet in [Packet::Same, Packet::Own] {
        let fake = fake_with(When::Any, Fault::Interim { status: 103, count: 3, packet }.times(1));
        let mut stream = connect(&fake);
        send(&mut stream, "GET", LOOKUP);
        for _ in 0..3 {
            let mut interim = [0; "HTTP/1.1 103 Interim\r\nlink: </x>\r\n\r\n".len()];
            stream.read_exact(&mut interim).unwrap();
            assert!(interim.starts_with(b"HTTP/1.1 103 ") && interim.ends_with(b"\r\n\r\n"));
        }
        assert_eq!(receive(&mut stream).body, plain(), "{packet:?}");
        send(&mut stream, "GET", LOOKUP);
        assert_eq!(receive(&mut stream).body, plain(), "the connection goes on");
    }
}

#[test]
fn stray_responses_follow_the_healthy_one() {
    for packet in [Packet::Same, Packet::Own] {
        let fake = fake_with(When::Any, Fault::StrayResponse(packet).times(1));
        let mut stream = connect(&fake);
        send(&mut stream, "GET", LOOKUP);
        assert_eq!(receive(&mut stream).body, plain(), "{packet:?}");
        let stray = receive(&mut stream);
        assert_eq!(
            (stray.status(), stray.body.as_slice()),
            (404, recorded(Version::V5_8_9, "14-client-missing"))
        );
        send(&mut stream, "GET", LOOKUP);
        assert_eq!(receive(&mut stream).body, plain(), "the connection goes on");
        assert_eq!(fake.request_count(), 2);
    }
}

#[test]
fn odd_heads_are_valid() {
    let odd = |odd| get(&fake_with(When::Any, Fault::OddHead(odd)), LOOKUP);
    let two = odd(OddHead::TwoLengths);
    assert_eq!((two.head.matches("content-length: 1124\r\n").count(), two.body.as_slice()), (2, plain()));
    let folded = odd(OddHead::FoldedHeader);
    assert!(folded.head.contains("\r\nx-folded: one\r\n two\r\n") && folded.body == plain());
    let many = odd(OddHead::ManyHeaders(200));
    assert_eq!((many.head.matches("x-more: value\r\n").count(), many.body.as_slice()), (200, plain()));
}

#[test]
fn statuses_that_ask_for_another_request() {
    let fake = fake_with(When::Any, Fault::retry_after(429, "2").times(1));
    let busy = get(&fake, LOOKUP);
    assert!(busy.status() == 429 && busy.head.contains("\r\nretry-after: 2\r\n"));
    fake.inject(When::Any, Fault::moved("https://elsewhere/api/").times(1));
    let moved = get(&fake, LOOKUP);
    assert!(moved.status() == 301 && moved.head.contains("\r\nlocation: https://elsewhere/api/\r\n"));
    assert_eq!(get(&fake, LOOKUP).status(), 200);
}

#[test]
fn a_fault_can_be_for_the_first_request_to_each_target() {
    let fake = fake_with(When::Lookups, Fault::client_not_found().times_each(1));
    fake.add(Row::like("a"));
    for id in ["plain-user-1", "a"] {
        let target = format!("/api/v5/clients/{id}");
        assert_eq!(get(&fake, &target).body, recorded(Version::V5_8_9, "14-client-missing"), "{id}");
        assert_eq!(get(&fake, &target).status(), 200, "{id}");
    }
    assert_eq!(get(&fake, "/api/v5/clients").status(), 200);
}

#[test]
fn a_proxy_decodes_slashes_in_paths_only() {
    let fake = fake_with(When::Any, Fault::DecodedSlashes);
    fake.add(Row::like("a").client_id("x/y"));
    let lookup = get(&fake, "/api/v5/clients/x%2Fy");
    assert_eq!(lookup.body, recorded(Version::V5_8_9, "97-unknown-path"));
    assert_eq!(get(&fake, "/api/v5/clients?clientid=x%2Fy").ids(), ["x/y"]);
    assert_eq!(get(&fake, LOOKUP).body, plain());
    assert_eq!(fake.requests()[0].client_id().as_deref(), Some("x/y"), "as the exporter sent it");
}

#[test]
fn pages_of_bad_rows_never_end() {
    let fake = fake_with(When::List, Fault::rows("{}", 3));
    for page in [1, 7] {
        let json = get(&fake, &format!("/api/v5/clients?page={page}&limit=2")).json();
        assert_eq!(json["data"], serde_json::json!([{}, {}, {}]));
        assert_eq!((&json["meta"]["page"], &json["meta"]["hasnext"]), (&page.into(), &true.into()));
    }
}

#[test]
fn a_slow_list_leaves_lookups_alone() {
    let fake = fake_with(When::List, Fault::Slow(Duration::from_secs(600)));
    let mut list = connect(&fake);
    send(&mut list, "GET", "/api/v5/clients");
    assert!(fake.wait_for_requests(1, Duration::from_secs(10)));
    assert_eq!(get(&fake, LOOKUP).body, plain());
}

#[test]
fn a_large_401_is_sent_whole() {
    let body = vec![b'x'; 3 << 20];
    let refused = get(&fake_with(When::Any, Fault::status(401, "text/html", &body)), LOOKUP);
    assert!(refused.status() == 401 && refused.body == body);
}

#[test]
fn requests_and_connections_are_counted_while_they_last() {
    let fake = fake_with(When::Lookups, Fault::Silent);
    let mut streams = [connect(&fake), connect(&fake), connect(&fake)];
    for (sent, stream) in streams.iter_mut().enumerate() {
        send(stream, "GET", LOOKUP);
        assert!(fake.wait_for_requests(sent + 1, Duration::from_secs(10)));
    }
    let counts: Vec<_> = fake.requests().iter().map(|request| request.in_flight).collect();
    assert_eq!(counts, [1, 2, 3]);
    assert_eq!((fake.max_in_flight(), fake.max_open_connections()), (3, 3));
    fake.reset_counters();
    assert_eq!((fake.max_in_flight(), fake.max_open_connections()), (3, 3), "they still last");
}

#[test]
fn a_blackhole_swallows_connections() {
    let blackhole = Blackhole::start_at(([127, 0, 0, 1], 0).into());
    let address = blackhole.address();
    let error = TcpStream::connect_timeout(&address, Duration::from_millis(100)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    drop(blackhole);
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}
