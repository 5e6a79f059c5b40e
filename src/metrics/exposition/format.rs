//! The formats of an exposition.

use crate::client::{Group, Groups};
use crate::metrics::CLIENT_METRICS;

/// A format of the exposition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' text format 0.0.4.
    Text,
    /// `OpenMetrics` 1.0.0, in which each counter has its start.
    OpenMetrics,
}

impl Format {
    /// Returns the content type.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// Returns the groups to request of the broker, so that `groups` can be written.
    #[must_use]
    pub fn groups_to_request(self, groups: Groups) -> Groups {
        let has_counters =
            CLIENT_METRICS.iter().any(|metric| metric.start.is_some() && groups.contains(metric.group));
        if self == Self::OpenMetrics && has_counters { groups.with(Group::Session) } else { groups }
    }
}
