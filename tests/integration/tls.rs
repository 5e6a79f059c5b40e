//! TLS towards the broker: which certificates are accepted, why others are not, and files that change.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use fake_emqx::{FakeEmqx, Fault, Row, Version, When};
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};
use tempfile::TempDir;

use crate::support::{
    Authority, Exporter, FIXTURES, Families, Leaf, Program, Run, ServerProcess, Tls, config_of,
};

/// Both versions of TLS, each alone.
const VERSIONS: [&[&SupportedProtocolVersion]; 2] = [&[&TLS13], &[&TLS12]];

/// A fake EMQX with TLS, its authority, and a directory in which `ca.pem` is the authority's certificate.
struct TlsBroker {
    authority: Authority,
    directory: TempDir,
    tls: Tls,
    fake: FakeEmqx,
}

impl TlsBroker {
    /// A broker with a certificate for `localhost` and the loopback addresses.
    fn new() -> Self {
        Self::with(|authority| Tls::presenting(&authority.server(&["localhost", "127.0.0.1", "::1"])))
    }

    fn with(tls: impl FnOnce(&Authority) -> Tls) -> Self {
        let authority = Authority::new("The broker's authority");
        let tls = tls(&authority);
        Self::at("127.0.0.1", authority, tls)
    }

    fn at(ip: &str, authority: Authority, tls: Tls) -> Self {
        let address = (ip.parse::<std::net::IpAddr>().expect("an address"), 0).into();
        let fake = FakeEmqx::start_tls_at(Version::V5_8_9, address, tls.config());
        fake.add(Row::like("plain-user-1").client_id("device"));
        let directory = tempfile::tempdir().expect("a temporary directory");
        authority.write(directory.path(), "ca.pem");
        Self { authority, directory, tls, fake }
    }

    fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    /// A configuration with this `ssl`, for this host of the broker. In `ssl`, `DIR/` is the directory, and `FIX/` that
    /// of the fixtures.
    fn config(&self, host: &str, ssl: &str) -> String {
        let ssl = ssl.replace("DIR", &self.directory.path().display().to_string()).replace("FIX", FIXTURES);
        config_of(&self.fake, &format!("ssl: {ssl}"), &[("device", "device")])
            .replace(&self.fake.url(), &self.fake.url_with_host(host))
    }

    fn exporter(&self, ssl: &str) -> Exporter {
        Exporter::start(&self.config("localhost", ssl))
    }

    fn probe(&self, host: &str, ssl: &str) -> Families {
        Exporter::start(&self.config(host, ssl)).probe_within("broker=LocalEMQX", "10")
    }

    fn check(&self, host: &str, ssl: &str) -> Run {
        Program::with_config(&self.config(host, ssl)).run(&["--check"])
    }

    /// Returns what `--check` prints about a broker whose failure reason is `tls`.
    fn refusal(&self, host: &str, ssl: &str) -> String {
        let run = self.check(host, ssl);
        assert_eq!(run.status, 2, "{}", run.stderr);
        assert!(run.stderr.starts_with("LocalEMQX: tls: TLS handshake with "), "{}", run.stderr);
        run.stderr
    }
}

fn assert_probed(families: &Families) {
    assert!(families.success(), "{:?}", families.reasons());
    assert_eq!(families.value("emqx_mqtt_client_connected", &[("alias", "device")]), Some("1"));
}

fn probe(exporter: &Exporter) -> Families {
    exporter.probe_within("broker=LocalEMQX", "10")
}

#[test]
fn a_private_authority_is_trusted_if_ca_file_names_it() {
    let broker = TlsBroker::new();
    for ssl in ["DIR/ca.pem", "{ca_file: DIR/ca.pem}", "{ca_file: DIR/ca.pem, insecure_skip_verify: false}"] {
        assert_probed(&broker.probe("localhost", ssl));
    }
    assert_eq!(broker.fake.connections(), 3, "each probe has its own");
}

