//! The exporter's own metrics: about itself and its probes, never about a client.

use prometheus::core::Collector;
use prometheus::process_collector::ProcessCollector;
use prometheus::{
    HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

use crate::outcome::Outcome;
use crate::version;

/// From a healthy broker next door to Prometheus' longest sensible scrape timeout, in seconds.
const PROBE_SECONDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// The exporter's own metrics.
pub(super) struct Telemetry {
    registry: Registry,
    probes: IntCounterVec,
    probe_failures: IntCounterVec,
    probe_duration: HistogramVec,
    probes_in_flight: IntGauge,
    probes_refused: IntCounterVec,
}

impl Telemetry {
    /// Sets the metrics up. Each server has its own, so that tests can run several in one process.
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
        Ok(Self {
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
                        .buckets(PROBE_SECONDS.to_vec()),
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
            registry,
        })
    }

    /// Counts a probe as under way until the guard is dropped, be it that the one who asked went away.
    pub(super) fn probe_begins(&self) -> ProbeInFlight {
        self.probes_in_flight.inc();
        ProbeInFlight(self.probes_in_flight.clone())
    }

    /// Counts a probe that came to its end.
    pub(super) fn probe_ended(&self, outcome: &Outcome) {
        let broker = outcome.broker.as_str();
        let result = if outcome.is_success() { "success" } else { "failure" };
        self.probes.with_label_values(&[broker, result]).inc();
        self.probe_duration.with_label_values(&[broker]).observe(outcome.duration.as_secs_f64());
        for reason in outcome.failures.reasons() {
            self.probe_failures.with_label_values(&[broker, reason.name()]).inc();
        }
    }

    /// Counts a request for a probe that was refused.
    pub(super) fn probe_refused(&self, reason: &str) {
        self.probes_refused.with_label_values(&[reason]).inc();
    }

    /// The metrics in Prometheus' text format.
    pub(super) fn expose(&self) -> prometheus::Result<String> {
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

fn opts(name: &str, help: &str) -> Opts {
    Opts::new(name, help).namespace("emqx_client_monitor")
}

fn registered<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> prometheus::Result<C> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}
