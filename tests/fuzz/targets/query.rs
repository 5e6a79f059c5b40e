//! Parses an arbitrary query string of a probe. Errors are short, and neither order nor escaping of the parameters
//! changes the result.
#![no_main]

use emqx_client_monitor::server::query::ProbeQuery;
use libfuzzer_sys::fuzz_target;
use url::form_urlencoded::{Serializer, parse};

/// Maximum length of an error, with quoted words escaped.
const MAX_ERROR: usize = 2_000;

fuzz_target!(|query: &str| {
    let parsed = parsed(query);
    assert_eq!(parsed, self::parsed(&re_encoded(query, false)), "encoded another way");
    assert_eq!(parsed, self::parsed(&re_encoded(query, true)), "in another order");
});

/// The parameters as text; `None` for an invalid query.
fn parsed(query: &str) -> Option<String> {
    match ProbeQuery::parse(query) {
        Ok(query) => Some(format!("{query:?}")),
        Err(error) => {
            let error = error.to_string();
            assert!(error.len() <= MAX_ERROR, "{error}");
            assert!(!error.contains(char::is_control), "{error:?}");
            None
        }
    }
}

/// The same parameters with form encoding, in the same or the reverse order.
fn re_encoded(query: &str, reverse: bool) -> String {
    let mut pairs: Vec<_> = parse(query.as_bytes()).collect();
    if reverse {
        pairs.reverse();
    }
    Serializer::new(String::new()).extend_pairs(pairs).finish()
}
