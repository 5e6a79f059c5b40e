//! Requests as received.

use std::borrow::Cow;
use std::time::Instant;

use percent_encoding::percent_decode_str;

/// A request as received.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method, as sent.
    pub method: String,
    /// Path and query, as sent.
    pub target: String,
    /// The path, as sent: not decoded, without the query.
    pub path: String,
    /// Names as sent and values, in order.
    pub headers: Vec<(String, String)>,
    /// Number of the connection that it came over, in the order of acceptance; the first is 1.
    pub connection: u64,
    /// The time at which its head was complete.
    pub at: Instant,
    /// Number of requests in progress at the broker when this one arrived, itself included.
    pub in_flight: usize,
    /// The minor version of HTTP/1.
    pub(crate) minor: u8,
}

/// What a path of the API stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Clients,
    Client(Vec<u8>),
    Subscriptions(Vec<u8>),
    RetainedMessages,
    Retainer,
    Bans,
}

impl Request {
    /// The first header of this name. Case does not matter.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The client ID of a lookup; `None` for other requests.
    #[must_use]
    pub fn client_id(&self) -> Option<String> {
        match self.endpoint()? {
            Endpoint::Client(id) => String::from_utf8(id).ok(),
            _ => None,
        }
    }

    /// The client ID of a request for subscriptions; `None` for other requests.
    #[must_use]
    pub fn subscriptions_of(&self) -> Option<String> {
        match self.endpoint()? {
            Endpoint::Subscriptions(id) => String::from_utf8(id).ok(),
            _ => None,
        }
    }

    /// Returns whether it is a request for the list of clients.
    #[must_use]
    pub fn is_list(&self) -> bool {
        self.endpoint() == Some(Endpoint::Clients)
    }

    /// Returns whether it is a request for the list of retained messages, with or without `topic=`.
    #[must_use]
    pub fn is_retained_list(&self) -> bool {
        self.endpoint() == Some(Endpoint::RetainedMessages)
    }

    /// Returns whether it is a request for the settings of the retainer.
    #[must_use]
    pub fn is_retainer(&self) -> bool {
        self.endpoint() == Some(Endpoint::Retainer)
    }

    /// Returns whether it is a request for bans, with or without `clientid=`.
    #[must_use]
    pub fn is_ban_list(&self) -> bool {
        self.endpoint() == Some(Endpoint::Bans)
    }

    /// What its path stands for; `None` for a path that the fake does not know.
    pub(crate) fn endpoint(&self) -> Option<Endpoint> {
        let segments = self.segments()?;
        let mut segments: Vec<&[u8]> = segments.iter().map(Vec::as_slice).collect();
        if segments.len() < 3 || segments[..2] != [b"api".as_slice(), b"v5"] {
            return None;
        }
        Some(match segments.split_off(2).as_slice() {
            [b"clients"] => Endpoint::Clients,
            [b"clients", id] => Endpoint::Client(id.to_vec()),
            [b"clients", id, b"subscriptions"] => Endpoint::Subscriptions(id.to_vec()),
            [b"mqtt", b"retainer", b"messages"] => Endpoint::RetainedMessages,
            [b"mqtt", b"retainer"] => Endpoint::Retainer,
            [b"banned"] => Endpoint::Bans,
            _ => return None,
        })
    }

    /// The decoded query in order; `None` for a broken escape.
    #[must_use]
    pub fn query(&self) -> Option<Vec<(String, String)>> {
        let query = self.target.split_once('?').map_or("", |(_, query)| query);
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        pairs
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(k, v)| Some((form(k)?, form(v)?)))
            .collect()
    }

    /// The values of a query parameter.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Vec<String> {
        let pairs = self.query().unwrap_or_default();
        pairs.into_iter().filter(|(key, _)| key == name).map(|(_, value)| value).collect()
    }

    /// The path segments as Cowboy reads them: split at each raw `/` (a final one does not count), decoded, and only
    /// then without dot segments. `None` for a broken escape.
    pub(crate) fn segments(&self) -> Option<Vec<Vec<u8>>> {
        let path = self.path.strip_prefix('/')?;
        let mut parts: Vec<_> = path.split('/').collect();
        if parts.last() == Some(&"") {
            parts.pop();
        }
        let mut segments = Vec::new();
        for part in parts {
            match decoded(part)?.as_ref() {
                b"." => {}
                b".." => {
                    segments.pop();
                }
                other => segments.push(other.to_vec()),
            }
        }
        Some(segments)
    }

    /// The request as a proxy forwards it that decodes `%2F` in paths.
    pub(crate) fn with_decoded_slashes(&self) -> Self {
        let decode = |path: &str| path.replace("%2F", "/").replace("%2f", "/");
        let query = self.target.split_once('?').map_or(String::new(), |(_, query)| format!("?{query}"));
        let path = decode(&self.path);
        Self { target: format!("{path}{query}"), path, ..self.clone() }
    }

    /// Returns whether the connection closes after the response.
    pub(crate) fn wants_close(&self) -> bool {
        let asks = |what| self.header("connection").is_some_and(|c| c.to_ascii_lowercase().contains(what));
        asks("close") || self.minor == 0 && !asks("keep-alive")
    }
}

fn decoded(part: &str) -> Option<Cow<'_, [u8]>> {
    let bytes = part.as_bytes();
    let whole = |at: usize| bytes.get(at + 1..at + 3).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit));
    let mut escapes = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'%');
    escapes.all(|(at, _)| whole(at)).then(|| percent_decode_str(part).into())
}

fn form(text: &str) -> Option<String> {
    String::from_utf8(decoded(&text.replace('+', " "))?.into_owned()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(target: &str) -> Request {
        let path = target.split('?').next().unwrap().to_owned();
        let (method, target) = ("GET".into(), target.into());
        Request {
            method,
            target,
            path,
            headers: Vec::new(),
            connection: 1,
            at: Instant::now(),
            in_flight: 1,
            minor: 1,
        }
    }

    #[test]
    fn paths_are_read_as_cowboy_reads_them() {
        assert_eq!(get("/api/v5/clients/a%2Fb+c%25").client_id().as_deref(), Some("a/b+c%"));
        assert_eq!(get("/api/v5/clients/%2E").client_id(), None);
        assert!(get("/api/v5/clients/%2E").is_list());
        assert!(get("/api/v5/clients/?page=1").is_list());
        assert_eq!(get("/api/v5/clients/%2E%2E").segments().unwrap(), [b"api".to_vec(), b"v5".to_vec()]);
        assert!(!get("/api/v5//clients").is_list());
        assert_eq!(get("/api/v5/clients/a%2Fb/subscriptions").subscriptions_of().as_deref(), Some("a/b"));
        assert!(get("/api/v5/mqtt/retainer/message/..").is_retainer(), "as recorded");
        assert_eq!(get("/api/v5/clients/%zz").segments(), None);
        assert_eq!(get("/api/v5/clients/%4").segments(), None);
    }

    #[test]
    fn queries_are_forms() {
        let request = get("/x?clientid=a+b&clientid=c%2Bd&page");
        assert_eq!(request.parameter("clientid"), ["a b", "c+d"]);
        assert_eq!(request.parameter("page"), [""]);
        assert_eq!(get("/x?a=%").query(), None);
    }
}
