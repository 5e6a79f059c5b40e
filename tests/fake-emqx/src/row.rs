//! A client's row as the broker sends it.

use serde_json::{Value, json};

use crate::json;
use crate::list_query::GroupFilter;
use crate::recorded::{self, Template, Version};

/// A recorded row and changes to it.
///
/// Without changes it is the recorded bytes. With changes, the other members keep their order and spelling, and new
/// members come last.
#[derive(Clone, Debug)]
pub struct Row {
    name: String,
    version: Option<Version>,
    template: Option<&'static Template>,
    known_as: Option<String>,
    /// The whole text of a raw row.
    text: Option<String>,
    /// Name and raw value; no value for a removed member.
    changes: Vec<(String, Option<String>)>,
    /// Topic filters.
    subscribed: Vec<String>,
}

impl Row {
    /// The recorded row of this client, byte for byte.
    #[must_use]
    pub fn recorded(version: Version, client_id: &str) -> Self {
        Self { version: Some(version), ..Self::like(client_id) }
    }

    /// A row like that of a recorded client, in the version of the fake that it is added to.
    #[must_use]
    pub fn like(client_id: &str) -> Self {
        Self {
            name: client_id.into(),
            version: None,
            template: None,
            known_as: None,
            text: None,
            changes: Vec::new(),
            subscribed: Vec::new(),
        }
    }

    pub(crate) fn of(template: &'static Template) -> Self {
        Self { template: Some(template), ..Self::like("") }
    }

    /// A row of this text, filed under this ID. The text need not be a row.
    #[must_use]
    pub fn raw(client_id: &str, text: &str) -> Self {
        Self { text: Some(text.into()), ..Self::like("") }.known_as(client_id)
    }

    /// Sets the client ID.
    #[must_use]
    pub fn client_id(self, id: &str) -> Self {
        self.set("clientid", id)
    }

    /// Sets the user name; `None` is `null`.
    #[must_use]
    pub fn username(self, name: Option<&str>) -> Self {
        self.set("username", name)
    }

    /// Sets a member.
    #[must_use]
    pub fn set(self, name: &str, value: impl Into<Value>) -> Self {
        self.set_raw(name, &value.into().to_string())
    }

    /// Sets a member to this text, which need not be JSON.
    #[must_use]
    pub fn set_raw(self, name: &str, value: &str) -> Self {
        self.put(name, Some(value.into()))
    }

    /// Sets a member to `null`.
    #[must_use]
    pub fn null(self, name: &str) -> Self {
        self.set_raw(name, "null")
    }

    /// Removes a member.
    #[must_use]
    pub fn unset(self, name: &str) -> Self {
        self.put(name, None)
    }

