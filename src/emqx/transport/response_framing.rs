//! Where the responses on one connection begin and end.
//!
//! The HTTP library takes an interim response (1xx) for the final one, reads an HTTP/1.1 body without a length as empty,
//! and drops what comes after a response unnoticed. So the bytes pass through here first: interim heads are removed, a
//! body without a length is announced as one of HTTP/1.0, which the library reads to the end of the connection, and
//! unsolicited bytes are held back.

use std::io;
use std::mem;

use bytes::Bytes;
use httparse::{EMPTY_HEADER, ParserConfig, Response, Status};

use crate::connection_stats::Phase;

/// Maximum number of interim responses before the final one.
const MAX_INTERIM: u32 = 8;

/// Maximum number of headers of a response, the same as that of the HTTP library.
const MAX_HEADERS: usize = 96;

/// Maximum size of an incomplete head in bytes, the same as that of the HTTP library.
const MAX_HEAD_BYTES: usize = 128 * 1024;

/// Follows the responses on one connection.
#[derive(Debug, Default)]
pub(super) struct ResponseFraming {
    state: FramingState,
    /// A complete head, and the part of the body that was received with it.
    ready: Bytes,
    is_http: bool,
    has_unsolicited: bool,
}

#[derive(Debug, Default)]
enum FramingState {
    /// No request was sent, or its response is complete.
    #[default]
    Idle,
    /// The rest of a head is due, after this many interim responses.
    Head { received: Vec<u8>, interim: u32 },
    /// A body is due.
    Body(Body),
    /// The head cannot be parsed. The HTTP library gets the bytes as they are and reports what is wrong with them.
    Malformed,
}

/// What is due of a body.
#[derive(Debug)]
enum Body {
    /// This many bytes.
    Length(u64),
    Chunked(Chunks),
    /// Everything until the connection ends (RFC 9112 section 6.3).
    UntilClose,
}

/// What is due of a chunked body (RFC 9112 section 7.1).
#[derive(Debug, Default)]
struct Chunks {
    /// Rest of a chunk in bytes, after which comes a line.
    due: u64,
    /// Begin of the line in progress.
    line: Vec<u8>,
    /// Whether the chunk of size 0 was received, which only trailers and an empty line follow.
    is_last: bool,
    is_complete: bool,
}

impl ResponseFraming {
    /// Expects a response, because a request is sent.
    pub(super) fn expect_response(&mut self) {
        if self.is_idle() {
            self.state = FramingState::Head { received: Vec::new(), interim: 0 };
        }
    }

    /// Returns the part of a response that is due.
    pub(super) fn due(&self) -> Option<Phase> {
        match self.state {
            FramingState::Head { .. } => Some(Phase::Processing),
            FramingState::Body(_) => Some(Phase::Transfer),
            FramingState::Idle | FramingState::Malformed => None,
        }
    }

    /// Returns whether no response is due.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.state, FramingState::Idle)
    }

    /// Returns whether a response is due of which no byte was received.
    pub(super) fn is_unanswered(&self) -> bool {
        matches!(&self.state, FramingState::Head { received, interim: 0 } if received.is_empty())
    }

    /// Returns whether the response in progress ends with the connection.
    pub(super) fn ends_with_connection(&self) -> bool {
        matches!(self.state, FramingState::Body(Body::UntilClose))
    }

    /// Returns whether the end of the connection cuts the response in progress short.
    pub(super) fn is_incomplete(&self) -> bool {
        match &self.state {
            FramingState::Head { .. } => !self.is_unanswered(),
            FramingState::Body(_) => !self.ends_with_connection(),
            FramingState::Idle | FramingState::Malformed => false,
        }
    }

    /// Returns whether the peer sent something that begins as HTTP does.
    pub(super) fn is_http(&self) -> bool {
        self.is_http
    }

    /// Returns whether bytes were received that belong to no request.
    pub(super) fn has_unsolicited(&self) -> bool {
        self.has_unsolicited
    }

    /// Takes at most `most` bytes that are to be read before any others.
    pub(super) fn take_ready(&mut self, most: usize) -> Bytes {
        self.ready.split_to(most.min(self.ready.len()))
    }

    /// Takes received bytes. Returns how many of them can be read as they are; a head is [ready](Self::take_ready)
    /// instead when it is complete.
    ///
    /// # Errors
    /// Too many interim responses.
    pub(super) fn receive(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = match &mut self.state {
            FramingState::Head { received, .. } => {
                received.extend_from_slice(bytes);
                self.receive_head()?;
                return Ok(0);
            }
            FramingState::Body(body) => body.advance(bytes),
            FramingState::Malformed => bytes.len(),
            FramingState::Idle => 0,
        };
        self.finish(length < bytes.len());
        Ok(length)
    }

    /// Passes on the head that is due, if it is complete, with what was received of its body.
    fn receive_head(&mut self) -> io::Result<()> {
        let FramingState::Head { received, interim } = &mut self.state else { return Ok(()) };
        self.is_http |= received.starts_with(b"HTTP/");
        loop {
            let head = match Head::parse(received) {
                Ok(Some(head)) => head,
                Ok(None) if received.len() <= MAX_HEAD_BYTES => return Ok(()),
                Ok(None) | Err(_) => {
                    self.ready = mem::take(received).into();
                    self.state = FramingState::Malformed;
                    return Ok(());
                }
            };
            if head.is_interim {
                received.drain(..head.length);
                *interim += 1;
                if *interim > MAX_INTERIM {
                    let what = format!("more than {MAX_INTERIM} interim responses (1xx)");
                    return Err(io::Error::new(io::ErrorKind::InvalidData, what));
                }
                continue;
            }
            if let Some(minor) = head.minor_to_lower {
                received[minor] = b'0';
            }
            let mut body = head.body;
            let end = head.length + body.advance(&received[head.length..]);
            let has_more = end < received.len();
            received.truncate(end);
            self.ready = mem::take(received).into();
            self.state = FramingState::Body(body);
            self.finish(has_more);
            return Ok(());
        }
    }

    /// Ends a response that is complete, and notes whether more than it was received.
    fn finish(&mut self, has_more: bool) {
        if matches!(
            self.state,
            FramingState::Body(Body::Length(0) | Body::Chunked(Chunks { is_complete: true, .. }))
        ) {
            self.state = FramingState::Idle;
        }
        self.has_unsolicited |= has_more;
    }
}

