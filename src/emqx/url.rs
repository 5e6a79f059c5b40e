//! Paths and queries of requests to EMQX.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

/// Everything but the unreserved characters of RFC 3986 is escaped: EMQX splits the path at `/` before it
/// decodes, and reads `+` in a query as a space.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// One client, whichever comes first.
pub(super) const ONE_CLIENT: &str = "/v5/clients?limit=1";

/// The settings of the retainer.
pub(super) const RETAINER: &str = "/v5/mqtt/retainer";

const RETAINED: &str = "/v5/mqtt/retainer/messages";
const BANS: &str = "/v5/banned";

/// Rows of a filtered list: enough for the few that a moving session may have.
pub(super) const FILTER_LIMIT: usize = 10;

/// How a client ID can be looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addressing {
    /// By a keyed lookup.
    Lookup,
    /// By the filter of the list only: EMQX takes `.` and `..` for steps in the path, even escaped.
    Filter,
    /// By the unfiltered list only: EMQX 6.2 refuses control characters with a 400 in lookup and filter alike.
    List,
}

impl Addressing {
    /// Returns the cheapest way to look this client ID up.
    #[must_use]
    pub fn of(client_id: &str) -> Self {
        if client_id.chars().any(char::is_control) {
            Self::List
        } else if client_id == "." || client_id == ".." {
            Self::Filter
        } else {
            Self::Lookup
        }
    }
}

/// Returns the path of a lookup, of which nothing comes for `.` and `..`.
pub(super) fn lookup_path(client_id: &str) -> String {
    format!("/v5/clients/{}", utf8_percent_encode(client_id, ESCAPED))
}

/// Returns the path of the list filtered by a client ID (EMQX 5.6).
pub(super) fn filter_path(client_id: &str) -> String {
    format!("/v5/clients?limit={FILTER_LIMIT}&clientid={}", utf8_percent_encode(client_id, ESCAPED))
}

/// Returns the path of a page of the list, the first being 1, with these fields of each client (since EMQX 5.6).
pub(super) fn page_path(page: u64, limit: usize, fields: &str) -> String {
    format!("/v5/clients?page={page}&limit={limit}&fields={fields}")
}

/// Returns the further parameters of a list that have a value.
pub(super) fn filters<const N: usize>(parameters: [(&str, Option<&str>); N]) -> String {
    let mut query = String::new();
    for (name, value) in parameters {
        if let Some(value) = value {
            query.extend(["&", name, "="]);
            query.extend(utf8_percent_encode(value, ESCAPED));
        }
    }
    query
}

/// Returns the path of a page of the retained messages whose topics match a filter (since EMQX 5.5), without their payloads.
pub(super) fn retained_path(filter: &str, page: u64, limit: usize) -> String {
    format!("{RETAINED}?topic={}&page={page}&limit={limit}", utf8_percent_encode(filter, ESCAPED))
}

/// Returns the path of a page of the bans.
pub(super) fn bans_path(page: u64, limit: usize) -> String {
    format!("{BANS}?page={page}&limit={limit}")
}

/// Returns the path of the ban on a client ID (since EMQX 5.8.1).
pub(super) fn ban_path(client_id: &str) -> String {
    format!("{BANS}?clientid={}", utf8_percent_encode(client_id, ESCAPED))
}

/// Returns the path of the subscriptions of a client that can be looked up.
pub(super) fn subscriptions_path(client_id: &str) -> String {
    format!("{}/subscriptions", lookup_path(client_id))
}

/// Returns the length of the request line that looks up a client, in bytes. EMQX's HTTP server refuses more than 8 000
/// with a 414.
#[must_use]
pub fn lookup_line_bytes(api_url: &Url, client_id: &str) -> usize {
    match Addressing::of(client_id) {
        Addressing::Lookup => line_bytes(api_url, &lookup_path(client_id)),
        Addressing::Filter => line_bytes(api_url, &filter_path(client_id)),
        Addressing::List => 0,
    }
}

/// Returns the length of the request line that asks for the retained message of a topic.
#[must_use]
pub fn retained_line_bytes(api_url: &Url, topic: &str) -> usize {
    line_bytes(api_url, &retained_path(topic, 1, 1))
}

fn line_bytes(api_url: &Url, target: &str) -> usize {
    "GET ".len() + api_url.path().len() + target.len() + " HTTP/1.1\r\n".len()
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;
    use url::form_urlencoded;

    use super::*;

    #[test]
    fn every_reserved_byte_is_escaped_as_the_recorded_lookup_was() {
        assert_eq!(
            lookup_path("odd id/slash \"quote\" ünï+&?#%<é"),
            "/v5/clients/odd%20id%2Fslash%20%22quote%22%20%C3%BCn%C3%AF%2B%26%3F%23%25%3C%C3%A9"
        );
        assert_eq!(lookup_path("a-b_c.d~e"), "/v5/clients/a-b_c.d~e");
    }

    #[test]
    fn dot_segments_are_asked_for_by_the_filter() {
        assert_eq!(Addressing::of("."), Addressing::Filter);
        assert_eq!(Addressing::of(".."), Addressing::Filter);
        assert_eq!(Addressing::of("..."), Addressing::Lookup);
        assert_eq!(filter_path(".."), "/v5/clients?limit=10&clientid=..");
    }

    #[test]
    fn control_characters_are_found_in_the_list_only() {
        for client_id in ["a\u{1}b", "tab\t", "line\n", "\u{7f}", "\u{9b}"] {
            assert_eq!(Addressing::of(client_id), Addressing::List, "{client_id:?}");
        }
        assert_eq!(Addressing::of("ünï \u{a0}"), Addressing::Lookup);
    }

    /// Any client ID that MQTT allows, with many of the characters that mean something in a URL.
    fn any_client_id() -> impl Strategy<Value = String> {
        let odd: Vec<_> = "./\\%+&?#=;:@ \"\n\u{7f}\u{e9}\u{1f600}".chars().collect();
        let character = prop_oneof![prop::sample::select(odd), any::<char>()];
        let characters = prop::collection::vec(character.prop_filter("NUL", |c| *c != '\0'), 0..20);
        characters.prop_map(String::from_iter)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// As EMQX reads it: split at `/` first, then decoded. And as the URL is parsed on our side before that.
        #[test]
        fn a_lookup_asks_for_the_very_client(client_id in any_client_id()) {
            if Addressing::of(&client_id) == Addressing::Filter {
                return Ok(());
            }
            let path = lookup_path(&client_id);
            let url = Url::parse(&format!("http://emqx:18083/api{path}")).expect("it is a URL");
            prop_assert_eq!((url.query(), url.fragment()), (None, None));
            prop_assert_eq!(url.path(), format!("/api{path}"), "parsing it changes nothing");
            let steps: Vec<_> = url.path().split('/').collect();
            let ["", "api", "v5", "clients", encoded] = steps.as_slice() else {
                panic!("other steps: {steps:?}");
            };
            let decoded = percent_decode_str(encoded).decode_utf8().expect("a client ID is UTF-8");
            prop_assert_eq!(decoded, client_id);
        }

        #[test]
        fn a_filter_asks_for_the_very_client(client_id in any_client_id()) {
            let path = filter_path(&client_id);
            let url = Url::parse(&format!("http://emqx:18083/api{path}")).expect("it is a URL");
            prop_assert_eq!(url.path(), "/api/v5/clients");
            let pairs: Vec<_> = form_urlencoded::parse(url.query().unwrap_or_default().as_bytes()).collect();
            prop_assert_eq!(pairs, [("limit".into(), "10".into()), ("clientid".into(), client_id.into())]);
        }
    }
}
