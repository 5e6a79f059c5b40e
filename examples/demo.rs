//! A first look without a broker: a fake EMQX with a small fleet that lives, and the exporter beside it.
//!
//! `cargo run --release --example demo [SECONDS]` runs until it is interrupted, or for so many seconds.
#![allow(clippy::print_stdout, reason = "it talks to the person who runs it")]

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use actix_web::rt::{System, time};
use emqx_client_monitor::config::Config;
use emqx_client_monitor::logging::{self, Format, Level};
use emqx_client_monitor::server::{Options, Server};
use fake_emqx::{FakeEmqx, Row, Version};
use jiff::{SignedDuration, Timestamp};

/// Where the exporter listens by default; any free port is taken where this one is in use.
const PREFERRED: ([u8; 4], u16) = ([127, 0, 0, 1], 9671);

/// How often the fleet changes.
const TICK: Duration = Duration::from_secs(1);

/// A device of the fleet: alias, client ID, user name, keepalive in seconds, age of the session in hours, and how
/// many messages it sends with each tick.
struct Device(&'static str, &'static str, Option<&'static str>, u64, i64, u64);

const FLEET: &[Device] = &[
    Device("HumidifierWaterRefTerm", "humidifier-water-refterm", Some("humidifier"), 10, 16, 1),
    Device("QingpingCO2_Room1", "qingping-DEADBEEF1234", Some("qingping"), 120, 3, 1),
    Device("QingpingCO2_Room2", "qingping-DEADBEEF5678", Some("qingping"), 120, 30, 1),
    Device("RTL433_Room1", "rtl433/room 1", None, 60, 24 * 33, 29),
    Device("RTL433_Room2", "rtl433/room 2", None, 60, 24 * 30, 217),
    Device("DoorSensor", "door-sensor", Some("door"), 300, 50, 0),
];

/// It is configured, and the broker has never heard of it.
const NEVER_SEEN: (&str, &str) = ("GardenPump", "garden-pump");

fn main() -> Result<(), Box<dyn Error>> {
    let seconds = std::env::args().nth(1).map(|seconds| seconds.parse()).transpose()?;
    logging::init(Level::Warn, Format::Logfmt);
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.keep_requests(false);
    let now = Timestamp::now();
    fake.add_all(FLEET.iter().map(|device| row(device, now)));

    let directory = tempfile::tempdir()?;
    let config_file = directory.path().join("config.yaml");
    let config = configuration(&fake);
    std::fs::write(&config_file, &config)?;
    let config = Arc::new(Config::parse(&config, &config_file)?);

    thread::spawn(move || live(&fake));
    System::new().block_on(async {
        let server = bind(&config_file, &config)?;
        greet(server.addresses()[0], &config_file)?;
        let handle = server.handle();
        if let Some(seconds) = seconds {
            actix_web::rt::spawn(async move {
                time::sleep(Duration::from_secs(seconds)).await;
                handle.stop(true).await;
            });
        }
        Ok(server.run().await?)
    })
}

/// A client as the broker knows it at the beginning.
fn row(device: &Device, now: Timestamp) -> Row {
    let Device(_, client_id, username, keepalive, hours, messages) = device;
    let created = time_of(now - SignedDuration::from_hours(*hours));
    Row::like("plain-user-1")
        .client_id(client_id)
        .username(*username)
        .set("keepalive", *keepalive)
        .set("created_at", created.as_str())
        .set("connected_at", created.as_str())
        .set("recv_msg.qos0", messages * 3600 * hours.unsigned_abs())
        .set("recv_msg.qos2", 0)
}

/// As EMQX writes it.
fn time_of(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3f+00:00").to_string()
}

fn configuration(fake: &FakeEmqx) -> String {
    let mut clients = String::new();
    for (alias, client_id) in FLEET.iter().map(|device| (device.0, device.1)).chain([NEVER_SEEN]) {
        // Writing to memory does not fail.
        let _ = writeln!(clients, "  - {{alias: \"{alias}\", client_id: \"{client_id}\"}}");
    }
    format!(
        "emqx:\n  alias: LocalEMQX\n  api_url: {:?}\n  api_key: {:?}\n  api_secret: {:?}\n\
         monitored_clients:\n{clients}",
        fake.url(),
        fake.api_key(),
        fake.api_secret()
    )
}

fn bind(config_file: &Path, config: &Arc<Config>) -> Result<Server, Box<dyn Error>> {
    let options = |address: SocketAddr| Options {
        listen: vec![address],
        timeout_offset: Duration::from_millis(500),
        max_probes: 64,
        shutdown_delay: Duration::ZERO,
        door: None,
    };
    let preferred = Server::bind(config_file, Arc::clone(config), &options(SocketAddr::from(PREFERRED)));
    Ok(match preferred {
        Ok(server) => server,
        Err(_) => Server::bind(config_file, Arc::clone(config), &options(SocketAddr::from((PREFERRED.0, 0))))?,
    })
}

fn greet(address: SocketAddr, config_file: &Path) -> Result<(), Box<dyn Error>> {
    println!(
        "A fake EMQX broker with {} MQTT clients, and the exporter beside it. Every second something moves.\n\n\
         What Prometheus would see:   curl 'http://{address}/probe?broker=LocalEMQX'\n\
         Who is there:                curl -s 'http://{address}/probe?broker=LocalEMQX' | grep _connected{{\n\
         The exporter's own metrics:  curl 'http://{address}/metrics'\n\
         The same for a person:       cargo run --release -- --cfg {} --check\n\n\
         Ctrl-C ends it.",
        FLEET.len(),
        config_file.display()
    );
    Ok(std::io::stdout().flush()?)
}

/// Lets counters move, one client lose and regain its connection, and another come and go altogether.
fn live(fake: &FakeEmqx) {
    let (mut received, mut ticks) = (vec![0; FLEET.len()], 0_u64);
    loop {
        thread::sleep(TICK);
        ticks += 1;
        for (Device(_, client_id, .., hours, messages), received) in FLEET.iter().zip(&mut received) {
            if is_there(client_id, ticks) {
                *received += messages;
                let total = messages * 3600 * hours.unsigned_abs() + *received;
                fake.change(client_id, |row| row.set("recv_msg.qos0", total).set("recv_oct", total * 64));
            }
        }
        match ticks % 60 {
            20 => {
                let now = time_of(Timestamp::now());
                fake.disconnect("qingping-DEADBEEF5678");
                fake.change("qingping-DEADBEEF5678", |row| row.set("disconnected_at", now.as_str()));
                fake.remove("door-sensor");
            }
            40 => {
                let now = Timestamp::now();
                for back in ["qingping-DEADBEEF5678", "door-sensor"] {
                    fake.remove(back);
                    let device = FLEET.iter().find(|device| device.1 == back);
                    fake.add_all(device.map(|device| row(device, now).set("connected_at", time_of(now))));
                }
            }
            _ => {}
        }
    }
}

/// Two of the fleet are away from the 20th to the 40th second of each minute.
fn is_there(client_id: &str, ticks: u64) -> bool {
    !(matches!(client_id, "qingping-DEADBEEF5678" | "door-sensor") && (21..=40).contains(&(ticks % 60)))
}
