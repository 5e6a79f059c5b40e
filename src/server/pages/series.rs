//! The time series of one client, as a scrape gets them.

use std::collections::HashMap;

use crate::metrics::exposition::Exposition;
use crate::outcome::Outcome;

/// A time series of a client.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Series {
    /// Name of the metric.
    pub(super) name: String,
    /// Labels beside those that identify the client, as PromQL writes them.
    pub(super) labels: String,
    /// Value, as the exposition writes it.
    pub(super) value: String,
    /// Help text of the metric.
    pub(super) help: String,
}

/// The series of a client, and the labels that they have in common.
#[derive(Debug, Default)]
pub(super) struct ClientSeries {
    /// The labels that every series has, as PromQL writes them.
    pub(super) identity: String,
    /// The series, in the order of the exposition.
    pub(super) series: Vec<Series>,
}

impl ClientSeries {
    /// Reads the series of a probe that requested one client from its exposition.
    pub(super) fn of(outcome: Outcome) -> Self {
        let text: Vec<u8> = Exposition::new(outcome).flatten().collect();
        Self::read(&String::from_utf8_lossy(&text))
    }

    /// Returns a PromQL selector of all series of the client: its broker and its alias, which the configuration keeps unique.
    pub(super) fn selector(&self) -> String {
        // Quotes in the values are escaped, so that this is the label itself.
        let labels = self.identity.split_once(",client_id=\"").map_or("", |(labels, _)| labels);
        format!("{{{labels}}}")
    }

    fn read(exposition: &str) -> Self {
        let mut help = HashMap::new();
        let mut series = Self::default();
        for line in exposition.lines() {
            if let Some((name, text)) = line.strip_prefix("# HELP ").and_then(|rest| rest.split_once(' ')) {
                help.insert(name, text);
            } else if line.starts_with("emqx_mqtt_client_")
                && let Some((name, labels, value)) = parts(line)
            {
                if series.identity.is_empty() {
                    // The first series is one of the state, which has no other labels.
                    labels.clone_into(&mut series.identity);
                }
                let labels = labels.strip_prefix(&series.identity).unwrap_or(labels);
                series.series.push(Series {
                    name: name.to_owned(),
                    labels: labels.trim_start_matches(',').to_owned(),
                    value: value.to_owned(),
                    help: help.get(name).copied().unwrap_or_default().to_owned(),
                });
            }
        }
        series
    }
}

/// Returns name, labels and value of a sample. A label may contain any of the characters that separate them.
fn parts(line: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = line.split_once('{')?;
    let (labels, value) = rest.rsplit_once("} ")?;
    Some((name, labels, value))
}
