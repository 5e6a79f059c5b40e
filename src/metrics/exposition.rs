//! Writes the table of metrics in Prometheus' text format 0.0.4, or in `OpenMetrics` 1.0.0.
//!
//! The library's encoder takes three to six times as long for thousands of clients. The text comes in chunks of bounded
//! size, so that it is never in memory as a whole.

mod format;
mod labels;
mod value;

use std::ops::Range;

use bytes::Bytes;
use jiff::Timestamp;

use super::{
    CLIENT_METRICS, ClientMetric, ClientSamples, FLEET_METRICS, FamilyMeta, FleetMetric, FleetSamples,
    PROBE_METRICS, ProbeMetric, ProbeSamples, SampleValue,
};
use crate::client::Groups;
use crate::fleet::FleetResult;
use crate::outcome::Outcome;
pub use format::Format;
use labels::{LabelCache, prefixed_labels, push_label};
use value::write_value;

/// Approximate size of a chunk. Writing one takes no longer than handing it to another thread would.
const CHUNK_BYTES: usize = 64 * 1024;

/// Number of clients between checks of the chunk size.
const CLIENTS_PER_CHECK: usize = 16;

/// Approximate size of a family of that many clients.
const CHECK_BYTES: usize = 8 * 1024;

/// The text of an outcome, in chunks. A family may span chunks, but its HELP and TYPE lines are written once.
pub struct Exposition {
    outcome: Outcome,
    format: Format,
    /// The groups to write. More may have been requested.
    groups: Groups,
    labels: LabelCache,
    /// Index of the current family in both tables.
    family: usize,
    /// Index of the next client of that family.
    client: usize,
    /// Whether its HELP and TYPE lines are written: a family without samples has none.
    has_meta: bool,
    /// Whether the line that ends `OpenMetrics` is written.
    has_end: bool,
}

impl Exposition {
    /// Starts an exposition of `outcome` in the text format.
    #[must_use]
    pub fn new(outcome: Outcome) -> Self {
        Self::in_format(Format::Text, outcome.groups, outcome)
    }

    /// Starts an exposition of these groups of `outcome`.
    #[must_use]
    pub fn in_format(format: Format, groups: Groups, outcome: Outcome) -> Self {
        Self {
            outcome,
            format,
            groups,
            labels: LabelCache::default(),
            family: 0,
            client: 0,
            has_meta: false,
            has_end: format == Format::Text,
        }
    }

    /// Writes the next part; returns `false` at the end.
    fn write_part(&mut self, text: &mut Vec<u8>) -> bool {
        let has_more_clients = if let Some(metric) = PROBE_METRICS.get(self.family) {
            self.write_probe_family(metric, text);
            false
        } else if let Some(metric) = FLEET_METRICS.get(self.family - PROBE_METRICS.len()) {
            self.write_fleets(metric, text);
            false
        } else if let Some(metric) = CLIENT_METRICS.get(self.family - PROBE_METRICS.len() - FLEET_METRICS.len())
        {
            self.write_clients(metric, text)
        } else if self.has_end {
            return false;
        } else {
            self.has_end = true;
            text.extend_from_slice(b"# EOF\n");
            return true;
        };
        if !has_more_clients {
            (self.family, self.client, self.has_meta) = (self.family + 1, 0, false);
        }
        true
    }

    fn write_probe_family(&mut self, metric: &ProbeMetric, text: &mut Vec<u8>) {
        let mut sample = |labels: &[&str], value: SampleValue| {
            write_meta_once(&mut self.has_meta, &metric.family, self.format, text);
            write_sample(metric.family.name, labels, value, text);
        };
        match metric.samples {
            ProbeSamples::One(value) => sample(&[], value(&self.outcome)),
            ProbeSamples::Optional(value) => {
                if let Some(value) = value(&self.outcome) {
                    sample(&[], value);
                }
            }
            ProbeSamples::PerLabel(label, samples) => {
                for (label_value, value) in samples(&self.outcome) {
                    sample(&[label, "=\"", label_value, "\""], value);
                }
            }
            ProbeSamples::PerBrokerAndLabel(label, samples) => {
                let mut broker = String::new();
                push_label("broker", &self.outcome.broker, &mut broker);
                for (label_value, value) in samples(&self.outcome) {
                    sample(&[&broker, ",", label, "=\"", label_value, "\""], value);
                }
            }
        }
    }

    fn write_fleets(&mut self, metric: &FleetMetric, text: &mut Vec<u8>) {
        for FleetResult { fleet, counts } in self.outcome.fleets.iter().flatten() {
            let mut identity = String::new();
            push_label("broker", &self.outcome.broker, &mut identity);
            identity.push(',');
            push_label("fleet", &fleet.alias, &mut identity);
            let mut sample = |more: &str, value: u64| {
                write_meta_once(&mut self.has_meta, &metric.family, self.format, text);
                write_sample(metric.family.name, &[&identity, more], SampleValue::Count(value), text);
            };
            let mut per_label = |label: &str, values: Vec<(String, u64)>| {
                for (label_value, value) in values {
                    let mut more = String::from(",");
                    push_label(label, &label_value, &mut more);
                    sample(&more, value);
                }
            };
            match (&metric.samples, counts) {
                (FleetSamples::Configured(label, values), _) => per_label(label, values(fleet)),
                (FleetSamples::PerLabel(label, values), Some(counts)) => per_label(label, values(counts)),
                (FleetSamples::One(value), Some(counts)) => sample("", value(counts)),
                (FleetSamples::Labels(labels), _) => {
                    let labels = labels(fleet);
                    if !labels.is_empty() {
                        sample(&prefixed_labels(labels), 1);
                    }
                }
                (FleetSamples::One(_) | FleetSamples::PerLabel(..), None) => {}
            }
        }
    }

