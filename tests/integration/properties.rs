//! Properties of every exposition and page: what is written can be read back.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use emqx_client_monitor::client::{
    Address, Client, ExpiryInterval, Group, Groups, Limit, Process, Queue, Session, Traffic, WatchedClient,
};
use emqx_client_monitor::metrics::exposition::Exposition;
use emqx_client_monitor::outcome::{ClientIdentity, ClientStatus, Outcome, ProbedClient};
use fake_emqx::{FakeEmqx, Row, Version};
use jiff::Timestamp;
use proptest::collection::{btree_set, vec};
use proptest::option;
use proptest::prelude::*;

use crate::support::{Exporter, Families, Prometheus, Series, config_of};

/// A case that fails is printed; one worth keeping becomes a test with a name.
fn unwritten() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

/// Any text, and often what the format has to escape or might stumble over.
fn any_text() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        any::<char>(),
        prop::sample::select(vec![
            '\\', '"', '\n', '\r', '\t', '\0', 'n', '{', '}', ',', '=', ' ', '#', '\u{2028}'
        ]),
    ];
    vec(character, 0..12).prop_map(String::from_iter)
}

/// Any text, and often what HTML and its readers would obey.
fn any_markup() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        any::<char>(),
        prop::sample::select(vec![
            '<', '>', '"', '\'', '&', '/', '=', ' ', '`', '-', '!', '{', '\0', '\u{202E}'
        ]),
    ];
    vec(character, 0..20).prop_map(String::from_iter)
}

fn any_moment() -> impl Strategy<Value = Timestamp> {
    let all = Timestamp::MIN.as_millisecond()..=Timestamp::MAX.as_millisecond();
    prop_oneof![0..4_000_000_000_000_i64, all]
        .prop_map(|milliseconds| Timestamp::from_millisecond(milliseconds).expect("it is in range"))
}

fn any_limit() -> impl Strategy<Value = Limit> {
    prop_oneof![any::<u64>().prop_map(Limit::AtMost), Just(Limit::Unlimited)]
}

fn any_expiry() -> impl Strategy<Value = ExpiryInterval> {
    prop_oneof![any::<u64>().prop_map(ExpiryInterval::Seconds), Just(ExpiryInterval::Never)]
}

prop_compose! {
    /// A client with one fact of each kind that there is, each known or not.
    fn any_client()(
        username in option::of(any_text()),
        node in option::of(any_text()),
        protocol_name in option::of(any_text()),
        connected in any::<bool>(),
        connected_at in option::of(any_moment()),
        expiry_interval in option::of(any_expiry()),
        clean_start in option::of(any::<bool>()),
        mqueue in option::of(any::<u64>()),
        mqueue_limit in option::of(any_limit()),
        sent_qos2 in option::of(any::<u64>()),
        reductions in option::of(any::<u64>()),
        ip in option::of(any::<u32>()),
    ) -> Client {
        let session = Session { protocol_name, clean_start, connected_at, expiry_interval, ..Session::default() };
        let mut traffic = Traffic::default();
        traffic.sent_messages.qos2 = sent_qos2;
        Client {
            username,
            connected,
            node,
            session: Some(Box::new(session)),
            queue: Some(Box::new(Queue { mqueue, mqueue_limit, ..Queue::default() })),
            traffic: Some(Box::new(traffic)),
            process: Some(Box::new(Process { reductions, ..Process::default() })),
            address: Some(Box::new(Address { ip: ip.map(|ip| Ipv4Addr::from(ip).into()), ..Address::default() })),
            ..Client::default()
        }
    }
}

fn any_status() -> impl Strategy<Value = ClientStatus> {
    prop_oneof![4 => any_client().prop_map(ClientStatus::Known), 1 => Just(ClientStatus::Absent), 1 => Just(ClientStatus::Unknown)]
}

fn watched(alias: &str, client_id: &str, status: ClientStatus) -> ProbedClient {
    let client = WatchedClient {
        alias: alias.into(),
        client_id: client_id.into(),
        offline_after: Duration::from_secs(900),
        ..WatchedClient::default()
    };
    ProbedClient::new(ClientIdentity::Watched(Arc::new(client)), status)
}

fn all_groups() -> Groups {
    Group::ALL.into_iter().collect()
}

fn outcome_of(broker: &str, clients: Vec<ProbedClient>) -> Outcome {
    Outcome {
        timeout: Duration::from_secs(10),
        duration: Duration::from_millis(7),
        ..Outcome::new(broker, all_groups(), clients)
    }
}

