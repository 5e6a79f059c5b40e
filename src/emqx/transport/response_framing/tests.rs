//! Each response is received whole, in two parts split at every position, and byte by byte.

use super::*;

/// What the HTTP library reads of a connection, and what is known at its end.
#[derive(Debug, PartialEq, Eq)]
struct Read {
    bytes: Vec<u8>,
    then: Then,
    has_unsolicited: bool,
}

/// What the end of the connection would mean.
#[derive(Debug, PartialEq, Eq)]
enum Then {
    /// Nothing, the response is complete.
    Idle,
    /// The response is cut short.
    CutShort,
    /// The response is complete.
    Complete,
    /// What was received is not HTTP.
    Malformed,
}

impl Read {
    /// Reads the response to one request, received in these parts.
    fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> io::Result<Self> {
        let mut framing = ResponseFraming::default();
        framing.expect_response();
        let mut bytes = Vec::new();
        for part in parts {
            let length = framing.receive(part)?;
            bytes.extend_from_slice(&framing.take_ready(usize::MAX));
            bytes.extend_from_slice(&part[..length]);
        }
        Ok(Self {
            bytes,
            then: match (framing.is_idle(), framing.is_incomplete(), framing.ends_with_connection()) {
                (true, false, false) => Then::Idle,
                (false, true, false) => Then::CutShort,
                (false, false, true) => Then::Complete,
                (false, false, false) => Then::Malformed,
                other => panic!("contradiction: {other:?}"),
            },
            has_unsolicited: framing.has_unsolicited(),
        })
    }

    /// A complete response, after which the connection can be used again.
    fn complete(bytes: &str) -> Self {
        Self { bytes: bytes.as_bytes().to_vec(), then: Then::Idle, has_unsolicited: false }
    }
}

/// Asserts what is read of these bytes, however they are split.
fn assert_read(received: &str, expected: &Read) {
    let bytes = received.as_bytes();
    let read = |parts: &mut dyn Iterator<Item = &[u8]>| Read::of(parts).expect("no error");
    for at in 0..=bytes.len() {
        let (first, second) = bytes.split_at(at);
        let mut parts = [first, second].into_iter().filter(|part| !part.is_empty());
        assert_eq!(&read(&mut parts), expected, "split at {at}: {received:?}");
    }
    assert_eq!(&read(&mut bytes.chunks(1)), expected, "byte by byte: {received:?}");
}

fn assert_complete(received: &str, read: &str) {
    assert_read(received, &Read::complete(read));
    let more = Read { has_unsolicited: true, ..Read::complete(read) };
    assert_read(&format!("{received}HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"), &more);
}

#[test]
fn responses_with_a_length_pass_as_they_are() {
    for response in [
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length : 2 \r\nConnection: close\r\n\r\n{}",
        "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\n\r\n",
        "\r\nHTTP/1.1 200 OK\ncontent-length: 2\n\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 1\r\n\r\nA;x=\"y\"\r\n0123\r\n6789\r\n1 \r\n0\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\n{}\n00;end\ntrailer: 1\r\nanother: 2\r\n\r\n",
    ] {
        assert_complete(response, response);
    }
}

#[test]
fn interim_responses_are_removed() {
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
    let response = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
    assert_complete(&format!("{hints}{response}"), response);
    assert_complete(&format!("HTTP/1.1 100 Continue\r\n\r\n{hints}{response}"), response);
    assert_complete(&format!("{}{response}", hints.repeat(8)), response);
    let received = format!("{}{response}", hints.repeat(9));
    let error = Read::of([received.as_bytes()]).expect_err("more than allowed");
    assert_eq!(error.to_string(), "more than 8 interim responses (1xx)");
}

#[test]
fn a_body_without_a_length_ends_with_the_connection() {
    for (received, read) in [
        (
            "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"a\": 1}",
            "HTTP/1.0 200 OK\r\nconnection: close\r\n\r\n{\"a\": 1}",
        ),
        ("HTTP/1.0 200 OK\r\n\r\n{\"a\": 1}", "HTTP/1.0 200 OK\r\n\r\n{\"a\": 1}"),
        (
            "HTTP/1.1 103 Early Hints\r\n\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\n\r\n",
            "\r\nHTTP/1.0 200 OK\r\ntransfer-encoding: identity\r\n\r\n",
        ),
    ] {
        let open = Read { then: Then::Complete, ..Read::complete(read) };
        assert_read(received, &open);
    }
}

#[test]
fn what_is_cut_short_is_known() {
    for response in [
        "HTTP/1.1 103 Early Hints\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-le",
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\n{}",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nt: 1\r\n",
    ] {
        let read = Read::of([response.as_bytes()]).expect("no error");
        assert!(read.then == Then::CutShort && !read.has_unsolicited, "{response:?}");
    }
}

#[test]
fn what_is_not_http_passes_as_it_is() {
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(97));
    let long = "HTTP/1.1 200 OK\r\nx: ".to_owned() + &"y".repeat(MAX_HEAD_BYTES);
    for received in [
        "SSH-2.0-OpenSSH\r\n",
        "HTTP/1.1 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nx: y\r\n folded\r\n\r\n{}",
        many.as_str(),
        long.as_str(),
    ] {
        let read = Read::of([received.as_bytes()]).expect("no error");
        assert_eq!(read.bytes, received.as_bytes());
        assert!(read.then == Then::Malformed && !read.has_unsolicited, "{received:?}");
    }
}

#[test]
fn bytes_that_no_request_asked_for_are_unsolicited() {
    let mut framing = ResponseFraming::default();
    assert_eq!(framing.receive(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n").ok(), Some(0));
    assert!(framing.has_unsolicited() && framing.is_idle());
}
