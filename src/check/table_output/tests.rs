//! The layout of the table.

use std::sync::Arc;
use std::time::Duration;

use unicode_width::UnicodeWidthStr as _;

use super::*;
use crate::client::{Client, Groups, MessagesByQos, Queue, Session, Traffic, WatchedClient};
use crate::outcome::{ClientIdentity, ClientStatus, FailureReason, ProbedClient};

const NOW: i64 = 1_800_000_000;
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

fn probed(alias: &str, status: ClientStatus) -> ProbedClient {
    let watched = WatchedClient {
        alias: alias.into(),
        client_id: alias.to_lowercase().into(),
        offline_after: Duration::from_secs(900),
        ..WatchedClient::default()
    };
    ProbedClient::new(ClientIdentity::Watched(Arc::new(watched)), status)
}

/// A client with every value; times are seconds ago.
fn known(created: i64, keepalive: u64, connected: i64, counts: [u64; 6]) -> Client {
    let ago = |seconds: i64| Some(Timestamp::from_second(NOW - seconds).expect("a time"));
    let [subscriptions, inflight, received, received_dropped, sent, sent_dropped] = counts;
    let by_qos = |all: u64| MessagesByQos { qos0: Some(all / 2), qos1: Some(all - all / 2), qos2: Some(0) };
    Client {
        connected: true,
        session: Some(Box::new(Session {
            created_at: ago(created),
            connected_at: ago(connected),
            keepalive_seconds: Some(keepalive),
            ..Session::default()
        })),
        queue: Some(Box::new(Queue {
            subscriptions: Some(subscriptions),
            inflight: Some(inflight),
            ..Queue::default()
        })),
        traffic: Some(Box::new(Traffic {
            received_messages: by_qos(received),
            received_dropped: Some(received_dropped),
            sent_messages: by_qos(sent),
            sent_dropped: Some(sent_dropped),
            ..Traffic::default()
        })),
        ..Client::default()
    }
}

fn outcome(broker: &str, clients: Vec<ProbedClient>) -> Outcome {
    Outcome { timeout: Duration::from_secs(15), ..Outcome::new(broker, Groups::STATE, clients) }
}

/// What a terminal of this width shows, without colours.
fn shown(outcomes: &[Outcome], room: Option<usize>) -> String {
    let now = Timestamp::from_second(NOW).expect("a time");
    anstream::adapter::strip_str(&written(outcomes, now, room)).to_string()
}

/// The text as it is printed, sorted by alias.
fn written(outcomes: &[Outcome], now: Timestamp, room: Option<usize>) -> String {
    let mut text = Vec::new();
    write(outcomes, &Selection::default(), now, room, &mut text).expect("writing to a `Vec` never fails");
    String::from_utf8(text).expect("text")
}

fn assert_shows(outcomes: &[Outcome], room: Option<usize>, expected: &str) {
    let shown = shown(outcomes, room);
    assert_eq!(shown, expected.trim_start_matches('\n'), "\n{shown}");
}

fn four_sensors() -> Outcome {
    let room_2 = known(30 * DAY + HOUR, 60, 18 * DAY + HOUR, [0, 0, 5_184_897, 0, 0, 0]);
    let room_1 = known(45 * DAY, 60, 23 * HOUR + 60, [0, 0, 702_456, 0, 0, 0]);
    let qingping = known(1, 120, 1, [0; 6]);
    let humidifier = known(16 * HOUR + 60, 10, 16 * HOUR + 60, [4, 0, 24_279, 0, 16, 0]);
    let with_alias = |(alias, client)| probed(alias, ClientStatus::Known(client));
    let clients = [
        ("RTL433_Room2", room_2),
        ("RTL433_Room1", room_1),
        ("QingpingCO2_Room1", qingping),
        ("HumidifierWaterRefTerm", humidifier),
    ];
    outcome("LocalEMQX", clients.map(with_alias).into())
}

/// The client, disconnected this many seconds ago.
fn away(client: Client, seconds: i64) -> Client {
    let session = client.session.map(|session| {
        let disconnected_at = Timestamp::from_second(NOW - seconds).ok();
        Box::new(Session { disconnected_at, ..*session })
    });
    Client { connected: false, session, ..client }
}

fn every_state() -> Outcome {
    let overdue = away(known(400 * DAY, 0, 3 * HOUR, [2, 0, 9, 0, 9, 0]), 2 * HOUR);
    let resting = away(known(2 * HOUR, 0, HOUR, [0; 6]), 600);
    outcome(
        "LocalEMQX",
        vec![
            probed("Connected", ClientStatus::Known(known(DAY, 90, HOUR, [1; 6]))),
            probed("Disconnected", ClientStatus::Known(overdue)),
            probed("Resting", ClientStatus::Known(resting)),
            probed("Nowhere to be found", ClientStatus::Absent),
            probed("Unknown", ClientStatus::Unknown),
            probed("Without values", ClientStatus::Known(Client { connected: true, ..Client::default() })),
        ],
    )
}

