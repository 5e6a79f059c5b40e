//! The recorded responses of real brokers, embedded from the fixtures.

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::json;

/// The EMQX version to imitate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// EMQX 6.2.2: as 5.8.9, but it refuses client IDs with control characters.
    V6_2_2,
    /// EMQX 5.8.9: the list has `clientid=` and `fields=`, at most 10 000 rows a page, and descends. Its rows of durable
    /// sessions are those of 5.10.4.
    V5_8_9,
    /// EMQX 5.0.26: the list ignores `clientid=` and `fields=`, has at most 1 000 rows a page, and ascends.
    V5_0_26,
}

impl Version {
    /// Maximum `limit` of the list; a greater one is answered with 400.
    #[must_use]
    pub fn max_limit(self) -> u64 {
        match self {
            Self::V6_2_2 | Self::V5_8_9 => 10_000,
            Self::V5_0_26 => 1_000,
        }
    }
}

/// A recorded response.
#[derive(Debug)]
pub(crate) struct Recorded {
    pub(crate) status_line: &'static str,
    pub(crate) headers: Vec<(&'static str, &'static str)>,
    pub(crate) body: &'static [u8],
}

/// A recorded row and its members.
#[derive(Debug)]
pub(crate) struct Template {
    pub(crate) text: &'static str,
    pub(crate) members: Vec<(&'static str, &'static str)>,
}

type File = (&'static str, &'static str, &'static [u8]);

macro_rules! files {
    ($directory:literal: $($name:literal)* ; bodies $($bare:literal)*) => {
        &[
            $((
                $name,
                include_str!(concat!("../../fixtures/", $directory, "/", $name, ".headers.txt")),
                include_bytes!(concat!("../../fixtures/", $directory, "/", $name, ".json")),
            ),)*
            $(($bare, "", include_bytes!(concat!("../../fixtures/", $directory, "/", $bare, ".json"))),)*
        ]
    };
}

const V6_2_2: &[File] = files!("6.2.2":
    "06-clients" "08-client-plain" "09-client-nouser" "10-client-persist-gone" "11-client-odd"
    "12-client-odd-plus-unescaped" "13-client-neveracks" "14-client-missing" "19-unauth-none" "20-unauth-bad"
    "21-unauth-badkey" "22-unauth-garbage" "23-unauth-bearer" "24-multi-clientid" "25-multi-clientid-miss"
    "29-clientid-one-missing" "33-fields-two" "35-fields-multi" "36-fields-unknown" "37-fields-dotted"
    "38-fields-two-multi-clientid" "40-limit-10001" "41-limit-0" "42-limit-neg" "43-limit-abc"
    "44-page-1-of-4" "46-page-4" "47-page-past-end" "48-page-0" "97-unknown-path" "98-method-not-allowed"
    "99-head" "102-double-slash" "104-root" "105-api-v4" "320-control-char-id" "321-control-char-filter" "523-like-empty";
    bodies);

/// What EMQX 6.2.2 remembers: retained messages, subscriptions, bans. The other versions have no recordings of these.
const V6_2_2_MEMORY: &[File] = files!("6.2.2":
    "301-retained-config" "303-retained-list" "304-retained-list-sys" "305-retained-plus" "307-retained-hash"
    "309-retained-exact" "310-retained-exact-missing" "318-retained-page" "319-retained-page-past-end"
    "321-retained-limit-10001" "322-retained-limit-0" "323-retained-filter-page-exact-end"
    "324-retained-unknown-param" "328-retained-topic-empty" "329-retained-bad-hash-inside"
    "331-retained-bad-plus-glued" "333-retained-bad-nul" "334-retained-bad-shared" "340-retained-scope-monitoring"
    "343-retained-sort" "364-retained-disabled-list" "365-retained-disabled-filter"
    "381-retained-namespaced-key" "400-subs-kinds" "402-subs-none" "403-subs-connected-none"
    "431-subs-durable-away" "433-subs-durable-mem" "450-banned-empty"
    "453-banned-list" "454-banned-clientid" "456-banned-clientid-re-match" "460-banned-two-filters"
    "461-banned-clientid-twice" "465-banned-page-past-end" "466-banned-limit-10001" "467-banned-unknown-param"
    "475-banned-flapping"; bodies "700-seen-rule-exact");

/// Responses to lookups of clients with durable sessions.
const V6_2_2_DURABLE: &[File] = files!("6.2.2-durable":
    "03-client-live" "07-client-gone" "08-client-gone-never" "09-client-gone-v311" "10-client-gone-queued"
    "11-client-gone-noack"; bodies);

/// The same of EMQX 5.10.4.
const V5_10_4_DURABLE: &[File] = files!("5.10.4-durable":
    "03-client-live" "07-client-gone" "08-client-gone-never" "09-client-gone-v311" "10-client-gone-queued"
    "11-client-gone-noack" "31-client-gone-thin"; bodies);

const V5_8_9: &[File] = files!("5.8.9":
    "06-clients" "08-client-plain" "09-client-nouser" "10-client-persist-gone" "11-client-odd"
    "12-client-odd-plus-unescaped" "13-client-neveracks" "14-client-missing" "19-unauth-none" "20-unauth-bad"
    "21-unauth-badkey" "22-unauth-garbage" "23-unauth-bearer" "24-multi-clientid" "25-multi-clientid-miss"
    "29-clientid-one-missing" "33-fields-two" "35-fields-multi" "36-fields-unknown" "37-fields-dotted"
    "38-fields-two-multi-clientid" "40-limit-10001" "41-limit-0" "42-limit-neg" "43-limit-abc"
    "44-page-1-of-4" "46-page-4" "47-page-past-end" "48-page-0" "97-unknown-path" "98-method-not-allowed"
    "99-head" "102-double-slash" "104-root" "105-api-v4";
    bodies "200-duplicate-clientid-filtered" "200-duplicate-clientid-during-takeover");

const V5_0_26: &[File] = files!("5.0.26":
    "06-clients" "08-client-plain" "09-client-nouser" "10-client-persist-gone" "11-client-odd"
    "12-client-odd-plus-unescaped" "13-client-neveracks" "14-client-missing" "19-unauth-none" "20-unauth-bad"
    "21-unauth-badkey" "22-unauth-garbage" "23-unauth-bearer" "40-limit-10001" "41-limit-0" "42-limit-neg"
    "43-limit-abc" "44-page-1-of-4" "46-page-4" "47-page-past-end" "48-page-0" "93-unknown-path"
    "94-method-not-allowed" "95-head" "98-double-slash" "100-root" "101-api-v4"; bodies);

const CLUSTER: &[File] = files!("5.8.9-cluster": ;
    bodies "hung-parallel-list" "hung-parallel-one-missing" "hung-parallel-one-on-healthy");

struct Recordings {
    responses: HashMap<&'static str, Recorded>,
    rows: Vec<(String, Template)>,
    /// How many of the rows the recorded list has; they are the first.
    listed: usize,
}

fn recordings(version: Version) -> &'static Recordings {
    static OF_6_2_2: OnceLock<Recordings> = OnceLock::new();
    static OF_5_8_9: OnceLock<Recordings> = OnceLock::new();
    static OF_5_0_26: OnceLock<Recordings> = OnceLock::new();
    match version {
        Version::V6_2_2 => OF_6_2_2.get_or_init(|| read(&[V6_2_2, V6_2_2_MEMORY], V6_2_2_DURABLE)),
        Version::V5_8_9 => OF_5_8_9.get_or_init(|| read(&[V5_8_9, CLUSTER], V5_10_4_DURABLE)),
        Version::V5_0_26 => OF_5_0_26.get_or_init(|| read(&[V5_0_26], &[])),
    }
}

