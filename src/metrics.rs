//! The table of metrics: every metric family of a probe, with its name, help, type and value.
//!
//! Adding a metric is one entry. [`exposition`] writes the table and knows none of its entries.

mod client_metrics;
pub mod exposition;
mod fleet_metrics;
mod probe_metrics;

use jiff::Timestamp;

use crate::client::{BanEnd, Client, ExpiryInterval, Group, Labels, Limit};
use crate::fleet::{Fleet, FleetCounts};
use crate::outcome::{ExpectedSubscription, Outcome, ProbedClient};
use client_metrics::CLIENT_METRICS;
use fleet_metrics::FLEET_METRICS;
use probe_metrics::PROBE_METRICS;

/// Returns every metric family of a probe, in the order of the exposition.
pub fn families() -> impl Iterator<Item = &'static FamilyMeta> {
    let probe = PROBE_METRICS.iter().map(|metric| &metric.family);
    let fleets = FLEET_METRICS.iter().map(|metric| &metric.family);
    probe.chain(fleets).chain(CLIENT_METRICS.iter().map(|metric| &metric.family))
}

/// Name, help and type of a metric family.
#[derive(Debug, Clone, Copy)]
pub struct FamilyMeta {
    /// Full name.
    pub name: &'static str,
    /// Help text: what is measured, in which unit, and what resets it.
    pub help: &'static str,
    /// Metric type.
    pub metric_type: MetricType,
}

/// Type of a metric family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricType {
    /// A value that goes up and down.
    Gauge,
    /// A count that is reset to 0 by a new connection or session.
    Counter,
}

impl MetricType {
    /// Returns its name in the `# TYPE` line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
        }
    }
}

/// A family about the probe as a whole.
struct ProbeMetric {
    family: FamilyMeta,
    samples: ProbeSamples,
}

/// Samples of a family about the probe.
enum ProbeSamples {
    /// One sample.
    One(fn(&Outcome) -> SampleValue),
    /// One sample, if there is a value.
    Optional(fn(&Outcome) -> Option<SampleValue>),
    /// One sample for each value of a label.
    PerLabel(&'static str, fn(&Outcome) -> Vec<(&'static str, SampleValue)>),
    /// The same, with `broker` as the first label.
    PerBrokerAndLabel(&'static str, fn(&Outcome) -> Vec<(&'static str, SampleValue)>),
}

/// A family about a fleet.
struct FleetMetric {
    family: FamilyMeta,
    samples: FleetSamples,
}

/// Samples of one fleet.
enum FleetSamples {
    /// One sample of what was counted.
    One(fn(&FleetCounts) -> u64),
    /// One sample for each value of a label, of what was counted.
    PerLabel(&'static str, fn(&FleetCounts) -> Vec<(String, u64)>),
    /// One sample for each value of a label, of what is configured.
    Configured(&'static str, fn(&Fleet) -> Vec<(String, u64)>),
    /// One sample of value 1 with the labels of the configuration.
    Labels(fn(&Fleet) -> &Labels),
}

/// A family about a client.
struct ClientMetric {
    family: FamilyMeta,
    group: Group,
    /// When the counts of a counter began.
    start: Option<Getter<Timestamp>>,
    samples: ClientSamples,
}

/// Returns a value of a client, if the broker reported it.
type Getter<T> = fn(&Client) -> Option<T>;

/// Samples of one client, without the labels that identify it.
enum ClientSamples {
    /// One sample that exists without the client's row, and so has no `username` label.
    WithoutUsername(fn(&ProbedClient) -> Option<SampleValue>),
    /// One sample for each expected subscription, by its label; the same holds for it.
    PerSubscription(&'static str, fn(&ExpectedSubscription) -> SampleValue),
    /// One sample of value 1 with the labels of the configuration, whatever is known about the client.
    Labels(fn(&ProbedClient) -> Option<&Labels>),
    /// One sample.
    One(Getter<SampleValue>),
    /// One sample for each value of a label.
    PerLabel(&'static str, &'static [(&'static str, Getter<SampleValue>)]),
    /// One sample of value 1 with these labels. A label without a value is empty.
    Info(&'static [(&'static str, Getter<String>)]),
}

/// The value of a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
enum SampleValue {
    /// A count, written with all digits.
    Count(u64),
    /// A time, written in seconds since 1970.
    Timestamp(Timestamp),
    /// A finite number.
    Float(f64),
    /// `+Inf`.
    Infinity,
}

impl From<u64> for SampleValue {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<bool> for SampleValue {
    fn from(flag: bool) -> Self {
        Self::Count(flag.into())
    }
}

impl From<Timestamp> for SampleValue {
    fn from(time: Timestamp) -> Self {
        Self::Timestamp(time)
    }
}

impl From<Limit> for SampleValue {
    fn from(limit: Limit) -> Self {
        match limit {
            Limit::AtMost(most) => Self::Count(most),
            Limit::Unlimited => Self::Infinity,
        }
    }
}

impl From<BanEnd> for SampleValue {
    fn from(end: BanEnd) -> Self {
        match end {
            BanEnd::At(time) => Self::Timestamp(time),
            BanEnd::Never => Self::Infinity,
        }
    }
}

impl From<ExpiryInterval> for SampleValue {
    fn from(interval: ExpiryInterval) -> Self {
        match interval {
            ExpiryInterval::Seconds(seconds) => Self::Count(seconds),
            ExpiryInterval::Never => Self::Infinity,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_name_is_legal_and_used_once() {
        let mut seen = BTreeSet::new();
        for family in families() {
            let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
            assert!(family.name.bytes().all(legal), "{}", family.name);
            assert!(family.name.starts_with("emqx_") || family.name.starts_with("probe_"), "{}", family.name);
            assert!(seen.insert(family.name), "{} is there twice", family.name);
        }
    }

    #[test]
    fn counters_and_only_counters_end_in_total() {
        for family in families() {
            assert_eq!(
                family.metric_type == MetricType::Counter,
                family.name.ends_with("_total"),
                "{}",
                family.name
            );
        }
    }

    #[test]
    fn counters_of_clients_and_only_these_have_a_start() {
        for metric in CLIENT_METRICS {
            let is_counter = metric.family.metric_type == MetricType::Counter;
            assert_eq!(metric.start.is_some(), is_counter, "{}", metric.family.name);
        }
        // Counters without a start have no place in OpenMetrics.
        let of_probe = PROBE_METRICS.iter().filter(|metric| metric.family.metric_type == MetricType::Counter);
        assert_eq!(of_probe.count(), 0);
    }

    #[test]
    fn every_help_is_one_line_of_whole_sentences() {
        for family in families() {
            assert!(family.help.len() > 20 && family.help.ends_with('.'), "{}", family.name);
            assert!(!family.help.contains(['\n', '\\', '"']) && !family.help.contains("  "), "{}", family.name);
        }
    }

    #[test]
    fn a_client_without_groups_has_no_samples() {
        let client = Client::default();
        for metric in CLIENT_METRICS {
            match metric.samples {
                ClientSamples::One(value) => assert_eq!(value(&client), None, "{}", metric.family.name),
                ClientSamples::PerLabel(_, values) => {
                    assert!(values.iter().all(|(_, value)| value(&client).is_none()), "{}", metric.family.name);
                }
                ClientSamples::WithoutUsername(_)
                | ClientSamples::PerSubscription(..)
                | ClientSamples::Labels(_)
                | ClientSamples::Info(_) => {}
            }
        }
    }
}
