//! Parses arbitrary bytes as a CSV file of clients. Errors are bounded texts, and the clients are the same when they are
//! read back from what `/config` shows.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use emqx_client_monitor::client::{Origin, WatchedClient};
use emqx_client_monitor::config::Config;
use libfuzzer_sys::fuzz_target;

const CONFIG: &str = "\
emqx: {alias: A, api_url: 'http://emqx:18083/api', api_key: key, api_secret: secret}
monitored_client_files: [{path: clients.csv, ignore_columns: [notes]}]
";

/// Maximum length of an error, which has at most 50 problems.
const MAX_ERROR: usize = 64 << 10;

/// A directory of this process.
static DIRECTORY: LazyLock<PathBuf> = LazyLock::new(|| {
    let directory = std::env::temp_dir().join(format!("fuzz-clients-{}", std::process::id()));
    fs::create_dir_all(&directory).expect("a temporary directory");
    directory
});

fuzz_target!(|table: &[u8]| {
    fs::write(DIRECTORY.join("clients.csv"), table).expect("a temporary file");
    let path = DIRECTORY.join("config.yaml");
    match Config::parse(CONFIG, &path) {
        Ok(config) => {
            let config = Arc::new(config);
            let shown: String = config.redacted().expect("YAML").collect();
            let again = Config::parse(&shown, &path).unwrap_or_else(|error| panic!("{error}\n{shown}"));
            assert_eq!(clients(&again), clients(&config), "{shown}");
        }
        Err(error) => {
            let error = error.to_string();
            assert!(!error.is_empty() && error.len() <= MAX_ERROR, "{error}");
        }
    }
});

/// The clients, wherever they are named.
fn clients(config: &Config) -> Vec<WatchedClient> {
    let clients = config.brokers.iter().flat_map(|broker| &broker.clients);
    clients.map(|client| WatchedClient { origin: Origin::default(), ..WatchedClient::clone(client) }).collect()
}