#[test]
fn one_of_several_authorities_is_enough() {
    let broker = TlsBroker::new();
    let bundle = [Authority::new("Another").pem(), broker.authority.pem()].concat();
    fs::write(broker.path("ca.pem"), bundle).expect("a file");
    assert_probed(&broker.probe("localhost", "DIR/ca.pem"));
}

#[test]
fn every_certificate_is_accepted_without_verification() {
    let names = ["somebody-else.example"];
    let expired = TlsBroker::with(|authority| Tls::presenting(&authority.expired_server(&names)));
    for ssl in ["false", "{insecure_skip_verify: true}"] {
        assert_probed(&expired.probe("localhost", ssl));
        assert_probed(&expired.probe("127.0.0.1", ssl));
    }
}

#[test]
fn another_authority_is_not_trusted() {
    let broker = TlsBroker::new();
    Authority::new("Another").write(broker.directory.path(), "other.pem");
    let families = broker.probe("localhost", "DIR/other.pem");
    families.assert_nothing_known(&["tls"]);
    assert_eq!(broker.fake.request_count(), 0, "no credentials went out");
    let refusal = broker.refusal("localhost", "DIR/other.pem");
    assert!(refusal.contains("the certificate was issued by an unknown authority"), "{refusal}");
}

#[test]
fn a_certificate_for_another_name_is_refused() {
    let broker = TlsBroker::with(|authority| Tls::presenting(&authority.server(&["emqx.example", "10.0.0.7"])));
    broker.probe("localhost", "DIR/ca.pem").assert_nothing_known(&["tls"]);
    for (host, name) in [("localhost", "localhost"), ("127.0.0.1", "127.0.0.1")] {
        let refusal = broker.refusal(host, "DIR/ca.pem");
        let message = format!("the certificate is not valid for {name}, only for emqx.example, 10.0.0.7");
        assert!(refusal.contains(&message), "{refusal}");
    }
    assert_eq!(broker.fake.request_count(), 0);
}

#[test]
fn another_server_name_can_be_expected() {
    let broker = TlsBroker::with(|authority| Tls::presenting(&authority.server(&["emqx.example"])));
    for host in ["localhost", "127.0.0.1"] {
        assert_probed(&broker.probe(host, "{ca_file: DIR/ca.pem, server_name: emqx.example}"));
    }
    let by_name = Some("emqx.example".to_owned());
    assert_eq!(broker.tls.sni_names(), [by_name.clone(), by_name]);
    let host = broker.fake.requests()[0].header("host").map(ToOwned::to_owned);
    assert_eq!(host, Some(format!("localhost:{}", broker.fake.address().port())), "HTTP goes on as before");
    broker
        .probe("localhost", "{ca_file: DIR/ca.pem, server_name: other.example}")
        .assert_nothing_known(&["tls"]);
}

#[test]
fn the_host_of_the_url_is_sent_as_server_name() {
    let broker = TlsBroker::new();
    assert_probed(&broker.probe("localhost", "DIR/ca.pem"));
    assert_probed(&broker.probe("127.0.0.1", "DIR/ca.pem"));
    assert_eq!(broker.tls.sni_names(), [Some("localhost".to_owned()), None], "an address is no name");
}

#[test]
fn a_broker_can_have_an_ipv6_address() {
    let authority = Authority::new("The broker's authority");
    let tls = Tls::presenting(&authority.server(&["::1"]));
    let broker = TlsBroker::at("::1", authority, tls);
    assert_probed(&broker.probe("[::1]", "DIR/ca.pem"));
    let host = broker.fake.requests()[0].header("host").map(ToOwned::to_owned);
    assert_eq!(host, Some(format!("[::1]:{}", broker.fake.address().port())));

    let authority = Authority::new("The broker's authority");
    let tls = Tls::presenting(&authority.server(&["127.0.0.1"]));
    let broker = TlsBroker::at("::1", authority, tls);
    broker.probe("[::1]", "DIR/ca.pem").assert_nothing_known(&["tls"]);
}

