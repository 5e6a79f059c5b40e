//! The configuration as `/config` shows it.

use super::*;

/// What `/config` shows.
fn shown(config: Config) -> String {
    Arc::new(config).redacted().expect("YAML").collect()
}

#[test]
fn every_setting_is_shown_and_no_secret() {
    let config = good(
        "emqx:
- alias: A
  api_url: http://a:18083/api/v5
  api_key: {file: key.txt}
  api_secret: {env: SECRET}
  nodes: {emqx@b: 1, emqx@a: 0}
  seen_topics: ['$seen/${clientid}']
- {alias: B, api_url: 'https://b/api', api_key: k, api_secret: s, ssl: false, timeout_seconds: 2.5, attempts: 1}
monitored_clients:
- {alias: both, client_id: '1e3', brokers: '*', offline_after: 1h30m}
- {alias: one, client_id: x, brokers: B, subscriptions: ['#', '$share/g/a']}
prometheus: {address: '::', port: 1, collect: [address, queue]}
",
    );
    assert_eq!(
        shown(config),
        "emqx:
- alias: A
  api_url: http://a:18083/api
  api_key:
    file: /etc/monitor/key.txt
  api_secret:
    env: SECRET
  timeout_seconds: 5.0
  attempts: 3
  concurrency: 4
  nodes:
    emqx@a: 0
    emqx@b: 1
  seen_topics:
  - '$seen/${clientid}'
  subscriptions: []
- alias: B
  api_url: https://b/api
  api_key: <secret>
  api_secret: <secret>
  ssl:
    insecure_skip_verify: true
  timeout_seconds: 2.5
  attempts: 1
  concurrency: 4
  nodes: {}
  seen_topics: []
  subscriptions: []
monitored_clients:
- alias: both
  client_id: '1e3'
  brokers:
  - A
  - B
  offline_after: 1h30m
- alias: one
  client_id: x
  brokers:
  - B
  offline_after: 15m
  subscriptions:
  - '#'
  - '$share/g/a'
prometheus:
  address: '::'
  port: 1
  collect:
  - queue
  - address
  created_timestamps: false
"
    );
}
