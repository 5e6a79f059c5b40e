//! The time series of one client, as a scrape gets them.

use std::collections::HashMap;

use crate::metrics::exposition::Exposition;
use crate::outcome::Outcome;

/// A time series of a client.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Series {
    /// Name of the metric.
    pub(super) name: String,
    /// Labels beside those that identify the client and its user name, as `PromQL` writes them.
    pub(super) labels: String,
    /// Value, as the exposition writes it.
    pub(super) value: String,
    /// Help text of the metric.
    pub(super) help: String,
}

/// The series of a client, and the labels that they have in common.
#[derive(Debug, Default)]
pub(super) struct ClientSeries {
    /// The labels that every series has, as `PromQL` writes them.
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

    /// Returns a `PromQL` selector of all series of the client: its broker and its alias, which the configuration keeps unique.
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
                let labels = labels.strip_prefix(&series.identity).map_or(labels, without_username);
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

/// Returns labels without the user name, which may come first.
fn without_username(labels: &str) -> &str {
    let Some(value) = labels.strip_prefix(",username=\"") else { return labels };
    let mut is_escaped = false;
    let end = value.find(|character| {
        let is_end = character == '"' && !is_escaped;
        is_escaped = character == '\\' && !is_escaped;
        is_end
    });
    end.map_or(labels, |end| &value[end + 1..])
}

/// Returns name, labels and value of a sample. A label may contain any of the characters that separate them.
fn parts(line: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = line.split_once('{')?;
    let (labels, value) = rest.rsplit_once("} ")?;
    Some((name, labels, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_are_read_from_the_exposition_whatever_their_labels_contain() {
        let evil = r#"a} 1,client_id=\"x\"\\\\"#;
        let identity = format!("broker=\"B\",alias=\"{evil}\",client_id=\"{evil}\"");
        let exposition = format!(
            "# HELP probe_success Whether.\n# TYPE probe_success gauge\nprobe_success 1\n\
             # HELP emqx_mqtt_client_connected Whether connected.\n# TYPE emqx_mqtt_client_connected gauge\n\
             emqx_mqtt_client_connected{{{identity}}} 1\n\
             emqx_mqtt_client_port{{{identity},username=\"{evil}\"}} 1883\n\
             emqx_mqtt_client_sent_messages_total{{{identity},username=\"\",qos=\"1\"}} 7\n"
        );
        let series = ClientSeries::read(&exposition);
        assert_eq!(series.selector(), format!("{{broker=\"B\",alias=\"{evil}\"}}"));
        let read: Vec<_> = series
            .series
            .iter()
            .map(|one| (one.name.as_str(), one.labels.as_str(), one.value.as_str(), one.help.as_str()))
            .collect();
        assert_eq!(
            read,
            [
                ("emqx_mqtt_client_connected", "", "1", "Whether connected."),
                ("emqx_mqtt_client_port", "", "1883", ""),
                ("emqx_mqtt_client_sent_messages_total", "qos=\"1\"", "7", ""),
            ]
        );
    }
}
