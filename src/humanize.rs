//! Formats durations, times and counts for people.

use std::time::Duration;

use jiff::Timestamp;

use crate::connection_stats::ConnectionStats;

/// Formats an age in one rounded-down unit: `a second`, `39 minutes`, `16 hours`, `a month`.
///
/// The wording is that of Python's `humanize.naturaldelta` (4.9): months have 30.5 days, years 365.
pub(crate) fn age(seconds: u64) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let (years, days) = (seconds / DAY / 365, seconds / DAY % 365);
    let months = days * 2 / 61;
    match (years, months, days) {
        (0, _, 0) if seconds == 0 => "a moment".to_owned(),
        (0, _, 0) if seconds < MINUTE => plural(seconds, "a second", "seconds"),
        (0, _, 0) if seconds < HOUR => plural(seconds / MINUTE, "a minute", "minutes"),
        (0, _, 0) => plural(seconds / HOUR, "an hour", "hours"),
        (0, 0, _) => plural(days, "a day", "days"),
        (0, _, _) => plural(months, "a month", "months"),
        (1, 0, 0) => "a year".to_owned(),
        (1, 0, _) => format!("1 year, {}", plural(days, "1 day", "days")),
        (1, _, _) => format!("1 year, {}", plural(months, "1 month", "months")),
        _ => format!("{years} years"),
    }
}

/// Returns `singular` for 1, else the count and the `noun` in the plural.
pub(crate) fn plural(count: u64, singular: &str, noun: &str) -> String {
    if count == 1 { singular.to_owned() } else { format!("{count} {noun}") }
}

/// Formats a count with commas between thousands: `5,184,897`.
pub(crate) fn thousands(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (position, digit) in digits.char_indices() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats the number of clients that a failure leaves unknown, to be appended to its text; empty for 0.
pub(crate) fn clients_unknown(clients: usize) -> String {
    match clients {
        0 => String::new(),
        clients => format!(" ({} unknown)", plural(clients as u64, "1 client", "clients")),
    }
}

/// Describes the connections of a probe at `now`, a line each: the TLS version with the expiry of the certificates, and the
/// phases.
pub(crate) fn connections(stats: &ConnectionStats, now: Timestamp) -> Vec<String> {
    let expiry = stats.earliest_cert_expiry.map(|seconds| {
        match i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok()) {
            Some(time) if time <= now => format!("certificate expired on {}", utc(time)),
            Some(time) => format!("certificate valid until {}", utc(time)),
            None => "certificate valid until the year 9999".to_owned(),
        }
    });
    let tls: Vec<_> = stats.tls_version.map(ToOwned::to_owned).into_iter().chain(expiry).collect();
    let phases: Vec<_> =
        stats.phases.iter().map(|(phase, time)| format!("{phase} {}", milliseconds(time))).collect();
    [tls, phases].iter().filter(|parts| !parts.is_empty()).map(|parts| parts.join(", ")).collect()
}

/// Formats a short duration in milliseconds.
pub(crate) fn milliseconds(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1e3)
}

/// Formats a time to the second, in UTC.
pub(crate) fn utc(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Formats a duration exactly and briefly: `10s`, `2m`, `1m30s`, `1h`; 0 is `off`.
pub(crate) fn short_duration(seconds: u64) -> String {
    if seconds == 0 {
        return "off".to_owned();
    }
    let mut text = String::new();
    for (count, unit) in [(seconds / 3600, 'h'), (seconds / 60 % 60, 'm'), (seconds % 60, 's')] {
        if count > 0 {
            text.push_str(&count.to_string());
            text.push(unit);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with `humanize.naturaldelta(timedelta(seconds=...))` of humanize 4.9.0 from `PyPI`.
    const NATURALDELTA: &[(u64, &str)] = &[
        (0, "a moment"),
        (1, "a second"),
        (2, "2 seconds"),
        (59, "59 seconds"),
        (60, "a minute"),
        (119, "a minute"),
        (120, "2 minutes"),
        (3_599, "59 minutes"),
        (3_600, "an hour"),
        (7_199, "an hour"),
        (7_200, "2 hours"),
        (86_399, "23 hours"),
        (86_400, "a day"),
        (172_799, "a day"),
        (172_800, "2 days"),
        (1_555_200, "18 days"),
        (2_592_000, "30 days"),
        (2_635_200, "30 days"),
        (2_678_400, "a month"),
        (5_184_000, "a month"),
        (5_270_400, "2 months"),
        (28_857_600, "10 months"),
        (31_449_600, "11 months"),
        (31_536_000, "a year"),
        (31_622_400, "1 year, 1 day"),
        (34_128_000, "1 year, 30 days"),
        (34_214_400, "1 year, 1 month"),
        (62_985_600, "1 year, 11 months"),
        (63_072_000, "2 years"),
        (315_360_000, "10 years"),
    ];

    #[test]
    fn ages_read_as_those_of_humanize() {
        for (seconds, words) in NATURALDELTA {
            assert_eq!(age(*seconds), *words, "{seconds} s");
        }
    }

    #[test]
    fn thousands_are_separated() {
        let texts = [0, 999, 1_000, 12_345, 123_456, 5_184_897, u64::MAX].map(thousands);
        assert_eq!(
            texts,
            ["0", "999", "1,000", "12,345", "123,456", "5,184,897", "18,446,744,073,709,551,615"]
        );
    }

    #[test]
    fn short_durations_are_exact() {
        let texts = [0, 10, 60, 90, 120, 3600, 65_535].map(short_duration);
        assert_eq!(texts, ["off", "10s", "1m", "1m30s", "2m", "1h", "18h12m15s"]);
    }
}
