//! Labels of samples.

use crate::client::Labels;
use crate::outcome::ProbedClient;

/// The labels that identify each client, escaped once for all families.
#[derive(Default)]
pub(super) struct LabelCache {
    /// The labels of all clients, one after another.
    text: String,
    ranges: Vec<LabelRange>,
}

/// The range of a client in the text.
struct LabelRange {
    start: usize,
    /// Start of the label `username`, which not every family has.
    username: usize,
    end: usize,
}

impl LabelCache {
    /// Returns how many clients it has.
    pub(super) fn len(&self) -> usize {
        self.ranges.len()
    }

    /// Adds the labels of the next client.
    pub(super) fn push(&mut self, broker: &str, client: &ProbedClient) {
        let labels = &mut self.text;
        let start = labels.len();
        push_label("broker", broker, labels);
        labels.push(',');
        push_label("alias", client.alias(), labels);
        labels.push(',');
        push_label("client_id", client.client_id(), labels);
        let username = labels.len();
        if let Some(client) = client.status.client() {
            labels.push(',');
            push_label("username", client.username.as_deref().unwrap_or_default(), labels);
        }
        self.ranges.push(LabelRange { start, username, end: labels.len() });
    }

    /// Returns the labels of a series that comes from a response.
    pub(super) fn all(&self, client: usize) -> &str {
        let LabelRange { start, end, .. } = self.ranges[client];
        &self.text[start..end]
    }

    /// Returns the labels of a series that exists without a response.
    pub(super) fn without_username(&self, client: usize) -> &str {
        let LabelRange { start, username, .. } = self.ranges[client];
        &self.text[start..username]
    }
}

/// Returns the labels of the configuration as kube-state-metrics writes those of Kubernetes.
pub(super) fn prefixed_labels(labels: &Labels) -> String {
    let mut text = String::new();
    for (name, value) in labels.iter() {
        text.push_str(",label_");
        push_label(name, value, &mut text);
    }
    text
}

/// Appends `name="value"`, escaped as the format requires.
pub(super) fn push_label(name: &str, value: &str, labels: &mut String) {
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
