//! A reader of Prometheus' text format 0.0.4 that shares no code with the writer and forgives nothing.

use std::collections::{BTreeMap, BTreeSet};

/// The labels of a series.
pub(crate) type Labels = BTreeMap<String, String>;

/// All that an exposition says.
#[derive(Debug, Default)]
pub(crate) struct Families {
    /// Type by name, in no order.
    pub(crate) types: BTreeMap<String, String>,
    /// Every sample.
    pub(crate) samples: Vec<Sample>,
}

#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: Labels,
    /// The value as it was written.
    pub(crate) value: String,
}

impl Families {
    /// Reads an exposition, and fails the test at anything Prometheus would refuse or quietly drop: a series or a
    /// heading that comes twice, a family in two places, a sample without a type, a bad escape, an unended line.
    pub(crate) fn parse(text: &str) -> Self {
        assert!(text.is_empty() || text.ends_with('\n'), "the last line has no end");
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
                assert!(ended.insert(current), "a family comes in two places: {line}");
                assert!(!ended.contains(&family), "{family} comes in two places");
                current = family;
            }
            assert!(
                series.insert((sample.name.clone(), sample.labels.clone())),
                "a series comes twice: {line}"
            );
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

    /// The samples of a name that bear these labels, among others.
    pub(crate) fn all(&self, name: &str, labels: &[(&str, &str)]) -> Vec<&Sample> {
        let bears = |sample: &Sample| {
            labels.iter().all(|(label, value)| sample.labels.get(*label).is_some_and(|of| of == value))
        };
        self.samples.iter().filter(|sample| sample.name == name && bears(sample)).collect()
    }

    /// The value of the only such sample, as it was written; `None` when there is none.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<&str> {
        let found = self.all(name, labels);
        assert!(found.len() < 2, "{name}{labels:?} is more than one series");
        found.first().map(|sample| sample.value.as_str())
    }

    /// The reasons for which the probe failed.
    pub(crate) fn reasons(&self) -> Vec<&str> {
        self.samples
            .iter()
            .filter(|sample| sample.name == "emqx_probe_failure_reason" && sample.value == "1")
            .map(|sample| sample.labels["reason"].as_str())
            .collect()
    }

    /// Whether the probe succeeded.
    pub(crate) fn success(&self) -> bool {
        match self.value("probe_success", &[]) {
            Some("1") => true,
            Some("0") => false,
            other => panic!("probe_success is {other:?}"),
        }
    }

    /// Fails unless the probe failed for these reasons, and in time, and claims nothing about any client.
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

    /// Fails unless the probe was over by its deadline, as it says itself.
    pub(crate) fn assert_in_time(&self) {
        let seconds = |name| self.value(name, &[]).and_then(|value| value.parse::<f64>().ok()).expect(name);
        let (took, allowed) = (seconds("probe_duration_seconds"), seconds("probe_timeout_seconds"));
        assert!(took <= allowed + 0.1, "it took {took} s of {allowed} s");
    }

    /// The names of all series of this client, whatever they say.
    pub(crate) fn told_of(&self, alias: &str) -> BTreeSet<&str> {
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

/// Reads `name="value",...}` and gives what comes after it.
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
                    other => panic!("no escape: {other:?} in {line}"),
                },
                Some((_, character)) => value.push(character),
                None => panic!("a label without an end: {line}"),
            }
        };
        assert_eq!(labels.insert(name.to_owned(), value), None, "a label comes twice: {line}");
        rest = &after[end..];
        match rest.as_bytes().first() {
            Some(b',') => rest = &rest[1..],
            Some(b'}') => return (labels, &rest[1..]),
            _ => panic!("labels without an end: {line}"),
        }
    }
}

#[test]
#[should_panic(expected = "a series comes twice")]
fn a_series_that_comes_twice_is_found() {
    Families::parse("# HELP a b\n# TYPE a gauge\na{x=\"1\",y=\"2\"} 1\na{y=\"2\",x=\"1\"} 1\n");
}

#[test]
#[should_panic(expected = "a comes in two places")]
fn a_family_in_two_places_is_found() {
    Families::parse(
        "# HELP a b\n# TYPE a gauge\n# HELP b b\n# TYPE b gauge\na{x=\"1\"} 1\nb 1\na{x=\"2\"} 1\n",
    );
}
