//! Parsers for the values of options.

use std::ffi::OsStr;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::time::Duration;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Arg, Command};
use url::Url;

use crate::config::duration;
use crate::outcome::ClientState;
use crate::table::{COLUMNS, SortOrder, state_label, state_named};

/// Shortest interval of `--watch` and of checks for changed files.
const MIN_INTERVAL: Duration = Duration::from_millis(100);

/// Parses a positive number of seconds.
pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    seconds_or_zero(text).and_then(|duration| {
        if duration.is_zero() { Err("must be more than 0 seconds".to_owned()) } else { Ok(duration) }
    })
}

/// Parses a number of seconds, which may be 0.
pub(super) fn seconds_or_zero(text: &str) -> Result<Duration, String> {
    let expected = || "must be a number of seconds, such as 0.5".to_owned();
    let number: f64 = text.parse().map_err(|_| expected())?;
    if number > 86_400.0 {
        return Err("must be at most 86400 seconds, a day".to_owned());
    }
    Duration::try_from_secs_f64(number).map_err(|_| expected())
}

/// Parses the interval of `--watch`.
pub(super) fn watch_seconds(text: &str) -> Result<Duration, String> {
    seconds_or_zero(text).and_then(interval)
}

/// Parses the interval of checks for changed files: a number of seconds, as the blackbox exporter takes it, or a duration,
/// as Prometheus takes it.
pub(super) fn check_interval(text: &str) -> Result<Duration, String> {
    let parsed = duration::parse(text).or_else(|| seconds_or_zero(text).ok());
    parsed
        .ok_or_else(|| "must be a number of seconds or a duration, such as 30 or 30s".to_owned())
        .and_then(interval)
}

fn interval(duration: Duration) -> Result<Duration, String> {
    if duration < MIN_INTERVAL { Err("must be at least 0.1 seconds".to_owned()) } else { Ok(duration) }
}

/// Parses the value of `--web.max-probes`.
pub(super) fn max_probes(text: &str) -> Result<usize, String> {
    let number = text.parse().ok().filter(|number| (1..=10_000).contains(number));
    number.ok_or_else(|| "must be a number from 1 to 10000".to_owned())
}

/// Parses the value of `--web.external-url`.
pub(super) fn external_url(text: &str) -> Result<Url, String> {
    let expected =
        "must be an http or https URL with a host and without query, such as https://proxy.example/emqx";
    // Of a URL without a host, the parser would take the first part of the path for it.
    let has_host = text.split_once("://").is_some_and(|(_, rest)| !rest.starts_with(['/', '\\']));
    let is_http = |url: &Url| has_host && matches!(url.scheme(), "http" | "https");
    let url = Url::parse(text).ok().filter(is_http).ok_or(expected)?;
    let has_credentials = !url.username().is_empty() || url.password().is_some();
    if has_credentials || url.query().is_some() || url.fragment().is_some() {
        return Err(expected.to_owned());
    }
    route_prefix(url.path())?;
    Ok(url)
}

/// Parses the value of `--web.route-prefix`. Returns it with a leading and without a final slash; an empty one stays empty.
pub(super) fn route_prefix(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Ok(String::new());
    }
    let path = text.trim_matches('/');
    let is_plain = |sign: char| sign.is_ascii_alphanumeric() || "-._~/".contains(sign);
    let has_odd_segment = path.split('/').any(|segment| matches!(segment, "." | "..")) || path.contains("//");
    if path.contains(|sign| !is_plain(sign)) || has_odd_segment {
        return Err("must be a path of letters, digits and the signs - . _ ~, such as /emqx/clients".to_owned());
    }
    Ok(format!("/{path}"))
}

/// Parses an address to listen on. `:9671` stands for every address, IPv6 and IPv4.
pub(super) fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let full = if text.starts_with(':') { format!("[::]{text}") } else { text.to_owned() };
    full.to_socket_addrs()
        .ok()
        .and_then(|mut addresses| addresses.next())
        .ok_or_else(|| "must be an address and a port, such as 127.0.0.1:9671, [::1]:9671 or :9671".to_owned())
}

/// Returns a parser for the state of a client, by its name or its label.
pub(super) fn client_state() -> impl TypedValueParser<Value = ClientState> {
    let value = |state: ClientState| PossibleValue::new(state.name()).alias(state_label(state));
    let names = PossibleValuesParser::new(ClientState::ALL.map(value));
    names.try_map(|name| state_named(&name).ok_or("unknown state"))
}

/// Parses a column to sort by, and lists the possible values for the help and shell completions.
#[derive(Debug, Clone)]
pub(super) struct SortOrderParser;

impl TypedValueParser for SortOrderParser {
    type Value = SortOrder;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<SortOrder, clap::Error> {
        let parse = |text: &str| SortOrder::parse(text, |_| true);
        parse.parse_ref(command, argument, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(COLUMNS.iter().map(|column| PossibleValue::new(column.name))))
    }
}