/// A complete response head.
struct Head {
    length: usize,
    is_interim: bool,
    body: Body,
    /// Where its HTTP version is to become 1.0.
    minor_to_lower: Option<usize>,
}

impl Head {
    /// Parses the head that the bytes begin with; `None` when it is incomplete.
    fn parse(bytes: &[u8]) -> Result<Option<Self>, httparse::Error> {
        let mut headers = [EMPTY_HEADER; MAX_HEADERS];
        let mut response = Response::new(&mut headers);
        let mut config = ParserConfig::default();
        // As the HTTP library does.
        config.allow_spaces_after_header_name_in_responses(true);
        let Status::Complete(length) = config.parse_response(&mut response, bytes)? else { return Ok(None) };
        let status = response.code.unwrap_or_default();
        let is_1_1 = response.version == Some(1);
        let header = |name| {
            let header = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
            header.map(|header| header.value.trim_ascii())
        };
        let coding = header("transfer-encoding").filter(|_| is_1_1);
        let body = if coding.is_some_and(|coding| coding.eq_ignore_ascii_case(b"chunked")) {
            Body::Chunked(Chunks::default())
        } else if let Some(length) = header("content-length") {
            let length = str::from_utf8(length).ok().and_then(|length| length.parse().ok());
            Body::Length(length.ok_or(httparse::Error::HeaderValue)?)
        } else if matches!(status, 204 | 304) {
            Body::Length(0)
        } else {
            Body::UntilClose
        };
        let begin = bytes.iter().position(|byte| *byte == b'H').unwrap_or_default();
        Ok(Some(Self {
            length,
            is_interim: (100..200).contains(&status) && status != 101,
            minor_to_lower: matches!(body, Body::UntilClose).then_some(begin + "HTTP/1.".len()),
            body,
        }))
    }
}

impl Body {
    /// Takes the bytes that belong to the body, and returns how many these are.
    fn advance(&mut self, bytes: &[u8]) -> usize {
        match self {
            Self::Length(due) => advance_by(due, bytes),
            Self::Chunked(chunks) => chunks.advance(bytes),
            Self::UntilClose => bytes.len(),
        }
    }
}

impl Chunks {
    /// Maximum number of bytes of a line that are kept. Extensions and trailers may be longer.
    const MAX_LINE_BYTES: usize = 64;

    fn advance(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        while taken < bytes.len() && !self.is_complete {
            if self.due > 0 {
                taken += advance_by(&mut self.due, &bytes[taken..]);
                continue;
            }
            match bytes[taken] {
                b'\n' => self.end_line(),
                byte if self.line.len() < Self::MAX_LINE_BYTES => self.line.push(byte),
                _ => {}
            }
            taken += 1;
        }
        taken
    }

    fn end_line(&mut self) {
        let line = mem::take(&mut self.line);
        let line = line.trim_ascii();
        if self.is_last {
            self.is_complete = line.is_empty();
        } else if !line.is_empty() {
            let size = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
            let size = str::from_utf8(size).ok().and_then(|size| u64::from_str_radix(size, 16).ok());
            // The HTTP library reports an invalid size.
            self.due = size.unwrap_or(u64::MAX);
            self.is_last = self.due == 0;
        }
    }
}

/// Takes at most `due` bytes, and returns how many these are.
fn advance_by(due: &mut u64, bytes: &[u8]) -> usize {
    let taken = usize::try_from(*due).unwrap_or(usize::MAX).min(bytes.len());
    *due -= taken as u64;
    taken
}

#[cfg(test)]
mod tests;