#[test]
fn a_table_has_a_heavy_header_and_is_sorted_by_alias() {
    assert_shows(
        &[four_sensors()],
        None,
        "
┏━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━┳━━━━━━━┳━━━━━━━━━━━━┳━━━━━┳━━━━━━━┳━━━━━━━━━┳━━━━━━┳━━━━━┳━━━━━━┓
┃                        ┃    Created ┃  Keep ┃  Connected ┃ Sub ┃ MsgIn ┃      RX ┃   RX ┃  TX ┃   TX ┃
┃ Alias                  ┃ (time ago) ┃ alive ┃ (time ago) ┃ Cnt ┃ Flght ┃     Msg ┃ Drop ┃ Msg ┃ Drop ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━╇━━━━━━━╇━━━━━━━━━━━━╇━━━━━╇━━━━━━━╇━━━━━━━━━╇━━━━━━╇━━━━━╇━━━━━━┩
│ HumidifierWaterRefTerm │   16 hours │   10s │   16 hours │   4 │     0 │   24279 │    0 │  16 │    0 │
│ QingpingCO2_Room1      │   a second │    2m │   a second │   0 │     0 │       0 │    0 │   0 │    0 │
│ RTL433_Room1           │    a month │    1m │   23 hours │   0 │     0 │  702456 │    0 │   0 │    0 │
│ RTL433_Room2           │    30 days │    1m │    18 days │   0 │     0 │ 5184897 │    0 │   0 │    0 │
└────────────────────────┴────────────┴───────┴────────────┴─────┴───────┴─────────┴──────┴─────┴──────┘
4 clients: 4 connected
",
    );
}

#[test]
fn every_state_has_its_word_and_what_is_not_known_is_not_probed() {
    assert_shows(
        &[every_state()],
        None,
        "
┏━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━━━━┳━━━━━━━┳━━━━━━━━━━━━━━━━━━━━┳━━━━━┳━━━━━━━┳━━━━━┳━━━━━━┳━━━━━┳━━━━━━┓
┃                     ┃         Created ┃  Keep ┃          Connected ┃ Sub ┃ MsgIn ┃  RX ┃   RX ┃  TX ┃   TX ┃
┃ Alias               ┃      (time ago) ┃ alive ┃         (time ago) ┃ Cnt ┃ Flght ┃ Msg ┃ Drop ┃ Msg ┃ Drop ┃
┡━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━━━━╇━━━━━━━╇━━━━━━━━━━━━━━━━━━━━╇━━━━━╇━━━━━━━╇━━━━━╇━━━━━━╇━━━━━╇━━━━━━┩
│ Connected           │           a day │ 1m30s │            an hour │   1 │     1 │   1 │    1 │   1 │    1 │
│ Disconnected        │ 1 year, 1 month │   off │    offline 2 hours │   2 │     0 │   9 │    0 │   9 │    0 │
│ Nowhere to be found │                 │       │             absent │     │       │     │      │     │      │
│ Resting             │         2 hours │   off │ offline 10 minutes │   0 │     0 │   0 │    0 │   0 │    0 │
│ Unknown             │                 │       │            unknown │     │       │     │      │     │      │
│ Without values      │                 │       │                    │     │       │     │      │     │      │
└─────────────────────┴─────────────────┴───────┴────────────────────┴─────┴───────┴─────┴──────┴─────┴──────┘
6 clients: 2 connected, 2 offline, 1 absent, 1 unknown; 1 overdue, 1 away for an unknown time
",
    );
}

#[test]
fn in_80_columns_words_break_before_names_and_numbers_never_do() {
    assert_shows(
        &[four_sensors()],
        Some(80),
        "
┏━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━┳━━━━━┳━━━━━━━━━┳━━━┳━━━━━┳━━━━━━━┳━━━━┳━━━┳━━━━┓
┃                      ┃Created┃     ┃Connected┃   ┃     ┃       ┃    ┃   ┃    ┃
┃                      ┃  (time┃ Keep┃    (time┃Sub┃MsgIn┃     RX┃  RX┃ TX┃  TX┃
┃Alias                 ┃   ago)┃alive┃     ago)┃Cnt┃Flght┃    Msg┃Drop┃Msg┃Drop┃
┡━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━╇━━━━━╇━━━━━━━━━╇━━━╇━━━━━╇━━━━━━━╇━━━━╇━━━╇━━━━┩
│HumidifierWaterRefTerm│     16│  10s│ 16 hours│  4│    0│  24279│   0│ 16│   0│
│                      │  hours│     │         │   │     │       │    │   │    │
│QingpingCO2_Room1     │      a│   2m│ a second│  0│    0│      0│   0│  0│   0│
│                      │ second│     │         │   │     │       │    │   │    │
│RTL433_Room1          │a month│   1m│ 23 hours│  0│    0│ 702456│   0│  0│   0│
│RTL433_Room2          │30 days│   1m│  18 days│  0│    0│5184897│   0│  0│   0│
└──────────────────────┴───────┴─────┴─────────┴───┴─────┴───────┴────┴───┴────┘
4 clients: 4 connected
",
    );
}

