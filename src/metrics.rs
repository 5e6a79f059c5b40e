//! The table of metrics: every family a probe tells, what it is called and where its value comes from.
//!
//! Adding a metric is one entry. [`exposition`] writes what the table says, and knows none of its entries.

mod client;
pub mod exposition;
mod probe;

use jiff::Timestamp;

use crate::client::{Client, ExpiryInterval, Group, Limit};
use crate::outcome::{Outcome, ProbedClient};
use client::CLIENT_METRICS;
use probe::{OUTCOME_METRICS, TOLD_METRICS};

/// The families of all families a probe may tell, in the order they are told.
pub fn families() -> impl Iterator<Item = &'static FamilyMeta> {
    let outcome = OUTCOME_METRICS.iter().map(|metric| &metric.family);
    let told = TOLD_METRICS.iter().map(|metric| &metric.family);
    let client = CLIENT_METRICS.iter().map(|metric| &metric.family);
    outcome.chain(told).chain(client)
}

/// Name, help and type of a family.
#[derive(Debug, Clone, Copy)]
pub struct FamilyMeta {
    /// Its whole name.
    pub name: &'static str,
    /// What a person reads about it: what is counted, in which unit, and what resets it.
    pub help: &'static str,
    /// Whether it only ever grows.
    pub kind: Kind,
}

/// The type of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Goes up and down.
    Gauge,
    /// Grows, and begins at 0 again with a new connection or session.
    Counter,
}

impl Kind {
    /// The word of the `# TYPE` line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
        }
    }
}

/// A family about the probe as a whole.
struct OutcomeMetric {
    family: FamilyMeta,
    samples: OutcomeSamples,
}

/// What such a family says.
enum OutcomeSamples {
    /// One sample.
    One(fn(&Outcome) -> Value),
    /// A sample for each value of one label.
    Each(&'static str, fn(&Outcome) -> Vec<(&'static str, Value)>),
    /// The same, with the broker as the first label.
    EachOfBroker(&'static str, fn(&Outcome) -> Vec<(&'static str, Value)>),
}

/// A family about an asked-for client, which needs no description by the broker and so bears no user name.
struct ToldMetric {
    family: FamilyMeta,
    value: fn(&ProbedClient) -> Option<Value>,
}

/// A family about a client that the broker described.
struct ClientMetric {
    family: FamilyMeta,
    group: Group,
    samples: Samples,
}

/// Where something told of a client comes from.
type Fact<T> = fn(&Client) -> Option<T>;

/// What such a family says of one client, besides who it is.
enum Samples {
    /// One sample.
    One(Fact<Value>),
    /// A sample for each value of one label.
    Each(&'static str, &'static [(&'static str, Fact<Value>)]),
    /// A sample of value 1 whose labels are what is told. A label that is not known is empty.
    Info(&'static [(&'static str, Fact<String>)]),
}

/// The value of a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Value {
    /// A count, written in full.
    Count(u64),
    /// A moment, told in seconds since 1970.
    Moment(Timestamp),
    /// Anything measured; a finite number.
    Measured(f64),
    /// More than any number.
    Infinity,
}

impl From<u64> for Value {
    fn from(count: u64) -> Self {
        Self::Count(count)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Count(flag.into())
    }
}

impl From<Timestamp> for Value {
    fn from(moment: Timestamp) -> Self {
        Self::Moment(moment)
    }
}

impl From<Limit> for Value {
    fn from(limit: Limit) -> Self {
        match limit {
            Limit::AtMost(most) => Self::Count(most),
            Limit::Unlimited => Self::Infinity,
        }
    }
}

impl From<ExpiryInterval> for Value {
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
            assert_eq!(family.kind == Kind::Counter, family.name.ends_with("_total"), "{}", family.name);
        }
    }

    #[test]
    fn every_help_is_one_line_of_whole_sentences() {
        for family in families() {
            assert!(family.help.len() > 20 && family.help.ends_with('.'), "{}", family.name);
            assert!(!family.help.contains(['\n', '\\']) && !family.help.contains("  "), "{}", family.name);
        }
    }

    #[test]
    fn a_client_of_no_group_has_no_samples() {
        let client = Client::default();
        for metric in CLIENT_METRICS {
            match metric.samples {
                Samples::One(value) => assert_eq!(value(&client), None, "{}", metric.family.name),
                Samples::Each(_, values) => {
                    assert!(values.iter().all(|(_, value)| value(&client).is_none()), "{}", metric.family.name);
                }
                Samples::Info(_) => {}
            }
        }
    }
}
