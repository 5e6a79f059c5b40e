//! A strict parser of Prometheus' text format 0.0.4. It shares no code with the exporter.

use std::collections::{BTreeMap, BTreeSet};

/// The labels of a series.
pub(crate) type Labels = BTreeMap<String, String>;

/// A parsed exposition.
#[derive(Debug, Default)]
pub(crate) struct Families {
    /// Types by name.
    pub(crate) types: BTreeMap<String, String>,
    /// Every sample.
    pub(crate) samples: Vec<Sample>,
}

#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: Labels,
    /// The value as written.
    pub(crate) value: String,
}

impl Families {
    /// Parses an exposition. Fails the test at anything that Prometheus refuses or silently drops: duplicate series or
    /// HELP and TYPE lines, a split family, a sample without a type, an invalid escape, a last line without end.
    pub(crate) fn parse(text: &str) -> Self {
        assert!(text.is_empty() || text.ends_with('\n'), "the last line has no line end");
        let mut families = Self::default();
        let (mut series, mut ended, mut current) = (BTreeSet::new(), BTreeSet::new(), String::new());
        let mut helps = BTreeSet::new();
        for line in text.lines() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, help) = help.split_once(' ').expect("a HELP line has a text");
                assert!(!help.is_empty(), "{name} has an empty help");
                assert!(helps.insert(name.to_owned()), "{name} has two HELP lines");
                continue;
            }
            if let Some(of) = line.strip_prefix("# TYPE ") {
                let (name, kind) = of.split_once(' ').expect("a TYPE line has a type");
                assert!(helps.contains(name), "{name} has a TYPE before its HELP");
                let before = families.types.insert(name.to_owned(), kind.to_owned());
                assert_eq!(before, None, "{name} has two TYPE lines");
                continue;
            }
            let sample = Sample::parse(line);
            let family = families.family_of(&sample.name);
            if family != current {
                assert!(ended.insert(current), "a family is split: {line}");
                assert!(!ended.contains(&family), "{family} is split");
                current = family;
            }
            assert!(series.insert((sample.name.clone(), sample.labels.clone())), "duplicate series: {line}");
            families.samples.push(sample);
        }
        families
    }

    fn family_of(&self, name: &str) -> String {
        let bare = ["_bucket", "_sum", "_count"]
            .iter()
            .filter_map(|suffix| name.strip_suffix(suffix))
            .find(|bare| self.types.get(*bare).is_some_and(|kind| kind == "histogram"));
        let family = bare.unwrap_or(name);
        assert!(self.types.contains_key(family), "{name} has no TYPE");
        family.to_owned()
    }

    /// The samples with this name and at least these labels.
    pub(crate) fn all(&self, name: &str, labels: &[(&str, &str)]) -> Vec<&Sample> {
        let bears = |sample: &Sample| {
            labels.iter().all(|(label, value)| sample.labels.get(*label).is_some_and(|of| of == value))
        };
        self.samples.iter().filter(|sample| sample.name == name && bears(sample)).collect()
    }

    /// The value of the only such sample, as written; `None` without such a sample.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<&str> {
        let found = self.all(name, labels);
        assert!(found.len() < 2, "{name}{labels:?} is more than one series");
        found.first().map(|sample| sample.value.as_str())
    }

    /// The failure reasons of the probe.
    pub(crate) fn reasons(&self) -> Vec<&str> {
        self.samples
            .iter()
            .filter(|sample| sample.name == "emqx_probe_failure_reason" && sample.value == "1")
            .map(|sample| sample.labels["reason"].as_str())
            .collect()
    }

    /// Returns whether the probe succeeded.
    pub(crate) fn success(&self) -> bool {
        match self.value("probe_success", &[]) {
            Some("1") => true,
            Some("0") => false,
            other => panic!("probe_success is {other:?}"),
        }
    }

    /// Asserts that the probe failed for these reasons within its deadline, and that every watched client is unknown.
    pub(crate) fn assert_nothing_known(&self, reasons: &[&str]) {
        assert!(!self.success());
        assert_eq!(self.reasons(), reasons);
        self.assert_in_time();
        let of_clients = |sample: &&Sample| sample.name.starts_with("emqx_mqtt_client");
        let claims: Vec<_> = self
            .samples
            .iter()
            .filter(of_clients)
            .filter(|sample| sample.name != "emqx_mqtt_client_offline_threshold_seconds")
            .filter(|sample| sample.labels.get("state").is_none_or(|state| state != "unknown"))
            .collect();
        assert!(claims.is_empty(), "{claims:?}");
        let watched = self.all("emqx_mqtt_client_offline_threshold_seconds", &[]).len().to_string();
        assert_eq!(self.value("emqx_mqtt_clients", &[("state", "unknown")]), Some(watched.as_str()));
    }

    /// Asserts that the reported duration is within the reported deadline.
    pub(crate) fn assert_in_time(&self) {
        let seconds = |name| self.value(name, &[]).and_then(|value| value.parse::<f64>().ok()).expect(name);
        let (took, allowed) = (seconds("probe_duration_seconds"), seconds("probe_timeout_seconds"));
        assert!(took <= allowed + 0.1, "it took {took} s of {allowed} s");
    }

    /// The names of all series of this client.
    pub(crate) fn series_names(&self, alias: &str) -> BTreeSet<&str> {
        let of_alias = |sample: &&Sample| sample.labels.get("alias").is_some_and(|of| of == alias);
        self.samples.iter().filter(of_alias).map(|sample| sample.name.as_str()).collect()
    }
}

