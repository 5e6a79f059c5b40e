//! Prometheus' text format, version 0.0.4, written from the table of metrics.
//!
//! A writer of our own, because the library's encoder costs three to six times as much for a fleet of thousands.
//! The text comes in pieces of bounded size, so that a large one never has to be in memory as a whole.

use std::io::Write as _;

use bytes::Bytes;

use super::{
    CLIENT_METRICS, ClientMetric, FamilyMeta, OUTCOME_METRICS, OutcomeMetric, OutcomeSamples, Samples,
    TOLD_METRICS, ToldMetric, Value,
};
use crate::outcome::{Outcome, ProbedClient};

/// The content type of the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A piece is about so long. Writing it takes no longer than handing it to another thread would.
const PIECE_BYTES: usize = 64 * 1024;

/// After so many clients the size of the piece is looked at again.
const STRIDE: usize = 16;

/// About what a family may need for so many clients.
const STRIDE_BYTES: usize = 8 * 1024;

/// The text that tells an outcome, in pieces. Each family is one block with one family, whatever the pieces.
pub struct Exposition {
    outcome: Outcome,
    /// Who the clients are that were written of.
    identities: Identities,
    /// The family being written, counted through all three tables.
    family: usize,
    /// The client of that family that comes next.
    client: usize,
    /// Whether that family has its family.
    headed: bool,
}

/// Who each client is, as labels that are escaped once for all families.
#[derive(Default)]
struct Identities {
    /// Those of all clients, one after another.
    labels: String,
    of_client: Vec<Identity>,
}

/// Where the labels of a client are.
struct Identity {
    start: usize,
    /// Where the user name begins, which not every family bears.
    without_username: usize,
    end: usize,
}

impl Exposition {
    /// Prepares to tell `outcome`.
    #[must_use]
    pub fn new(outcome: Outcome) -> Self {
        Self { outcome, identities: Identities::default(), family: 0, client: 0, headed: false }
    }

    /// Writes some more; `false` when everything has been written.
    fn write_some(&mut self, text: &mut Vec<u8>) -> bool {
        let (outcome, told) = (OUTCOME_METRICS.len(), TOLD_METRICS.len());
        let more_clients = if let Some(metric) = OUTCOME_METRICS.get(self.family) {
            self.write_outcome(metric, text);
            false
        } else if let Some(metric) = TOLD_METRICS.get(self.family - outcome) {
            self.write_told(metric, text)
        } else if let Some(metric) = CLIENT_METRICS.get(self.family - outcome - told) {
            self.write_clients(metric, text)
        } else {
            return false;
        };
        if !more_clients {
            (self.family, self.client, self.headed) = (self.family + 1, 0, false);
        }
        true
    }

    fn write_outcome(&mut self, metric: &OutcomeMetric, text: &mut Vec<u8>) {
        let name = metric.family.name;
        write_family_meta(&metric.family, text);
        match metric.samples {
            OutcomeSamples::One(value) => write_sample(name, &[], value(&self.outcome), text),
            OutcomeSamples::Each(label, samples) => {
                for (of, value) in samples(&self.outcome) {
                    write_sample(name, &[label, "=\"", of, "\""], value, text);
                }
            }
            OutcomeSamples::EachOfBroker(label, samples) => {
                let mut broker = String::new();
                push_label("broker", &self.outcome.broker, &mut broker);
                for (of, value) in samples(&self.outcome) {
                    write_sample(name, &[&broker, ",", label, "=\"", of, "\""], value, text);
                }
            }
        }
    }

    /// Sees to it that the next clients of the family have their identities, and says where they end.
    fn identify_some(&mut self) -> usize {
        let end = self.outcome.clients.len().min(self.client + STRIDE);
        for told in self.outcome.clients[..end].iter().skip(self.identities.of_client.len()) {
            self.identities.push(&self.outcome.broker, told);
        }
        end
    }

    /// Writes a family of all asked-for clients on; whether there are more of them.
    fn write_told(&mut self, metric: &ToldMetric, text: &mut Vec<u8>) -> bool {
        let end = self.identify_some();
        for index in self.client..end {
            if let Some(value) = (metric.value)(&self.outcome.clients[index]) {
                self.head(&metric.family, text);
                write_sample(metric.family.name, &[self.identities.anonymous(index)], value, text);
            }
        }
        self.client = end;
        end < self.outcome.clients.len()
    }

