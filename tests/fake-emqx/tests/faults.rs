//! Each fault has the effect on the wire that its documentation says.
#![allow(clippy::unwrap_used, reason = "tests may fail")]

mod common;

use std::io::{ErrorKind, Read, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{connect, get, receive, send};
use fake_emqx::{Cut, FakeEmqx, Fault, Row, Version, When, recorded};

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