impl Sample {
    fn parse(line: &str) -> Self {
        let name_end = line.find(['{', ' ']).unwrap_or_else(|| panic!("no sample: {line}"));
        let (name, rest) = line.split_at(name_end);
        assert!(
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b':'),
            "{line}"
        );
        let (labels, rest) = match rest.strip_prefix('{') {
            Some(labels) => parse_labels(labels, line),
            None => (Labels::new(), rest),
        };
        let value = rest.strip_prefix(' ').unwrap_or_else(|| panic!("no value: {line}"));
        let special = ["+Inf", "-Inf", "NaN"].contains(&value);
        assert!(special || value.parse::<f64>().is_ok_and(f64::is_finite), "no number: {line}");
        Self { name: name.to_owned(), labels, value: value.to_owned() }
    }
}

/// Parses `name="value",...}`. Returns the labels and the rest of the line.
fn parse_labels<'a>(mut rest: &'a str, line: &str) -> (Labels, &'a str) {
    let mut labels = Labels::new();
    loop {
        let (name, after) = rest.split_once("=\"").unwrap_or_else(|| panic!("no label: {line}"));
        assert!(!name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'), "{line}");
        let mut value = String::new();
        let mut characters = after.char_indices();
        let end = loop {
            match characters.next() {
                Some((at, '"')) => break at + 1,
                Some((_, '\\')) => match characters.next() {
                    Some((_, '\\')) => value.push('\\'),
                    Some((_, '"')) => value.push('"'),
                    Some((_, 'n')) => value.push('\n'),
                    other => panic!("invalid escape {other:?} in {line}"),
                },
                Some((_, character)) => value.push(character),
                None => panic!("unterminated label value: {line}"),
            }
        };
        assert_eq!(labels.insert(name.to_owned(), value), None, "duplicate label: {line}");
        rest = &after[end..];
        match rest.as_bytes().first() {
            Some(b',') => rest = &rest[1..],
            Some(b'}') => return (labels, &rest[1..]),
            _ => panic!("unterminated labels: {line}"),
        }
    }
}

#[test]
#[should_panic(expected = "duplicate series")]
fn duplicate_series_are_found() {
    Families::parse("# HELP a b\n# TYPE a gauge\na{x=\"1\",y=\"2\"} 1\na{y=\"2\",x=\"1\"} 1\n");
}

#[test]
#[should_panic(expected = "a is split")]
fn split_families_are_found() {
    Families::parse(
        "# HELP a b\n# TYPE a gauge\n# HELP b b\n# TYPE b gauge\na{x=\"1\"} 1\nb 1\na{x=\"2\"} 1\n",
    );
}
