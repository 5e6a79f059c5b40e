//! Parameters of a list request, and the broker's responses to invalid ones.

use crate::recorded::{self, Version};
use crate::response::Response;

/// The parameters of a list request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ListQuery {
    pub(crate) page: u64,
    pub(crate) limit: u64,
    pub(crate) fields: Option<Vec<String>>,
    pub(crate) ids: Option<Vec<String>>,
    pub(crate) group: GroupFilter,
}

/// What leaves clients out of a list without a scan of its index.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct GroupFilter {
    /// A part of the client ID.
    pub(crate) like_clientid: Option<String>,
    pub(crate) usernames: Vec<String>,
}

impl GroupFilter {
    /// Parses the parameters. An exact client ID makes the broker ignore a part of one.
    fn parse(version: Version, query: &[(String, String)], has_ids: bool) -> Result<Self, Response> {
        let like_clientid = last(query, "like_clientid").filter(|_| !has_ids);
        if like_clientid == Some("") && version == Version::V6_2_2 {
            return Err(Response::recorded(version, "523-like-empty"));
        }
        let all = query.iter().filter(|(key, _)| key == "username").map(|(_, value)| value.clone());
        let mut usernames: Vec<_> = all.collect();
        if version == Version::V5_0_26 {
            usernames.drain(..usernames.len().saturating_sub(1));
        }
        Ok(Self { like_clientid: like_clientid.map(str::to_owned), usernames })
    }

    pub(crate) fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// Which page of a list, and how long a page is at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paging {
    pub(crate) page: u64,
    pub(crate) limit: u64,
}

impl Paging {
    /// Parses `page` and `limit`. The error is the broker's response to it.
    pub(crate) fn parse(version: Version, query: &[(String, String)]) -> Result<Self, Response> {
        let limit = last(query, "limit").map_or(Ok(100), |text| match text.parse() {
            Ok(limit) if (1..=version.max_limit()).contains(&limit) => Ok(limit),
            _ => Err(invalid_number(version, "40-limit-10001", "10001", text)),
        })?;
        let page = last(query, "page").map_or(Ok(1), |text| match text.parse() {
            Ok(page) if page >= 1 => Ok(page),
            _ => Err(invalid_number(version, "48-page-0", "\\\"value\\\":0", text)),
        })?;
        Ok(Self { page, limit })
    }

    /// The rows of this page.
    pub(crate) fn cut<T>(self, rows: impl IntoIterator<Item = T>) -> Vec<T> {
        let number = |n| usize::try_from(n).unwrap_or(usize::MAX);
        let skipped = number(self.page.saturating_sub(1).saturating_mul(self.limit));
        rows.into_iter().skip(skipped).take(number(self.limit)).collect()
    }

    pub(crate) fn is_full(self, rows: usize) -> bool {
        u64::try_from(rows) == Ok(self.limit)
    }
}

/// The value of a parameter; of a repeated one the last counts.
pub(crate) fn last<'a>(query: &'a [(String, String)], name: &str) -> Option<&'a str> {
    query.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// Field names that `fields=` of 5.8.9 accepts.
const FIELDS: &str = "awaiting_rel_cnt awaiting_rel_max clean_start client_attrs clientid connected connected_at \
    created_at disconnected_at durable expiry_interval heap_size inflight_cnt inflight_max ip_address is_bridge \
    is_expired keepalive mailbox_len mountpoint mqueue_dropped mqueue_len mqueue_max n_streams node port \
    proto_name proto_ver recv_cnt recv_msg recv_msg.dropped recv_msg.dropped.await_pubrel_timeout recv_msg.qos0 \
    recv_msg.qos1 recv_msg.qos2 recv_oct recv_pkt reductions send_cnt send_msg send_msg.dropped \
    send_msg.dropped.expired send_msg.dropped.queue_full send_msg.dropped.too_large send_msg.qos0 send_msg.qos1 \
    send_msg.qos2 send_oct send_pkt seqno_q1_comm seqno_q1_dup seqno_q1_next seqno_q2_comm seqno_q2_dup \
    seqno_q2_next seqno_q2_rec subscriptions_cnt subscriptions_max username";