    /// Caches the labels of the next clients, and returns the index after them.
    fn cache_labels(&mut self) -> usize {
        let end = self.outcome.clients.len().min(self.client + CLIENTS_PER_CHECK);
        for client in self.outcome.clients[..end].iter().skip(self.labels.len()) {
            self.labels.push(&self.outcome.broker, client);
        }
        end
    }

    /// Writes the samples of the next clients; returns whether there are more.
    fn write_clients(&mut self, metric: &ClientMetric, text: &mut Vec<u8>) -> bool {
        if !self.groups.contains(metric.group) {
            return false;
        }
        let end = self.cache_labels();
        for index in self.client..end {
            let probed = &self.outcome.clients[index];
            let identity = self.labels.all(index);
            let start = match self.format {
                Format::Text => None,
                Format::OpenMetrics => metric.start,
            };
            let start = start.map(|start| probed.status.client().and_then(start));
            // A start that is unknown, or in the future for Prometheus, would be taken for a reset by a later scrape.
            let is_omitted =
                start.is_some_and(|start| start.is_none_or(|start| start > self.outcome.started_at));
            if is_omitted {
                continue;
            }
            let mut sample = |labels: &[&str], value: Option<SampleValue>| {
                let Some(value) = value else { return };
                write_meta_once(&mut self.has_meta, &metric.family, self.format, text);
                let written = write_sample(metric.family.name, labels, value, text);
                if let Some(start) = start.flatten() {
                    write_created(metric.family.name, &written, start, text);
                }
            };
            match (&metric.samples, probed.status.client()) {
                (ClientSamples::WithoutUsername(value), _) => {
                    sample(&[self.labels.without_username(index)], value(probed));
                }
                (ClientSamples::PerSubscription(label, value), _) => {
                    for subscription in probed.expected_subscriptions() {
                        let mut topic = String::from(",");
                        push_label(label, &subscription.topic, &mut topic);
                        sample(&[self.labels.without_username(index), &topic], Some(value(subscription)));
                    }
                }
                (ClientSamples::Labels(labels), _) => {
                    let Some(labels) = labels(probed) else { continue };
                    sample(
                        &[self.labels.without_username(index), &prefixed_labels(labels)],
                        Some(SampleValue::Count(1)),
                    );
                }
                (_, None) => {}
                (ClientSamples::One(value), Some(client)) => sample(&[identity], value(client)),
                (ClientSamples::PerLabel(label, values), Some(client)) => {
                    for (label_value, value) in *values {
                        sample(&[identity, ",", label, "=\"", label_value, "\""], value(client));
                    }
                }
                (ClientSamples::Info(labels), Some(client)) => {
                    let mut info = String::new();
                    for (label, value) in *labels {
                        info.push(',');
                        push_label(label, value(client).as_deref().unwrap_or_default(), &mut info);
                    }
                    sample(&[identity, &info], Some(SampleValue::Count(1)));
                }
            }
        }
        self.client = end;
        end < self.outcome.clients.len()
    }
}

impl Iterator for Exposition {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let mut text = Vec::with_capacity(CHUNK_BYTES);
        while text.len() < CHUNK_BYTES - CHECK_BYTES && self.write_part(&mut text) {}
        (!text.is_empty()).then(|| Bytes::from(text))
    }
}

/// Writes the HELP and TYPE lines unless they are written already.
fn write_meta_once(has_meta: &mut bool, family: &FamilyMeta, format: Format, text: &mut Vec<u8>) {
    if std::mem::replace(has_meta, true) {
        return;
    }
    let FamilyMeta { name, help, metric_type } = family;
    let name = match format {
        Format::Text => name,
        Format::OpenMetrics => counted(name),
    };
    for part in ["# HELP ", name, " ", help, "\n# TYPE ", name, " ", metric_type.name(), "\n"] {
        text.extend_from_slice(part.as_bytes());
    }
}

/// Returns the name of a counter without `_total`.
fn counted(name: &str) -> &str {
    name.strip_suffix("_total").unwrap_or(name)
}

/// Writes a sample, and returns where its labels are in the text.
fn write_sample(name: &str, labels: &[&str], value: SampleValue, text: &mut Vec<u8>) -> Range<usize> {
    text.extend_from_slice(name.as_bytes());
    let start = text.len();
    if !labels.is_empty() {
        text.push(b'{');
        for part in labels {
            text.extend_from_slice(part.as_bytes());
        }
        text.push(b'}');
    }
    let end = text.len();
    text.push(b' ');
    write_value(value, text);
    text.push(b'\n');
    start..end
}

/// Writes when the counter whose sample has these labels began. Only directly behind the sample does Prometheus find it
/// without searching the rest of the family.
fn write_created(name: &str, labels: &Range<usize>, start: Timestamp, text: &mut Vec<u8>) {
    text.extend_from_slice(counted(name).as_bytes());
    text.extend_from_slice(b"_created");
    text.extend_from_within(labels.clone());
    text.push(b' ');
    write_value(start.into(), text);
    text.push(b'\n');
}
