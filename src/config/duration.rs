//! Durations as Prometheus writes them, such as `1h30m`.

use std::time::Duration;

use super::value::Value;

const RIGHT: &str =
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
const LONGEST_MILLISECONDS: u64 = i64::MAX as u64 / 1_000_000;

/// A positive duration.
pub(super) fn read(value: &Value<'_>) -> Option<Duration> {
    parse(value.text(RIGHT)?).or_else(|| value.expected(RIGHT))
}

fn parse(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut milliseconds: u64 = 0;
    while !rest.is_empty() {
        let (number, behind) = rest.split_at(rest.find(|sign: char| !sign.is_ascii_digit())?);
        let unit_end = behind.find(|sign: char| sign.is_ascii_digit()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(unit_end);
        // What is left of the units are those smaller than the last one: each at most once, in order.
        let (_, factor) = units.find(|(name, _)| *name == unit)?;
        milliseconds = number.parse::<u64>().ok()?.checked_mul(*factor)?.checked_add(milliseconds)?;
        rest = behind;
    }
    (1..=LONGEST_MILLISECONDS).contains(&milliseconds).then(|| Duration::from_millis(milliseconds))
}

/// A duration as [`read`] reads it. Less than a millisecond is left out.
pub(super) fn shown(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(LONGEST_MILLISECONDS);
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
    fn what_is_shown_can_be_read() {
        for text in ["15m", "2h", "1h30m", "250ms", "1y1w1d1h1m1s1ms"] {
            assert_eq!(parse(text).map(shown).as_deref(), Some(text));
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
