//! Complete probes through the program that ships, over real sockets.

use std::time::{Duration, Instant};

use fake_emqx::{FakeEmqx, Fault, When};

use crate::bare::{BareClient, fetch};
use crate::broker;
use crate::exporter::{Exporter, Response};
use crate::floor;
use crate::measure::{median, megabytes, milliseconds, ratio, timed};

/// Time from the start of the process to its first response, and its memory then.
pub(crate) fn start() {
    let fake = broker::with_clients(8);
    let config = broker::config(&fake, 8);
    let starts: [_; 5] = std::array::from_fn(|_| {
        let started = Instant::now();
        let exporter = Exporter::start(&config);
        let listening = started.elapsed();
        exporter.get("/-/healthy", &[]);
        (listening, started.elapsed(), exporter.memory())
    });
    println!("\nstart");
    println!("  listening after {:.1} ms", milliseconds(median(starts.map(|start| start.0))));
    println!("  first response after {:.1} ms", milliseconds(median(starts.map(|start| start.1))));
    println!("  memory {:.1} MB", megabytes(median(starts.map(|start| start.2))));
}

/// Probes by lookups, compared with the same requests one after another.
pub(crate) fn lookups() {
    heading("probe by lookups");
    for (clients, probes) in [(8, 800), (200, 60), (1_000, 12)] {
        for encoding in ["identity", "gzip"] {
            let fake = broker::with_clients(clients);
            fake.record_requests(false);
            let exporter = Exporter::start(&broker::config(&fake, clients));
            let probe = || exporter.get("/probe?broker=LocalEMQX", &[("accept-encoding", encoding)]);
            let targets = broker::lookup_targets(clients);
            let compressed = if encoding == "gzip" { ", gzip" } else { "" };
            compare(&format!("{clients} clients{compressed}"), &exporter, probes, probe, || {
                fetch(&fake, &targets);
            });
        }
    }
}

/// Probes that also ask what the broker remembers, compared with the plain probe of the same clients.
pub(crate) fn memory() {
    println!(
        "\nprobe with what the broker remembers, processor time and requests, and their multiples of the plain probe"
    );
    for (clients, probes) in [(8, 800), (200, 60), (1_000, 12)] {
        let fake = broker::with_clients(clients);
        broker::remember(&fake, clients);
        fake.record_requests(false);
        let settings = ["", "seen_topics: ['$seen/${clientid}']", "subscriptions: ['cmd/${clientid}/#']"];
        let exporters = settings.map(|setting| Exporter::start(&broker::config_with(&fake, clients, setting)));
        let bans = "collect[]=session&collect[]=queue&collect[]=traffic&collect[]=banned";
        let [plain, seen, subscriptions] = &exporters;
        let probed = [
            ("plain", plain, ""),
            ("seen", seen, ""),
            ("banned", plain, bans),
            ("subscriptions", subscriptions, ""),
        ];
        let rounds: Vec<_> = (0..ROUNDS)
            .map(|_| {
                probed.map(|(_, exporter, query)| {
                    let (before, requests) = (exporter.processor_time(), fake.request_count());
                    for _ in 0..probes {
                        exporter.probe(query);
                    }
                    let processor = exporter.processor_time().saturating_sub(before) / probes;
                    (processor, fake.request_count() - requests)
                })
            })
            .collect();
        let each = |index: usize| {
            let processor = median(rounds.iter().map(|round: &[_; 4]| round[index].0));
            (processor, rounds[0][index].1 as f64 / f64::from(probes))
        };
        let (floor, plain_requests) = each(0);
        for (index, (name, ..)) in probed.iter().enumerate() {
            let (processor, requests) = each(index);
            println!(
                "  {clients:>5} clients, {name:<13} {:>7.2} ms {:>5.2}   {requests:>7.1} requests {:>5.2}",
                milliseconds(processor),
                ratio(processor, floor),
                requests / plain_requests
            );
        }
    }
}

