//! Retained messages, and the broker's list of them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::json;
use crate::list_query::Paging;
use crate::recorded::{self, Version};
use crate::topic;

/// What the list shows as the user name of a client without one.
const NO_USERNAME: &str = "undefined";

/// The ID and the topic of the rule that remembers connections.
const RULE: &str = "last_seen";
const RULE_TOPIC: &str = "$seen/";

/// A retained message as the broker lists it, without its payload.
#[derive(Clone, Debug)]
pub struct Retained {
    topic: String,
    from_clientid: String,
    from_username: String,
    publish_at: String,
    qos: u8,
    msgid: String,
}

impl Retained {
    /// A message that the client `id` without a user name published just now.
    #[must_use]
    pub fn new(topic: &str, id: &str) -> Self {
        Self {
            topic: topic.into(),
            from_clientid: id.into(),
            from_username: NO_USERNAME.into(),
            publish_at: time_text(Timestamp::now()),
            qos: 0,
            msgid: "0006613CDA26DE2CC02A000006380002".into(),
        }
    }

    /// A message of the rule that remembers connections, see [`crate::FakeEmqx::remember_connections`].
    #[must_use]
    pub fn by_rule(client_id: &str) -> Self {
        Self::new(&format!("{RULE_TOPIC}{client_id}"), RULE).from_username("")
    }

    /// Sets `from_username`. Publishers that are not MQTT connections have an empty one.
    #[must_use]
    pub fn from_username(mut self, name: &str) -> Self {
        self.from_username = name.into();
        self
    }

    /// Sets when the broker received it.
    #[must_use]
    pub fn at(self, time: Timestamp) -> Self {
        self.at_text(&time_text(time))
    }

    /// Sets `publish_at` to this text, which need not be a time.
    #[must_use]
    pub fn at_text(mut self, text: &str) -> Self {
        self.publish_at = text.into();
        self
    }

    /// A row of the recorded list.
    fn of_row(row: &str) -> Self {
        let members: BTreeMap<_, _> = json::parts(row).into_iter().map(json::member).collect();
        let text = |name| json::string(members[name]).expect("a recorded member is a text");
        Self {
            topic: text("topic"),
            from_clientid: text("from_clientid"),
            from_username: text("from_username"),
            publish_at: text("publish_at"),
            qos: members["qos"].parse().expect("a recorded qos is a number"),
            msgid: text("msgid"),
        }
    }

    /// The messages of the recorded list.
    pub(crate) fn all_recorded() -> impl Iterator<Item = Self> {
        recorded::rows(Version::V6_2_2, "303-retained-list").into_iter().map(Self::of_row)
    }

    fn published(&self) -> Option<Timestamp> {
        self.publish_at.parse().ok()
    }

    fn row(&self) -> Value {
        json!({
            "topic": self.topic,
            "qos": self.qos,
            "from_username": self.from_username,
            "from_clientid": self.from_clientid,
            "publish_at": self.publish_at,
            "msgid": self.msgid,
        })
    }
}

/// The broker's retained messages.
#[derive(Default)]
pub(crate) struct RetainedStore {
    messages: BTreeMap<String, Retained>,
    is_disabled: bool,
    remembers_connections: bool,
}

impl RetainedStore {
    pub(crate) fn put(&mut self, message: Retained) {
        self.messages.insert(message.topic.clone(), message);
    }

    pub(crate) fn remove(&mut self, topic: &str) -> bool {
        self.messages.remove(topic).is_some()
    }

    pub(crate) fn clear(&mut self) {
        self.messages.clear();
    }

    pub(crate) fn set_enabled(&mut self, enabled: bool) {
        self.is_disabled = !enabled;
    }

    pub(crate) fn remember_connections(&mut self) {
        self.remembers_connections = true;
    }

    /// Runs the rule that remembers connections, whose condition leaves out unusual client IDs.
    pub(crate) fn client_came_or_went(&mut self, id: &str) {
        let is_usual = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if self.remembers_connections && (1..=64).contains(&id.len()) && id.chars().all(is_usual) {
            self.put(Retained::by_rule(id));
        }
    }

    /// The body of the retainer's settings.
    pub(crate) fn settings(&self) -> String {
        let recorded = recorded::text(Version::V6_2_2, "301-retained-config");
        if self.is_disabled {
            let (last, disabled) =
                ("\"enable\":true,\"max_payload_size\"", "\"enable\":false,\"max_payload_size\"");
            recorded.replace(last, disabled)
        } else {
            recorded.to_owned()
        }
    }

    /// The body of a page of the messages whose topic matches, or of all; the oldest comes first.
    pub(crate) fn page(&self, version: Version, filter: Option<&str>, paging: Paging) -> String {
        let mut found: Vec<&Retained> = match filter {
            _ if self.is_disabled => Vec::new(),
            None => self.messages.values().collect(),
            Some(topic) if !topic.contains(['+', '#']) => self.messages.get(topic).into_iter().collect(),
            Some(filter) => self.messages.values().filter(|m| topic::matches(filter, &m.topic)).collect(),
        };
        // Equal times stay in the order of topics, as recorded.
        found.sort_by_cached_key(|message| message.published());
        let count = found.len();
        let rows: Vec<_> = paging.cut(found).into_iter().map(Retained::row).collect();
        let mut meta = serde_json::Map::new();
        if filter.is_none() {
            meta.insert("count".into(), count.into());
        }
        meta.insert("limit".into(), paging.limit.into());
        meta.insert("page".into(), paging.page.into());
        if version != Version::V5_0_26 {
            // As recorded: a full page claims that another one follows, even if it is the last.
            meta.insert("hasnext".into(), paging.is_full(rows.len()).into());
        }
        json!({ "data": rows, "meta": meta }).to_string()
    }
}

/// A time in EMQX's format.
fn time_text(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%3f+00:00").to_string()
}
