//! What a probe reports about its connections: the phases, the TLS version and the certificates.

use std::collections::BTreeMap;
use std::time::Duration;

use fake_emqx::{FakeEmqx, Fault, Row, Version, When};
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};

use crate::support::{Authority, Exporter, Families, Leaf, Program, ServerProcess, Tls, config_of, watching};

/// Each version of TLS alone, with its name.
const VERSIONS: [(&[&SupportedProtocolVersion], &str); 2] = [(&[&TLS13], "TLS 1.3"), (&[&TLS12], "TLS 1.2")];

const EXPIRY: &str = "probe_ssl_earliest_cert_expiry";

/// The start of a year, in seconds since 1970.
const YEAR_2040: &str = "2208988800";
const YEAR_2030: &str = "1893456000";

/// The phases with their durations in seconds.
fn phases(families: &Families) -> BTreeMap<&str, f64> {
    let samples = families.all("emqx_probe_phase_duration_seconds", &[]);
    samples.iter().map(|one| (one.labels["phase"].as_str(), one.value.parse().expect("a number"))).collect()
}

fn names<'a>(phases: &BTreeMap<&'a str, f64>) -> Vec<&'a str> {
    phases.keys().copied().collect()
}

fn broker() -> FakeEmqx {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add(Row::like("plain-user-1").client_id("device"));
    fake
}

/// The phases of a probe with this fault, whose deadline is after a second.
fn phases_in(when: When, fault: Fault) -> BTreeMap<String, f64> {
    let fake = broker();
    fake.inject(when, fault);
    let families = watching(&fake, &["device"]).probe_within("broker=LocalEMQX", "1.5");
    phases(&families).into_iter().map(|(name, seconds)| (name.to_owned(), seconds)).collect()
}

fn tls_broker(tls: &Tls) -> FakeEmqx {
    let fake = FakeEmqx::start_tls(Version::V5_8_9, tls.config());
    fake.add(Row::like("plain-user-1").client_id("device"));
    fake
}

fn tls_config(fake: &FakeEmqx, ssl: &str) -> String {
    let config = config_of(fake, &format!("ssl: {ssl}"), &[("device", "device")]);
    config.replace(&fake.url(), &fake.url_with_host("localhost"))
}

#[test]
fn each_phase_that_occurred_is_reported() {
    let fake = broker();
    let families = watching(&fake, &["device"]).probe("broker=LocalEMQX");
    assert_eq!(
        names(&phases(&families)),
        ["connect", "processing", "transfer"],
        "an address needs no resolution"
    );
    assert!(families.all(EXPIRY, &[]).is_empty() && families.all("probe_tls_version_info", &[]).is_empty());

    let config = config_of(&fake, "", &[("device", "device")]).replace("127.0.0.1", "localhost");
    let families = Exporter::start(&config).probe("broker=LocalEMQX");
    assert_eq!(names(&phases(&families)), ["connect", "processing", "resolve", "transfer"]);

    let fake = tls_broker(&Tls::presenting(&Authority::new("CA").server(&["localhost"])));
    let families = Exporter::start(&tls_config(&fake, "false")).probe("broker=LocalEMQX");
    let phases = phases(&families);
    assert_eq!(names(&phases), ["connect", "processing", "resolve", "tls", "transfer"]);
    let duration: f64 = families.value("probe_duration_seconds", &[]).expect("it").parse().expect("a number");
    assert!(
        phases.values().all(|seconds| *seconds > 0.0) && phases.values().sum::<f64>() <= duration,
        "{phases:?}"
    );
}

#[test]
fn a_slow_phase_is_the_one_that_takes_long() {
    let slow = phases_in(When::Any, Fault::Slow(Duration::from_millis(300)));
    assert!(slow["processing"] >= 0.3 && slow["transfer"] < slow["processing"], "{slow:?}");
    let trickling = phases_in(When::Any, Fault::TrickleBody(Duration::from_millis(50)));
    assert!(trickling["transfer"] > 0.5, "the body did not end: {trickling:?}");
}

