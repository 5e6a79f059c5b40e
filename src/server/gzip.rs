//! Compresses responses with gzip, chunk by chunk, on the worker thread that writes them.
//!
//! Level 1 of `miniz_oxide` compresses 500 MB/s, so that a chunk takes as long as writing it. Its compressor costs more
//! to create than a small response costs to compress, so that each worker thread keeps one.

use std::cell::Cell;

use actix_web::HttpRequest;
use actix_web::http::header::{AcceptEncoding, Encoding, Header as _};
use bytes::Bytes;
use flate2::{Compress, Compression, Crc, FlushCompress};

/// The fixed header of RFC 1952: deflate, no file name, no time, an unknown operating system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// How much the output buffer grows at a time, in bytes. Metrics shrink to an eighth, so that a chunk fits.
const OUTPUT_BYTES: usize = 16 * 1024;

thread_local! {
    /// The compressor of this worker thread, unless a response has taken it.
    static SPARE: Cell<Option<Compress>> = const { Cell::new(None) };
}

/// Whether a request prefers gzip to an uncompressed response.
pub(super) fn is_accepted(request: &HttpRequest) -> bool {
    let supported = [Encoding::gzip(), Encoding::identity()];
    let accepted = AcceptEncoding::parse(request).ok();
    accepted.and_then(|accepted| accepted.negotiate(supported.iter())) == Some(Encoding::gzip())
}

/// The chunks of a response, compressed.
pub(super) struct Gzip<C> {
    chunks: C,
    /// Nothing once the last chunk has been compressed.
    compressor: Option<Compress>,
    output: Vec<u8>,
    crc: Crc,
}

impl<C: Iterator<Item = Bytes>> Gzip<C> {
    /// Compresses `chunks`.
    pub(super) fn new(chunks: C) -> Self {
        let compressor = SPARE.take().unwrap_or_else(|| Compress::new(Compression::fast(), false));
        let mut output = Vec::with_capacity(OUTPUT_BYTES);
        output.extend_from_slice(&HEADER);
        Self { chunks, compressor: Some(compressor), output, crc: Crc::new() }
    }
}

impl<C: Iterator<Item = Bytes>> Iterator for Gzip<C> {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let compressor = self.compressor.as_mut()?;
        loop {
            let Some(chunk) = self.chunks.next() else {
                deflate(compressor, &[], FlushCompress::Finish, &mut self.output);
                self.output.extend_from_slice(&self.crc.sum().to_le_bytes());
                self.output.extend_from_slice(&self.crc.amount().to_le_bytes());
                give_back(self.compressor.take());
                return Some(std::mem::take(&mut self.output).into());
            };
            self.crc.update(&chunk);
            deflate(compressor, &chunk, FlushCompress::None, &mut self.output);
            // The first output holds the header; waiting for more than that lets a small response be sent as a whole.
            if self.output.len() > HEADER.len() {
                return Some(std::mem::replace(&mut self.output, Vec::with_capacity(OUTPUT_BYTES)).into());
            }
        }
    }
}

impl<C> Drop for Gzip<C> {
    fn drop(&mut self) {
        give_back(self.compressor.take());
    }
}

/// Keeps a compressor for the next response of this thread.
fn give_back(compressor: Option<Compress>) {
    if let Some(mut compressor) = compressor {
        compressor.reset();
        SPARE.set(Some(compressor));
    }
}

/// Compresses all of `input` to the end of `output`.
fn deflate(compressor: &mut Compress, input: &[u8], flush: FlushCompress, output: &mut Vec<u8>) {
    let began = compressor.total_in();
    loop {
        let consumed = usize::try_from(compressor.total_in() - began).unwrap_or(input.len());
        // It fails only where it is called again after its end.
        let status = compressor.compress_vec(&input[consumed..], output, flush);
        if status.is_err() || output.len() < output.capacity() {
            return;
        }
        output.reserve(OUTPUT_BYTES);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use actix_web::test::TestRequest;
    use flate2::read::GzDecoder;

    use super::*;

    fn unpacked(chunks: &[Vec<u8>]) -> (Vec<u8>, usize) {
        let gzip: Vec<_> = Gzip::new(chunks.iter().cloned().map(Bytes::from)).collect();
        let mut text = Vec::new();
        GzDecoder::new(gzip.concat().as_slice()).read_to_end(&mut text).expect("a whole gzip file");
        (text, gzip.len())
    }

    #[test]
    fn what_is_compressed_comes_back_as_it_was_whatever_the_chunks() {
        let noise =
            |length: usize| -> Vec<u8> { std::iter::repeat_with(|| fastrand::u8(..)).take(length).collect() };
        for chunks in [
            vec![],
            vec![Vec::new()],
            vec![b"probe_success 1\n".to_vec()],
            vec![vec![b'a'; 3_000_000]],
            vec![noise(300_000), Vec::new(), noise(1), noise(65_536)],
        ] {
            // Twice, because the second response reuses the compressor of the first.
            for _ in 0..2 {
                assert_eq!(unpacked(&chunks).0, chunks.concat());
            }
        }
        assert_eq!(unpacked(&[b"probe_success 1\n".repeat(100)]).1, 1, "a small response is one chunk");
    }

    #[test]
    fn a_response_that_is_dropped_half_way_spoils_no_other() {
        let chunks = vec![vec![b'a'; 500_000], b"b".repeat(500_000)];
        let mut dropped = Gzip::new(chunks.iter().cloned().map(Bytes::from));
        dropped.next();
        let concurrent = unpacked(&chunks).0;
        drop(dropped);
        assert_eq!(concurrent, chunks.concat());
        assert_eq!(unpacked(&chunks).0, chunks.concat());
    }

    #[test]
    fn gzip_is_negotiated_as_http_says() {
        for (header, accepted) in [
            ("gzip", true),
            ("gzip, deflate, br", true),
            ("identity", false),
            ("gzip;q=0", false),
            ("gzip;q=0.2, identity;q=0.8", false),
            ("*", false),
            ("br", false),
            ("nonsense;;", false),
        ] {
            let request = TestRequest::get().insert_header(("accept-encoding", header)).to_http_request();
            assert_eq!(is_accepted(&request), accepted, "{header}");
        }
        assert!(!is_accepted(&TestRequest::get().to_http_request()));
    }
}
