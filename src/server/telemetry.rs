//! The exporter's own metrics: about itself and its probes, never about a client.

use jiff::Timestamp;
use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::{LabelPair, MetricFamily};
use prometheus::{
    Gauge, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

use super::refusal::RefusalReason;
use crate::outcome::Outcome;
use crate::version;

/// Histogram buckets in seconds: from a healthy broker nearby to the longest sensible scrape timeout.
const PROBE_BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// Histogram buckets in seconds: a lookup takes a broker about a millisecond, a page of its list seconds.
const REQUEST_BUCKETS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0];

/// The exporter's own metrics.
pub(super) struct Telemetry {
    registry: Registry,
    probes: IntCounterVec,
    probe_failures: IntCounterVec,
    probe_duration: HistogramVec,
    probes_in_flight: IntGauge,
    probes_refused: IntCounterVec,
    api_requests: IntCounterVec,
    api_request_duration: HistogramVec,
    last_reload_successful: IntGauge,
    last_reload_success: Gauge,
}

impl Telemetry {
    /// Creates and registers the metrics. Each server has its own, so that tests can run several in one process.
    pub(super) fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        registry.register(Box::new(ProcessCollector::for_self()))?;
        let build_info = registered(
            &registry,
            IntGaugeVec::new(
                opts("build_info", "The version of this exporter; always 1."),
                &["version", "revision", "rustversion"],
            )?,
        )?;
        build_info.with_label_values(&[version::VERSION, version::COMMIT, version::RUSTC]).set(1);
        let telemetry = Self {
            probes: registered(
                &registry,
                IntCounterVec::new(
                    opts(
                        "probes_total",
                        "Probes answered, by broker and by whether every question was answered.",
                    ),
                    &["broker", "result"],
                )?,
            )?,
            probe_failures: registered(
                &registry,
                IntCounterVec::new(
                    opts(
                        "probe_failures_total",
                        "Probes that failed, by broker and reason; one may have several.",
                    ),
                    &["broker", "reason"],
                )?,
            )?,
            probe_duration: registered(
                &registry,
                HistogramVec::new(
                    HistogramOpts::from(opts("probe_duration_seconds", "How long probes took, in seconds."))
                        .buckets(PROBE_BUCKETS.to_vec()),
                    &["broker"],
                )?,
            )?,
            probes_in_flight: registered(
                &registry,
                IntGauge::with_opts(opts("probes_in_flight", "Probes under way."))?,
            )?,
            probes_refused: registered(
                &registry,
                IntCounterVec::new(
                    opts("probes_refused_total", "Requests for a probe that were refused, by reason."),
                    &["reason"],
                )?,
            )?,
            api_requests: registered(
                &registry,
                IntCounterVec::new(
                    opts(
                        "api_requests_total",
                        "Requests to brokers, by HTTP status; none where no answer began to come.",
                    ),
                    &["broker", "code"],
                )?,
            )?,
            api_request_duration: registered(
                &registry,
                HistogramVec::new(
                    HistogramOpts::from(opts(
                        "api_request_duration_seconds",
                        "How long requests to brokers took, in seconds.",
                    ))
                    .buckets(REQUEST_BUCKETS.to_vec()),
                    &["broker"],
                )?,
            )?,
            last_reload_successful: registered(
                &registry,
                IntGauge::with_opts(opts(
                    "config_last_reload_successful",
                    "Whether the configuration was read without problems when that was last tried (1) or not (0).",
                ))?,
            )?,
            last_reload_success: registered(
                &registry,
                Gauge::with_opts(opts(
                    "config_last_reload_success_timestamp_seconds",
                    "When the configuration that runs was read, in seconds since 1970.",
                ))?,
            )?,
            registry,
        };
        telemetry.record_reload(true);
        Ok(telemetry)
    }

    /// Counts a probe as under way until the guard is dropped.
    pub(super) fn start_probe(&self) -> ProbeInFlight {
        self.probes_in_flight.inc();
        ProbeInFlight(self.probes_in_flight.clone())
    }

    /// Counts a probe and its requests by their results.
    pub(super) fn record_probe(&self, outcome: &Outcome) {
        let broker = outcome.broker.as_str();
        let result = if outcome.is_success() { "success" } else { "failure" };
        self.probes.with_label_values(&[broker, result]).inc();
        self.probe_duration.with_label_values(&[broker]).observe(outcome.duration.as_secs_f64());
        for reason in outcome.failures.reasons() {
            self.probe_failures.with_label_values(&[broker, reason.name()]).inc();
        }
        let durations = self.api_request_duration.with_label_values(&[broker]);
        for (status, duration) in &outcome.requests.timings {
            let code = status.map_or("none".to_owned(), |status| status.to_string());
            self.api_requests.with_label_values(&[broker, &code]).inc();
            durations.observe(duration.as_secs_f64());
        }
    }

    /// Records whether the configuration could be read.
    pub(super) fn record_reload(&self, is_success: bool) {
        self.last_reload_successful.set(is_success.into());
        if is_success {
            self.last_reload_success.set(Timestamp::now().as_millisecond() as f64 / 1e3);
        }
    }

    /// Removes the series of brokers that are no longer configured.
    pub(super) fn retain_brokers(&self, is_kept: impl Fn(&str) -> bool) {
        let is_kept = &is_kept;
        retain(&self.probes, &["broker", "result"], is_kept, |labels| self.probes.remove_label_values(labels));
        retain(&self.probe_failures, &["broker", "reason"], is_kept, |labels| {
            self.probe_failures.remove_label_values(labels)
        });
        retain(&self.probe_duration, &["broker"], is_kept, |labels| {
            self.probe_duration.remove_label_values(labels)
        });
        retain(&self.api_requests, &["broker", "code"], is_kept, |labels| {
            self.api_requests.remove_label_values(labels)
        });
        retain(&self.api_request_duration, &["broker"], is_kept, |labels| {
            self.api_request_duration.remove_label_values(labels)
        });
    }

    /// Counts a request for a probe that was refused.
    pub(super) fn record_refusal(&self, reason: RefusalReason) {
        self.probes_refused.with_label_values(&[reason.name()]).inc();
    }

    /// Returns the metrics in Prometheus' text format.
    pub(super) fn encode(&self) -> prometheus::Result<String> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

/// A probe under way.
pub(super) struct ProbeInFlight(IntGauge);

impl Drop for ProbeInFlight {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Removes the series of a family whose first label, the broker, is not kept.
fn retain(
    family: &impl Collector,
    labels: &[&str],
    is_kept: &impl Fn(&str) -> bool,
    remove: impl Fn(&[&str]) -> prometheus::Result<()>,
) {
    for metric in family.collect().iter().flat_map(MetricFamily::get_metric) {
        let value =
            |name: &&str| metric.get_label().iter().find(|label| label.name() == *name).map(LabelPair::value);
        let values: Vec<_> = labels.iter().filter_map(value).collect();
        if values.first().is_some_and(|broker| !is_kept(broker)) {
            // It only fails where somebody else has removed the series already.
            let _ = remove(&values);
        }
    }
}

fn opts(name: &str, help: &str) -> Opts {
    Opts::new(name, help).namespace("emqx_client_monitor")
}

fn registered<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> prometheus::Result<C> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}