#[test]
fn columns_that_do_not_fit_are_hidden_and_named() {
    assert_shows(
        &[four_sensors()],
        Some(60),
        "
┏━━━━━━━━━━━━━━━━┳━━━━━━━━━┳━━━┳━━━━━┳━━━━━━━┳━━━━┳━━━┳━━━━┓
┃                ┃Connected┃   ┃     ┃       ┃    ┃   ┃    ┃
┃                ┃    (time┃Sub┃MsgIn┃     RX┃  RX┃ TX┃  TX┃
┃Alias           ┃     ago)┃Cnt┃Flght┃    Msg┃Drop┃Msg┃Drop┃
┡━━━━━━━━━━━━━━━━╇━━━━━━━━━╇━━━╇━━━━━╇━━━━━━━╇━━━━╇━━━╇━━━━┩
│HumidifierWaterR│ 16 hours│  4│    0│  24279│   0│ 16│   0│
│efTerm          │         │   │     │       │    │   │    │
│QingpingCO2_Room│ a second│  0│    0│      0│   0│  0│   0│
│1               │         │   │     │       │    │   │    │
│RTL433_Room1    │ 23 hours│  0│    0│ 702456│   0│  0│   0│
│RTL433_Room2    │  18 days│  0│    0│5184897│   0│  0│   0│
└────────────────┴─────────┴───┴─────┴───────┴────┴───┴────┘
Columns hidden: Created (time ago), Keep alive
4 clients: 4 connected
",
    );
}

#[test]
fn no_line_of_a_table_is_wider_than_its_terminal() {
    let long = "一个很长的名字 that goes on and on and on, as some names do";
    let clients = vec![probed(long, ClientStatus::Known(known(DAY, 90, HOUR, [u64::MAX; 6])))];
    let outcomes = [every_state(), four_sensors(), outcome(long, clients)];
    for room in 40..200 {
        for line in
            shown(&outcomes, Some(room)).lines().filter(|line| line.starts_with(['┏', '┃', '┡', '│', '└']))
        {
            assert!(line.width() <= room, "{} in {room}: {line}", line.width());
        }
    }
}

#[test]
fn brokers_are_named_where_there_are_several() {
    let clients = |broker| outcome(broker, vec![probed("Sensor", ClientStatus::Absent)]);
    let one = shown(&[clients("A")], None);
    assert!(!one.contains("Broker"), "{one}");
    let several = shown(&[clients("B"), clients("A"), outcome("C", Vec::new())], None);
    let lines: Vec<_> = several.lines().collect();
    assert!(lines[2].starts_with("┃ Alias  ┃ Broker ┃"), "{several}");
    assert!(lines[4].starts_with("│ Sensor │ A      │"), "{several}");
    assert!(lines[5].starts_with("│ Sensor │ B      │"), "{several}");
    assert_eq!(
        lines[7..],
        ["2 clients: 2 absent; 2 away for an unknown time", "C is reachable and has no clients to show."]
    );
}

#[test]
fn a_broker_without_clients_is_called_reachable_only_if_it_is() {
    let answers = outcome("A", Vec::new());
    let mut fails = outcome("B", Vec::new());
    fails.failures.add(FailureReason::Timeout, "no answer in time", 0);
    assert_eq!(shown(&[answers], None), "A is reachable and has no clients to show.\n");
    assert_eq!(shown(&[fails], None), "");
}

#[test]
fn overdue_and_absent_clients_are_red_and_others_that_are_not_connected_amber() {
    let text = written(&[every_state()], Timestamp::from_second(NOW).expect("a time"), None);
    let line = |alias: &str| {
        text.lines().find(|line| line.contains(alias)).unwrap_or_else(|| panic!("{alias} is in {text}"))
    };
    for (alias, colour) in [("Disconnected", "9"), ("Nowhere", "9"), ("Resting", "3"), ("Unknown", "3")] {
        assert!(line(alias).contains(&format!("\u{1b}[38;5;{colour}m")), "{:?}", line(alias));
    }
    assert!(!line("Without values").contains('\u{1b}'), "{text:?}");
}