fn exposed(outcome: Outcome) -> Families {
    let text: Vec<u8> = Exposition::new(outcome).flatten().collect();
    Families::parse(&String::from_utf8(text).expect("an exposition is UTF-8"))
}

/// How the exposition shows a limit.
fn bound(limit: Limit) -> String {
    match limit {
        Limit::AtMost(most) => most.to_string(),
        Limit::Unlimited => "+Inf".to_owned(),
    }
}

proptest! {
    #![proptest_config(unwritten())]

    #[test]
    fn any_label_value_survives_the_round_trip(
        broker in any_text(),
        alias in any_text(),
        client_id in any_text(),
        client in any_client(),
    ) {
        let probed = watched(&alias, &client_id, ClientStatus::Known(client.clone()));
        let families = exposed(outcome_of(&broker, vec![probed]));

        let anonymous = [("broker", &*broker), ("alias", &*alias), ("client_id", &*client_id)];
        let username = client.username.as_deref().unwrap_or_default();
        let named: Vec<_> = anonymous.into_iter().chain([("username", username)]).collect();
        prop_assert_eq!(families.value("emqx_mqtt_client_offline_threshold_seconds", &anonymous), Some("900"));
        let session = client.session.as_ref().expect("it has a session");
        let clean_start = session.clean_start.map(|flag| flag.to_string()).unwrap_or_default();
        let facts = [
            ("node", client.node.as_deref().unwrap_or_default()),
            ("proto_name", session.protocol_name.as_deref().unwrap_or_default()),
            ("proto_ver", ""),
            ("clean_start", &clean_start),
        ];
        let info: Vec<_> = named.iter().copied().chain(facts).collect();
        prop_assert_eq!(families.value("emqx_mqtt_client_info", &info), Some("1"));
        prop_assert_eq!(
            families.all("emqx_mqtt_client_info", &[])[0].labels.len(), info.len(), "there are other labels"
        );
        prop_assert_eq!(families.value("emqx_mqtt_clients", &[("broker", &*broker), ("state", "absent")]), Some("0"));
    }

    #[test]
    fn any_number_survives_the_round_trip_exactly(client in any_client()) {
        let families = exposed(outcome_of("A", vec![watched("Room 1", "room-1", ClientStatus::Known(client.clone()))]));

        let value = |name: &str| families.value(&format!("emqx_mqtt_client_{name}"), &[]).map(str::to_owned);
        let (queue, traffic) = (client.queue.unwrap_or_default(), client.traffic.unwrap_or_default());
        let (session, address) = (client.session.unwrap_or_default(), client.address.unwrap_or_default());
        prop_assert_eq!(value("connected"), Some(u8::from(client.connected).to_string()));
        prop_assert_eq!(value("mqueue_messages"), queue.mqueue.map(|count| count.to_string()));
        prop_assert_eq!(value("mqueue_messages_limit"), queue.mqueue_limit.map(bound));
        prop_assert_eq!(value("sent_messages_total"), traffic.sent_messages.qos2.map(|count| count.to_string()));
        prop_assert_eq!(
            value("process_reductions_total"),
            client.process.unwrap_or_default().reductions.map(|count| count.to_string())
        );
        prop_assert_eq!(value("session_expiry_interval_seconds"), session.expiry_interval.map(|interval| bound(
            match interval {
                ExpiryInterval::Seconds(seconds) => Limit::AtMost(seconds),
                ExpiryInterval::Never => Limit::Unlimited,
            }
        )));
        prop_assert_eq!(
            value("ip_address").map(|ip| ip.parse()),
            address.ip.map(|ip| match ip {
                IpAddr::V4(ip) => Ok(u32::from(ip)),
                IpAddr::V6(_) => unreachable!("there is none among these"),
            })
        );
        let connected_at = value("connected_timestamp_seconds").map(|text| text.parse::<f64>().expect("a number"));
        #[expect(clippy::cast_possible_truncation, reason = "milliseconds of a jiff timestamp fit")]
        let milliseconds = connected_at.map(|seconds| (seconds * 1000.0).round() as i64);
        prop_assert_eq!(milliseconds, session.connected_at.map(Timestamp::as_millisecond));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, max_shrink_iters: 64, ..unwritten() })]

    /// Large enough for many chunks, whose borders fall into any place of any family.
    #[test]
    fn families_are_never_split_by_chunks(
        statuses in vec(any_status(), 1..40),
        clients in 0..2_000_usize,
        broker in any_text(),
    ) {
        let probed: Vec<_> = statuses.iter().cycle().take(clients).cloned().enumerate().map(|(index, status)| {
            watched(&format!("Room {index}"), &format!("room-{index}"), status)
        }).collect();
        let count = |is_counted: fn(&ClientStatus) -> bool| probed.iter().filter(|client| is_counted(&client.status)).count();
        let known = count(|status| matches!(status, ClientStatus::Known(_)));
        let answered = count(|status| !matches!(status, ClientStatus::Unknown));

        let chunks: Vec<_> = Exposition::new(outcome_of(&broker, probed)).collect();
        prop_assert!(chunks.iter().all(|chunk| (1..256 * 1024).contains(&chunk.len())), "a chunk of any size");
        prop_assert!(clients < 1_000 || known == 0 || chunks.len() > 4, "{} chunks", chunks.len());
        let families = Families::parse(&String::from_utf8(chunks.concat()).expect("an exposition is UTF-8"));
        prop_assert_eq!(families.all("emqx_mqtt_client_offline_threshold_seconds", &[]).len(), clients);
        prop_assert_eq!(families.all("emqx_mqtt_client_connected", &[]).len(), answered);
        prop_assert_eq!(families.all("emqx_mqtt_client_info", &[]).len(), known);
    }
}

