//! The URL of a broker's REST API.

use serde::Serializer;
use url::Url;

use super::node_ref::NodeRef;

/// Describes a valid `api_url`.
pub(super) const EXPECTED: &str = "an http or https URL whose path ends in /api, such as http://emqx:18083/api";

/// Reads the base of the REST API and removes what follows `/api` in its path.
///
/// No message shows the URL, since it may contain a password.
pub(super) fn read(value: &NodeRef<'_>) -> Option<Url> {
    let Some(url) = value.text(EXPECTED)?.parse::<Url>().ok().filter(is_http) else {
        return value.expected(EXPECTED);
    };
    if !url.username().is_empty() || url.password().is_some() {
        return value.refuse("must not contain a user name or a password; set api_key and api_secret instead");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return value.refuse("must not contain a query (?) or a fragment (#)");
    }
    with_base_path(url).or_else(|| value.expected(EXPECTED))
}

/// Serializes the URL as its text.
pub(super) fn serialize<S: Serializer>(url: &Url, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(url.as_str())
}

fn is_http(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.has_host()
}

fn with_base_path(mut url: Url) -> Option<Url> {
    let path = url.path();
    let path = path.strip_suffix('/').unwrap_or(path);
    let path = path.strip_suffix("/v5").unwrap_or(path);
    let base = path.ends_with("/api").then(|| path.to_owned())?;
    url.set_path(&base);
    Some(url)
}
