//! The least an HTTP client can do: GETs one after another over one connection, their bodies thrown away.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use fake_emqx::FakeEmqx;

/// Asks a broker for these, over a connection of its own.
pub(crate) fn fetch(fake: &FakeEmqx, targets: &[String]) {
    let mut bare = Bare::connect(fake);
    for target in targets {
        bare.get(target, |_| ());
    }
}

/// A connection to a broker.
pub(crate) struct Bare {
    stream: TcpStream,
    headers: String,
    answer: Vec<u8>,
}

impl Bare {
    pub(crate) fn connect(fake: &FakeEmqx) -> Self {
        let stream = TcpStream::connect(fake.address()).expect("the broker listens");
        stream.set_nodelay(true).expect("a TCP connection");
        let credentials = BASE64_STANDARD.encode(format!("{}:{}", fake.api_key(), fake.api_secret()));
        let headers = format!("host: {}\r\nauthorization: Basic {credentials}\r\n\r\n", fake.address());
        Self { stream, headers, answer: vec![0; 64 * 1024] }
    }

    /// Asks for `target` and hands its body over in pieces.
    pub(crate) fn get(&mut self, target: &str, mut take: impl FnMut(&[u8])) {
        let mut request = String::with_capacity(256);
        let _ = write!(request, "GET {target} HTTP/1.1\r\n{}", self.headers);
        self.stream.write_all(request.as_bytes()).expect("the broker reads");
        let mut read = 0;
        let head = loop {
            read += self.read(read);
            if let Some(end) = find(&self.answer[..read], b"\r\n\r\n") {
                break end + 4;
            }
        };
        let length = content_length(&self.answer[..head]);
        take(&self.answer[head..read]);
        let mut left = length - (read - head);
        while left > 0 {
            let read = self.read(0);
            take(&self.answer[..read]);
            left -= read;
        }
    }

    fn read(&mut self, at: usize) -> usize {
        let read = self.stream.read(&mut self.answer[at..]).expect("the broker answers");
        assert_ne!(read, 0, "the broker hung up");
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
