//! Durations, moments and counts as people say them.

use jiff::Timestamp;

/// How long ago something was, in one rounded-down unit: `a second`, `39 minutes`, `16 hours`, `a month`.
///
/// The wording is that of Python's `humanize.naturaldelta` (4.9), which the tables of this program's forerunner
/// used: months have 30.5 days, years 365.
pub(crate) fn time_ago(seconds: u64) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    let (years, days) = (seconds / DAY / 365, seconds / DAY % 365);
    let months = days * 2 / 61;
    match (years, months, days) {
        (0, _, 0) if seconds == 0 => "a moment".to_owned(),
        (0, _, 0) if seconds < MINUTE => counted(seconds, "a second", "seconds"),
        (0, _, 0) if seconds < HOUR => counted(seconds / MINUTE, "a minute", "minutes"),
        (0, _, 0) => counted(seconds / HOUR, "an hour", "hours"),
        (0, 0, _) => counted(days, "a day", "days"),
        (0, _, _) => counted(months, "a month", "months"),
        (1, 0, 0) => "a year".to_owned(),
        (1, 0, _) => format!("1 year, {}", counted(days, "1 day", "days")),
        (1, _, _) => format!("1 year, {}", counted(months, "1 month", "months")),
        _ => format!("{years} years"),
    }
}

/// So many of them, where there is a way to say that it is one.
pub(crate) fn counted(count: u64, one: &str, many: &str) -> String {
    if count == 1 { one.to_owned() } else { format!("{count} {many}") }
}

/// How many clients a failure leaves unknown, behind what is said of it; nothing where nobody was asked for.
pub(crate) fn clients_unknown(clients: usize) -> String {
    match clients {
        0 => String::new(),
        clients => format!(" ({} unknown)", counted(clients as u64, "1 client", "clients")),
    }
}

/// A moment, to the second. Brokers, exporters and people may be in different places: it is UTC.
pub(crate) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A setting in seconds, exactly and briefly: `10s`, `2m`, `1m30s`, `1h`. None at all is `off`.
pub(crate) fn interval(seconds: u64) -> String {
    if seconds == 0 {
        return "off".to_owned();
    }
    let mut told = String::new();
    for (count, unit) in [(seconds / 3600, 'h'), (seconds / 60 % 60, 'm'), (seconds % 60, 's')] {
        if count > 0 {
            told.push_str(&count.to_string());
            told.push(unit);
        }
    }
    told
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
    fn durations_read_as_those_of_humanize() {
        for (seconds, words) in NATURALDELTA {
            assert_eq!(time_ago(*seconds), *words, "{seconds} s");
        }
    }

    #[test]
    fn intervals_are_exact() {
        let told = [0, 10, 60, 90, 120, 3600, 65_535].map(interval);
        assert_eq!(told, ["off", "10s", "1m", "1m30s", "2m", "1h", "18h12m15s"]);
    }
}
