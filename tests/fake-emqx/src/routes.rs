//! What a healthy broker answers.

use crate::answer::Answer;
use crate::list::Wanted;
use crate::recorded::Version;
use crate::request::{Request, is_clients};
use crate::shared::Shared;

/// The page that a broker answers to everything while it boots, and 5.8.9 to an unknown path for a caller who
/// does not ask for JSON.
pub(crate) const NOT_FOUND_PAGE: &str =
    "<html><head><title>404 - NOT FOUND</title></head><body><h1>404 - NOT FOUND</h1></body></html>";

/// Answers like the broker: the route first, then the method, then who asks.
pub(crate) fn answer(shared: &Shared, request: &Request) -> Answer {
    let version = shared.version;
    let Some(segments) = request.segments() else {
        return Answer::recorded(version, "22-unauth-garbage");
    };
    let id = match segments.as_slice() {
        [api, v5, clients] if is_clients(api, v5, clients) => None,
        [api, v5, clients, id] if is_clients(api, v5, clients) => Some(id),
        other => return unknown(version, request, other),
    };
    if request.method != "GET" {
        return Answer::recorded(
            version,
            by_version(version, "98-method-not-allowed", "94-method-not-allowed"),
        );
    }
    if let Err(refusal) = shared.check(request.header("authorization")) {
        return refusal;
    }
    match id {
        Some(id) => lookup(shared, id),
        None => list(shared, request),
    }
}

fn lookup(shared: &Shared, id: &[u8]) -> Answer {
    let found = str::from_utf8(id).ok().and_then(|id| shared.fleet().lookup(id));
    match found {
        Some(text) => Answer::recorded_with(shared.version, "08-client-plain", text),
        None => Answer::recorded(shared.version, "14-client-missing"),
    }
}

fn list(shared: &Shared, request: &Request) -> Answer {
    let Some(query) = request.query() else {
        return Answer::recorded(shared.version, "22-unauth-garbage");
    };
    match Wanted::read(shared.version, &query) {
        Ok(wanted) => Answer::recorded_shared(shared.version, "06-clients", shared.fleet().page(&wanted)),
        Err(refusal) => refusal,
    }
}

fn unknown(version: Version, request: &Request, segments: &[Vec<u8>]) -> Answer {
    let starts =
        |with: &[&str]| segments.iter().zip(with).filter(|(a, b)| a == &b.as_bytes()).count() == with.len();
    match version {
        Version::V5_8_9 if !starts(&["api"]) => Answer::recorded(version, "104-root"),
        Version::V5_0_26 if !starts(&["api", "v5"]) => Answer::recorded(version, "100-root"),
        Version::V5_0_26 => Answer::recorded(version, "93-unknown-path"),
        Version::V5_8_9
            if request.header("accept").is_some_and(|accept| accept.contains("application/json")) =>
        {
            Answer::recorded(version, "97-unknown-path")
        }
        Version::V5_8_9 => not_found_page(),
    }
}

/// The HTML 404 of a broker that is not ready.
pub(crate) fn not_found_page() -> Answer {
    let headers = [("content-type".into(), "text/html".into()), ("server".into(), "Cowboy".into())];
    Answer::made(404, headers.into(), NOT_FOUND_PAGE.as_bytes().into())
}

fn by_version(version: Version, new: &'static str, old: &'static str) -> &'static str {
    match version {
        Version::V5_8_9 => new,
        Version::V5_0_26 => old,
    }
}
