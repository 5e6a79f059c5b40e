//! A demo without a broker: two fake EMQX brokers whose clients change every second, and the exporter beside them.
//!
//! `cargo run --release -p demo [SECONDS]` runs until it is interrupted, or for that many seconds.
//! `demo exporter ARGUMENTS...` is the exporter's own command line, so that the demo needs no second program.
#![allow(
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::use_debug,
    reason = "it talks to the person who runs it, and quoted text is YAML"
)]

mod devices;
mod fleets;
mod simulation;

use std::env;
use std::error::Error;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use actix_rt::{System, time};
use devices::{Device, FACTORY, FAILING, LOCAL};
use emqx_client_monitor::config::Config;
use emqx_client_monitor::logging::{self, Level, LogFormat};
use emqx_client_monitor::server::{ListenOn, Options, Routing, Server};
use fake_emqx::{FakeEmqx, Fault, Version, When};
use fleets::{FACTORY_FLEETS, Fleet, LOCAL_FLEETS};
use jiff::Timestamp;
use simulation::{CYCLE, Simulation};

/// The exporter's default address; the demo takes a free port where this one is in use.
const PREFERRED: ([u8; 4], u16) = ([127, 0, 0, 1], 9671);

/// How often the clients change.
const TICK: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    run().unwrap_or_else(|error| {
        eprintln!("{error}");
        ExitCode::FAILURE
    })
}

/// Runs the demo, or the exporter where the first argument says so.
fn run() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = env::args_os().skip(1);
    let Some(first) = arguments.next() else {
        return run_demo(None);
    };
    if first == "exporter" {
        return Ok(emqx_client_monitor::run([first].into_iter().chain(arguments)));
    }
    match first.to_str().and_then(|seconds| seconds.parse().ok()) {
        Some(seconds) => run_demo(Some(Duration::from_secs(seconds))),
        None => Err("expected a number of seconds, or `exporter` and its arguments".into()),
    }
}

/// Serves until it is interrupted, or for this long.
fn run_demo(duration: Option<Duration>) -> Result<ExitCode, Box<dyn Error>> {
    logging::init(Level::Warn, LogFormat::Logfmt);
    let (mut local, mut factory) = (
        Broker::start("LocalEMQX", "house", LOCAL, LOCAL_FLEETS),
        Broker::start("FactoryEMQX", "factory", FACTORY, FACTORY_FLEETS),
    );

    let config = configuration(&[&local, &factory]);
    let config_file = ConfigFile::create(&config)?;
    let config = Arc::new(Config::parse(&config, &config_file.path)?);

    thread::spawn(move || {
        for second in 1.. {
            thread::sleep(TICK);
            local.advance(second);
            factory.advance(second);
            set_faults(&factory.fake, second);
        }
    });
    System::new().block_on(async {
        let server = bind(&config_file.path, &config)?;
        print_hints(server.addresses()[0], &config_file.path)?;
        let handle = server.handle();
        if let Some(duration) = duration {
            actix_rt::spawn(async move {
                time::sleep(duration).await;
                handle.stop(true).await;
            });
        }
        server.run().await?;
        Ok(ExitCode::SUCCESS)
    })
}

/// The configuration on disk, for `--cfg`. Removed when dropped.
struct ConfigFile {
    path: PathBuf,
}

impl ConfigFile {
    /// Creates the file under a name of its own, and never follows a link that another user created there.
    fn create(config: &str) -> Result<Self, String> {
        let path = env::temp_dir().join(format!("emqx-client-monitor-demo-{}.yaml", process::id()));
        let written = File::create_new(&path).and_then(|mut file| file.write_all(config.as_bytes()));
        written.map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        Ok(Self { path })
    }
}

impl Drop for ConfigFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// A broker and its clients.
struct Broker {
    alias: &'static str,
    /// The label `site` of its clients.
    site: &'static str,
    devices: &'static [Device],
    fleets: &'static [Fleet],
    fake: FakeEmqx,
    simulations: Vec<Simulation>,
}

impl Broker {
    fn start(
        alias: &'static str,
        site: &'static str,
        devices: &'static [Device],
        fleets: &'static [Fleet],
    ) -> Self {
        let fake = FakeEmqx::start(Version::V5_8_9);
        fake.record_requests(false);
        let now = Timestamp::now();
        let simulations: Vec<_> = devices.iter().map(|device| Simulation::new(device, now)).collect();
        fake.remember_connections();
        for simulation in &simulations {
            simulation.remember(now, &fake);
        }
        let mut broker = Self { alias, site, devices, fleets, fake, simulations };
        broker.advance(0);
        broker
    }

    /// Moves every client on by a second.
    fn advance(&mut self, second: u64) {
        let now = Timestamp::now();
        for simulation in &mut self.simulations {
            simulation.advance(second, now, &self.fake);
        }
        for fleet in self.fleets {
            fleet.advance(second, &self.fake);
        }
    }
}