#[test]
fn an_expired_certificate_is_refused() {
    let broker = TlsBroker::with(|authority| Tls::presenting(&authority.expired_server(&["localhost"])));
    broker.probe("localhost", "DIR/ca.pem").assert_nothing_known(&["tls"]);
    let refusal = broker.refusal("localhost", "DIR/ca.pem");
    assert!(refusal.contains("the certificate expired at 2020-01-01 00:00:00 UTC, "), "{refusal}");
}

#[test]
fn a_client_certificate_is_presented_on_request() {
    for version in VERSIONS {
        let broker = TlsBroker::with(|authority| {
            Tls::presenting(&authority.server(&["localhost"])).requiring_clients_of(authority).only(version)
        });
        broker.authority.client().write(broker.directory.path());
        let with = "{ca_file: DIR/ca.pem, cert_file: DIR/cert.pem, key_file: DIR/key.pem}";
        assert_probed(&broker.probe("localhost", with));
        // Under TLS 1.3 the refusal comes when for us the handshake is over.
        broker.probe("localhost", "DIR/ca.pem").assert_nothing_known(&["tls"]);
        let refusal = broker.refusal("localhost", "DIR/ca.pem");
        assert!(refusal.contains("certificate") || refusal.contains("Certificate"), "{refusal}");

        Authority::new("Another").client().write(broker.directory.path());
        broker.probe("localhost", with).assert_nothing_known(&["tls"]);
        assert_eq!(broker.fake.request_count(), 1);
    }
}

#[test]
fn brokers_may_use_either_version() {
    for version in VERSIONS {
        let broker =
            TlsBroker::with(|authority| Tls::presenting(&authority.server(&["localhost"])).only(version));
        assert_probed(&broker.probe("localhost", "DIR/ca.pem"));
    }
}

#[test]
fn the_systems_authorities_are_trusted_by_default() {
    let broker = TlsBroker::new();
    let other = Authority::new("Another").write(broker.directory.path(), "other.pem");
    let program = Program::with_config(&broker.config("localhost", "true"));
    let check = |system: &Path| {
        let mut command = program.command();
        command.env("SSL_CERT_FILE", system).env_remove("SSL_CERT_DIR").arg("--check");
        Run::of(command.output().expect("the program starts"))
    };
    let run = check(&other);
    assert_eq!(run.status, 2);
    assert!(run.stderr.starts_with("LocalEMQX: tls: TLS handshake with localhost:"), "{}", run.stderr);
    let run = check(&broker.directory.path().join("ca.pem"));
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    let run = check(Path::new("/no/such/file"));
    assert_eq!(run.status, 1);
    assert!(run.stderr.contains("this system has no certificate authorities"), "{}", run.stderr);
}

#[test]
fn renewed_system_authorities_are_reloaded_without_a_restart() {
    let broker = TlsBroker::new();
    let system = Authority::new("Another").write(broker.directory.path(), "system.pem");
    let program = Program::with_config(&broker.config("localhost", "true"))
        .with_variable("SSL_CERT_FILE", &system.display().to_string());
    let served = ServerProcess::start(&program, &[]);
    let probe = || served.get("/probe?broker=LocalEMQX");
    assert!(probe().contains("\nprobe_success 0\n"));
    broker.authority.write(broker.directory.path(), "system.pem");
    let since = Instant::now();
    while !probe().contains("\nprobe_success 1\n") {
        assert!(since.elapsed() < Duration::from_secs(120), "never taken up");
        thread::sleep(Duration::from_millis(500));
    }
}