/// A slow broker: eight lookups in parallel, compared with eight in sequence.
pub(crate) fn slow_broker() {
    let fake = broker::with_clients(8);
    fake.set_latency(Duration::from_millis(2));
    let targets = broker::lookup_targets(8);
    let exporter = Exporter::start(&broker::config(&fake, 8));
    let rounds: Vec<_> = (0..100)
        .map(|_| {
            let probe = exporter.probe("").wall;
            let started = Instant::now();
            fetch(&fake, &targets);
            (probe, started.elapsed())
        })
        .collect();
    let (probe, floor) = (median(rounds.iter().map(|one| one.0)), median(rounds.iter().map(|one| one.1)));
    println!("\nprobe of 8 clients, 2 ms latency");
    println!("  wall time {:.1} ms, in sequence {:.1} ms", milliseconds(probe), milliseconds(floor));
    println!("  ratio {:.2}", ratio(probe, floor));
}

/// The HTML page, compared with the probe of the same clients.
pub(crate) fn page() {
    println!("\npage of one broker, processor time and its multiple of the probe");
    for (clients, rounds) in [(8, 400), (1_000, 12), (5_000, 4)] {
        let fake = broker::with_clients(clients);
        fake.record_requests(false);
        let exporter = Exporter::start(&broker::config(&fake, clients));
        let each = |path: &str| {
            let before = exporter.processor_time();
            let bytes = exporter.get(path, &[]).bytes;
            for _ in 1..rounds {
                exporter.get(path, &[]);
            }
            (exporter.processor_time().saturating_sub(before) / rounds, bytes)
        };
        let ((page, bytes), (probe, _)) = (each("/"), each("/probe?broker=LocalEMQX"));
        println!(
            "  {clients:>5} clients: {:.2} ms, {:.2} times the probe; {:.0} kB; peak memory {:.1} MB",
            milliseconds(page),
            ratio(page, probe),
            bytes as f64 / 1e3,
            megabytes(exporter.peak_memory())
        );
    }
}

/// Lists a large broker, compared with the bare requests and with the floor of the codec.
pub(crate) fn list() {
    heading("list of 10000 clients, default groups");
    let fake = broker::with_clients(10_000);
    let exporter = Exporter::start(&broker::config(&fake, 0));
    let list_all = || exporter.probe(broker::LIST_ALL);
    fake.reset_counters();
    let first = list_all();
    let targets: Vec<_> = fake.requests().into_iter().map(|request| request.target).collect();
    let to_first_byte = since_last_page(&fake, &first);
    fake.record_requests(false);

    let peak = exporter.peak_memory();
    compare("  and the bare requests", &exporter, 3, list_all, || fetch(&fake, &targets));
    let mut json = Vec::new();
    BareClient::connect(&fake).get(&targets[0], |chunk| json.extend_from_slice(chunk));
    let mut text = String::new();
    compare("  and the floor of the codec", &exporter, 3, list_all, || {
        let page = floor::decode(&json);
        text.clear();
        floor::encode(&page.data, &mut text);
    });
    println!("  {} pages, {:.1} MB of JSON", targets.len(), json.len() as f64 / 1e6);
    println!("  first byte {:.1} ms after the request for the last page", milliseconds(to_first_byte));
    println!("  peak memory of the first list {:.1} MB", megabytes(peak));
}