    /// Writes a family of described clients on; whether there are more of them.
    fn write_clients(&mut self, metric: &ClientMetric, text: &mut Vec<u8>) -> bool {
        if !self.outcome.groups.contains(metric.group) {
            return false;
        }
        let name = metric.family.name;
        let end = self.identify_some();
        for index in self.client..end {
            // Taken apart, so that the family can be noted while the client is looked at.
            let Self { outcome, identities, headed, .. } = self;
            let Some(client) = outcome.clients[index].status.client() else { continue };
            let identity = identities.full(index);
            let mut sample = |labels: &[&str], value: Value| {
                if !std::mem::replace(headed, true) {
                    write_family_meta(&metric.family, text);
                }
                write_sample(name, labels, value, text);
            };
            match metric.samples {
                Samples::One(value) => {
                    if let Some(value) = value(client) {
                        sample(&[identity], value);
                    }
                }
                Samples::Each(label, values) => {
                    for (of, value) in values {
                        if let Some(value) = value(client) {
                            sample(&[identity, ",", label, "=\"", of, "\""], value);
                        }
                    }
                }
                Samples::Info(labels) => {
                    let mut told = String::new();
                    for (label, value) in labels {
                        told.push(',');
                        push_label(label, value(client).as_deref().unwrap_or_default(), &mut told);
                    }
                    sample(&[identity, &told], Value::Count(1));
                }
            }
        }
        self.client = end;
        end < self.outcome.clients.len()
    }

    /// Writes the family of a family before its first sample: a family without samples has none.
    fn head(&mut self, family: &FamilyMeta, text: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.headed, true) {
            write_family_meta(family, text);
        }
    }
}

impl Iterator for Exposition {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let mut text = Vec::with_capacity(PIECE_BYTES);
        while text.len() < PIECE_BYTES - STRIDE_BYTES && self.write_some(&mut text) {}
        (!text.is_empty()).then(|| Bytes::from(text))
    }
}

impl Identities {
    /// Takes in the next client of `broker`.
    fn push(&mut self, broker: &str, told: &ProbedClient) {
        let labels = &mut self.labels;
        let start = labels.len();
        push_label("broker", broker, labels);
        labels.push(',');
        push_label("alias", told.alias(), labels);
        labels.push(',');
        push_label("client_id", told.client_id(), labels);
        let without_username = labels.len();
        if let Some(client) = told.status.client() {
            labels.push(',');
            push_label("username", client.username.as_deref().unwrap_or_default(), labels);
        }
        self.of_client.push(Identity { start, without_username, end: labels.len() });
    }

    /// The labels of a series that tells what the broker says of the client.
    fn full(&self, client: usize) -> &str {
        let Identity { start, end, .. } = self.of_client[client];
        &self.labels[start..end]
    }

    /// The labels of a series that exists without a description by the broker.
    fn anonymous(&self, client: usize) -> &str {
        let Identity { start, without_username, .. } = self.of_client[client];
        &self.labels[start..without_username]
    }
}

fn write_family_meta(family: &FamilyMeta, text: &mut Vec<u8>) {
    let FamilyMeta { name, help, kind } = family;
    for part in ["# HELP ", name, " ", help, "\n# TYPE ", name, " ", kind.name(), "\n"] {
        text.extend_from_slice(part.as_bytes());
    }
}

fn write_sample(name: &str, labels: &[&str], value: Value, text: &mut Vec<u8>) {
    text.extend_from_slice(name.as_bytes());
    if !labels.is_empty() {
        text.push(b'{');
        for part in labels {
            text.extend_from_slice(part.as_bytes());
        }
        text.push(b'}');
    }
    text.push(b' ');
    write_value(value, text);
    text.push(b'\n');
}

fn write_value(value: Value, text: &mut Vec<u8>) {
    match value {
        Value::Count(count) => text.extend_from_slice(itoa::Buffer::new().format(count).as_bytes()),
        Value::Infinity => text.extend_from_slice(b"+Inf"),
        Value::Measured(measured) => write_float(measured, text),
        Value::Moment(moment) => {
            let milliseconds = moment.as_millisecond();
            match (u64::try_from(milliseconds), milliseconds % 1000) {
                (Ok(whole), 0) => text.extend_from_slice(itoa::Buffer::new().format(whole / 1000).as_bytes()),
                (Ok(whole), rest) => {
                    text.extend_from_slice(itoa::Buffer::new().format(whole / 1000).as_bytes());
                    let [hundreds, tens, ones] = [rest / 100, rest / 10 % 10, rest % 10].map(digit);
                    text.extend_from_slice(&[b'.', hundreds, tens, ones]);
                }
                (Err(_), _) => write_float(milliseconds as f64 / 1000.0, text),
            }
        }
    }
}

fn digit(number: i64) -> u8 {
    b'0' + u8::try_from(number).unwrap_or_default()
}

fn write_float(number: f64, text: &mut Vec<u8>) {
    // Writing to memory does not fail.
    let _ = write!(text, "{number}");
}

/// Adds `name="value"` with the escapes of the format.
fn push_label(name: &str, value: &str, labels: &mut String) {
    labels.push_str(name);
    labels.push_str("=\"");
    let mut rest = value;
    while let Some(at) = rest.find(['\\', '"', '\n']) {
        labels.push_str(&rest[..at]);
        labels.push_str(match rest.as_bytes()[at] {
            b'\\' => "\\\\",
            b'"' => "\\\"",
            _ => "\\n",
        });
        rest = &rest[at + 1..];
    }
    labels.push_str(rest);
    labels.push('"');
}
