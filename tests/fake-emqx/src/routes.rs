//! The responses of a healthy broker.

use crate::list_query::{self, ListQuery, Paging, last};
use crate::recorded::Version;
use crate::request::{Endpoint, Request};
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
    let Some(endpoint) = request.endpoint() else {
        return unknown(version, request, &segments);
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
    let Some(query) = request.query() else {
        return Response::recorded(version, "22-unauth-garbage");
    };
    let response = match endpoint {
        Endpoint::Client(id) => Ok(lookup(shared, &id)),
        Endpoint::Clients => list(shared, &query),
        Endpoint::Subscriptions(id) => Ok(subscriptions(shared, &id)),
        Endpoint::RetainedMessages => retained_messages(shared, &query),
        Endpoint::Retainer => Ok(memory("301-retained-config", shared.retained().settings())),
        Endpoint::Bans => bans(shared, &query),
    };
    response.unwrap_or_else(|error| error)
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

fn list(shared: &Shared, query: &[(String, String)]) -> Result<Response, Response> {
    let query = ListQuery::parse(shared.version, query)?;
    Ok(Response::recorded_shared(shared.version, "06-clients", shared.clients().page(&query)))
}

fn subscriptions(shared: &Shared, id: &[u8]) -> Response {
    let found = str::from_utf8(id).ok().and_then(|id| shared.clients().subscriptions(id));
    match found {
        Some(text) => memory("400-subs-kinds", text),
        None => Response::recorded(shared.version, "14-client-missing"),
    }
}

fn retained_messages(shared: &Shared, query: &[(String, String)]) -> Result<Response, Response> {
    let paging = Paging::parse(shared.version, query)?;
    let filter = last(query, "topic").filter(|_| shared.version != Version::V5_0_26);
    if let Some(topic) = filter.filter(|topic| topic.contains('\0')) {
        return Err(list_query::nul_in_topic(topic));
    }
    Ok(memory("303-retained-list", shared.retained().page(shared.version, filter, paging)))
}

fn bans(shared: &Shared, query: &[(String, String)]) -> Result<Response, Response> {
    const FILTERS: [&str; 3] = ["clientid", "username", "peerhost"];
    let paging = Paging::parse(shared.version, query)?;
    let is_filtered = shared.version != Version::V5_0_26;
    if is_filtered && FILTERS.iter().filter(|name| last(query, name).is_some()).count() > 1 {
        return Err(Response::recorded(Version::V6_2_2, "460-banned-two-filters"));
    }
    let client_id = last(query, "clientid").filter(|_| is_filtered);
    let body = shared.bans().page(shared.version, client_id, paging);
    // The end of a ban is compared with the broker's clock, so it is the one header that is not the recorded one.
    Ok(memory("453-banned-list", body).dated_now())
}

/// The recorded head of a response about what the broker remembers, with this body.
fn memory(file: &str, body: String) -> Response {
    Response::recorded_with(Version::V6_2_2, file, body)
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
