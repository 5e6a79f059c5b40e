//! Reads the labels of the user's choice.

use std::collections::HashSet;
use std::sync::Arc;

use crate::client::Labels;
use crate::config::node_ref::NodeRef;

const EXPECTED: &str = "a mapping of label names to values, such as {site: north}";

/// Maximum number of labels of a client.
const MAX_LABELS: usize = 32;

/// Maximum length of a name and of a value. Prometheus keeps each in memory for every series.
const MAX_BYTES: usize = 256;

/// The labels read so far. Thousands of clients have the same names, values, and often sets of labels.
#[derive(Default)]
pub(in crate::config) struct SharedLabels {
    texts: HashSet<Arc<str>>,
    sets: HashSet<Labels>,
}

impl SharedLabels {
    /// Reads the labels at `value`. A label without a value is none, as in Prometheus.
    pub(in crate::config) fn read(&mut self, value: &NodeRef<'_>) -> Labels {
        let entries = value.entries(EXPECTED).unwrap_or_default();
        let mut labels: Vec<(Arc<str>, Arc<str>)> = Vec::new();
        for (name, entry) in entries {
            let Some(name_text) = read_name(&name) else { continue };
            if labels.iter().any(|(other, _)| **other == *name_text) {
                name.under(name_text).error("duplicate label; keep one of them");
            } else if let Some(text) = read_value(&entry.under(name_text)) {
                if labels.len() == MAX_LABELS {
                    value.error(format_args!("too many labels; at most {MAX_LABELS} are possible"));
                    return Labels::default();
                }
                labels.push((self.share(name_text), self.share(text)));
            }
        }
        let labels = Labels::from_iter(labels);
        self.sets.get(&labels).cloned().unwrap_or_else(|| {
            self.sets.insert(labels.clone());
            labels
        })
    }

    fn share(&mut self, text: &str) -> Arc<str> {
        self.texts.get(text).cloned().unwrap_or_else(|| {
            let shared = Arc::from(text);
            self.texts.insert(Arc::clone(&shared));
            shared
        })
    }
}

fn read_name<'d>(name: &NodeRef<'d>) -> Option<&'d str> {
    let text = name.as_text().unwrap_or_default();
    if is_label_name(text) {
        return Some(text);
    }
    name.refuse(format_args!(
        "label names consist of letters, digits and _, do not begin with a digit or with __, and have at most {MAX_BYTES} \
         characters"
    ))
}

/// Returns whether this is the name of a label in Prometheus, and not one of those that Prometheus keeps for itself.
pub(super) fn is_label_name(text: &str) -> bool {
    let is_first = |first: char| first == '_' || first.is_ascii_alphabetic();
    text.starts_with(is_first)
        && !text.starts_with("__")
        && text.len() <= MAX_BYTES
        && text.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
}

fn read_value<'d>(value: &NodeRef<'d>) -> Option<&'d str> {
    if value.is_null() || value.as_text() == Some("") {
        return None;
    }
    let text = value.line("a text")?;
    if text.len() > MAX_BYTES {
        return value.refuse(format_args!("too long; a label has at most {MAX_BYTES} bytes"));
    }
    Some(text)
}
