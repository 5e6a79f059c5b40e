//! The exporter's own metrics: about itself and its probes, never about a client.

use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock};

use jiff::Timestamp;
use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::{LabelPair, MetricFamily};
use prometheus::{
    Gauge, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

use super::refusal::RefusalReason;
use crate::closed_set::closed_set;
use crate::config::Config;
use crate::logging;
use crate::outcome::{FailureReason, Outcome};
use crate::version;

/// Histogram buckets in seconds: from a healthy broker nearby to the longest sensible scrape timeout.
const PROBE_BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// Histogram buckets in seconds: a lookup takes a broker about a millisecond, a page of its list seconds.
const REQUEST_BUCKETS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0];

/// The code of a request to a broker that no response began for.
const NO_CODE: &str = "none";

/// The codes whose series exist before the first request: those of the usual response, and of none.
const INITIAL_CODES: [&str; 2] = ["200", NO_CODE];

/// The exporter's own metrics.
pub(super) struct Telemetry {
    registry: Registry,
    /// The brokers that have series. A probe of a broker that was removed while it was in progress brings none back.
    brokers: RwLock<BTreeSet<String>>,
    probes: IntCounterVec,
    probe_failures: IntCounterVec,
    probe_duration: HistogramVec,
    probes_in_flight: IntGauge,
    probes_refused: IntCounterVec,
    api_requests: IntCounterVec,
    api_request_duration: HistogramVec,
    last_reload_successful: IntGauge,
    last_reload_success: Gauge,
    log_lines_dropped: IntCounter,
}

closed_set! {
    /// The label by which probes are counted.
    enum ResultLabel {
        /// Every query succeeded.
        Success = "success",
        /// A query failed.
        Failure = "failure",
        /// The client closed the connection before the end.
        Abandoned = "abandoned",
    }
}

impl Telemetry {
    /// Creates and registers the metrics. Each server has its own, so that tests can run several in one process.
    pub(super) fn new(config: &Config) -> prometheus::Result<Self> {
        let registry = Registry::new();
        registry.register(Box::new(ProcessCollector::for_self()))?;
        let build_info = IntGaugeVec::new(
            opts("build_info", "The version of this exporter; always 1."),
            &["version", "revision", "rustversion"],
        )?;
        build_info.with_label_values(&[version::VERSION, version::COMMIT, version::RUSTC]).set(1);
        register(&registry, build_info)?;
        let counters =
            |name, help, labels: &[&str]| register(&registry, IntCounterVec::new(opts(name, help), labels)?);
        let histograms = |name, help, buckets: &[f64]| {
            let opts = HistogramOpts::from(opts(name, help)).buckets(buckets.to_vec());
            register(&registry, HistogramVec::new(opts, &["broker"])?)
        };
        let gauge = |name, help| register(&registry, IntGauge::with_opts(opts(name, help))?);
        let telemetry = Self {
            brokers: RwLock::default(),
            probes: counters(
                "probes_total",
                "Probes by broker and result: success if every query succeeded, failure if any failed, abandoned if \
                 the client closed the connection before the end.",
                &["broker", "result"],
            )?,
            probe_failures: counters(
                "probe_failures_total",
                "Failed probes, by broker and reason; a probe can have several reasons.",
                &["broker", "reason"],
            )?,
            probe_duration: histograms(
                "probe_duration_seconds",
                "Duration of probes, in seconds.",
                &PROBE_BUCKETS,
            )?,
            probes_in_flight: gauge("probes_in_flight", "Probes in progress.")?,
            probes_refused: counters(
                "probes_refused_total",
                "Refused probe requests, by reason.",
                &["reason"],
            )?,
            api_requests: counters(
                "api_requests_total",
                "Requests to brokers, by HTTP status; \"none\" if there was no response.",
                &["broker", "code"],
            )?,
            api_request_duration: histograms(
                "api_request_duration_seconds",
                "How long requests to brokers took, in seconds.",
                &REQUEST_BUCKETS,
            )?,
            last_reload_successful: gauge(
                "config_last_reload_successful",
                "Whether the last attempt to load the configuration succeeded (1) or not (0).",
            )?,
            last_reload_success: register(
                &registry,
                Gauge::with_opts(opts(
                    "config_last_reload_success_timestamp_seconds",
                    "When the running configuration was loaded, as a Unix timestamp in seconds.",
                ))?,
            )?,
            log_lines_dropped: register(
                &registry,
                IntCounter::with_opts(opts(
                    "log_lines_dropped_total",
                    "Log lines that were dropped because stderr was not read fast enough.",
                ))?,
            )?,
            registry,
        };
        for reason in RefusalReason::ALL {
            telemetry.probes_refused.with_label_values(&[reason.name()]);
        }
        telemetry.record_reload(Some(config));
        Ok(telemetry)
    }

