//! Whole probes, through the program that ships and over real sockets.

use std::time::{Duration, Instant};

use fake_emqx::{FakeEmqx, Fault, When};

use crate::bare::{Bare, fetch};
use crate::broker;
use crate::exporter::{Answer, Exporter};
use crate::floor;
use crate::measure::{median, milliseconds, ratio, timed};

/// From the start of the process to the first answer, and the memory it has then.
pub(crate) fn start() {
    let fake = broker::of(8);
    let config = broker::config(&fake, 8);
    let starts: [_; 5] = std::array::from_fn(|_| {
        let began = Instant::now();
        let exporter = Exporter::start(&config);
        let listening = began.elapsed();
        exporter.get("/-/healthy", &[]);
        (listening, began.elapsed(), exporter.memory())
    });
    println!("\nstart");
    println!("  listening after {:.1} ms", milliseconds(median(starts.map(|start| start.0))));
    println!("  first answer after {:.1} ms", milliseconds(median(starts.map(|start| start.1))));
    println!("  memory {:.1} MB", megabytes(median(starts.map(|start| start.2))));
}

/// Probes of watched clients that are looked up, beside the same requests one after another.
pub(crate) fn lookups() {
    heading("probe by lookups");
    for (clients, probes) in [(8, 800), (200, 60), (1_000, 12)] {
        for encoding in ["identity", "gzip"] {
            let fake = broker::of(clients);
            fake.record_requests(false);
            let exporter = Exporter::start(&broker::config(&fake, clients));
            let probe = || exporter.get("/probe?broker=LocalEMQX", &[("accept-encoding", encoding)]);
            let targets = broker::lookups(clients);
            let compressed = if encoding == "gzip" { ", gzip" } else { "" };
            compare(&format!("{clients} clients{compressed}"), &exporter, probes, probe, || {
                fetch(&fake, &targets);
            });
        }
    }
}

/// A broker that takes its time: eight lookups at once, beside eight one after another.
pub(crate) fn slow_broker() {
    let fake = broker::of(8);
    fake.set_latency(Duration::from_millis(2));
    let targets = broker::lookups(8);
    let exporter = Exporter::start(&broker::config(&fake, 8));
    let rounds: Vec<_> = (0..100)
        .map(|_| {
            let probe = exporter.probe("").wall;
            let began = Instant::now();
            fetch(&fake, &targets);
            (probe, began.elapsed())
        })
        .collect();
    let (probe, floor) = (median(rounds.iter().map(|one| one.0)), median(rounds.iter().map(|one| one.1)));
    println!("\nprobe of 8 clients, each answer 2 ms late");
    println!("  wall time {:.1} ms, one after another {:.1} ms", milliseconds(probe), milliseconds(floor));
    println!("  ratio {:.2}", ratio(probe, floor));
}

/// The page for people, beside the probe that finds the same out.
pub(crate) fn page() {
    println!("\npage of one broker, processor time beside its probe");
    for (clients, rounds) in [(8, 400), (1_000, 12), (5_000, 4)] {
        let fake = broker::of(clients);
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

/// Walks over a large broker, and what reading its pages and writing the text cost at least.
pub(crate) fn walk() {
    heading("walk of 10000 clients, default groups");
    let fake = broker::of(10_000);
    let exporter = Exporter::start(&broker::config(&fake, 0));
    let walk = || exporter.probe(broker::WALK);
    fake.reset_counters();
    let first = walk();
    let targets: Vec<_> = fake.requests().into_iter().map(|request| request.target).collect();
    let to_first_byte = since_last_page(&fake, &first);
    fake.record_requests(false);

    let peak = exporter.peak_memory();
    compare("  beside the bare requests", &exporter, 3, walk, || fetch(&fake, &targets));
    let mut json = Vec::new();
    Bare::connect(&fake).get(&targets[0], |piece| json.extend_from_slice(piece));
    let mut text = String::new();
    compare("  beside reading and writing", &exporter, 3, walk, || {
        let page = floor::decode(&json);
        text.clear();
        floor::encode(&page.data, &mut text);
    });
    println!("  {} pages, {:.1} MB of JSON", targets.len(), json.len() as f64 / 1e6);
    println!("  first byte {:.1} ms after the last page was asked for", milliseconds(to_first_byte));
    println!("  peak memory of the first walk {:.1} MB", megabytes(peak));
}

/// Ten times as many clients: what each of them costs.
pub(crate) fn fleet() {
    heading("walk of the state alone");
    let measured = [(10_000, 30), (100_000, 3)].map(|(clients, walks)| {
        let fake = broker::of(clients);
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
            walks,
            || exporter.probe("all=true"),
            || fetch(&fake, &targets),
        );
        let first_byte = milliseconds(to_first_byte);
        println!(
            "  {each} bytes of memory a client; first byte {first_byte:.1} ms after the last page was asked for"
        );
        processor
    });
    println!("  ten times as many clients take {:.1} times as long", ratio(measured[1], measured[0]));
}

/// Brokers that never come to an end: how long after its deadline a probe is answered.
pub(crate) fn stuck_broker() {
    println!("\nprobe of 8 clients with 1 s to the deadline");
    let late = |fake: &FakeEmqx, query: &str| {
        let exporter = Exporter::start(&broker::config(fake, 8));
        // Half a second is kept for the way back.
        let header = [("x-prometheus-scrape-timeout-seconds", "1.5")];
        let answer = exporter.get(&format!("/probe?broker=LocalEMQX&{query}"), &header);
        answer.wall.as_secs_f64() * 1e3 - 1e3
    };
    let trickling = Fault::TrickleBody(Duration::from_millis(5));
    for (what, trouble) in [("hung", Fault::Silent), ("trickling", trickling)] {
        let fake = broker::of(8);
        fake.inject(When::Any, trouble);
        println!("  {what}: {:+.1} ms after it", late(&fake, ""));
    }
    let fake = broker::of(100_000);
    fake.inject(When::Page(6), Fault::Silent);
    println!("  hung after half of 100000 clients: {:+.1} ms after it", late(&fake, "all=true"));
}

/// From the moment when the last page was asked for to the first byte of the answer.
fn since_last_page(fake: &FakeEmqx, answer: &Answer) -> Duration {
    let asked = fake.requests().last().expect("a page").at;
    answer.began.saturating_duration_since(asked)
}

const ROUNDS: usize = 5;

/// Measures so many probes in turn with as many times the floor, and gives the processor time of one probe.
fn compare(
    name: &str,
    exporter: &Exporter,
    probes: u32,
    probe: impl Fn() -> Answer,
    mut floor: impl FnMut(),
) -> Duration {
    for _ in 0..probes.div_ceil(10) {
        probe();
        floor();
    }
    let mut bytes = 0;
    let rounds: [_; ROUNDS] = std::array::from_fn(|_| {
        let (before, began) = (exporter.processor_time(), Instant::now());
        for _ in 0..probes {
            bytes = probe().bytes;
        }
        let wall = began.elapsed() / probes;
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

fn heading(of: &str) {
    let columns = ["processor", "floor", "ratio", "wall", "bytes", "memory", "peak"];
    let [processor, floor, ratio, wall, bytes, memory, peak] = columns;
    println!(
        "\n{of:<37} {processor:>12} {floor:>12} {ratio:>7} {wall:>12} {bytes:>10} {memory:>11} {peak:>10}"
    );
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
