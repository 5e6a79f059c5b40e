//! The recorded responses of real brokers, embedded from the fixtures.

use std::collections::HashMap;
use std::sync::OnceLock;

use crate::json;

/// The EMQX version to imitate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// EMQX 5.8.9: the list has `clientid=` and `fields=`, at most 10 000 rows a page, and descends.
    V5_8_9,
    /// EMQX 5.0.26: the list ignores `clientid=` and `fields=`, has at most 1 000 rows a page, and ascends.
    V5_0_26,
}

impl Version {
    /// Maximum `limit` of the list; a greater one is answered with 400.
    #[must_use]
    pub fn max_limit(self) -> u64 {
        match self {
            Self::V5_8_9 => 10_000,
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
}

fn recordings(version: Version) -> &'static Recordings {
    static NEW: OnceLock<Recordings> = OnceLock::new();
    static OLD: OnceLock<Recordings> = OnceLock::new();
    match version {
        Version::V5_8_9 => NEW.get_or_init(|| read(&[V5_8_9, CLUSTER])),
        Version::V5_0_26 => OLD.get_or_init(|| read(&[V5_0_26])),
    }
}

fn read(sets: &[&'static [File]]) -> Recordings {
    let mut responses = HashMap::new();
    for &(name, head, body) in sets.iter().copied().flatten() {
        let mut lines = head.lines().filter(|line| !line.is_empty());
        let status_line = lines.next().unwrap_or_default();
        let headers = lines.map(|line| line.split_once(": ").expect("a header is name: value")).collect();
        responses.insert(name, Recorded { status_line, headers, body });
    }
    let mut rows = rows_of(responses["06-clients"].body);
    if let Some(duplicates) = responses.get("200-duplicate-clientid-filtered") {
        rows.extend(rows_of(duplicates.body));
    }
    Recordings { responses, rows }
}

fn rows_of(list: &'static [u8]) -> Vec<(String, Template)> {
    let list = str::from_utf8(list).expect("recorded lists are UTF-8");
    let data = json::parts(list).into_iter().map(json::member).find(|(name, _)| *name == "data");
    let rows = json::parts(data.expect("a list has data").1);
    rows.into_iter()
        .map(|text| {
            let members: Vec<_> = json::parts(text).into_iter().map(json::member).collect();
            let id = members.iter().find(|(name, _)| *name == "clientid").and_then(|(_, id)| json::string(id));
            (id.expect("a row has a clientid"), Template { text, members })
        })
        .collect()
}

/// The body of a recorded response by its file name without `.json`. Panics if it is not embedded.
#[must_use]
pub fn body(version: Version, file: &str) -> &'static [u8] {
    recordings(version).responses.get(file).unwrap_or_else(|| panic!("no recording {file}")).body
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
    recordings(version).rows.iter().filter(|(id, _)| id != DUPLICATE).map(|(_, template)| template)
}

/// The two rows of the client that was listed twice; nothing for 5.0.26.
pub(crate) fn duplicates(version: Version) -> impl Iterator<Item = &'static Template> {
    recordings(version).rows.iter().filter(|(id, _)| id == DUPLICATE).map(|(_, template)| template)
}

const DUPLICATE: &str = "flap-clean";