/// Lists ten times as many clients, to show the cost of each.
pub(crate) fn scale() {
    heading("list of the state alone");
    let measured = [(10_000, 30), (100_000, 3)].map(|(clients, probes)| {
        let fake = broker::with_clients(clients);
        let exporter = Exporter::start(&broker::config(&fake, 0));
        exporter.get("/-/healthy", &[]);
        let idle = exporter.memory();
        fake.reset_counters();
        let to_first_byte = since_last_page(&fake, &exporter.probe("all=true"));
        let targets: Vec<_> = fake.requests().into_iter().map(|request| request.target).collect();
        let each = (exporter.peak_memory() - idle) / clients as u64;
        fake.record_requests(false);
        let processor = compare(
            &format!("{clients} clients"),
            &exporter,
            probes,
            || exporter.probe("all=true"),
            || fetch(&fake, &targets),
        );
        let first_byte = milliseconds(to_first_byte);
        println!(
            "  {each} bytes of memory a client; first byte {first_byte:.1} ms after the request for the last page"
        );
        processor
    });
    println!("  ten times as many clients take {:.1} times as long", ratio(measured[1], measured[0]));
}

/// Brokers whose responses never end: time from the deadline to the end of the probe.
pub(crate) fn stuck_broker() {
    println!("\nprobe of 8 clients with 1 s to the deadline");
    let late = |fake: &FakeEmqx, query: &str| {
        let exporter = Exporter::start(&broker::config(fake, 8));
        // The exporter subtracts half a second from the scrape timeout.
        let header = [("x-prometheus-scrape-timeout-seconds", "1.5")];
        let response = exporter.get(&format!("/probe?broker=LocalEMQX&{query}"), &header);
        response.wall.as_secs_f64() * 1e3 - 1e3
    };
    let trickling = Fault::TrickleBody(Duration::from_millis(5));
    for (what, fault) in [("hung", Fault::Silent), ("trickling", trickling)] {
        let fake = broker::with_clients(8);
        fake.inject(When::Any, fault);
        println!("  {what}: {:+.1} ms after the deadline", late(&fake, ""));
    }
    let fake = broker::with_clients(100_000);
    fake.inject(When::Page(6), Fault::Silent);
    println!("  hung after half of 100000 clients: {:+.1} ms after the deadline", late(&fake, "all=true"));
}

/// Time from the request for the last page to the first byte of the response.
fn since_last_page(fake: &FakeEmqx, response: &Response) -> Duration {
    let requested = fake.requests().last().expect("a page").at;
    response.first_byte.saturating_duration_since(requested)
}

const ROUNDS: usize = 5;

/// Measures this many probes in turn with as many runs of the floor. Returns the processor time of one probe.
fn compare(
    name: &str,
    exporter: &Exporter,
    probes: u32,
    probe: impl Fn() -> Response,
    mut floor: impl FnMut(),
) -> Duration {
    for _ in 0..probes.div_ceil(10) {
        probe();
        floor();
    }
    let mut bytes = 0;
    let rounds: [_; ROUNDS] = std::array::from_fn(|_| {
        let (before, started) = (exporter.processor_time(), Instant::now());
        for _ in 0..probes {
            bytes = probe().bytes;
        }
        let wall = started.elapsed() / probes;
        let processor = exporter.processor_time().saturating_sub(before) / probes;
        let ((), bare) = timed(|| (0..probes).for_each(|_| floor()));
        (processor, bare / probes, wall)
    });
    let processor = median(rounds.map(|round| round.0));
    let floor = median(rounds.map(|round| round.1));
    println!(
        "{name:<28} {:>9.2} ms {:>9.2} ms {:>7.2} {:>9.2} ms {bytes:>10} {:>8.1} MB {:>7.1} MB",
        milliseconds(processor),
        milliseconds(floor),
        ratio(processor, floor),
        milliseconds(median(rounds.map(|round| round.2))),
        megabytes(exporter.memory()),
        megabytes(exporter.peak_memory()),
    );
    processor
}

fn heading(title: &str) {
    let columns = ["processor", "floor", "ratio", "wall", "bytes", "memory", "peak"];
    let [processor, floor, ratio, wall, bytes, memory, peak] = columns;
    println!(
        "\n{title:<37} {processor:>12} {floor:>12} {ratio:>7} {wall:>12} {bytes:>10} {memory:>11} {peak:>10}"
    );
}