proptest! {
    // One case of hundreds of clients: the foreign reader takes seconds to start.
    #![proptest_config(ProptestConfig { cases: 1, max_shrink_iters: 0, ..unwritten() })]

    /// From the broker's JSON to a foreign reader of the exposition.
    #[test]
    fn any_client_name_is_valid_in_the_exposition(
        names in btree_set(any_text(), 200..300),
        usernames in vec(any_text(), 300),
    ) {
        let fake = FakeEmqx::start(Version::V5_8_9);
        let mut expected = BTreeSet::new();
        for (client_id, username) in names.into_iter().zip(usernames) {
            fake.add(Row::like("plain-user-1").client_id(&client_id).username(Some(&username)));
            expected.insert((client_id, username));
        }
        let exporter = Exporter::start(&config_of(&fake, "attempts: 1", &[]));
        let prometheus = Prometheus::start(&format!(
            "scrape_configs: [{{job_name: all, scrape_interval: 1s, scrape_timeout: 1s, metrics_path: /probe, \
             params: {{broker: [LocalEMQX], all: ['true'], 'collect[]': [session]}}, \
             static_configs: [{{targets: ['{}']}}]}}]\n",
            exporter.address()
        ));
        let read = prometheus.wait_for("emqx_mqtt_client_keepalive_seconds", |series| {
            (!series.is_empty()).then(|| {
                // Prometheus takes an empty label for none.
                let label = |one: &Series, name| one.label(name).unwrap_or_default().to_owned();
                series.iter().map(|one| (label(one, "client_id"), label(one, "username"))).collect::<BTreeSet<_>>()
            })
        });
        prop_assert_eq!(read, expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..unwritten() })]

    /// Names change neither how many tags a page has nor where its attributes end.
    #[test]
    fn no_client_name_changes_the_markup_of_the_page(
        client_id in any_markup(),
        username in any_markup(),
        node in any_markup(),
        filter in any_markup(),
    ) {
        let marks = |client_id: &str, username: &str, node: &str, filter: &str| {
            let fake = FakeEmqx::start(Version::V5_8_9);
            let row = Row::like("plain-user-1").client_id("c-1").username(Some(username)).set("node", node);
            fake.add(row);
            let alias: String = client_id.chars().filter(|character| !character.is_control()).collect();
            let exporter = Exporter::start(&config_of(&fake, "", &[(&format!("A{alias}"), "c-1")]));
            let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("filter", filter).finish();
            let page = exporter.get(&format!("/?{query}")).text();
            assert!(!page.contains(['\0', '\u{202E}', '\u{7f}', '\u{9b}']), "{page}");
            let found = page.contains("<tbody>");
            (found, ['<', '>', '"', '\''].map(|mark| page.matches(mark).count()))
        };
        // A filter that matches a client, and one that may match none.
        prop_assert_eq!(marks(&client_id, &username, &node, "a"), marks("", "u", "n", "a"));
        let (found, counted) = marks("", "u", "n", &filter);
        let alike = if filter.trim().is_empty() { "" } else if found { "a" } else { "nobody" };
        prop_assert_eq!((found, counted), marks("", "u", "n", alike));
    }
}
