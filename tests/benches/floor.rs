//! A lower bound for the codec: derived deserialization and text written by hand.
//!
//! It skips checks that the exporter needs: a field of a wrong type fails the whole page, and labels are not escaped.

use std::fmt::{self, Write as _};

use emqx_client_monitor::metrics::families;
use jiff::Timestamp;
use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A page of the list of clients.
#[derive(serde::Deserialize)]
pub(crate) struct Page {
    pub(crate) data: Vec<Client>,
}

/// The fields of the default groups.
#[derive(serde::Deserialize)]
pub(crate) struct Client {
    clientid: String,
    connected: bool,
    username: Option<String>,
    node: Option<String>,
    proto_name: Option<String>,
    proto_ver: Option<u64>,
    clean_start: Option<bool>,
    created_at: Option<Timestamp>,
    connected_at: Option<Timestamp>,
    disconnected_at: Option<Timestamp>,
    keepalive: Option<u64>,
    expiry_interval: Option<u64>,
    is_expired: Option<bool>,
    subscriptions_cnt: Option<u64>,
    subscriptions_max: Option<Limit>,
    inflight_cnt: Option<u64>,
    inflight_max: Option<Limit>,
    mqueue_len: Option<u64>,
    mqueue_max: Option<Limit>,
    awaiting_rel_cnt: Option<u64>,
    awaiting_rel_max: Option<Limit>,
    mqueue_dropped: Option<u64>,
    #[serde(rename = "recv_msg.qos0")]
    recv_qos0: Option<u64>,
    #[serde(rename = "recv_msg.qos1")]
    recv_qos1: Option<u64>,
    #[serde(rename = "recv_msg.qos2")]
    recv_qos2: Option<u64>,
    #[serde(rename = "recv_msg.dropped")]
    recv_dropped: Option<u64>,
    #[serde(rename = "recv_msg.dropped.await_pubrel_timeout")]
    recv_dropped_await_pubrel_timeout: Option<u64>,
    recv_oct: Option<u64>,
    recv_pkt: Option<u64>,
    #[serde(rename = "send_msg.qos0")]
    send_qos0: Option<u64>,
    #[serde(rename = "send_msg.qos1")]
    send_qos1: Option<u64>,
    #[serde(rename = "send_msg.qos2")]
    send_qos2: Option<u64>,
    #[serde(rename = "send_msg.dropped")]
    send_dropped: Option<u64>,
    #[serde(rename = "send_msg.dropped.expired")]
    send_dropped_expired: Option<u64>,
    #[serde(rename = "send_msg.dropped.queue_full")]
    send_dropped_queue_full: Option<u64>,
    #[serde(rename = "send_msg.dropped.too_large")]
    send_dropped_too_large: Option<u64>,
    send_oct: Option<u64>,
    send_pkt: Option<u64>,
}

/// A count, or no limit.
struct Limit(Option<u64>);

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LimitVisitor;
        impl Visitor<'_> for LimitVisitor {
            type Value = Limit;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a limit")
            }
            fn visit_u64<E: Error>(self, limit: u64) -> Result<Limit, E> {
                Ok(Limit(Some(limit)))
            }
            fn visit_str<E: Error>(self, _: &str) -> Result<Limit, E> {
                Ok(Limit(None))
            }
        }
        deserializer.deserialize_any(LimitVisitor)
    }
}

/// Decodes a page.
pub(crate) fn decode(json: &[u8]) -> Page {
    serde_json::from_slice(json).expect("a page")
}

/// Appends the families of all clients to `text`, byte for byte as the exporter writes them.
pub(crate) fn encode(clients: &[Client], text: &mut String) {
    let labels: Vec<_> = clients.iter().map(identity).collect();
    let anonymous = |of: &str| of.split(",username=").next().map(str::to_owned).expect("a first part");
    let anonymous: Vec<_> = labels.iter().map(|labels| anonymous(labels)).collect();
    let mut writer = Writer { text, clients, labels: &anonymous, more: "" };

    writer.count("connected", |client| Some(client.connected.into()));
    writer.count("session_present", |_| Some(1));
    writer.labels = &labels;
    writer.info();
    writer.time("session_created_timestamp_seconds", |client| client.created_at);
    writer.time("connected_timestamp_seconds", |client| client.connected_at);
    writer.time("disconnected_timestamp_seconds", |client| client.disconnected_at);
    writer.count("keepalive_seconds", |client| client.keepalive);
    writer.count("session_expiry_interval_seconds", |client| client.expiry_interval);
    writer.count("session_expired", |client| client.is_expired.map(u64::from));
    writer.count("subscriptions", |client| client.subscriptions_cnt);
    writer.limit("subscriptions_limit", |client| client.subscriptions_max.as_ref());
    writer.count("inflight_messages", |client| client.inflight_cnt);
    writer.limit("inflight_messages_limit", |client| client.inflight_max.as_ref());
    writer.count("mqueue_messages", |client| client.mqueue_len);
    writer.limit("mqueue_messages_limit", |client| client.mqueue_max.as_ref());
    writer.count("awaiting_pubrel_messages", |client| client.awaiting_rel_cnt);
    writer.limit("awaiting_pubrel_messages_limit", |client| client.awaiting_rel_max.as_ref());
    writer.count("mqueue_dropped_messages_total", |client| client.mqueue_dropped);
    writer.three("received_messages_total", [",qos=\"0\"", ",qos=\"1\"", ",qos=\"2\""], |client| {
        [client.recv_qos0, client.recv_qos1, client.recv_qos2]
    });
    writer.three("sent_messages_total", [",qos=\"0\"", ",qos=\"1\"", ",qos=\"2\""], |client| {
        [client.send_qos0, client.send_qos1, client.send_qos2]
    });
    writer.count("received_messages_dropped_total", |client| client.recv_dropped);
    writer.count("sent_messages_dropped_total", |client| client.send_dropped);
    writer.more = ",reason=\"await_pubrel_timeout\"";
    writer
        .count("received_messages_dropped_by_reason_total", |client| client.recv_dropped_await_pubrel_timeout);
    writer.more = "";
    let reasons = [",reason=\"expired\"", ",reason=\"queue_full\"", ",reason=\"too_large\""];
    writer.three("sent_messages_dropped_by_reason_total", reasons, |client| {
        [client.send_dropped_expired, client.send_dropped_queue_full, client.send_dropped_too_large]
    });
    writer.count("received_bytes_total", |client| client.recv_oct);
    writer.count("sent_bytes_total", |client| client.send_oct);
    writer.count("received_packets_total", |client| client.recv_pkt);
    writer.count("sent_packets_total", |client| client.send_pkt);
}

