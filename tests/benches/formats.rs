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
    let [off, on] = [0, 1].map(|index| median(rounds.iter().map(|round| round[index].wall)));
    let [off_bytes, on_bytes] = [0, 1].map(|index| rounds[0][index].bytes as f64 / 1e6);
    println!("scraping {CLIENTS} clients{:>36} {:>12} {:>7}", "OpenMetrics", "text", "ratio");
    println!("  wall time{:>40.1} ms {:>9.1} ms {:>7.2}", milliseconds(on), milliseconds(off), ratio(on, off));
    println!("  body{:>45.1} MB {:>9.1} MB {:>7.2}", on_bytes, off_bytes, on_bytes / off_bytes);
    if std::env::var_os("HOLD").is_some() {
        std::thread::sleep(std::time::Duration::from_secs(120));
    }
}