impl ListQuery {
    /// Parses the query of a list request. Like the broker it ignores unknown parameters; the error is its response.
    pub(crate) fn parse(version: Version, query: &[(String, String)]) -> Result<Self, Response> {
        let all = |name| query.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.clone());

        let Paging { page, limit } = Paging::parse(version, query)?;
        if version == Version::V5_0_26 {
            let group = GroupFilter::parse(version, query, false)?;
            return Ok(Self { page, limit, fields: None, ids: None, group });
        }
        let ids: Vec<_> = all("clientid").collect();
        if version == Version::V6_2_2
            && let Some(at) = ids.iter().position(|id| id.contains(char::is_control))
        {
            return Err(control_characters("321-control-char-filter", "\u{7f}del", &ids[at], Some(at)));
        }
        let mut fields = all("fields");
        let fields = match (fields.next(), fields.next()) {
            (_, Some(_)) => return Err(Response::recorded(version, "35-fields-multi")),
            (Some(names), None) if names != "all" => Some(known_fields(version, &names)?),
            _ => None,
        };
        let group = GroupFilter::parse(version, query, !ids.is_empty())?;
        Ok(Self { page, limit, fields, ids: (!ids.is_empty()).then_some(ids), group })
    }
}

fn known_fields(version: Version, names: &str) -> Result<Vec<String>, Response> {
    let fields: Vec<_> = names.split(',').map(str::to_owned).collect();
    let Some(at) = fields.iter().position(|name| !FIELDS.split_whitespace().any(|known| known == name)) else {
        return Ok(fields);
    };
    let list: Vec<_> = fields.iter().map(|name| escape_twice(name)).collect();
    let text = recorded::text(version, "36-fields-unknown")
        .replace("[\\\"clientid\\\",\\\"bogus\\\"]", &format!("[{}]", list.join(",")))
        .replace("\\\"value\\\":\\\"bogus\\\"", &format!("\\\"value\\\":{}", list[at]))
        .replace("fields.2", &format!("fields.{}", at + 1));
    Err(Response::recorded_with(version, "36-fields-unknown", text))
}

/// The recorded response to an invalid number, with another value in it.
fn invalid_number(version: Version, file: &str, old: &str, value: &str) -> Response {
    let value = if value.parse::<i128>().is_ok() { value.to_owned() } else { escape_twice(value) };
    let new = if old.contains("value") { format!("\\\"value\\\":{value}") } else { value };
    Response::recorded_with(version, file, recorded::text(version, file).replacen(old, &new, 1))
}

/// The recorded response to a client ID with control characters, with another ID in it. A filter has its position.
pub(crate) fn control_characters(file: &str, recorded: &str, id: &str, position: Option<usize>) -> Response {
    let old = format!("\\\"{}\\\"", recorded.replace('\\', "\\\\"));
    let mut text = recorded::text(Version::V6_2_2, file).replacen(&old, &escape_twice(id), 1);
    if let Some(position) = position {
        text = text.replacen("clientid.1", &format!("clientid.{}", position + 1), 1);
    }
    Response::recorded_with(Version::V6_2_2, file, text)
}

/// The recorded response to a topic with NUL, with another topic in it.
pub(crate) fn nul_in_topic(topic: &str) -> Response {
    let recorded = recorded::text(Version::V6_2_2, "333-retained-bad-nul");
    let text = recorded.replacen("\\\"a\\\\u0000b\\\"", &escape_twice(topic), 1);
    Response::recorded_with(Version::V6_2_2, "333-retained-bad-nul", text)
}

/// Escapes a text for a JSON string inside a JSON string.
fn escape_twice(text: &str) -> String {
    let once = serde_json::Value::from(text).to_string();
    let twice = serde_json::Value::from(once).to_string();
    twice[1..twice.len() - 1].to_owned()
}
