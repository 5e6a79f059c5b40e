use std::net::Ipv6Addr;

use super::*;
use crate::client::Group;

fn settings(lines: &str) -> PrometheusSettings {
    good(&format!("{BROKER}prometheus: {lines}\n")).prometheus
}

fn message(lines: &str) -> String {
    broker_problem(&format!("prometheus: {lines}\n"))
}

#[test]
fn there_are_defaults() {
    let default = settings("");
    assert_eq!(default, settings("{}"));
    assert_eq!((default.address, default.port), (Ipv6Addr::UNSPECIFIED.into(), 9671));
    assert_eq!(
        default.collect.iter().collect::<Vec<_>>(),
        [Group::State, Group::Session, Group::Queue, Group::Traffic]
    );
}

#[test]
fn settings_are_read() {
    let read = settings("{address: '::', port: 0, collect: [state, address]}");
    assert_eq!((read.address, read.port), (Ipv6Addr::UNSPECIFIED.into(), 0));
    assert_eq!(read.collect.iter().collect::<Vec<_>>(), [Group::State, Group::Address]);
    assert_eq!(settings("{port: 65535}").port, 65535);
    assert_eq!(settings("{collect: []}").collect.iter().collect::<Vec<_>>(), [Group::State]);
}

#[test]
fn wrong_settings_are_reported() {
    for (wrong, problem) in [
        (
            "[]",
            "6:13: prometheus: must be a mapping of address, port, collect, created_timestamps and offline_after",
        ),
        (
            "{address: localhost}",
            "6:23: prometheus.address: must be an IP address to listen on, such as \"::\" or 0.0.0.0",
        ),
        (
            "{address: 1}",
            "6:23: prometheus.address: must be an IP address to listen on, such as \"::\" or 0.0.0.0",
        ),
        ("{port: 65536}", "6:20: prometheus.port: must be a whole number from 0 to 65535"),
        ("{port: http}", "6:20: prometheus.port: must be a whole number from 0 to 65535"),
        (
            "{collect: session}",
            "6:23: prometheus.collect: must be a list of metric groups: state, session, queue, traffic, process, \
             address, seen, banned, subscriptions",
        ),
        (
            "{collect: [queue, Session]}",
            "6:31: prometheus.collect[1]: unknown metric group; known groups: state, session, queue, traffic, process, \
             address, seen, banned, subscriptions",
        ),
        ("{collect: [[]]}", "6:24: prometheus.collect[0]: must be the name of a metric group"),
        ("{collect: [queue, queue]}", "6:31: prometheus.collect[1]: duplicate entry"),
        (
            "{offline_after: 0}",
            "6:29: prometheus.offline_after: must be a duration such as 15m, 1h30m or 7d, longer than 0 (units y, w, \
             d, h, m, s and ms, in this order)",
        ),
    ] {
        assert_eq!(message(wrong), problem);
    }
}
