//! placeholder
use crate::client::*;
use crate::tls::Tls;
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use url::Url;
#[derive(Debug)]
pub struct Broker {
    pub alias: String,
    pub api_url: Url,
    pub api_key: Secret,
    pub api_secret: Secret,
    pub tls: Option<Tls>,
    pub timeout: Duration,
    pub attempts: u32,
    pub concurrency: usize,
    pub nodes: BTreeMap<String, u64>,
    pub clients: Vec<Arc<WatchedClient>>,
}
#[derive(Debug)]
pub enum Secret {
    Text(SecretString),
}
impl Secret {
    pub fn read(&self) -> Result<SecretString, std::io::Error> {
        match self {
            Self::Text(t) => Ok(t.clone()),
        }
    }
}

impl Broker {
    pub fn default_timeout(&self) -> Duration {
        self.timeout * self.attempts
    }
}
#[derive(Debug)]
pub struct Config {
    pub brokers: Vec<Arc<Broker>>,
    pub prometheus: PrometheusSettings,
    pub warnings: Vec<String>,
}
#[derive(Debug)]
pub struct PrometheusSettings {
    pub address: std::net::IpAddr,
    pub port: u16,
    pub collect: Groups,
}
impl Config {
    pub fn load(_: &std::path::Path) -> Result<Self, std::io::Error> {
        Err(std::io::Error::other("x"))
    }
    pub fn broker(&self, alias: &str) -> Option<&Arc<Broker>> {
        self.brokers.iter().find(|b| b.alias == alias)
    }
}
