//! The watched clients, handed out to the brokers they are watched on.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::broker::ListedBroker;
use super::diagnostics::shown;
use super::duration;
use super::section::Section;
use super::value::Value;
use crate::client::WatchedClient;
use crate::emqx::request_line_bytes;

const ALIAS: &str = "a name for this client, of your own choice";
const CLIENT_ID: &str = "the MQTT client ID";
const BROKERS: &str = "a list of broker aliases, or \"*\" for all brokers";

/// MQTT counts the bytes of a client ID in 16 bits.
const LONGEST_CLIENT_ID: usize = u16::MAX as usize;
/// EMQX's HTTP server answers a longer request line with an error.
const LONGEST_REQUEST_LINE: usize = 8000;

/// Reads the list of clients and gives each to its brokers.
pub(super) fn assign(list: &Value<'_>, default_offline_after: Duration, brokers: &mut [ListedBroker]) {
    const RIGHT: &str = "a list of clients, each with alias and client_id";
    let mut desk = ClientAssignment::new(brokers);
    for value in list.elements(RIGHT).unwrap_or_default() {
        if let Some(section) = Section::open(&value, "a mapping with alias and client_id") {
            desk.accept(section, default_offline_after);
        }
    }
}

/// Gives clients to brokers and sees that they can be told apart there.
struct ClientAssignment<'b> {
    brokers: &'b mut [ListedBroker],
    /// The brokers' numbers, by alias.
    numbers: HashMap<String, usize>,
    /// Whether the aliases of all brokers could be read, so that any other one is wrong.
    knows_all: bool,
    /// What is taken already, for each broker.
    taken: Vec<Taken>,
}

#[derive(Default, Clone)]
struct Taken {
    aliases: HashSet<String>,
    client_ids: HashSet<String>,
}

impl<'b> ClientAssignment<'b> {
    fn new(brokers: &'b mut [ListedBroker]) -> Self {
        let numbered = brokers.iter().enumerate();
        let numbers = numbered.filter_map(|(number, broker)| Some((broker.alias.clone()?, number))).collect();
        let knows_all = !brokers.is_empty() && brokers.iter().all(|broker| broker.alias.is_some());
        Self { numbers, knows_all, taken: vec![Taken::default(); brokers.len()], brokers }
    }

    fn accept(&mut self, mut section: Section<'_>, default_offline_after: Duration) {
        let alias = section.required("alias", ALIAS);
        let client_id = section.required("client_id", CLIENT_ID);
        let numbers = self.read_brokers(&mut section);
        let offline_after = section.optional("offline_after").and_then(|value| duration::read(&value));
        section.finish();

        let alias = alias.and_then(|value| self.read_alias(&value, &numbers));
        let client_id = client_id.and_then(|value| self.read_client_id(&value, &numbers));
        if let Some((alias, client_id)) = alias.zip(client_id) {
            let offline_after = offline_after.unwrap_or(default_offline_after);
            self.assign_to(&Arc::new(WatchedClient { alias, client_id, offline_after }), &numbers);
        }
    }

    /// The numbers of the brokers that a client is watched on.
    fn read_brokers(&self, section: &mut Section<'_>) -> Vec<usize> {
        if self.brokers.len() > 1 {
            let value = section.required("brokers", BROKERS);
            value.map(|value| self.read_broker_list(&value)).unwrap_or_default()
        } else {
            let value = section.optional("brokers");
            value.map_or_else(|| self.all(), |value| self.read_broker_list(&value))
        }
    }

    fn read_broker_list(&self, value: &Value<'_>) -> Vec<usize> {
        if value.as_text() == Some("*") {
            return self.all();
        }
        if !value.is_list() {
            return self.read_broker(value).into_iter().collect();
        }
        let elements = value.elements(BROKERS).unwrap_or_default();
        match elements.as_slice() {
            [] => value.error("must not be empty: a client is watched on some broker, or on all (\"*\")"),
            [only] if only.as_text() == Some("*") => return self.all(),
            _ => {}
        }
        let mut numbers = Vec::new();
        for element in &elements {
            match self.read_broker(element) {
                Some(number) if numbers.contains(&number) => element.error("is in this list already"),
                Some(number) => numbers.push(number),
                None => {}
            }
        }
        numbers
    }

    fn read_broker(&self, value: &Value<'_>) -> Option<usize> {
        let alias = value.line(BROKERS)?;
        if alias == "*" {
            return value.expected("alone in the list: * stands for all brokers");
        }
        let number = self.numbers.get(alias).copied();
        if number.is_none() && self.knows_all {
            value.error(format_args!("there is no broker {}", shown(alias)));
        }
        number
    }

    fn all(&self) -> Vec<usize> {
        (0..self.brokers.len()).collect()
    }

    fn read_alias(&mut self, value: &Value<'_>, numbers: &[usize]) -> Option<String> {
        let alias = value.line(ALIAS)?.to_owned();
        for number in numbers {
            if !self.taken[*number].aliases.insert(alias.clone()) {
                return value.expected("unique: another client of the same broker has this alias");
            }
        }
        Some(alias)
    }

    fn read_client_id(&mut self, value: &Value<'_>, numbers: &[usize]) -> Option<String> {
        let client_id = value.text(CLIENT_ID)?;
        if client_id.contains('\0') {
            return value.expected("without NUL: MQTT does not allow it");
        }
        if client_id.len() > LONGEST_CLIENT_ID {
            return value.expected(format_args!("at most {LONGEST_CLIENT_ID} bytes: MQTT allows no more"));
        }
        for number in numbers {
            self.check_request_line(value, client_id, *number);
            if !self.taken[*number].client_ids.insert(client_id.to_owned()) {
                return value.expected("unique: another client of the same broker has this client ID");
            }
        }
        Some(client_id.to_owned())
    }

    fn check_request_line(&self, value: &Value<'_>, client_id: &str, number: usize) {
        let Some(broker) = &self.brokers[number].broker else {
            return;
        };
        let length = request_line_bytes(&broker.api_url, client_id);
        if length > LONGEST_REQUEST_LINE {
            value.error(format_args!(
                "must be shorter: to look it up on {} takes a request line of {length} bytes, \
                 and EMQX reads at most {LONGEST_REQUEST_LINE}",
                shown(&broker.alias)
            ));
        }
    }

    fn assign_to(&mut self, client: &Arc<WatchedClient>, numbers: &[usize]) {
        for number in numbers {
            if let Some(broker) = &mut self.brokers[*number].broker {
                broker.clients.push(Arc::clone(client));
            }
        }
    }
}
