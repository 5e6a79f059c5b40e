//! The series of the probe itself, and those of a client that need no description by its broker.

use super::{FamilyMeta, Kind, OutcomeMetric, OutcomeSamples, ToldMetric, Value};
use crate::outcome::{ClientState, FailureReason, Outcome};

/// Every family that tells of the probe as a whole.
pub(super) const OUTCOME_METRICS: &[OutcomeMetric] = &[
    gauge("probe_success", "Whether every question of this probe was answered (1) or not (0).", |outcome| {
        outcome.is_success().into()
    }),
    gauge("probe_duration_seconds", "How long this probe took, in seconds.", |outcome| {
        Value::Measured(outcome.duration.as_secs_f64())
    }),
    gauge("probe_timeout_seconds", "How long this probe was allowed to take, in seconds.", |outcome| {
        Value::Measured(outcome.timeout.as_secs_f64())
    }),
    OutcomeMetric {
        family: FamilyMeta {
            name: "emqx_probe_failure_reason",
            help: "Why something could not be found out by this probe: 1 for each reason there was, else 0.",
            kind: Kind::Gauge,
        },
        samples: OutcomeSamples::Each("reason", |outcome| {
            FailureReason::ALL
                .into_iter()
                .map(|reason| (reason.name(), outcome.failures.has(reason).into()))
                .collect()
        }),
    },
    gauge(
        "emqx_probe_http_status_code",
        "HTTP status of the broker's last answer that was an error, else 200; 0 when there was no answer.",
        |outcome| u64::from(outcome.requests.http_status()).into(),
    ),
    gauge(
        "emqx_probe_api_requests",
        "Requests of this probe to the broker, repeated ones included.",
        |outcome| outcome.requests.sent.into(),
    ),
    gauge("emqx_probe_api_retries", "Requests of this probe that repeated an earlier one.", |outcome| {
        outcome.requests.retries.into()
    }),
    gauge("emqx_probe_api_response_bytes", "Bytes of the broker's answers to this probe.", |outcome| {
        outcome.requests.response_bytes.into()
    }),
    OutcomeMetric {
        family: FamilyMeta {
            name: "emqx_mqtt_clients",
            help: "How many of the asked-for clients are connected, disconnected (the broker holds their session), \
                   absent (the broker does not know them) and unknown (they could not be asked).",
            kind: Kind::Gauge,
        },
        samples: OutcomeSamples::EachOfBroker("state", clients_by_state),
    },
];

const fn gauge(name: &'static str, help: &'static str, value: fn(&Outcome) -> Value) -> OutcomeMetric {
    OutcomeMetric { family: FamilyMeta { name, help, kind: Kind::Gauge }, samples: OutcomeSamples::One(value) }
}

/// Without a single answer, 0 connected clients would be a claim about clients nobody could ask; and the part of a
/// list that could be read says nothing of the number of all.
fn clients_by_state(outcome: &Outcome) -> Vec<(&'static str, Value)> {
    let by_state = outcome.by_state();
    let is_counted = outcome.is_complete
        && by_state.iter().any(|(state, count)| *state != ClientState::Unknown && *count > 0);
    by_state
        .into_iter()
        .filter(|(state, _)| *state == ClientState::Unknown || is_counted)
        .map(|(state, count)| (state.name(), (count as u64).into()))
        .collect()
}

/// Every family that tells of an asked-for client whether or not its broker described it.
pub(super) const TOLD_METRICS: &[ToldMetric] = &[
    ToldMetric {
        family: FamilyMeta {
            name: "emqx_mqtt_client_connected",
            help: "Whether the client is connected (1) or not (0); no series where that could not be asked.",
            kind: Kind::Gauge,
        },
        value: |told| match told.status.state() {
            ClientState::Connected => Some(true.into()),
            ClientState::Disconnected | ClientState::Absent => Some(false.into()),
            ClientState::Unknown => None,
        },
    },
    ToldMetric {
        family: FamilyMeta {
            name: "emqx_mqtt_client_session_present",
            help: "Whether the broker knows the client, connected or not (1), or does not know it (0); no series \
                   where that could not be asked.",
            kind: Kind::Gauge,
        },
        value: |told| match told.status.state() {
            ClientState::Connected | ClientState::Disconnected => Some(true.into()),
            ClientState::Absent => Some(false.into()),
            ClientState::Unknown => None,
        },
    },
    ToldMetric {
        family: FamilyMeta {
            name: "emqx_mqtt_client_offline_threshold_seconds",
            help: "How long the client may be away, in seconds: offline_after of this exporter's configuration.",
            kind: Kind::Gauge,
        },
        value: |told| Some(Value::Measured(told.offline_after()?.as_secs_f64())),
    },
];