fn identity(client: &Client) -> String {
    let (id, username) = (&client.clientid, client.username.as_deref().unwrap_or_default());
    format!("broker=\"LocalEMQX\",alias=\"{id}\",client_id=\"{id}\",username=\"{username}\"")
}

struct Writer<'a> {
    text: &'a mut String,
    clients: &'a [Client],
    labels: &'a [String],
    /// A label of all samples of a family.
    more: &'a str,
}

impl Writer<'_> {
    fn heading(&mut self, name: &str) -> String {
        let name = format!("emqx_mqtt_client_{name}");
        let heading = families().find(|heading| heading.name == name).expect("a family");
        let _ =
            write!(self.text, "# HELP {name} {}\n# TYPE {name} {}\n", heading.help, heading.metric_type.name());
        name
    }

    fn labelled(&mut self, name: &str, labels: &str, more: &str) {
        self.text.push_str(name);
        self.text.push('{');
        self.text.push_str(labels);
        self.text.push_str(more);
        self.text.push_str("} ");
    }

    fn number(&mut self, number: u64) {
        self.text.push_str(itoa::Buffer::new().format(number));
        self.text.push('\n');
    }

    fn count(&mut self, name: &str, of: impl Fn(&Client) -> Option<u64>) {
        if self.clients.iter().all(|client| of(client).is_none()) {
            return;
        }
        let name = self.heading(name);
        for (client, labels) in self.clients.iter().zip(self.labels) {
            if let Some(count) = of(client) {
                self.labelled(&name, labels, self.more);
                self.number(count);
            }
        }
    }

    fn limit(&mut self, name: &str, of: impl Fn(&Client) -> Option<&Limit>) {
        let name = self.heading(name);
        for (client, labels) in self.clients.iter().zip(self.labels) {
            if let Some(limit) = of(client) {
                self.labelled(&name, labels, "");
                match limit.0 {
                    Some(limit) => self.number(limit),
                    None => self.text.push_str("+Inf\n"),
                }
            }
        }
    }

    fn time(&mut self, name: &str, of: impl Fn(&Client) -> Option<Timestamp>) {
        if self.clients.iter().all(|client| of(client).is_none()) {
            return;
        }
        let name = self.heading(name);
        for (client, labels) in self.clients.iter().zip(self.labels) {
            if let Some(time) = of(client) {
                self.labelled(&name, labels, "");
                self.text.push_str(itoa::Buffer::new().format(time.as_second()));
                match time.subsec_millisecond() {
                    0 => {}
                    rest => {
                        self.text.push('.');
                        // Three digits with leading zeros.
                        self.text.push_str(&itoa::Buffer::new().format(1_000 + rest)[1..]);
                    }
                }
                self.text.push('\n');
            }
        }
    }

    fn three(&mut self, name: &str, more: [&str; 3], of: impl Fn(&Client) -> [Option<u64>; 3]) {
        let name = self.heading(name);
        for (client, labels) in self.clients.iter().zip(self.labels) {
            for (more, count) in more.iter().zip(of(client)) {
                if let Some(count) = count {
                    self.labelled(&name, labels, more);
                    self.number(count);
                }
            }
        }
    }

    fn info(&mut self) {
        let name = self.heading("info");
        for (client, labels) in self.clients.iter().zip(self.labels) {
            self.labelled(&name, labels, "");
            // Removes the closing brace.
            self.text.truncate(self.text.len() - 2);
            let (node, protocol) = (client.node.as_deref(), client.proto_name.as_deref());
            self.text.push_str(",node=\"");
            self.text.push_str(node.unwrap_or_default());
            self.text.push_str("\",proto_name=\"");
            self.text.push_str(protocol.unwrap_or_default());
            self.text.push_str("\",proto_ver=\"");
            if let Some(version) = client.proto_ver {
                self.text.push_str(itoa::Buffer::new().format(version));
            }
            self.text.push_str("\",clean_start=\"");
            if let Some(clean) = client.clean_start {
                self.text.push_str(if clean { "true" } else { "false" });
            }
            self.text.push_str("\"} 1\n");
        }
    }
}