/// Reads sets of responses, and lookups whose rows are added to those of the list.
fn read(sets: &[&'static [File]], lookups: &'static [File]) -> Recordings {
    let mut responses = HashMap::new();
    for &(name, head, body) in sets.iter().copied().flatten() {
        let mut lines = head.lines().filter(|line| !line.is_empty());
        let status_line = lines.next().unwrap_or_default();
        let headers = lines.map(|line| line.split_once(": ").expect("a header is name: value")).collect();
        responses.insert(name, Recorded { status_line, headers, body });
    }
    let mut rows = rows_of(responses["06-clients"].body);
    let listed = rows.len();
    if let Some(duplicates) = responses.get("200-duplicate-clientid-filtered") {
        rows.extend(rows_of(duplicates.body));
    }
    rows.extend(lookups.iter().map(|(_, _, body)| row(str::from_utf8(body).expect("recorded rows are UTF-8"))));
    Recordings { responses, rows, listed }
}

fn rows_of(list: &'static [u8]) -> Vec<(String, Template)> {
    texts_of_rows(str::from_utf8(list).expect("recorded lists are UTF-8")).into_iter().map(row).collect()
}

/// The rows of a list, as written.
fn texts_of_rows(list: &str) -> Vec<&str> {
    let data = json::parts(list).into_iter().map(json::member).find(|(name, _)| *name == "data");
    json::parts(data.expect("a list has data").1)
}

/// A row and the client ID in it.
fn row(text: &'static str) -> (String, Template) {
    let members: Vec<_> = json::parts(text).into_iter().map(json::member).collect();
    let id = members.iter().find(|(name, _)| *name == "clientid").and_then(|(_, id)| json::string(id));
    (id.expect("a row has a clientid"), Template { text, members })
}

/// The body of a recorded response by its file name without `.json`. Panics if it is not embedded.
#[must_use]
pub fn body(version: Version, file: &str) -> &'static [u8] {
    recordings(version).responses.get(file).unwrap_or_else(|| panic!("no recording {file}")).body
}

/// The same as text.
pub(crate) fn text(version: Version, file: &str) -> &'static str {
    str::from_utf8(body(version, file)).expect("recorded bodies are UTF-8")
}

/// The rows of a recorded list, as written.
pub(crate) fn rows(version: Version, file: &str) -> Vec<&'static str> {
    texts_of_rows(text(version, file))
}

pub(crate) fn response(version: Version, file: &str) -> &'static Recorded {
    &recordings(version).responses[file]
}

/// The first recorded row of that client.
pub(crate) fn template(version: Version, id: &str) -> &'static Template {
    let found = recordings(version).rows.iter().find(|(known, _)| known == id);
    found.map_or_else(|| panic!("no recorded client {id}"), |(_, template)| template)
}

/// Every row of the recorded list.
pub(crate) fn clients(version: Version) -> impl Iterator<Item = &'static Template> {
    let recordings = recordings(version);
    recordings.rows[..recordings.listed].iter().map(|(_, template)| template)
}

/// The two rows of the client that was listed twice (5.8.9 only).
pub(crate) fn duplicates(version: Version) -> impl Iterator<Item = &'static Template> {
    recordings(version).rows.iter().filter(|(id, _)| id == DUPLICATE).map(|(_, template)| template)
}

const DUPLICATE: &str = "flap-clean";