    /// Sets the topic filters that it is subscribed to, and their number in the row.
    #[must_use]
    pub fn subscribed<'a>(self, filters: impl IntoIterator<Item = &'a str>) -> Self {
        let subscribed: Vec<String> = filters.into_iter().map(str::to_owned).collect();
        let row = self.set("subscriptions_cnt", subscribed.len());
        Self { subscribed, ..row }
    }

    /// Files it under this ID, whatever its `clientid` says.
    #[must_use]
    pub fn known_as(mut self, id: &str) -> Self {
        self.known_as = Some(id.into());
        self
    }

    fn put(mut self, name: &str, value: Option<String>) -> Self {
        self.changes.retain(|(changed, _)| changed != name);
        self.changes.push((name.into(), value));
        self
    }

    /// Resolves the recorded row it is based on.
    pub(crate) fn resolved(mut self, version: Version) -> Self {
        if self.template.is_none() && self.text.is_none() {
            self.template = Some(recorded::template(self.version.unwrap_or(version), &self.name));
        }
        self
    }

    fn template(&self) -> &'static Template {
        self.template.expect("rows in the table are resolved")
    }

    /// The ID it is filed under, if it has one.
    pub(crate) fn key(&self) -> Option<String> {
        self.known_as.clone().or_else(|| self.value("clientid").and_then(json::string))
    }

    fn change(&self, name: &str) -> Option<&(String, Option<String>)> {
        self.changes.iter().find(|(changed, _)| changed == name)
    }

    fn value(&self, name: &str) -> Option<&str> {
        match self.change(name) {
            Some((_, value)) => value.as_deref(),
            None => self.template().members.iter().find(|(member, _)| *member == name).map(|(_, value)| *value),
        }
    }

    /// When it connected; `None` while it is disconnected.
    pub(crate) fn connection(&self) -> Option<&str> {
        self.template?;
        let is_connected = self.value("connected") == Some("true");
        is_connected.then(|| self.value("connected_at").unwrap_or_default())
    }

    /// Whether a list with this filter has it. Sessions that are durable and away are in every list.
    pub(crate) fn passes(&self, filter: &GroupFilter) -> bool {
        let member = |name| self.template.and(self.value(name));
        if member("durable") == Some("true") && self.connection().is_none() {
            return true;
        }
        let username = member("username").and_then(json::string);
        let is_like = |part: &String| self.key().is_some_and(|id| id.contains(part.as_str()));
        filter.like_clientid.as_ref().is_none_or(is_like)
            && (filter.usernames.is_empty() || username.is_some_and(|name| filter.usernames.contains(&name)))
    }

    /// The JSON of its subscriptions.
    pub(crate) fn subscriptions(&self, version: Version) -> String {
        let member = |name| self.template.and(self.value(name));
        let is_durable = member("durable") == Some("true");
        let is_away = self.connection().is_none();
        let node = member("node").filter(|_| !(is_durable && is_away)).and_then(json::string);
        let row = |filter: &String| {
            let topic = filter.strip_prefix("$exclusive/").unwrap_or(filter);
            let mut row = json!({
                "node": node, "nl": 0, "topic": topic, "clientid": self.key(), "qos": 1, "rh": 0, "rap": 0
            });
            if version != Version::V5_0_26 {
                row["durable"] = is_durable.into();
            }
            row
        };
        Value::from(self.subscribed.iter().map(row).collect::<Vec<_>>()).to_string()
    }

    /// Its members in order.
    fn members(&self) -> impl Iterator<Item = (&str, &str)> {
        let template = self.template();
        let old = template.members.iter().filter_map(|(name, value)| match self.change(name) {
            Some((_, value)) => value.as_deref().map(|value| (*name, value)),
            None => Some((*name, *value)),
        });
        let is_new = |name: &str| template.members.iter().all(|(member, _)| *member != name);
        let new = self.changes.iter().filter(move |(name, _)| is_new(name));
        old.chain(new.filter_map(|(name, value)| Some((name.as_str(), value.as_deref()?))))
    }

    /// Writes it as JSON.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        if let Some(text) = &self.text {
            out.extend_from_slice(text.as_bytes());
        } else if self.changes.is_empty() {
            out.extend_from_slice(self.template().text.as_bytes());
        } else {
            write_object(self.members(), out);
        }
    }

    /// Writes these fields as JSON. As in Erlang, up to 32 members are sorted by name and more keep their order.
    pub(crate) fn write_fields(&self, fields: &[String], out: &mut Vec<u8>) {
        if self.text.is_some() {
            return self.write(out);
        }
        let mut chosen: Vec<_> = self.members().filter(|(name, _)| fields.iter().any(|f| f == name)).collect();
        if chosen.len() <= 32 {
            chosen.sort_unstable_by_key(|(name, _)| *name);
        }
        write_object(chosen.into_iter(), out);
    }

    /// The row after the client disconnected, in the shape of the recorded disconnected client. A session that would
    /// end with its connection becomes one that the broker keeps.
    pub(crate) fn disconnected(&self, version: Version) -> Self {
        const GONE: [&str; 3] = ["connected", "disconnected_at", "disconn_props"];
        const SOCKET: [&str; 4] = ["recv_oct", "recv_cnt", "send_oct", "send_cnt"];
        const SESSION: [&str; 3] = ["clean_start", "is_persistent", "expiry_interval"];
        let gone = recorded::template(version, "persist-v5");
        let (known_as, subscribed) = (self.known_as.clone(), self.subscribed.clone());
        let mut row = Self { known_as, subscribed, ..Self::of(gone) };
        let ends = self.value("expiry_interval") == Some("0");
        for (name, recorded) in &gone.members {
            if GONE.contains(name) || ends && SESSION.contains(name) {
                continue;
            }
            match self.value(name) {
                Some(value) if value != *recorded => row = row.set_raw(name, value),
                Some(_) => {}
                None => row = row.unset(name),
            }
        }
        for (name, value) in self.members() {
            if row.value(name).is_none() && !SOCKET.contains(&name) {
                row = row.set_raw(name, value);
            }
        }
        row
    }
}

fn write_object<'a>(members: impl Iterator<Item = (&'a str, &'a str)>, out: &mut Vec<u8>) {
    out.push(b'{');
    for (at, (name, value)) in members.enumerate() {
        out.extend_from_slice(if at == 0 { b"\"" } else { b",\"" });
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
        out.extend_from_slice(value.as_bytes());
    }
    out.push(b'}');
}
