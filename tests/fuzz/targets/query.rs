//! The query string of a probe: whatever it is, it is understood or refused in a few words, and the order of its
//! parameters means nothing.
#![no_main]

use emqx_client_monitor::server::query::ProbeQuery;
use libfuzzer_sys::fuzz_target;
use url::form_urlencoded::{Serializer, parse};

/// Far more than any refusal needs, however the words it repeats are escaped.
const MOST_OF_A_REFUSAL: usize = 2_000;

fuzz_target!(|query: &str| {
    let understood = understood(query);
    assert_eq!(understood, self::understood(&written_again(query, false)), "written another way");
    assert_eq!(understood, self::understood(&written_again(query, true)), "in another order");
});

/// The parameters, if they are understood.
fn understood(query: &str) -> Option<String> {
    match ProbeQuery::parse(query) {
        Ok(query) => Some(format!("{query:?}")),
        Err(refusal) => {
            let refusal = refusal.to_string();
            assert!(refusal.len() <= MOST_OF_A_REFUSAL, "{refusal}");
            assert!(!refusal.contains(char::is_control), "{refusal:?}");
            None
        }
    }
}

/// The same parameters, escaped the way forms are.
fn written_again(query: &str, backwards: bool) -> String {
    let mut pairs: Vec<_> = parse(query.as_bytes()).collect();
    if backwards {
        pairs.reverse();
    }
    Serializer::new(String::new()).extend_pairs(pairs).finish()
}
