//! An HTTP client that works on raw bytes.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test binary uses a part; tests may fail"
)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use fake_emqx::FakeEmqx;

/// `fake-api-key:fake-api-secret`
pub const AUTHORIZATION: &str = "Basic ZmFrZS1hcGkta2V5OmZha2UtYXBpLXNlY3JldA==";

pub struct Response {
    pub head: String,
    pub body: Vec<u8>,
}

impl Response {
    pub fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub fn text(&self) -> &str {
        str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn ids(&self) -> Vec<String> {
        let json = self.json();
        let rows = json["data"].as_array().unwrap().iter();
        rows.map(|row| row["clientid"].as_str().unwrap().to_owned()).collect()
    }
}

pub fn connect(fake: &FakeEmqx) -> TcpStream {
    let stream = TcpStream::connect(fake.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

pub fn send(stream: &mut impl Write, method: &str, target: &str) {
    send_as(stream, method, target, &format!("Authorization: {AUTHORIZATION}\r\n"));
}

pub fn send_as(stream: &mut impl Write, method: &str, target: &str, headers: &str) {
    let text = format!("{method} {target} HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\n{headers}\r\n");
    stream.write_all(text.as_bytes()).unwrap();
}

/// Reads a response with a content length.
pub fn receive(stream: &mut impl Read) -> Response {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    Response { head, body }
}

/// Sends a request over a new connection.
pub fn get(fake: &FakeEmqx, target: &str) -> Response {
    let mut stream = connect(fake);
    send(&mut stream, "GET", target);
    receive(&mut stream)
}

/// A recorded head with CRLF line ends, as on the wire.
pub fn recorded_head(text: &str) -> String {
    format!("{}\r\n\r\n", text.trim_end().replace('\n', "\r\n"))
}
