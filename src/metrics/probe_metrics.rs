//! The metric families of the probe itself.

use super::{FamilyMeta, MetricType, ProbeMetric, ProbeSamples, SampleValue};
use crate::outcome::{ClientState, FailureReason, Outcome};

/// Every family, in the order of the exposition.
pub(super) const PROBE_METRICS: &[ProbeMetric] = &[
    gauge(
        "probe_success",
        "Whether the probe succeeded (1) or failed, at least for some clients (0).",
        |outcome| outcome.is_success().into(),
    ),
    gauge("probe_duration_seconds", "Duration of the probe, in seconds.", |outcome| {
        SampleValue::Float(outcome.duration.as_secs_f64())
    }),
    gauge("probe_timeout_seconds", "Timeout of the probe, in seconds.", |outcome| {
        SampleValue::Float(outcome.timeout.as_secs_f64())
    }),
    ProbeMetric {
        family: FamilyMeta {
            name: "emqx_probe_failure_reason",
            help: "Why the probe failed: 1 for each reason that occurred, 0 for the others.",
            metric_type: MetricType::Gauge,
        },
        samples: ProbeSamples::PerLabel("reason", |outcome| {
            FailureReason::ALL
                .into_iter()
                .map(|reason| (reason.name(), outcome.failures.has(reason).into()))
                .collect()
        }),
    },
    ProbeMetric {
        family: FamilyMeta {
            name: "emqx_probe_group_success",
            help: "Whether everything was answered that the groups `seen`, `banned` and `subscriptions` asked (1) or not (0); \
                   no series for a group that had nothing to ask.",
            metric_type: MetricType::Gauge,
        },
        samples: ProbeSamples::PerLabel("group", |outcome| {
            outcome
                .group_results
                .iter()
                .map(|(group, is_success)| (group.name(), (*is_success).into()))
                .collect()
        }),
    },
    gauge(
        "emqx_probe_http_status_code",
        "HTTP status of the last error response of the broker, else 200; 0 without any response.",
        |outcome| u64::from(outcome.requests.http_status()).into(),
    ),
    gauge("emqx_probe_api_requests", "Number of API requests of the probe, including retries.", |outcome| {
        outcome.requests.sent.into()
    }),
    gauge("emqx_probe_api_retries", "Number of API requests of the probe that were retries.", |outcome| {
        outcome.requests.retries.into()
    }),
    gauge("emqx_probe_api_response_bytes", "Size of all API responses of the probe, in bytes.", |outcome| {
        outcome.requests.response_bytes.into()
    }),
    ProbeMetric {
        family: FamilyMeta {
            name: "emqx_probe_phase_duration_seconds",
            help: "Duration of the phases of the probe, in seconds: resolve, connect and tls of the first connection, \
                   processing (the longest wait for the head of a response) and transfer (the longest body). A phase \
                   that did not end has the time waited for it; one that did not occur has no series.",
            metric_type: MetricType::Gauge,
        },
        samples: ProbeSamples::PerLabel("phase", |outcome| {
            let phases = outcome.connections.phases.iter();
            phases.map(|(phase, time)| (phase.name(), SampleValue::Float(time.as_secs_f64()))).collect()
        }),
    },
    ProbeMetric {
        family: FamilyMeta {
            name: "probe_ssl_earliest_cert_expiry",
            help: "When the first of all certificates that the broker presented expires, in seconds since 1970; \
                   refused ones included. Only over TLS.",
            metric_type: MetricType::Gauge,
        },
        samples: ProbeSamples::Optional(|outcome| {
            outcome.connections.earliest_cert_expiry.map(SampleValue::Count)
        }),
    },
    ProbeMetric {
        family: FamilyMeta {
            name: "probe_tls_version_info",
            help: "The TLS version of the connection to the broker; always 1. Only over TLS.",
            metric_type: MetricType::Gauge,
        },
        samples: ProbeSamples::PerLabel("version", |outcome| {
            outcome.connections.tls_version.into_iter().map(|version| (version, true.into())).collect()
        }),
    },
    ProbeMetric {
        family: FamilyMeta {
            name: "emqx_mqtt_clients",
            help: "Number of requested clients by state: connected, disconnected (the broker holds the session), \
                   absent (not known to the broker) or unknown (the probe failed for them).",
            metric_type: MetricType::Gauge,
        },
        samples: ProbeSamples::PerBrokerAndLabel("state", clients_by_state),
    },
];

const fn gauge(name: &'static str, help: &'static str, value: fn(&Outcome) -> SampleValue) -> ProbeMetric {
    ProbeMetric {
        family: FamilyMeta { name, help, metric_type: MetricType::Gauge },
        samples: ProbeSamples::One(value),
    }
}

/// Returns the number of clients in each state. If no state is known, only `unknown` is reported: 0 connected clients
/// would be a claim. Nothing is reported for an incomplete list, because the number of missing clients is unknown.
fn clients_by_state(outcome: &Outcome) -> Vec<(&'static str, SampleValue)> {
    let by_state = outcome.by_state();
    let is_answered = by_state.iter().any(|(state, count)| *state != ClientState::Unknown && *count > 0);
    by_state
        .into_iter()
        .filter(|(state, _)| {
            outcome.fleets.is_none() && outcome.is_complete && (*state == ClientState::Unknown || is_answered)
        })
        .map(|(state, count)| (state.name(), (count as u64).into()))
        .collect()
}
