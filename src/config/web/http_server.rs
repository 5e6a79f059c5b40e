//! `http_server_config`: headers of every response, and HTTP/2.

use actix_web::http::header::{
    CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS, X_XSS_PROTECTION,
};

use crate::config::mapping::Mapping;
use crate::config::node_ref::NodeRef;

/// The headers that can be set, and the values that some of them are restricted to, as in the toolkit.
const HEADERS: [(&str, HeaderName, &[&str]); 5] = [
    ("Content-Security-Policy", CONTENT_SECURITY_POLICY, &[]),
    ("Strict-Transport-Security", STRICT_TRANSPORT_SECURITY, &[]),
    ("X-Content-Type-Options", X_CONTENT_TYPE_OPTIONS, &["nosniff"]),
    ("X-Frame-Options", X_FRAME_OPTIONS, &["deny", "sameorigin"]),
    ("X-XSS-Protection", X_XSS_PROTECTION, &[]),
];

/// Reads the section, and returns the headers.
pub(super) fn read(value: &NodeRef<'_>) -> Option<Vec<(HeaderName, HeaderValue)>> {
    let mut section = Mapping::open(value, "a mapping of headers and http2")?;
    if section.bool_or("http2", false) {
        value.under("http2").warn("true has no effect: HTTP/1.1 is spoken, which every client supports");
    }
    let headers = section.optional("headers");
    section.finish();
    Some(headers.map(|headers| read_headers(&headers)).unwrap_or_default())
}

fn read_headers(value: &NodeRef<'_>) -> Vec<(HeaderName, HeaderValue)> {
    let Some(mut section) = Mapping::open(value, "a mapping of header names to values") else {
        return Vec::new();
    };
    let headers = HEADERS.iter().filter_map(|(key, name, allowed)| {
        // A blank value leaves the header unset.
        let value = section.optional(key).filter(|value| !value.is_empty_text())?;
        Some((name.clone(), read_header(&value, allowed)?))
    });
    let headers = headers.collect();
    section.finish();
    headers
}

fn read_header(value: &NodeRef<'_>, allowed: &[&str]) -> Option<HeaderValue> {
    let text = value.line("the value of a header")?;
    if !allowed.is_empty() && !allowed.contains(&text) {
        return value.expected(allowed.join(" or "));
    }
    HeaderValue::from_str(text).ok().or_else(|| value.refuse("must be printable ASCII"))
}
