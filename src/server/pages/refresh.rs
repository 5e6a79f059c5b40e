//! The automatic refresh of a page, at an interval that the visitor chooses.

use jiff::Timestamp;

use super::format::PageTime;
use super::view::ViewError;
use crate::humanize;

/// The offered intervals, in seconds.
const OFFERED: [u32; 3] = [10, 30, 300];

/// Shortest interval, in seconds. Each refresh probes the brokers.
const SHORTEST: u32 = 5;

/// Longest interval, in seconds.
const LONGEST: u32 = 86_400;

/// When the page was opened, and the links that change its refresh.
pub(super) struct RefreshBar {
    /// When the page was opened.
    pub(super) opened: PageTime,
    /// The current interval.
    pub(super) current: Option<String>,
    /// URL of the same page.
    pub(super) now: String,
    /// URL of the page without refresh.
    pub(super) stop: String,
    /// The other offered intervals and their URLs.
    pub(super) others: Vec<(String, String)>,
}

impl RefreshBar {
    /// Prepares the links of a page, whose URL with an interval `link` returns.
    pub(super) fn new(current: Option<u32>, link: impl Fn(Option<u32>) -> String) -> Self {
        let label = |seconds: u32| humanize::short_duration(seconds.into());
        let others = OFFERED.into_iter().filter(|offered| Some(*offered) != current);
        Self {
            opened: PageTime::new(Timestamp::now()),
            current: current.map(label),
            now: link(current),
            stop: link(None),
            others: others.map(|seconds| (label(seconds), link(Some(seconds)))).collect(),
        }
    }
}

/// Parses the parameter `refresh`, a number of seconds.
///
/// # Errors
/// Any other value.
pub(super) fn parse(value: &str) -> Result<u32, ViewError> {
    let seconds = value.parse().ok().filter(|seconds| (SHORTEST..=LONGEST).contains(seconds));
    seconds.ok_or(ViewError::InvalidRefresh(SHORTEST, LONGEST))
}
