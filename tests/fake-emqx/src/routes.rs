//! The responses of a healthy broker.

use crate::list_query::{self, ListQuery};
use crate::recorded::Version;
use crate::request::{Request, is_clients};
use crate::response::Response;
use crate::shared::Shared;

/// The page that a booting broker sends for every path, and 5.8.9 for an unknown path without `Accept: application/json`.
pub(crate) const NOT_FOUND_PAGE: &str =
    "<html><head><title>404 - NOT FOUND</title></head><body><h1>404 - NOT FOUND</h1></body></html>";

/// Responds like the broker, which checks the route first, then the method, then the credentials.
pub(crate) fn respond(shared: &Shared, request: &Request) -> Response {
    let version = shared.version;
    let Some(segments) = request.segments() else {
        return Response::recorded(version, "22-unauth-garbage");
    };
    let id = match segments.as_slice() {
        [api, v5, clients] if is_clients(api, v5, clients) => None,
        [api, v5, clients, id] if is_clients(api, v5, clients) => Some(id),
        other => return unknown(version, request, other),
    };
    if request.method != "GET" {
        return Response::recorded(
            version,
            by_version(version, "98-method-not-allowed", "94-method-not-allowed"),
        );
    }
    if let Err(response) = shared.check(request.header("authorization")) {
        return response;
    }
    match id {
        Some(id) => lookup(shared, id),
        None => list(shared, request),
    }
}

fn lookup(shared: &Shared, id: &[u8]) -> Response {
    if shared.version == Version::V6_2_2
        && let Some(id) = str::from_utf8(id).ok().filter(|id| id.contains(char::is_control))
    {
        return list_query::control_characters("320-control-char-id", "\\u0001ctl", id, None);
    }
    let found = str::from_utf8(id).ok().and_then(|id| shared.clients().lookup(id));
    match found {
        Some(text) => Response::recorded_with(shared.version, "08-client-plain", text),
        None => Response::recorded(shared.version, "14-client-missing"),
    }
}

fn list(shared: &Shared, request: &Request) -> Response {
    let Some(query) = request.query() else {
        return Response::recorded(shared.version, "22-unauth-garbage");
    };
    match ListQuery::parse(shared.version, &query) {
        Ok(query) => Response::recorded_shared(shared.version, "06-clients", shared.clients().page(&query)),
        Err(response) => response,
    }
}

/// A list page of rows of this text that claims that more pages follow.
pub(crate) fn page_of(shared: &Shared, request: &Request, row: &str, count: usize) -> Response {
    let number = |name, default| {
        request.parameter(name).pop().and_then(|text| text.parse::<u64>().ok()).unwrap_or(default)
    };
    let mut body = b"{\"data\":[".to_vec();
    body.reserve(count * (row.len() + 1));
    for written in 0..count {
        if written > 0 {
            body.push(b',');
        }
        body.extend_from_slice(row.as_bytes());
    }
    let (limit, page) = (number("limit", 100), number("page", 1));
    let meta =
        format!("],\"meta\":{{\"count\":1000000000,\"hasnext\":true,\"limit\":{limit},\"page\":{page}}}}}");
    body.extend_from_slice(meta.as_bytes());
    Response::recorded_with(shared.version, "06-clients", body)
}

fn unknown(version: Version, request: &Request, segments: &[Vec<u8>]) -> Response {
    let starts =
        |with: &[&str]| segments.iter().zip(with).filter(|(a, b)| a == &b.as_bytes()).count() == with.len();
    match version {
        Version::V6_2_2 | Version::V5_8_9 if !starts(&["api"]) => Response::recorded(version, "104-root"),
        Version::V5_0_26 if !starts(&["api", "v5"]) => Response::recorded(version, "100-root"),
        Version::V5_0_26 => Response::recorded(version, "93-unknown-path"),
        Version::V6_2_2 | Version::V5_8_9
            if request.header("accept").is_some_and(|accept| accept.contains("application/json")) =>
        {
            Response::recorded(version, "97-unknown-path")
        }
        Version::V6_2_2 | Version::V5_8_9 => not_found_page(),
    }
}

/// The HTML 404 of a booting broker.
pub(crate) fn not_found_page() -> Response {
    let headers = [("content-type".into(), "text/html".into()), ("server".into(), "Cowboy".into())];
    Response::made(404, headers.into(), NOT_FOUND_PAGE.as_bytes().into())
}

fn by_version(version: Version, new: &'static str, old: &'static str) -> &'static str {
    match version {
        Version::V6_2_2 | Version::V5_8_9 => new,
        Version::V5_0_26 => old,
    }
}
