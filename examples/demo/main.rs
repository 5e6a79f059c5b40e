//! A first look without a broker: two fake EMQX brokers with a fleet that lives, and the exporter beside them.
//!
//! `cargo run --release --example demo [SECONDS]` runs until it is interrupted, or for so many seconds.
#![allow(
    clippy::print_stdout,
    clippy::use_debug,
    reason = "it talks to the person who runs it, and quoted text is YAML"
)]

mod fleet;
mod life;

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
use fake_emqx::{FakeEmqx, Trouble, Version, When};
use fleet::{Device, FACTORY, LOCAL, TROUBLED};
use jiff::Timestamp;
use life::{CYCLE, Life};

/// Where the exporter listens by default; any free port is taken where this one is in use.
const PREFERRED: ([u8; 4], u16) = ([127, 0, 0, 1], 9671);

/// How often the fleet changes.
const TICK: Duration = Duration::from_secs(1);

fn main() -> Result<(), Box<dyn Error>> {
    let seconds = std::env::args().nth(1).map(|seconds| seconds.parse()).transpose()?;
    logging::init(Level::Warn, Format::Logfmt);
    let (mut local, mut factory) = (Broker::start("LocalEMQX", LOCAL), Broker::start("FactoryEMQX", FACTORY));

    let directory = tempfile::tempdir()?;
    let config_file = directory.path().join("config.yaml");
    let config = configuration(&[&local, &factory]);
    std::fs::write(&config_file, &config)?;
    let config = Arc::new(Config::parse(&config, &config_file)?);

    thread::spawn(move || {
        for second in 1.. {
            thread::sleep(TICK);
            local.pass(second);
            factory.pass(second);
            trouble(&factory.fake, second);
        }
    });
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

/// A broker and its clients.
struct Broker {
    alias: &'static str,
    devices: &'static [Device],
    fake: FakeEmqx,
    lives: Vec<Life>,
}

impl Broker {
    fn start(alias: &'static str, devices: &'static [Device]) -> Self {
        let fake = FakeEmqx::start(Version::V5_8_9);
        fake.keep_requests(false);
        let now = Timestamp::now();
        let lives = devices.iter().map(|device| Life::new(device, now)).collect();
        let mut broker = Self { alias, devices, fake, lives };
        broker.pass(0);
        broker
    }

    fn pass(&mut self, second: u64) {
        let now = Timestamp::now();
        for life in &mut self.lives {
            life.pass(second, now, &self.fake);
        }
    }
}

/// What goes wrong with a broker in each cycle: one client cannot be looked up, then the API key is refused, then
/// nothing is answered, and then the broker boots.
fn trouble(fake: &FakeEmqx, second: u64) {
    let plan = match second % CYCLE {
        8 => Some((When::Lookup(TROUBLED.into()), Trouble::node_down())),
        24 => Some((When::Any, Trouble::status(401, "application/json", refusal()))),
        38 => Some((When::Any, Trouble::Silent)),
        52 => Some((When::Any, Trouble::booting_html_404())),
        18 | 32 | 46 | 58 => None,
        _ => return,
    };
    fake.clear_troubles();
    if let Some((when, what)) = plan {
        fake.trouble(when, what);
    }
}

/// What EMQX says to those whose API key it does not take.
fn refusal() -> &'static [u8] {
    fake_emqx::recorded(Version::V5_8_9, "20-unauth-bad")
}

fn configuration(brokers: &[&Broker]) -> String {
    let (mut config, mut clients) = ("emqx:\n".to_owned(), "monitored_clients:\n".to_owned());
    for Broker { alias: broker, devices, fake, .. } in brokers {
        // Writing to memory does not fail.
        let _ = writeln!(
            config,
            "  - {{alias: {broker}, api_url: {:?}, api_key: {:?}, api_secret: {:?}}}",
            fake.url(),
            fake.api_key(),
            fake.api_secret()
        );
        for Device { alias, client_id, offline_after, .. } in *devices {
            let offline_after = offline_after.map(|at_most| format!(", offline_after: {at_most}"));
            let _ = writeln!(
                clients,
                "  - {{alias: {alias:?}, client_id: {client_id:?}, brokers: [{broker}]{}}}",
                offline_after.unwrap_or_default()
            );
        }
    }
    config + &clients
}

fn bind(config_file: &Path, config: &Arc<Config>) -> Result<Server, Box<dyn Error>> {
    let options = |address: SocketAddr| Options {
        listen: vec![address],
        timeout_offset: Duration::from_millis(500),
        max_probes: 64,
        shutdown_delay: Duration::ZERO,
        web_auth: None,
    };
    let preferred = Server::bind(config_file, Arc::clone(config), &options(SocketAddr::from(PREFERRED)));
    Ok(match preferred {
        Ok(server) => server,
        Err(_) => Server::bind(config_file, Arc::clone(config), &options(SocketAddr::from((PREFERRED.0, 0))))?,
    })
}

fn greet(address: SocketAddr, config_file: &Path) -> Result<(), Box<dyn Error>> {
    println!(
        "Two fake EMQX brokers with {} MQTT clients, and the exporter beside them. Every second something moves,\n\
         and in each minute FactoryEMQX has trouble now and then.\n\n\
         For people:                  http://{address}/\n\
         What Prometheus would see:   curl 'http://{address}/probe?broker=LocalEMQX'\n\
         Who is there:                curl -s 'http://{address}/probe?broker=LocalEMQX' | grep _connected{{\n\
         What goes wrong, and why:    curl 'http://{address}/probe?broker=FactoryEMQX&debug=true'\n\
         What there is to scrape:     curl 'http://{address}/sd'\n\
         The exporter's own metrics:  curl 'http://{address}/metrics'\n\
         The same for a person:       cargo run --release -- --cfg {} --check\n\n\
         Ctrl-C ends it.",
        LOCAL.len() + FACTORY.len(),
        config_file.display()
    );
    Ok(std::io::stdout().flush()?)
}
