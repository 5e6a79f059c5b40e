//! The URL of a broker's REST API.

use url::Url;

use super::value::Value;

/// What an `api_url` must be.
pub(super) const RIGHT: &str = "an http or https URL whose path ends in /api, such as http://emqx:18083/api";

/// The base of the REST API without a last slash: its path ends in `/api`.
///
/// No message shows the URL, since it may hold a password.
pub(super) fn read(value: &Value<'_>) -> Option<Url> {
    let Some(url) = value.text(RIGHT)?.parse::<Url>().ok().filter(is_http) else {
        return value.expected(RIGHT);
    };
    if !url.username().is_empty() || url.password().is_some() {
        return value.expected("without a user name and password; write them as api_key and api_secret");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return value.expected("without a query (?) and a fragment (#)");
    }
    with_base_path(url).or_else(|| value.expected(RIGHT))
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
