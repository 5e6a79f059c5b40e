//! A fake in trouble does what it says.
#![allow(clippy::unwrap_used, reason = "tests may fail")]

mod common;

use std::io::{ErrorKind, Read, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{connect, get, receive, send};
use fake_emqx::{Cut, FakeEmqx, Row, Trouble, Version, When, recorded};

const LOOKUP: &str = "/api/v5/clients/plain-user-1";

fn fake_with(when: When, trouble: impl Into<fake_emqx::Plan>) -> FakeEmqx {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add(Row::like("plain-user-1"));
    fake.trouble(when, trouble);
    fake
}

/// Everything until the connection ends, and how it ended.
fn everything(fake: &FakeEmqx) -> (Vec<u8>, Option<ErrorKind>) {
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
fn troubles_come_in_order_for_those_they_are_for_and_end() {
    let fake = fake_with(When::Lookups, Trouble::Healthy.times(1));
    fake.trouble(When::Lookup("plain-user-1".into()), Trouble::status(503, "text/plain", "busy").times(2));
    fake.trouble(When::Any, Trouble::node_down());
    assert_eq!(get(&fake, LOOKUP).status(), 200);
    assert_eq!(get(&fake, "/api/v5/clients/other").status(), 500);
    assert_eq!(get(&fake, LOOKUP).text(), "busy");
    assert_eq!(get(&fake, LOOKUP).status(), 503);
    assert_eq!(get(&fake, LOOKUP).body, recorded(Version::V5_8_9, "hung-parallel-list"));
    fake.clear_troubles();
    assert_eq!(get(&fake, LOOKUP).body, plain());
    fake.trouble(When::Page(2), Trouble::node_down());
    assert_eq!(get(&fake, "/api/v5/clients").status(), 200);
    assert_eq!(get(&fake, "/api/v5/clients?page=2").status(), 500);
    fake.trouble(When::lookups_of(["x", "y"]), Trouble::booting_html_404());
    assert!(get(&fake, "/api/v5/clients/y").text().starts_with("<html>"));
    assert_eq!(get(&fake, LOOKUP).status(), 200);
}

#[test]
fn well_formed_wrong_answers() {
    let fake = fake_with(When::Any, Trouble::redirect("http://elsewhere/").times(1));
    let answer = get(&fake, LOOKUP);
    assert!(answer.status() == 302 && answer.head.contains("\r\nlocation: http://elsewhere/\r\n"));
    fake.trouble(When::Any, Trouble::encoded("gzip", b"\x1f\x8b").times(1));
    let answer = get(&fake, LOOKUP);
    assert!(answer.head.contains("\r\ncontent-encoding: gzip\r\n") && answer.body == b"\x1f\x8b");
    fake.trouble(When::Any, Trouble::body("[".repeat(200_000)).times(1));
    assert_eq!(get(&fake, LOOKUP).body.len(), 200_000);
}

#[test]
fn silence_is_kept_until_the_asker_leaves() {
    let fake = fake_with(When::Any, Trouble::Silent.times(1));
    let mut stream = connect(&fake);
    send(&mut stream, "GET", LOOKUP);
    assert!(fake.wait_for_requests(1, Duration::from_secs(10)));
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let error = stream.read(&mut [0]).unwrap_err().kind();
    assert!(matches!(error, ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    assert_eq!(get(&fake, LOOKUP).status(), 200, "others are served meanwhile");
    assert_eq!(fake.max_in_flight(), 2);
    let started = Instant::now();
    drop(fake);
    assert!(started.elapsed() < Duration::from_secs(5), "and nothing is waited for at the end");
}

#[test]
fn slow_answers_come() {
    let fake = fake_with(When::Any, Trouble::Slow(Duration::from_millis(30)).times(1));
    let started = Instant::now();
    assert_eq!(get(&fake, LOOKUP).body, plain());
    assert!(started.elapsed() >= Duration::from_millis(30));
    fake.delay(Duration::from_millis(30));
    let started = Instant::now();
    assert_eq!(get(&fake, LOOKUP).body, plain());
    assert!(started.elapsed() >= Duration::from_millis(30));
    fake.delay(Duration::ZERO);
    for trouble in [Trouble::TrickleHead(Duration::ZERO), Trouble::TrickleBody(Duration::ZERO)] {
        fake.trouble(When::Any, trouble.times(1));
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
        let (bytes, error) = everything(&fake_with(When::Any, Trouble::CutBody(cut)));
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains(frame), "{cut:?}");
        assert!(text.ends_with(&format!("{}{end}", str::from_utf8(half).unwrap())), "{cut:?}");
        assert_eq!(error, None, "{cut:?}");
    }
}

#[test]
fn connections_are_reset_and_closed() {
    let (bytes, error) = everything(&fake_with(When::Any, Trouble::Reset));
    assert_eq!((bytes.len(), error), (0, Some(ErrorKind::ConnectionReset)));
    let (bytes, error) = everything(&fake_with(When::Any, Trouble::ResetAfterHead));
    assert!(bytes.ends_with(b"server: Cowboy\r\n\r\n"));
    assert_eq!(error, Some(ErrorKind::ConnectionReset));
    let (bytes, error) = everything(&fake_with(When::Any, Trouble::CloseBeforeAnswer));
    assert_eq!((bytes.len(), error), (0, None));
    let (bytes, error) = everything(&fake_with(When::Any, Trouble::raw("SSH-2.0-OpenSSH_9.6\r\n")));
    assert_eq!((bytes.as_slice(), error), (&b"SSH-2.0-OpenSSH_9.6\r\n"[..], None));
}

#[test]
fn kept_connections_end_unannounced() {
    let fake = fake_with(When::Any, Trouble::CloseAfterAnswer(Duration::ZERO).times(1));
    let mut stream = connect(&fake);
    send(&mut stream, "GET", LOOKUP);
    let answer = receive(&mut stream);
    assert!(answer.body == plain() && !answer.head.contains("close"));
    assert_eq!(rest_of(&mut stream), (Vec::new(), None));

    fake.trouble(When::Any, Trouble::CloseAtNextRequest.times(1));
    let mut stream = connect(&fake);
    send(&mut stream, "GET", LOOKUP);
    assert_eq!(receive(&mut stream).body, plain());
    send(&mut stream, "GET", LOOKUP);
    assert_eq!(rest_of(&mut stream), (Vec::new(), None));
    assert_eq!(fake.request_count(), 3);
}

#[test]
fn an_endless_body_does_not_stop() {
    let fake = fake_with(When::Any, Trouble::EndlessBody);
    let mut stream = connect(&fake);
    send(&mut stream, "GET", LOOKUP);
    let mut bytes = vec![0; 4 << 20];
    stream.read_exact(&mut bytes).unwrap();
    assert!(bytes.starts_with(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n"));
}

#[test]
fn connections_have_troubles_before_anything_is_asked() {
    let fake = fake_with(When::Connect, Trouble::Reset.times(1));
    let (bytes, error) = rest_of(&mut connect(&fake));
    assert_eq!((bytes.len(), error), (0, Some(ErrorKind::ConnectionReset)));
    fake.trouble(When::Connect, Trouble::raw("SSH-2.0\r\n").times(1));
    assert_eq!(rest_of(&mut connect(&fake)).0, b"SSH-2.0\r\n");
    assert_eq!(get(&fake, LOOKUP).status(), 200);
    assert_eq!((fake.connections(), fake.request_count()), (3, 1));
}

#[test]
fn tls_is_talked() {
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
    fake.trouble(When::Lookups, Trouble::CutBody(Cut::Length).times(1));
    send(&mut stream, "GET", LOOKUP);
    let (bytes, error) = rest_of(&mut stream);
    assert!(bytes.starts_with(b"HTTP/1.1 200") && error == Some(ErrorKind::UnexpectedEof), "{error:?}");
    fake.trouble(When::Connect, Trouble::CloseBeforeAnswer.times(1));
    assert!(connect().write_all(b"GET").is_err(), "the handshake fails");
    assert_eq!(fake.connections(), 2);
}
