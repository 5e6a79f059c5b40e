//! Writes the values of samples.

use std::io::Write as _;

use crate::metrics::SampleValue;

/// Appends a value.
pub(super) fn write_value(value: SampleValue, text: &mut Vec<u8>) {
    match value {
        SampleValue::Count(count) => text.extend_from_slice(itoa::Buffer::new().format(count).as_bytes()),
        SampleValue::Infinity => text.extend_from_slice(b"+Inf"),
        SampleValue::Float(number) => write_float(number, text),
        SampleValue::Timestamp(time) => {
            let milliseconds = time.as_millisecond();
            match (u64::try_from(milliseconds), milliseconds % 1000) {
                (Ok(whole), 0) => text.extend_from_slice(itoa::Buffer::new().format(whole / 1000).as_bytes()),
                (Ok(whole), rest) => {
                    text.extend_from_slice(itoa::Buffer::new().format(whole / 1000).as_bytes());
                    let [hundreds, tens, ones] = [rest / 100, rest / 10 % 10, rest % 10].map(digit);
                    text.extend_from_slice(&[b'.', hundreds, tens, ones]);
                }
                (Err(_), _) => write_float(milliseconds as f64 / 1000.0, text),
            }
        }
    }
}

fn digit(number: i64) -> u8 {
    b'0' + u8::try_from(number).unwrap_or_default()
}

fn write_float(number: f64, text: &mut Vec<u8>) {
    // Writing to a `Vec` never fails.
    let _ = write!(text, "{number}");
}
