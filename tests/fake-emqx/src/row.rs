//! A client as the broker tells it.

use serde_json::Value;

use crate::json;
use crate::recorded::{self, Template, Version};

/// A row: a recorded one, with what was changed in it.
///
/// Unchanged it is the recorded bytes; changed, the other members keep their order and spelling, and new ones
/// come last.
#[derive(Clone, Debug)]
pub struct Row {
    name: String,
    version: Option<Version>,
    template: Option<&'static Template>,
    known_as: Option<String>,
    /// Name and raw value, or none for a member that is taken away.
    changes: Vec<(String, Option<String>)>,
}

impl Row {
    /// The recorded row of this client (of the single lookups or the list), exactly.
    #[must_use]
    pub fn recorded(version: Version, client_id: &str) -> Self {
        Self { version: Some(version), ..Self::like(client_id) }
    }

    /// A row like that of a recorded client of the version that the fake has.
    #[must_use]
    pub fn like(client_id: &str) -> Self {
        Self { name: client_id.into(), version: None, template: None, known_as: None, changes: Vec::new() }
    }

    pub(crate) fn of(template: &'static Template) -> Self {
        Self { template: Some(template), ..Self::like("") }
    }

    /// Gives it another client ID.
    #[must_use]
    pub fn client_id(self, id: &str) -> Self {
        self.set("clientid", id)
    }

    /// Gives it a user name, or `null`.
    #[must_use]
    pub fn username(self, name: Option<&str>) -> Self {
        self.set("username", name)
    }

    /// Sets a member.
    #[must_use]
    pub fn set(self, name: &str, value: impl Into<Value>) -> Self {
        self.set_raw(name, &value.into().to_string())
    }

    /// Sets a member to this text, whether it is JSON or not.
    #[must_use]
    pub fn set_raw(self, name: &str, value: &str) -> Self {
        self.put(name, Some(value.into()))
    }

    /// Sets a member to `null`.
    #[must_use]
    pub fn null(self, name: &str) -> Self {
        self.set_raw(name, "null")
    }

    /// Takes a member away.
    #[must_use]
    pub fn unset(self, name: &str) -> Self {
        self.put(name, None)
    }

    /// Lets it be found under this ID, whatever its own `clientid` says or if it says nothing.
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

    /// Binds it to its recording.
    pub(crate) fn resolved(mut self, version: Version) -> Self {
        if self.template.is_none() {
            self.template = Some(recorded::template(self.version.unwrap_or(version), &self.name));
        }
        self
    }

    fn template(&self) -> &'static Template {
        self.template.expect("rows of a fleet are resolved")
    }

    /// The ID it is found under, if it has one.
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
        if self.changes.is_empty() {
            out.extend_from_slice(self.template().text.as_bytes());
        } else {
            write_object(self.members(), out);
        }
    }

    /// Writes only these fields of it. A small map of the broker is sorted by name, a big one keeps its order.
    pub(crate) fn write_fields(&self, fields: &[String], out: &mut Vec<u8>) {
        let mut chosen: Vec<_> = self.members().filter(|(name, _)| fields.iter().any(|f| f == name)).collect();
        if chosen.len() <= 32 {
            chosen.sort_unstable_by_key(|(name, _)| *name);
        }
        write_object(chosen.into_iter(), out);
    }

    /// What it becomes when the client goes away and the broker keeps its session: the shape of the recorded
    /// client that did so. A session that would end with the connection is made one that stays.
    pub(crate) fn disconnected(&self, version: Version) -> Self {
        const GONE: [&str; 3] = ["connected", "disconnected_at", "disconn_props"];
        const SOCKET: [&str; 4] = ["recv_oct", "recv_cnt", "send_oct", "send_cnt"];
        const SESSION: [&str; 3] = ["clean_start", "is_persistent", "expiry_interval"];
        let gone = recorded::template(version, "persist-v5");
        let mut row = Self { known_as: self.known_as.clone(), ..Self::of(gone) };
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