#[test]
fn a_phase_that_did_not_end_has_the_time_waited() {
    let silent = phases_in(When::Any, Fault::Silent);
    assert!(silent["processing"] > 0.5 && !silent.contains_key("transfer"), "{silent:?}");

    let fake = tls_broker(&Tls::presenting(&Authority::new("CA").server(&["localhost"])));
    fake.inject(When::Connect, Fault::Silent);
    let families = Exporter::start(&tls_config(&fake, "false")).probe_within("broker=LocalEMQX", "1.5");
    families.assert_nothing_known(&["tls"]);
    let phases_of_tls = phases(&families);
    assert_eq!(names(&phases_of_tls), ["connect", "resolve", "tls"]);
    assert!(phases_of_tls["tls"] > 0.5, "{phases_of_tls:?}");

    let stopped = broker();
    stopped.stop();
    let families = watching(&stopped, &["device"]).probe_within("broker=LocalEMQX", "1.5");
    assert_eq!(names(&phases(&families)), ["connect"]);
}

#[test]
fn the_phases_of_a_connection_that_was_made_replace_those_of_failed_attempts() {
    let fake = tls_broker(&Tls::presenting(&Authority::new("CA").server(&["localhost"])));
    fake.inject(When::Connect, Fault::Silent.times(1));
    let config = tls_config(&fake, "false\ntimeout_seconds: 2");
    let families = Exporter::start(&config).probe("broker=LocalEMQX");
    assert!(families.success(), "{:?}", families.reasons());
    assert!(phases(&families)["tls"] < 2.0, "the first attempt waited longer: {:?}", phases(&families));
}

#[test]
fn the_certificate_that_expires_first_is_reported() {
    let authority = Authority::new("CA");
    let [leaf, other] = [2040, 2030].map(|year| authority.server_until(&["localhost"], year));
    let chain = Leaf { cert: [leaf.cert.as_str(), &other.cert].concat(), key: leaf.key.clone() };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let ca = authority.write(directory.path(), "ca.pem").display().to_string();
    for (presented, expiry) in [(&leaf, YEAR_2040), (&chain, YEAR_2030)] {
        for (versions, name) in VERSIONS {
            let fake = tls_broker(&Tls::presenting(presented).only(versions));
            for ssl in [ca.as_str(), "false"] {
                let exporter = Exporter::start(&tls_config(&fake, ssl));
                // The second probe resumes the TLS session of the first, in which no certificate is presented again.
                for _ in 0..2 {
                    let families = exporter.probe("broker=LocalEMQX");
                    assert!(families.success(), "{:?}", families.reasons());
                    assert_eq!(families.value(EXPIRY, &[]), Some(expiry));
                    assert_eq!(families.value("probe_tls_version_info", &[("version", name)]), Some("1"));
                    assert_eq!(families.all("probe_tls_version_info", &[]).len(), 1);
                }
            }
        }
    }
}

#[test]
fn a_refused_certificate_is_reported() {
    let authority = Authority::new("CA");
    let other = tempfile::tempdir().expect("a temporary directory");
    let ca = Authority::new("Another").write(other.path(), "ca.pem").display().to_string();
    let fake = tls_broker(&Tls::presenting(&authority.server_until(&["localhost"], 2040)));
    let families = Exporter::start(&tls_config(&fake, &ca)).probe_within("broker=LocalEMQX", "5");
    families.assert_nothing_known(&["tls"]);
    assert_eq!(families.value(EXPIRY, &[]), Some(YEAR_2040));
    assert!(families.all("probe_tls_version_info", &[]).is_empty(), "the handshake did not end");

    // The broker refuses us: under TLS 1.2 within the handshake.
    for (versions, _) in VERSIONS {
        let tls = Tls::presenting(&authority.server_until(&["localhost"], 2030));
        let fake = tls_broker(&tls.requiring_clients_of(&authority).only(versions));
        let families = Exporter::start(&tls_config(&fake, "false")).probe_within("broker=LocalEMQX", "5");
        families.assert_nothing_known(&["tls"]);
        assert_eq!(families.value(EXPIRY, &[]), Some(YEAR_2030));
    }
}

#[test]
fn people_see_phases_and_certificate() {
    for (year, expiry) in [(2040, "valid until 2040-01-01"), (2020, "expired on 2020-01-01")] {
        let fake = tls_broker(&Tls::presenting(&Authority::new("CA").server_until(&["localhost"], year)));
        let program = Program::with_config(&tls_config(&fake, "false"));
        let served = ServerProcess::start(&program, &[]);
        for path in ["/", "/probe?broker=LocalEMQX&debug=true"] {
            let text = served.get(path);
            assert!(text.contains(&format!("TLS 1.3, certificate {expiry} 00:00:00 UTC")), "{text}");
            assert!(text.contains("resolve ") && text.contains(" ms, transfer "), "{text}");
        }
    }
}