#[test]
fn certificates_are_accepted_or_refused_as_their_makers_expect() {
    const SELF_SIGNED: &str =
        "one of a certificate authority, such as a self-signed one, and not itself among the";
    for (name, host, ssl, refusal) in [
        ("rsa", "localhost", "FIX/ca.pem", None),
        ("ec", "localhost", "FIX/ca.pem", None),
        ("ed25519", "localhost", "FIX/ca.pem", None),
        ("chain", "localhost", "FIX/ca.pem", None),
        ("ip", "127.0.0.1", "FIX/ca.pem", None),
        ("ip", "localhost", "FIX/ca.pem", Some("is not valid for localhost, only for 127.0.0.1")),
        ("wildcard", "localhost", "{ca_file: FIX/ca.pem, server_name: a.emqx.example}", None),
        (
            "wildcard",
            "localhost",
            "{ca_file: FIX/ca.pem, server_name: a.b.emqx.example}",
            Some("is not valid for a.b.emqx.example, only for *.emqx.example"),
        ),
        ("cn-only", "localhost", "FIX/ca.pem", Some("it states no names (subjectAltName), and a common name")),
        ("v1", "localhost", "FIX/ca.pem", Some("is of X.509 version 1, which cannot state its names")),
        ("v1", "localhost", "false", None),
        ("v1", "localhost", "{insecure_skip_verify: true}", None),
        ("self-signed", "localhost", "FIX/self-signed.pem", None),
        ("self-signed", "localhost", "FIX/trusted.pem", None),
        ("self-signed", "localhost", "FIX/ca.pem", Some(SELF_SIGNED)),
        (
            "self-signed",
            "127.0.0.1",
            "FIX/self-signed.pem",
            Some("is not valid for 127.0.0.1, only for localhost"),
        ),
        ("self-signed-cn-only", "localhost", "FIX/self-signed-cn-only.pem", None),
        (
            "self-signed-cn-only",
            "127.0.0.1",
            "FIX/self-signed-cn-only.pem",
            Some("is not valid for 127.0.0.1, only for localhost"),
        ),
        ("self-signed-client", "localhost", "FIX/self-signed-client.pem", Some("extended key usage")),
        ("rsa", "localhost", "FIX/with-text.pem", None),
    ] {
        let broker = TlsBroker::with(|_| Tls::presenting(&Leaf::fixture(name)));
        match refusal {
            None => assert_probed(&broker.probe(host, ssl)),
            Some(message) => {
                let refusal = broker.refusal(host, ssl);
                assert!(refusal.contains(message), "{name}, {ssl}: {refusal}");
                assert_eq!(broker.fake.request_count(), 0, "{name}, {ssl}");
            }
        }
    }
}

#[test]
fn the_order_of_a_chain_behind_its_first_certificate_does_not_matter() {
    let chain = Leaf::fixture("chain");
    let (own, intermediate) = chain.cert.split_at(chain.cert.rfind("-----BEGIN").expect("two certificates"));
    let root = fs::read_to_string(format!("{FIXTURES}/ca.pem")).expect("a fixture");
    let chain = Leaf { cert: [own, &root, intermediate].concat(), key: chain.key };
    let broker = TlsBroker::with(|_| Tls::presenting(&chain));
    assert_probed(&broker.probe("localhost", "FIX/ca.pem"));

    let without_intermediate = Leaf { cert: own.to_owned(), key: Leaf::fixture("chain").key };
    let broker = TlsBroker::with(|_| Tls::presenting(&without_intermediate));
    let refusal = broker.refusal("localhost", "FIX/ca.pem");
    assert!(refusal.contains("the certificate was issued by an unknown authority"), "{refusal}");
    fs::write(broker.path("intermediate.pem"), intermediate).expect("a file");
    assert_probed(&broker.probe("localhost", "DIR/intermediate.pem"));
}

#[test]
fn a_trusted_certificate_of_the_broker_itself_expires_too() {
    let leaf = Authority::expired_self_signed();
    let broker = TlsBroker::with(|_| Tls::presenting(&leaf));
    fs::write(broker.path("ca.pem"), &leaf.cert).expect("a file");
    let refusal = broker.refusal("localhost", "DIR/ca.pem");
    assert!(refusal.contains("the certificate expired at 2020-01-01 00:00:00 UTC, "), "{refusal}");
}