/// Sets the faults of a cycle: lookups of one client fail, then the API key is refused, then the broker is silent, and
/// then it boots.
fn set_faults(fake: &FakeEmqx, second: u64) {
    let fault = match second % CYCLE {
        8 => Some((When::Lookup(FAILING.into()), Fault::node_down())),
        24 => Some((When::Any, Fault::status(401, "application/json", unauthorized()))),
        38 => Some((When::Any, Fault::Silent)),
        52 => Some((When::Any, Fault::booting_html_404())),
        18 | 32 | 46 | 58 => None,
        _ => return,
    };
    fake.clear_faults();
    if let Some((when, fault)) = fault {
        fake.inject(when, fault);
    }
}

/// EMQX's response to an invalid API key.
fn unauthorized() -> &'static [u8] {
    fake_emqx::recorded(Version::V5_8_9, "20-unauth-bad")
}

fn configuration(brokers: &[&Broker]) -> String {
    let (mut config, mut clients) = ("emqx:\n".to_owned(), "monitored_clients:\n".to_owned());
    let mut counted = "monitored_fleets:\n".to_owned();
    for Broker { alias: broker, site, devices, fleets, fake, .. } in brokers {
        // Writing to a `String` never fails.
        let _ = writeln!(
            config,
            "  - {{alias: {broker}, api_url: {:?}, api_key: {:?}, api_secret: {:?}, seen_topics: [\"$seen/${{clientid}}\"]}}",
            fake.url(),
            fake.api_key(),
            fake.api_secret()
        );
        for Device { alias, client_id, offline_after, expected, .. } in *devices {
            let offline_after = offline_after.map(|limit| format!(", offline_after: {limit}"));
            let _ = writeln!(
                clients,
                "  - {{alias: {alias:?}, client_id: {client_id:?}, brokers: [{broker}], subscriptions: {expected:?}, \
                 labels: {{site: {site}}}{}}}",
                offline_after.unwrap_or_default()
            );
        }
        for Fleet { alias, pattern, expected_connected, expected_sessions, .. } in *fleets {
            let _ = writeln!(
                counted,
                "  - {{alias: {alias:?}, client_id: {pattern:?}, brokers: [{broker}], labels: {{site: {site}}}, \
                 expected_connected: {expected_connected}, expected_sessions: {expected_sessions}}}"
            );
        }
    }
    config
        + &clients
        + &counted
        + "prometheus: {collect: [session, queue, traffic, seen, banned, subscriptions]}\n"
}

fn bind(config_file: &Path, config: &Arc<Config>) -> Result<Server, Box<dyn Error>> {
    let options = |address: SocketAddr| Options {
        listen: ListenOn::Addresses(vec![address]),
        routing: Routing::default(),
        timeout_offset: Duration::from_millis(500),
        max_probes: 64,
        shutdown_delay: Duration::ZERO,
        auto_reload: None,
        web_auth: None,
    };
    let preferred = Server::bind(config_file, Arc::clone(config), &options(SocketAddr::from(PREFERRED)));
    Ok(match preferred {
        Ok(server) => server,
        Err(_) => Server::bind(config_file, Arc::clone(config), &options(SocketAddr::from((PREFERRED.0, 0))))?,
    })
}

/// Prints what to try, with addresses and a command line that work while the demo runs.
fn print_hints(address: SocketAddr, config_file: &Path) -> io::Result<()> {
    let program = env::args_os().next().map_or_else(|| "demo".into(), PathBuf::from);
    println!(
        "Two fake EMQX brokers with {clients} watched MQTT clients and {fleets} fleets, and the exporter beside them. The\n\
         clients change every second, and FactoryEMQX fails in several ways within each minute.\n\n\
         The page:                    http://{address}/\n\
         What Prometheus scrapes:     curl 'http://{address}/probe?broker=LocalEMQX'\n\
         Who is connected:            curl -s 'http://{address}/probe?broker=LocalEMQX' | grep _connected{{\n\
         What fails, and why:         curl 'http://{address}/probe?broker=FactoryEMQX&debug=true'\n\
         Fleets as counts:            curl 'http://{address}/probe?broker=LocalEMQX&fleets=true'\n\
         The targets for Prometheus:  curl 'http://{address}/sd'\n\
         The exporter's own metrics:  curl 'http://{address}/metrics'\n\
         The same in a terminal:      {program} exporter --cfg {config_file} --check\n\n\
         Press Ctrl-C to stop.",
        clients = LOCAL.len() + FACTORY.len(),
        fleets = LOCAL_FLEETS.len() + FACTORY_FLEETS.len(),
        program = program.display(),
        config_file = config_file.display()
    );
    io::stdout().flush()
}
