//! Durations in the syntax of Prometheus, such as `1h30m`.

use std::time::Duration;

use super::node_ref::NodeRef;

const EXPECTED: &str =
    "a duration such as 15m, 1h30m or 7d, longer than 0 (units y, w, d, h, m, s and ms, in this order)";

/// The units and their milliseconds, the largest first. A year has 365 days.
const UNITS: [(&str, u64); 7] = [
    ("y", 365 * 24 * 60 * 60 * 1000),
    ("w", 7 * 24 * 60 * 60 * 1000),
    ("d", 24 * 60 * 60 * 1000),
    ("h", 60 * 60 * 1000),
    ("m", 60 * 1000),
    ("s", 1000),
    ("ms", 1),
];

/// Prometheus counts durations in nanoseconds of 63 bits.
const MAX_MILLISECONDS: u64 = i64::MAX as u64 / 1_000_000;

/// Reads a positive duration.
pub(super) fn read(value: &NodeRef<'_>) -> Option<Duration> {
    parse(value.text(EXPECTED)?).or_else(|| value.expected(EXPECTED))
}

/// Parses a positive duration.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut milliseconds: u64 = 0;
    while !rest.is_empty() {
        let (number, behind) = rest.split_at(rest.find(|sign: char| !sign.is_ascii_digit())?);
        let unit_end = behind.find(|sign: char| sign.is_ascii_digit()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(unit_end);
        // Only units smaller than the previous one are left, so each comes at most once and in order.
        let (_, factor) = units.find(|(name, _)| *name == unit)?;
        milliseconds = number.parse::<u64>().ok()?.checked_mul(*factor)?.checked_add(milliseconds)?;
        rest = behind;
    }
    (1..=MAX_MILLISECONDS).contains(&milliseconds).then(|| Duration::from_millis(milliseconds))
}

/// Formats a duration so that [`read`] reads the same; fractions of a millisecond are dropped.
pub(crate) fn format(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(MAX_MILLISECONDS);
    let mut text = String::new();
    for (unit, factor) in UNITS {
        if rest >= factor {
            text.push_str(&(rest / factor).to_string());
            text.push_str(unit);
            rest %= factor;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_formatted_duration_is_read_back() {
        for text in ["15m", "2h", "1h30m", "250ms", "1y1w1d1h1m1s1ms"] {
            assert_eq!(parse(text).map(format).as_deref(), Some(text));
        }
    }

    #[test]
    fn reads_what_prometheus_reads() {
        let seconds = |text| parse(text).map(|duration| duration.as_secs_f64());
        assert_eq!(seconds("2h"), Some(7200.0));
        assert_eq!(seconds("1h30m"), Some(5400.0));
        assert_eq!(seconds("250ms"), Some(0.25));
        assert_eq!(seconds("1y1w1d1h1m1s1ms"), Some(32_230_861.001));
        assert_eq!(seconds("0h1m"), Some(60.0));
        assert_eq!(seconds("292y"), Some(292.0 * 365.0 * 86_400.0));
    }

    #[test]
    fn refuses_everything_else() {
        let wrong = [
            "",
            "0",
            "0s",
            "5",
            "m",
            "1m1h",
            "1m1m",
            "1.5h",
            "-1h",
            "+1h",
            "1 h",
            "1h ",
            " 1h",
            "1H",
            "1min",
            "293y",
            "99999999999999999999s",
            "18446744073709551615y",
            "1h\n",
            "٣h",
            "1µs",
            "1hé",
        ];
        for text in wrong {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }
}
