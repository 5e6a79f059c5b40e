//! The exporter in this process, with the server that ships, on a free loopback port.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::rt::System;
use emqx_client_monitor::config::Config;
use emqx_client_monitor::server::{ListenOn, Options, Routing, Server};
use fake_emqx::FakeEmqx;

use super::Families;

/// Time limit of each request; a test that exceeds it hangs.
const AT_MOST: Duration = Duration::from_secs(60);

/// A running exporter. Stopped when dropped.
pub(crate) struct Exporter {
    address: SocketAddr,
    handle: ServerHandle,
    thread: Option<JoinHandle<()>>,
}

/// A response of the exporter.
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Exporter {
    /// Starts an exporter with this configuration.
    pub(crate) fn start(config: &str) -> Self {
        Self::start_with(config, 64)
    }

    /// Starts an exporter with this `--web.max-probes`.
    pub(crate) fn start_with(config: &str, max_probes: usize) -> Self {
        let config = Config::parse(config, Path::new("test.yaml")).expect("the configuration is valid");
        let options = Options {
            listen: ListenOn::Addresses(vec![SocketAddr::from(([127, 0, 0, 1], 0))]),
            routing: Routing::default(),
            timeout_offset: Duration::from_millis(500),
            max_probes,
            shutdown_delay: Duration::ZERO,
            auto_reload: None,
            web_auth: None,
        };
        let (sender, receiver) = mpsc::channel();
        let thread = thread::spawn(move || {
            System::new().block_on(async move {
                let server =
                    Server::bind(Path::new("test.yaml"), Arc::new(config), &options).expect("a free port");
                sender.send((server.addresses()[0], server.handle())).expect("the test waits");
                server.run().await.expect("the server runs");
            });
        });
        let (address, handle) = receiver.recv().expect("the exporter starts");
        Self { address, handle, thread: Some(thread) }
    }

    /// The address it listens on.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends a GET.
    pub(crate) fn get(&self, path: &str) -> Response {
        self.request("GET", path, &[])
    }

    /// Sends a request with this method and these headers.
    pub(crate) fn request(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
        send(&self.address.to_string(), method, path, headers)
    }

    /// Probes with this query and parses the exposition.
    pub(crate) fn probe(&self, query: &str) -> Families {
        let response = self.get(&format!("/probe?{query}"));
        assert_eq!(response.status, 200, "{}", response.text());
        Families::parse(&response.text())
    }

    /// Probes with this scrape timeout of Prometheus, in seconds.
    pub(crate) fn probe_within(&self, query: &str, scrape_timeout: &str) -> Families {
        let header = ("X-Prometheus-Scrape-Timeout-Seconds", scrape_timeout);
        let response = self.request("GET", &format!("/probe?{query}"), &[header]);
        assert_eq!(response.status, 200, "{}", response.text());
        Families::parse(&response.text())
    }
}

/// Sends a request to `address`. Every status is a response, none an error.
pub(crate) fn send(address: &str, method: &str, path: &str, headers: &[(&str, &str)]) -> Response {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(AT_MOST)).build().into();
    let mut request = ureq::http::Request::builder().method(method).uri(format!("http://{address}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut response = agent.run(request.body(()).expect("a valid request")).expect("a response");
    Response {
        status: response.status().as_u16(),
        headers: response.headers().clone(),
        body: response.body_mut().with_config().limit(1 << 30).read_to_vec().expect("a complete body"),
    }
}

impl Response {
    /// The body.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("a body in UTF-8")
    }

    /// A header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("a header in ASCII"))
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        // The call stops the server; its own thread waits for the end.
        drop(self.handle.stop(false));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// A configuration of the broker `LocalEMQX` with `more` keys, which watches these pairs of alias and client ID.
pub(crate) fn config_of(fake: &FakeEmqx, more: &str, clients: &[(&str, &str)]) -> String {
    let mut config = format!(
        "emqx:\n  alias: LocalEMQX\n  api_url: {:?}\n  api_key: {:?}\n  api_secret: {:?}\n",
        fake.url(),
        fake.api_key(),
        fake.api_secret()
    );
    for line in more.lines() {
        let _ = writeln!(config, "  {}", line.trim_end());
    }
    config.push_str("monitored_clients:\n");
    for (alias, client_id) in clients {
        let [alias, client_id] = [alias, client_id].map(|text| serde_json::Value::from(*text));
        let _ = writeln!(config, "  - {{alias: {alias}, client_id: {client_id}}}");
    }
    if clients.is_empty() {
        config = config.replace("monitored_clients:\n", "monitored_clients: []\n");
    }
    config
}

/// A configuration of several brokers by alias. `clients` is the list of watched clients in YAML.
pub(crate) fn config_of_brokers(brokers: &[(&str, &FakeEmqx)], clients: &str) -> String {
    let mut config = "emqx:\n".to_owned();
    for (alias, fake) in brokers {
        let [url, key, secret] = [fake.url(), fake.api_key(), fake.api_secret()];
        let _ = writeln!(
            config,
            "  - {{alias: {alias}, api_url: {url:?}, api_key: {key:?}, api_secret: {secret:?}}}"
        );
    }
    format!("{config}monitored_clients:\n{clients}")
}

/// Starts an exporter that watches these clients, whose aliases are their IDs.
pub(crate) fn watching(fake: &FakeEmqx, client_ids: &[&str]) -> Exporter {
    let clients: Vec<_> = client_ids.iter().map(|id| (*id, *id)).collect();
    Exporter::start(&config_of(fake, "", &clients))
}
