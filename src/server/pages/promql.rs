//! Questions about a client that Prometheus answers.

/// A question and its `PromQL`.
pub(super) struct Query {
    /// The question.
    pub(super) question: &'static str,
    /// `PromQL`.
    pub(super) promql: String,
}

/// The questions; `$` stands for the selector of the client.
const QUERIES: [(&str, &str); 8] = [
    ("Was it connected?", "emqx_mqtt_client_connected$"),
    ("Part of the last day that it was connected", "avg_over_time(emqx_mqtt_client_connected$[1d])"),
    ("When was it last seen? (recorded by the rules)", "emqx_mqtt_client:last_seen_timestamp_seconds$ * 1000"),
    ("Connections within the last day", "changes(emqx_mqtt_client_connected_timestamp_seconds$[1d])"),
    ("Messages received from it per second", "sum(rate(emqx_mqtt_client_received_messages_total$[5m]))"),
    ("Messages sent to it per second", "sum(rate(emqx_mqtt_client_sent_messages_total$[5m]))"),
    (
        "Messages to it that were dropped in the last hour",
        "increase(emqx_mqtt_client_sent_messages_dropped_total$[1h])",
    ),
    ("How full is its queue?", "emqx_mqtt_client_mqueue_messages$ / emqx_mqtt_client_mqueue_messages_limit$"),
];

/// Returns the questions about the client with this selector.
pub(super) fn queries(selector: &str) -> Vec<Query> {
    let query =
        |(question, promql): (&'static str, &str)| Query { question, promql: promql.replace('$', selector) };
    QUERIES.map(query).into()
}
