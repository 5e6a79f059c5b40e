//! A minimal HTTP client: one GET after another over one connection.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use fake_emqx::FakeEmqx;

/// Fetches these targets of a broker over a new connection and discards the bodies.
pub(crate) fn fetch(fake: &FakeEmqx, targets: &[String]) {
    let mut client = BareClient::connect(fake);
    for target in targets {
        client.get(target, |_| ());
    }
}

/// A connection to a broker.
pub(crate) struct BareClient {
    stream: TcpStream,
    headers: String,
    buffer: Vec<u8>,
}

impl BareClient {
    pub(crate) fn connect(fake: &FakeEmqx) -> Self {
        let stream = TcpStream::connect(fake.address()).expect("the broker listens");
        stream.set_nodelay(true).expect("a TCP connection");
        let credentials = BASE64_STANDARD.encode(format!("{}:{}", fake.api_key(), fake.api_secret()));
        let headers = format!("host: {}\r\nauthorization: Basic {credentials}\r\n\r\n", fake.address());
        Self { stream, headers, buffer: vec![0; 64 * 1024] }
    }

    /// Sends a GET and passes the body on in chunks.
    pub(crate) fn get(&mut self, target: &str, mut on_chunk: impl FnMut(&[u8])) {
        let mut request = String::with_capacity(256);
        let _ = write!(request, "GET {target} HTTP/1.1\r\n{}", self.headers);
        self.stream.write_all(request.as_bytes()).expect("the broker reads");
        let mut read = 0;
        let head = loop {
            read += self.read(read);
            if let Some(end) = find(&self.buffer[..read], b"\r\n\r\n") {
                break end + 4;
            }
        };
        let length = content_length(&self.buffer[..head]);
        on_chunk(&self.buffer[head..read]);
        let mut left = length - (read - head);
        while left > 0 {
            let read = self.read(0);
            on_chunk(&self.buffer[..read]);
            left -= read;
        }
    }

    fn read(&mut self, at: usize) -> usize {
        let read = self.stream.read(&mut self.buffer[at..]).expect("the broker responds");
        assert_ne!(read, 0, "the broker closed the connection");
        read
    }
}

fn content_length(head: &[u8]) -> usize {
    let name = b"content-length: ";
    let at = find(head, name).expect("a content length") + name.len();
    let digits = head[at..].iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'))
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}
