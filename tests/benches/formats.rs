//! Scrapes of many clients as text, and as `OpenMetrics` with the start of each counter.

use crate::broker;
use crate::exporter::Exporter;
use crate::measure::{median, milliseconds, ratio};

const CLIENTS: usize = 10_000;
const ROUNDS: usize = 9;

pub(crate) fn text_and_open_metrics() {
    let fake = broker::with_clients(CLIENTS);
    let off = broker::config(&fake, 0);
    let on = format!("{off}prometheus: {{created_timestamps: true}}\n");
    let exporters = [off, on].map(|config| Exporter::start(&config));
    let path = format!("/probe?broker=LocalEMQX&{}", broker::LIST_ALL);
    let accept = ("accept", "application/openmetrics-text;version=1.0.0,text/plain;q=0.5");
    let scrape = |exporter: &Exporter| exporter.get(&path, &[accept]);
    let rounds: Vec<_> = (0..ROUNDS).map(|_| exporters.each_ref().map(scrape)).collect();
    let [text, open_metrics] = [0, 1].map(|index| median(rounds.iter().map(|round| round[index].wall)));
    let [text_bytes, open_metrics_bytes] = [0, 1].map(|index| rounds[0][index].bytes as f64 / 1e6);
    println!("scraping {CLIENTS} clients{:>24} {:>12} {:>7}", "OpenMetrics", "text", "ratio");
    println!(
        "  wall time{:>29.1} ms {:>9.1} ms {:>7.2}",
        milliseconds(open_metrics),
        milliseconds(text),
        ratio(open_metrics, text)
    );
    println!(
        "  body{open_metrics_bytes:>34.1} MB {text_bytes:>9.1} MB {:>7.2}",
        open_metrics_bytes / text_bytes
    );
}
