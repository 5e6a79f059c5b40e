//! Authentication of requests.

use crate::recorded::Version;
use crate::response::Response;

/// Checks the `Authorization` header. The error is the broker's response to it.
pub(crate) fn check(version: Version, header: Option<&str>, key: &str, secret: &str) -> Result<(), Response> {
    let Some(header) = header else {
        return Err(Response::recorded(version, "19-unauth-none"));
    };
    let Some((scheme, rest)) = header.split_once(' ') else {
        return Err(Response::recorded(version, "22-unauth-garbage"));
    };
    if scheme.eq_ignore_ascii_case("bearer") {
        return Err(Response::recorded(version, "23-unauth-bearer"));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(Response::recorded(version, "19-unauth-none"));
    }
    match decode(rest.trim()) {
        Some(sent) if sent == format!("{key}:{secret}").as_bytes() => Ok(()),
        Some(sent) if sent.contains(&b':') => Err(Response::recorded(version, "20-unauth-bad")),
        _ => Err(Response::recorded(version, "22-unauth-garbage")),
    }
}

/// Decodes base64 (the standard alphabet, padded).
fn decode(text: &str) -> Option<Vec<u8>> {
    let bytes = text.as_bytes();
    if !bytes.len().is_multiple_of(4) {
        return None;
    }
    let data = bytes.strip_suffix(b"==").or_else(|| bytes.strip_suffix(b"=")).unwrap_or(bytes);
    let (mut out, mut held, mut bits) = (Vec::with_capacity(bytes.len()), 0_u32, 0);
    for &byte in data {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        held = (held << 6 | u32::from(six)) & 0xFFFF;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            out.push(u8::try_from(held >> bits & 0xFF).ok()?);
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn base64_is_decoded() {
        assert_eq!(decode("a2V5OnNlY3JldA==").as_deref(), Some(&b"key:secret"[..]));
        assert_eq!(decode("a2V5OnM=").as_deref(), Some(&b"key:s"[..]));
        assert_eq!(decode("w7w6ZsO8").as_deref(), Some("\u{fc}:f\u{fc}".as_bytes()));
        assert_eq!(decode("a2V5OnM"), None);
        assert_eq!(decode("!!!!"), None);
    }
}