#[test]
fn an_unreadable_certificate_in_a_bundle_is_logged_with_its_line() {
    let broker = TlsBroker::new();
    let bad = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let bundle = |first: &str| format!("\u{feff}{first}{bad}\u{feff}{}", broker.authority.pem());
    fs::write(broker.path("ca.pem"), bundle("# bad\n")).expect("a file");
    let warning = |line| {
        let path = broker.path("ca.pem");
        format!(
            "{path}:{line}: the CERTIFICATE that begins here cannot be read: it is not a certificate; it is skipped"
        )
    };
    let program = Program::with_config(&broker.config("localhost", "DIR/ca.pem"));
    let run = program.run(&["--config.check"]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert!(run.stderr.contains(&format!("emqx.ssl: {}", warning(2))), "{}", run.stderr);

    let served = ServerProcess::start(&program, &[]);
    let probe = || assert!(served.get("/probe?broker=LocalEMQX").contains("\nprobe_success 1\n"));
    probe();
    fs::write(broker.path("ca.pem"), bundle("# still\n# bad\n")).expect("a file");
    probe();
    probe();
    let log = served.end();
    assert_eq!(log.matches(&warning(2)).count(), 1, "{log}");
    assert_eq!(log.matches(&warning(3)).count(), 1, "{log}");
}

#[test]
fn keys_and_client_certificates_are_read_in_every_common_form() {
    let broker = TlsBroker::new();
    let fixture = |name: &str| fs::read_to_string(format!("{FIXTURES}/{name}")).expect("a fixture");
    fs::write(broker.path("both.pem"), [fixture("ec-sec1.key"), fixture("ec.pem")].concat()).expect("a file");
    // `openssl ecparam -genkey` writes the curve before the key.
    let parameters = "-----BEGIN EC PARAMETERS-----\nBgUrgQQAIg==\n-----END EC PARAMETERS-----\n";
    fs::write(broker.path("ecparam.key"), [parameters, &fixture("ec-sec1.key")].concat()).expect("a file");
    fs::write(broker.path("reversed.pem"), [fixture("ca.pem"), fixture("rsa.pem")].concat()).expect("a file");
    fs::write(broker.path("bom.pem"), format!("\u{feff}{}", fixture("rsa.pem"))).expect("a file");
    fs::write(broker.path("bom.key"), format!("\u{feff}{}", fixture("rsa.key"))).expect("a file");
    fs::write(broker.path("dos.pem"), fixture("rsa.pem").replace('\n', "\r\n")).expect("a file");
    fs::write(broker.path("legacy.key"), "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n")
        .expect("a file");
    let check = |cert: &str, key: &str| {
        let ssl = format!("{{ca_file: DIR/ca.pem, cert_file: {cert}, key_file: {key}}}");
        Program::with_config(&broker.config("localhost", &ssl)).run(&["--config.check"])
    };
    for (cert, key) in [
        ("FIX/rsa.pem", "FIX/rsa.key"),
        ("FIX/rsa.pem", "FIX/rsa-pkcs1.key"),
        ("FIX/ec.pem", "FIX/ec.key"),
        ("FIX/ec.pem", "FIX/ec-sec1.key"),
        ("FIX/ed25519.pem", "FIX/ed25519.key"),
        ("FIX/v1.pem", "FIX/v1.key"),
        ("FIX/chain.pem", "FIX/chain.key"),
        ("FIX/trusted.pem", "FIX/self-signed.key"),
        ("FIX/ec.pem", "DIR/ecparam.key"),
        ("DIR/both.pem", "DIR/both.pem"),
        ("DIR/bom.pem", "DIR/bom.key"),
        ("DIR/dos.pem", "FIX/rsa.key"),
    ] {
        let run = check(cert, key);
        assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{cert} {key}");
    }
    for (cert, key, message) in [
        ("FIX/rsa.pem", "FIX/ec.key", "the key does not belong to the first certificate in the file"),
        ("FIX/v1.pem", "FIX/ec.key", "the key does not belong to the first certificate in the file"),
        ("DIR/reversed.pem", "FIX/rsa.key", "the key does not belong to the first certificate in the file"),
        ("FIX/rsa.pem", "FIX/encrypted.key", "encrypted.key is encrypted; `openssl pkey "),
        ("FIX/rsa.pem", "DIR/legacy.key", "legacy.key is encrypted; `openssl pkey "),
        ("FIX/rsa.pem", "FIX/rsa.pem", "rsa.pem holds no private key; it must be a PEM file with one"),
        ("FIX/rsa.key", "FIX/rsa.key", "rsa.key holds no certificate; it must be a PEM file with at least one"),
    ] {
        let run = check(cert, key);
        assert_eq!(run.status, 1, "{cert} {key}");
        assert!(run.stderr.contains(message), "{cert} {key}: {}", run.stderr);
    }
}

#[test]
fn the_next_probe_uses_a_changed_authority() {
    let broker = TlsBroker::new();
    let exporter = broker.exporter("DIR/ca.pem");
    assert_probed(&probe(&exporter));

    Authority::new("Another").write(broker.directory.path(), "ca.pem");
    probe(&exporter).assert_nothing_known(&["tls"]);

    for garbage in ["", "no certificate", "-----BEGIN CERTIFICATE-----\n???\n-----END CERTIFICATE-----\n"] {
        fs::write(broker.path("ca.pem"), garbage).expect("a file");
        probe(&exporter).assert_nothing_known(&["config"]);
    }
    fs::remove_file(broker.path("ca.pem")).expect("it was there");
    probe(&exporter).assert_nothing_known(&["config"]);
    fs::create_dir(broker.path("ca.pem")).expect("nothing is there");
    probe(&exporter).assert_nothing_known(&["config"]);
    fs::remove_dir(broker.path("ca.pem")).expect("it was there");

    broker.authority.write(broker.directory.path(), "ca.pem");
    assert_probed(&probe(&exporter));
    assert_eq!(broker.fake.request_count(), 2);
}

/// Mounts these files as Kubernetes mounts a secret: a new directory, and the link `..data` replaced atomically.
fn mount(volume: &Path, revision: &str, authority: &Authority, client: &Leaf) {
    let directory = volume.join(revision);
    fs::create_dir(&directory).expect("a new revision");
    authority.write(&directory, "ca.pem");
    client.write(&directory);
    symlink(revision, volume.join("..data_tmp")).expect("a link");
    fs::rename(volume.join("..data_tmp"), volume.join("..data")).expect("the link changes");
}

#[test]
fn certificates_are_rotated_as_by_kubernetes() {
    let broker = TlsBroker::with(|authority| {
        Tls::presenting(&authority.server(&["localhost"])).requiring_clients_of(authority)
    });
    let volume = broker.directory.path().join("volume");
    fs::create_dir(&volume).expect("a directory");
    let other = Authority::new("Another");
    mount(&volume, "..1", &other, &broker.authority.client());
    for name in ["ca.pem", "cert.pem", "key.pem"] {
        symlink(format!("..data/{name}"), volume.join(name)).expect("a link");
    }
    let exporter = broker
        .exporter("{ca_file: DIR/volume/ca.pem, cert_file: DIR/volume/cert.pem, key_file: DIR/volume/key.pem}");
    probe(&exporter).assert_nothing_known(&["tls"]);
    mount(&volume, "..2", &broker.authority, &broker.authority.client());
    assert_probed(&probe(&exporter));
    mount(&volume, "..3", &broker.authority, &other.client());
    probe(&exporter).assert_nothing_known(&["tls"]);
    mount(&volume, "..4", &broker.authority, &broker.authority.client());
    assert_probed(&probe(&exporter));

    // Half a rotation: a key that does not belong to the certificate.
    let client = broker.authority.client();
    fs::write(volume.join("..data/key.pem"), &client.key).expect("a file");
    probe(&exporter).assert_nothing_known(&["config"]);
    fs::write(volume.join("..data/cert.pem"), &client.cert).expect("a file");
    assert_probed(&probe(&exporter));
}

#[test]
fn https_to_a_plain_http_port_is_explained() {
    let broker = TlsBroker::new();
    let plain = FakeEmqx::start(Version::V5_8_9);
    let config = broker.config("localhost", "DIR/ca.pem").replace(
        &format!("localhost:{}", broker.fake.address().port()),
        &format!("localhost:{}", plain.address().port()),
    );
    Exporter::start(&config).probe_within("broker=LocalEMQX", "10").assert_nothing_known(&["tls"]);
    let run = Program::with_config(&config).run(&["--check"]);
    assert!(run.stderr.contains("if it speaks plain HTTP, api_url must begin with http://"), "{}", run.stderr);
    assert_eq!(plain.request_count(), 0);
}

#[test]
fn http_to_a_tls_port_is_explained() {
    let broker = TlsBroker::new();
    let config = broker.config("localhost", "true").replace("https:", "http:");
    Exporter::start(&config).probe_within("broker=LocalEMQX", "10").assert_nothing_known(&["protocol"]);
    let run = Program::with_config(&config).run(&["--check"]);
    assert!(run.stderr.contains("LocalEMQX: protocol: "), "{}", run.stderr);
    assert!(run.stderr.contains("if it speaks TLS, api_url must begin with https://"), "{}", run.stderr);
}

#[test]
fn a_broken_or_missing_handshake() {
    for fault in [Fault::CloseBeforeResponse, Fault::raw("SSH-2.0-OpenSSH_9.2\r\n")] {
        let broker = TlsBroker::new();
        broker.fake.inject(When::Connect, fault);
        broker.probe("localhost", "DIR/ca.pem").assert_nothing_known(&["tls"]);
        assert_eq!(broker.fake.connections(), 3);
    }
    let broker = TlsBroker::new();
    broker.fake.inject(When::Connect, Fault::Silent);
    let exporter = broker.exporter("DIR/ca.pem");
    let families = exporter.probe_within("broker=LocalEMQX", "1.5");
    families.assert_nothing_known(&["tls"]);
    assert_eq!(families.value("probe_timeout_seconds", &[]), Some("1"));
}

#[test]
fn faults_have_the_same_reasons_with_tls() {
    for (fault, reason) in [
        (Fault::Silent, "timeout"),
        (Fault::CutBody(fake_emqx::Cut::Length), "protocol"),
        (Fault::status(500, "text/plain", ""), "http_status"),
        (Fault::status(401, "text/plain", ""), "unauthorized"),
    ] {
        let broker = TlsBroker::new();
        broker.fake.inject(When::Any, fault);
        let families = broker.exporter("DIR/ca.pem").probe_within("broker=LocalEMQX", "1.5");
        families.assert_nothing_known(&[reason]);
    }
}

#[test]
fn kept_tls_connections_can_close_at_any_time() {
    let broker = TlsBroker::new();
    broker.fake.add_all((0..30).map(|number| Row::like("plain-user-1").client_id(&format!("device-{number}"))));
    broker.fake.inject(When::Any, Fault::CloseAtNextRequest);
    let ids: Vec<_> = (0..30).map(|number| format!("device-{number}")).collect();
    let clients: Vec<_> = ids.iter().map(|id| (id.as_str(), id.as_str())).collect();
    let more = format!("attempts: 1\nssl: {}", broker.path("ca.pem"));
    let families =
        Exporter::start(&config_of(&broker.fake, &more, &clients)).probe_within("broker=LocalEMQX", "10");
    assert!(families.success(), "{:?}", families.reasons());
    assert!(broker.fake.request_count() > 30, "no request was lost");
}

#[test]
fn a_body_without_a_length_may_end_without_the_end_of_tls() {
    for (body, succeeds) in
        [("{\"clientid\":\"device\",\"connected\":true}", true), ("{\"clientid\":\"device\"", false)]
    {
        let broker = TlsBroker::new();
        let response = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{body}");
        broker.fake.inject(When::Any, Fault::raw(response));
        let families = broker.exporter("DIR/ca.pem").probe_within("broker=LocalEMQX", "10");
        assert_eq!(families.success(), succeeds);
        if !succeeds {
            families.assert_nothing_known(&["protocol"]);
        }
    }
}