    /// Counts a probe as in progress.
    pub(super) fn start_probe(&self) {
        self.probes_in_flight.inc();
    }

    /// Counts a probe as no longer in progress.
    pub(super) fn end_probe(&self) {
        self.probes_in_flight.dec();
    }

    /// Counts a probe and its requests by their results.
    pub(super) fn record_probe(&self, outcome: &Outcome) {
        let broker = outcome.broker.as_str();
        self.of_configured(broker, || {
            let result = if outcome.is_success() { ResultLabel::Success } else { ResultLabel::Failure };
            self.count_probe(broker, result);
            self.probe_duration.with_label_values(&[broker]).observe(outcome.duration.as_secs_f64());
            for reason in outcome.failures.reasons() {
                self.probe_failures.with_label_values(&[broker, reason.name()]).inc();
            }
            let durations = self.api_request_duration.with_label_values(&[broker]);
            for (status, duration) in &outcome.requests.timings {
                let code = status.map_or(NO_CODE.to_owned(), |status| status.to_string());
                self.api_requests.with_label_values(&[broker, &code]).inc();
                durations.observe(duration.as_secs_f64());
            }
        });
    }

    /// Counts a probe whose client closed the connection before its end.
    pub(super) fn record_abandoned(&self, broker: &str) {
        self.of_configured(broker, || self.count_probe(broker, ResultLabel::Abandoned));
    }

    fn count_probe(&self, broker: &str, result: ResultLabel) {
        self.probes.with_label_values(&[broker, result.name()]).inc();
    }

    /// Counts something about a broker, unless a reload has removed it.
    fn of_configured(&self, broker: &str, count: impl FnOnce()) {
        // Held meanwhile, so that no reload removes the series in between.
        let brokers = self.brokers.read().unwrap_or_else(PoisonError::into_inner);
        if brokers.contains(broker) {
            count();
        }
    }

    /// Records that a configuration took effect, or that one could not be read. The series of brokers that it does not
    /// name end, those of new ones begin at 0.
    pub(super) fn record_reload(&self, config: Option<&Config>) {
        self.last_reload_successful.set(config.is_some().into());
        if let Some(config) = config {
            self.last_reload_success.set(Timestamp::now().as_millisecond() as f64 / 1e3);
            self.set_brokers(config.brokers.iter().map(|broker| broker.alias.clone()).collect());
        }
    }

    fn set_brokers(&self, configured: BTreeSet<String>) {
        let mut brokers = self.brokers.write().unwrap_or_else(PoisonError::into_inner);
        let is_kept = |broker: &str| configured.contains(broker);
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
        for broker in &configured {
            self.create_series(broker);
        }
        *brokers = configured;
    }

    /// Creates the series of a broker, where they do not exist.
    fn create_series(&self, broker: &str) {
        for result in ResultLabel::ALL {
            self.probes.with_label_values(&[broker, result.name()]);
        }
        for reason in FailureReason::ALL {
            self.probe_failures.with_label_values(&[broker, reason.name()]);
        }
        for code in INITIAL_CODES {
            self.api_requests.with_label_values(&[broker, code]);
        }
        self.probe_duration.with_label_values(&[broker]);
        self.api_request_duration.with_label_values(&[broker]);
    }

    /// Counts a request for a probe that was refused.
    pub(super) fn record_refusal(&self, reason: RefusalReason) {
        self.probes_refused.with_label_values(&[reason.name()]).inc();
    }

    /// Returns the metrics in Prometheus' text format.
    pub(super) fn encode(&self) -> prometheus::Result<String> {
        let dropped = logging::dropped_lines();
        self.log_lines_dropped.inc_by(dropped.saturating_sub(self.log_lines_dropped.get()));
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

/// Removes the series of a family whose first label, the broker, is not kept.
fn retain(
    family: &impl Collector,
    labels: &[&str],
    is_kept: impl Fn(&str) -> bool,
    remove: impl Fn(&[&str]) -> prometheus::Result<()>,
) {
    for metric in family.collect().iter().flat_map(MetricFamily::get_metric) {
        let value =
            |name: &&str| metric.get_label().iter().find(|label| label.name() == *name).map(LabelPair::value);
        let values: Vec<_> = labels.iter().filter_map(value).collect();
        if values.first().is_some_and(|broker| !is_kept(broker)) {
            // It only fails where the series does not exist.
            let _ = remove(&values);
        }
    }
}

fn opts(name: &str, help: &str) -> Opts {
    Opts::new(name, help).namespace("emqx_client_monitor")
}

fn register<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> prometheus::Result<C> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}
