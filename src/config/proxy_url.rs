//! The URL of the proxy to a broker.

use serde::Serializer;
use url::Url;

use super::node_ref::NodeRef;

const EXPECTED: &str = "the http URL of a proxy without a path, such as http://proxy:3128";

/// Reads the URL of a proxy.
///
/// No message shows the URL, since it may contain a password.
pub(super) fn read(value: &NodeRef<'_>) -> Option<Url> {
    let Some(url) = value.text(EXPECTED)?.parse::<Url>().ok().filter(Url::has_host) else {
        return value.expected(EXPECTED);
    };
    if !url.username().is_empty() || url.password().is_some() {
        return value.refuse(
            "must not contain a user name or a password; set Proxy-Authorization in proxy_connect_header instead",
        );
    }
    if url.scheme() == "https" {
        return value.refuse("must begin with http://; proxies that speak TLS themselves are not supported");
    }
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if url.scheme() == "http" && is_bare { Some(url) } else { value.expected(EXPECTED) }
}

/// Serializes the URL as its text.
#[expect(clippy::ref_option, reason = "serde passes a field by reference")]
pub(super) fn serialize<S: Serializer>(url: &Option<Url>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(url.as_ref().map_or("", Url::as_str))
}
