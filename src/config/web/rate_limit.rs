//! `rate_limit`: how many requests are served.

use std::time::Duration;

use crate::config::mapping::Mapping;
use crate::config::node_ref::NodeRef;

/// A token bucket: each request takes a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// The time in which a token is added.
    pub interval: Duration,
    /// How many tokens there are at most.
    pub burst: u32,
}

/// Reads the section. An interval of 0 means no limit.
pub(super) fn read(value: &NodeRef<'_>) -> Option<RateLimit> {
    let mut section = Mapping::open(value, "a mapping of interval and burst")?;
    let interval = section.optional("interval");
    let burst = section.integer_or("burst", 0, &(0..=u32::MAX));
    section.finish();

    if interval.is_none() && burst > 0 {
        value.warn("has no effect without an interval; add one, such as interval: 100ms");
    }
    let interval = interval.and_then(|value| read_interval(&value)).filter(|interval| !interval.is_zero())?;
    if burst == 0 {
        value.warn("a burst of 0 refuses every request; set burst to the requests that may come at once");
    }
    Some(RateLimit { interval, burst })
}

fn read_interval(value: &NodeRef<'_>) -> Option<Duration> {
    let interval = value.as_text().and_then(parse);
    interval.or_else(|| value.expected("a duration such as 100ms, 1.5s or 1m30s, or 0 for no limit"))
}

/// Parses a duration as Go does, but refuses negative ones.
fn parse(text: &str) -> Option<Duration> {
    const UNITS: [(&str, f64); 8] = [
        ("ns", 1e-9),
        ("us", 1e-6),
        ("µs", 1e-6),
        ("μs", 1e-6),
        ("ms", 1e-3),
        ("s", 1.0),
        ("m", 60.0),
        ("h", 3600.0),
    ];
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let is_number = |sign: char| sign.is_ascii_digit() || sign == '.';
    let (mut rest, mut seconds) = (text, 0.0);
    loop {
        let (number, behind) = rest.split_at(rest.find(|sign| !is_number(sign))?);
        let (unit, behind) = behind.split_at(behind.find(is_number).unwrap_or(behind.len()));
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
        seconds += number.parse::<f64>().ok()? * factor;
        rest = behind;
        if rest.is_empty() {
            return Duration::try_from_secs_f64(seconds).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_those_of_go() {
        let seconds = |text| parse(text).map(|duration| duration.as_secs_f64());
        for (text, expected) in [
            ("0", 0.0),
            ("0s", 0.0),
            ("1s", 1.0),
            ("1.5s", 1.5),
            (".5s", 0.5),
            ("1m30s", 90.0),
            ("1h", 3600.0),
            ("30s1m", 90.0),
            ("250ms", 0.25),
            ("100us", 0.0001),
            ("100µs", 0.0001),
        ] {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
        for text in
            ["", "1", "s", "-1s", "1d", "1 s", "1s ", "1.2.3s", ".s", "1e3s", "inf", "99999999999999999999999h"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
