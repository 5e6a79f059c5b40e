//! Access to the exporter's own port: TLS, client certificates, users, and files that change.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use fake_emqx::{FakeEmqx, Row, Version};
use rustls::version::{TLS12, TLS13};

use crate::support::web_config_dir::{BROKER, TLS, WebConfigDir, hash, users};
use crate::support::{
    Authority, FIXTURES, HttpClient, Leaf, Program, Prometheus, Reply, bare_command, config_of, wait_until,
};

const EXAMPLE: &str = include_str!("../../examples/web-config.yaml");

fn is_accepted(answer: &std::io::Result<Reply>) -> bool {
    answer.as_ref().is_ok_and(|reply| reply.status == 200)
}

#[test]
fn the_exporter_speaks_tls_and_http_1_1_only() {
    let site = WebConfigDir::new(TLS);
    let served = site.serve(&[]);
    for versions in [&[&TLS13][..], &[&TLS12]] {
        let reply = HttpClient::tls_versions(versions, served.address(), &site.authority, None)
            .get("/metrics")
            .expect("an answer");
        assert_eq!((reply.status, reply.protocol.as_deref()), (200, Some("http/1.1")));
        assert!(reply.body.contains("emqx_client_monitor_build_info"), "{}", reply.body);
    }
    let reply = HttpClient::plain(served.address()).get("/metrics").expect("an answer");
    assert_eq!(
        (reply.status, reply.body.as_str()),
        (400, "Client sent an HTTP request to an HTTPS server.\n"),
        "and nothing else"
    );
    let check = bare_command().args(["--healthcheck", served.address()]).output().expect("it starts");
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
    let stranger = HttpClient::tls(served.address(), &Authority::new("Another"), None);
    assert!(stranger.get("/metrics").is_err());
    let log = served.stop();
    assert!(
        !log.contains("level=warn") && !log.contains("level=error"),
        "any client could fill the log: {log}"
    );
}

#[test]
fn tls_1_2_is_refused_if_the_minimum_is_1_3() {
    let site = WebConfigDir::new(&format!("{TLS}  min_version: TLS13\n"));
    let served = site.serve(&[]);
    let ask = |versions: &[_]| {
        is_accepted(
            &HttpClient::tls_versions(versions, served.address(), &site.authority, None).get("/-/healthy"),
        )
    };
    assert_eq!([ask(&[&TLS13]), ask(&[&TLS12])], [true, false]);
    site.write("web.yaml", &format!("{TLS}  min_version: TLS12\n"));
    wait_until("TLS 1.2", || ask(&[&TLS12]));
}

#[test]
fn clients_present_the_required_certificates() {
    for (client_auth_type, accepted) in [
        // Without a certificate, with one of the authority, with one of another.
        ("NoClientCert", [true, true, true]),
        ("RequestClientCert", [true, true, true]),
        ("RequireAnyClientCert", [false, true, true]),
        ("VerifyClientCertIfGiven", [true, true, false]),
        ("RequireAndVerifyClientCert", [false, true, false]),
    ] {
        let ca_file = if client_auth_type.contains("Verify") { "client_ca_file: ca.pem" } else { "" };
        let site = WebConfigDir::new(&format!("{TLS}  client_auth_type: {client_auth_type}\n  {ca_file}\n"));
        let served = site.serve(&[]);
        let (own, foreign) = (site.authority.client(), Authority::new("Another").client());
        let clients = [site.tls(&served), site.tls_showing(&served, &own), site.tls_showing(&served, &foreign)];
        let found = clients.map(|client| is_accepted(&client.get("/-/healthy")));
        assert_eq!(found, accepted, "{client_auth_type}");
    }
}

#[test]
fn a_client_certificate_that_is_itself_trusted_is_accepted() {
    for name in ["self-signed-client", "self-signed"] {
        let auth = format!(
            "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: {FIXTURES}/{name}.pem\n"
        );
        let config = WebConfigDir::new(&format!("{TLS}{auth}"));
        let served = config.serve(&[]);
        let is_accepted =
            |leaf: &str| is_accepted(&config.tls_showing(&served, &Leaf::fixture(leaf)).get("/-/healthy"));
        assert!(is_accepted(name), "{name}");
        assert!(!is_accepted("rsa"), "{name}");
        assert!(!is_accepted("v1"), "{name}");
    }
    let config = WebConfigDir::new(&format!("{TLS}  client_auth_type: RequireAnyClientCert\n"));
    let served = config.serve(&[]);
    assert!(is_accepted(&config.tls_showing(&served, &Leaf::fixture("v1")).get("/-/healthy")));
}

#[test]
fn failed_handshakes_are_logged_in_words_at_debug_level() {
    let auth = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n";
    let config = WebConfigDir::new(&format!("{TLS}{auth}"));
    let served = config.serve(&["--log.level", "debug"]);
    let fail = |client: HttpClient| assert!(client.get("/-/healthy").is_err());
    fail(HttpClient::tls(served.address(), &Authority::new("Another"), None));
    fail(config.tls(&served));
    fail(config.tls_showing(&served, &Leaf::fixture("v1")));
    fail(config.tls_showing(&served, &Authority::new("Another").client()));
    assert_eq!(HttpClient::plain(served.address()).status("/-/healthy"), 400);
    TcpStream::connect(served.address())
        .and_then(|mut peer| peer.write_all(b"\x10\x10\0\x04MQTT"))
        .expect("it takes bytes");
    for message in [
        "the peer sent the TLS alert \\\"unknown CA\\\": it does not know the issuer of our certificate",
        "failed: the peer presented no certificate",
        "failed: the certificate is of X.509 version 1",
        "failed: the certificate was issued by an unknown authority",
        "failed: the client sent an HTTP request without TLS",
        "failed: the peer does not speak TLS",
    ] {
        served.wait_until_logged(message, 1);
    }
}

#[test]
fn passwords_are_required_except_for_health() {
    let site = WebConfigDir::new(&users(&[("alice", "the right one"), ("bob", "b:o:b")]));
    let served = site.serve(&[]);
    let anyone = HttpClient::plain(served.address());
    for path in ["/", "/sd", "/metrics", "/probe?broker=LocalEMQX", "/nowhere", "/-/healthy/", "//-/healthy"] {
        let reply = anyone.get(path).expect("an answer");
        assert_eq!(reply.status, 401, "{path}");
        assert!(reply.head.contains("www-authenticate: basic realm=\"emqx-client-monitor\""), "{}", reply.head);
    }
    assert_eq!(anyone.status("/-/healthy"), 200);
    for (user, password, status) in [
        ("alice", "the right one", 200),
        ("bob", "b:o:b", 200),
        ("alice", "the wrong one", 401),
        ("alice", "", 401),
        ("alice", "b:o:b", 401),
        ("Alice", "the right one", 401),
        ("mallory", "the right one", 401),
        ("", "", 401),
    ] {
        // The second answer comes from memory.
        for _ in 0..2 {
            assert_eq!(anyone.as_user(user, password).status("/metrics"), status, "{user}");
        }
    }
    for authorization in ["Basic", "Basic !!!", "Bearer YWxpY2U6eA==", "Basic YWxpY2U=", "Basic /////w=="] {
        assert_eq!(anyone.with_authorization(authorization).status("/metrics"), 401, "{authorization}");
    }
}

#[test]
fn an_empty_file_configures_nothing() {
    for web_config in ["", "# nothing\n", "\u{feff}# nothing\n", "tls_server_config:\n"] {
        let site = WebConfigDir::new(web_config);
        assert_eq!(HttpClient::plain(site.serve(&[]).address()).status("/metrics"), 200);
    }
}

#[test]
fn users_are_rotated_without_a_restart() {
    let site = WebConfigDir::new(&users(&[("alice", "old")]));
    let served = site.serve(&[]);
    let client = HttpClient::plain(served.address());
    let (old, new) = (client.as_user("alice", "old"), client.as_user("alice", "new"));
    assert_eq!([old.status("/metrics"), new.status("/metrics")], [200, 401]);
    site.write("web.yaml", &users(&[("alice", "new")]));
    wait_until("the new password", || new.status("/metrics") == 200);
    assert_eq!(old.status("/metrics"), 401);
    assert!(served.stop().contains("reloaded the web configuration"));
}

#[test]
fn emptying_the_file_never_removes_the_users() {
    let content = users(&[("alice", "secret")]);
    let config = WebConfigDir::new(&content);
    let served = config.serve(&[]);
    let anyone = HttpClient::plain(served.address());
    for (count, emptied) in
        ["", "basic_auth_users:\n", "basic_auth_users: {}\n", "# no users\n"].iter().enumerate()
    {
        config.write("web.yaml", emptied);
        served.wait_until_logged("the previous one stays active", count + 1);
        assert_eq!(anyone.status("/metrics"), 401, "{emptied}");
        assert_eq!(anyone.as_user("alice", "secret").status("/metrics"), 200, "{emptied}");
    }
    config.write("web.yaml", &users(&[("bob", "other")]));
    wait_until("other users", || anyone.as_user("bob", "other").status("/metrics") == 200);
    assert_eq!(anyone.as_user("alice", "secret").status("/metrics"), 401);
    let log = served.end();
    assert!(log.contains("it lists no users; turning authentication off needs a restart"), "{log}");
}

#[test]
fn a_truncated_file_never_removes_client_certificates() {
    let auth = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n";
    let site = WebConfigDir::new(&format!("{TLS}{auth}"));
    let served = site.serve(&[]);
    site.write("web.yaml", TLS);
    served.wait_until_logged("the previous one stays active", 1);
    assert!(site.tls(&served).get("/metrics").is_err());
    let log = served.end();
    assert!(log.contains("it no longer requires client certificates"), "{log}");
}

#[test]
fn certificates_and_authorities_are_rotated_without_a_restart() {
    let auth = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n";
    let site = WebConfigDir::new(&format!("{TLS}{auth}"));
    let served = site.serve(&[]);
    let old = site.authority.client();
    let old_client = site.tls_showing(&served, &old);
    assert!(is_accepted(&old_client.get("/-/healthy")));

    let next = Authority::new("The next authority");
    next.server(&["localhost"]).write(site.directory.path());
    next.write(site.directory.path(), "ca.pem");
    let new = next.client();
    let new_client = HttpClient::tls(served.address(), &next, Some(&new));
    wait_until("the new certificate", || is_accepted(&new_client.get("/-/healthy")));
    // Resuming a session of the old authority is refused too.
    assert!(old_client.get("/-/healthy").is_err());
    assert!(HttpClient::tls(served.address(), &next, Some(&old)).get("/-/healthy").is_err());
}

#[test]
fn an_invalid_file_is_logged_once_and_the_previous_stays_active() {
    let site = WebConfigDir::new(&format!("{TLS}{}", users(&[("alice", "old")])));
    let served = site.serve(&[]);
    let alice = site.tls(&served).as_user("alice", "old");
    assert_eq!(alice.status("/metrics"), 200);

    site.write("web.yaml", &format!("{TLS}basic_auth_users: {{alice: nonsense}}\n"));
    served.wait_until_logged("the previous one stays active", 1);
    assert_eq!(alice.status("/metrics"), 200);
    site.write("web.yaml", &users(&[("alice", "new")]));
    served.wait_until_logged("the previous one stays active", 2);
    assert_eq!(alice.status("/metrics"), 200, "TLS is not switched off");
    site.write("cert.pem", "no certificate");
    site.write("web.yaml", &format!("{TLS}{}", users(&[("alice", "new")])));
    served.wait_until_logged("the previous one stays active", 3);
    assert_eq!(alice.status("/metrics"), 200);

    let log = served.stop();
    let errors: Vec<_> = log.lines().filter(|line| line.contains("level=error")).collect();
    assert_eq!(errors.len(), 3, "{log}");
    for (line, message) in
        errors.iter().zip(["web.yaml:4:27", "needs a restart", "cert.pem holds no certificate"])
    {
        assert!(line.contains(message) && line.contains("the previous one stays active"), "{line}");
    }
    assert!(!log.contains("nonsense"), "{log}");
}

#[test]
fn all_problems_of_the_file_are_reported_with_line_and_column() {
    let good = hash("x");
    let site = WebConfigDir::new(&format!(
        "tls_server_config:\n  cert_file: nope.pem\n  key_file: key.pem\n  min_version: TLS14\n  \
         client_auth_type: Require\n  cipher_suites: [TLS_ROT13]\n  min_versoin: TLS12\n\
         http_server_config: {{headers: {{Server: x}}}}\nbasic_auth_users:\n  alice: s3cret\n  bob: {good}\n  bob: {good}\n  \
         carol: {}\n  dave: {}\n",
        good.replace("$04$", "$03$"),
        good.replace("$04$", "$31$"),
    ));
    let expected = [
        (2, "tls_server_config.cert_file: cannot read "),
        (4, "tls_server_config.min_version: must be TLS12 or TLS13"),
        (5, "tls_server_config.client_auth_type: must be NoClientCert, "),
        (6, "tls_server_config.cipher_suites[0]: must be one of TLS_AES_256_GCM_SHA384, "),
        (7, "tls_server_config.min_versoin: unknown key; did you mean min_version?"),
        (8, "http_server_config.headers: unknown key; known keys: Content-Security-Policy, "),
        (10, "basic_auth_users.alice: must be a bcrypt hash"),
        (12, "basic_auth_users: a user is listed twice"),
        (13, "basic_auth_users.carol: must be a bcrypt hash"),
        (14, "basic_auth_users.dave: has a bcrypt cost of 31"),
    ];
    let serving = Program::with_config(BROKER).run(&[
        "--web.config.file",
        &site.path("web.yaml"),
        "--web.listen-address",
        "127.0.0.1:0",
    ]);
    for run in [site.check(), serving] {
        assert_eq!((run.status, run.stdout.as_str()), (1, ""), "{}", run.stderr);
        let lines: Vec<_> = run.stderr.lines().collect();
        assert_eq!(lines.len(), expected.len(), "{}", run.stderr);
        for (line, (number, message)) in lines.iter().zip(expected) {
            let place = format!("{}:{number}:", site.path("web.yaml"));
            assert!(line.starts_with(&place) && line.contains(message), "{line}\nis not {place} {message}");
        }
        assert!(!run.stderr.contains("s3cret") && !run.stderr.contains(&good[7..]), "{}", run.stderr);
    }
}

#[test]
fn contradictory_settings_are_refused() {
    for (web_config, message) in [
        ("tls_server_config: {}", "cert_file (or cert) is missing"),
        ("tls_server_config: {cert_file: cert.pem}", "key_file (or key) is missing"),
        ("tls_server_config: {cert_file: cert.pem, key_file: other.pem}", "not a usable pair"),
        ("tls_server_config: {cert_file: key.pem, key_file: key.pem}", "holds no certificate"),
        (
            "tls_server_config: {cert_file: cert.pem, key_file: key.pem, client_ca_file: ca.pem}",
            "client_ca_file: has no effect without client_auth_type",
        ),
        (
            "tls_server_config: {cert_file: cert.pem, key_file: key.pem, client_auth_type: Maybe}",
            "client_auth_type: must be NoClientCert,",
        ),
        ("basic_auth_users: [alice]", "basic_auth_users: must be a mapping"),
        ("basic_auth_users:", "basic_auth_users: must be a mapping of user names"),
        ("basic_auth_users: {}", "basic_auth_users: lists no users"),
        ("basic_auth_users: {\"a:b\": x}", "must not contain a colon"),
        ("- x", "must be a mapping of tls_server_config, basic_auth_users, "),
        ("tls_server_config: [", "web.yaml:"),
    ] {
        let site = WebConfigDir::new(web_config);
        site.write("other.pem", &site.authority.client().key);
        let run = site.check();
        assert_eq!(run.status, 1, "{web_config}");
        assert!(run.stderr.contains(message), "{web_config}: {}", run.stderr);
    }
    let run = Program::with_config(BROKER).run(&["--config.check", "--web.config.file", "/nope.yaml"]);
    assert_eq!(run.status, 1);
    assert!(
        run.stderr.starts_with("cannot read the web configuration file /nope.yaml: No such"),
        "{}",
        run.stderr
    );
}

#[test]
fn odd_settings_cause_warnings() {
    let site = WebConfigDir::new(&users(&[("alice", "x")]));
    let run = site.check();
    assert_eq!(run.status, 0);
    assert!(run.stderr.contains("clear text"), "{}", run.stderr);
    assert_eq!(run.stdout.lines().count(), 2, "each file is valid: {}", run.stdout);

    site.write("web.yaml", &format!("{TLS}  client_auth_type: RequestClientCert\n  client_ca_file: ca.pem\n"));
    let run = site.check();
    assert_eq!(run.status, 0);
    assert!(run.stderr.contains("verifies no certificate"), "{}", run.stderr);
}

#[test]
fn the_example_is_valid() {
    let site = WebConfigDir::new(EXAMPLE);
    for (name, of) in [("server.crt", "cert.pem"), ("server.key", "key.pem"), ("clients.crt", "ca.pem")] {
        fs::copy(site.path(of), site.path(name)).expect("a copy");
    }
    let run = site.check();
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
}

#[test]
fn a_password_is_checked_once_and_never_logged() {
    let site = WebConfigDir::new(&users(&[("alice", "canary-of-alice")]));
    let served = site.serve(&["--log.level", "trace"]);
    let client = HttpClient::plain(served.address());
    for _ in 0..50 {
        assert_eq!(client.as_user("alice", "canary-wrong").status("/metrics"), 401);
        assert_eq!(client.as_user("canary-user", "canary-wrong").status("/metrics"), 401);
        assert_eq!(client.as_user("alice", "canary-of-alice").status("/metrics"), 200);
    }
    let stored = fs::read_to_string(site.path("web.yaml")).expect("a file");
    let stored = stored.rsplit('$').next().expect("a hash").trim();
    let log = served.stop();
    assert_eq!(log.matches("checked a password").count(), 3, "{log}");
    assert_eq!(log.matches("wrong user name or password").count(), 2, "{log}");
    for secret in ["canary", stored, "YWxpY2U6Y2FuYXJ5", "Y2FuYXJ5"] {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret}");
    }
}

#[test]
fn prometheus_scrapes_over_tls_with_a_password_and_with_a_certificate() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add(Row::recorded(Version::V5_8_9, "plain-user-1"));
    let config = config_of(&fake, "", &[("Room 1", "plain-user-1")]);
    let auth = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n";
    let with_users = WebConfigDir::new(&format!("{TLS}{}", users(&[("prometheus", "its password")])));
    let with_clients = WebConfigDir::new(&format!("{TLS}{auth}"));
    let client = with_clients.authority.client();
    with_clients.write("client.crt", &client.cert);
    with_clients.write("client.key", &client.key);
    let served = [with_users.serve_for(&config, &[]), with_clients.serve_for(&config, &[])];
    let prometheus = Prometheus::start(&format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n\
         - job_name: password\n  scheme: https\n  metrics_path: /probe\n  params: {{broker: [LocalEMQX]}}\n  \
         basic_auth: {{username: prometheus, password: its password}}\n  \
         tls_config: {{ca_file: {:?}, server_name: localhost}}\n  static_configs: [{{targets: [\"{}\"]}}]\n\
         - job_name: certificate\n  scheme: https\n  metrics_path: /probe\n  params: {{broker: [LocalEMQX]}}\n  \
         tls_config: {{ca_file: {:?}, server_name: localhost, cert_file: {:?}, key_file: {:?}}}\n  \
         static_configs: [{{targets: [\"{}\"]}}]\n",
        with_users.path("ca.pem"),
        served[0].address(),
        with_clients.path("ca.pem"),
        with_clients.path("client.crt"),
        with_clients.path("client.key"),
        served[1].address(),
    ));
    prometheus.wait_for("probe_success == 1", |series| {
        let mut jobs: Vec<_> = series.iter().filter_map(|one| one.label("job")).collect();
        jobs.sort_unstable();
        (jobs == ["certificate", "password"]).then_some(())
    });
}

#[test]
fn several_addresses_are_bound_and_an_occupied_one_is_named() {
    let site = WebConfigDir::new("");
    let served = site.serve(&["--web.listen-address", "[::1]:0", "--web.listen-address", "127.0.0.1:0"]);
    assert_eq!(HttpClient::plain(served.address()).status("/metrics"), 200);
    // It may respond at the first address before it has logged the last one.
    served.wait_until_logged("listening", 3);
    let log = served.stop();
    assert_eq!(log.matches("listening").count(), 3, "{log}");
    assert!(log.contains("[::1]:"), "{log}");

    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound").to_string();
    for web_config in ["", TLS] {
        let site = WebConfigDir::new(web_config);
        let run = Program::with_config(BROKER).run(&[
            "--web.config.file",
            &site.path("web.yaml"),
            "--web.listen-address",
            "127.0.0.1:0",
            "--web.listen-address",
            &address,
        ]);
        assert_eq!((run.status, run.stdout.as_str()), (1, ""));
        let message =
            format!("cannot listen on {address}; is another program using it?: Address already in use");
        assert!(run.stderr.contains(&message), "{}", run.stderr);
    }
}

#[test]
fn the_exporter_survives_hostile_connections() {
    for web_config in ["", TLS] {
        let site = WebConfigDir::new(web_config);
        let served = site.serve(&[]);
        let mut idle: Vec<_> =
            (0..150).map(|_| TcpStream::connect(served.address()).expect("a connection")).collect();
        idle[0].write_all(b"GET /metr").expect("it takes bytes");
        let client =
            if web_config.is_empty() { HttpClient::plain(served.address()) } else { site.tls(&served) };
        assert_eq!(client.status("/metrics"), 200, "others are served meanwhile");
        for size in [200_000, 4_000_000] {
            // An answer, or a connection that was closed before all was sent.
            let reply = client.with_authorization(&"x".repeat(size)).get("/metrics");
            assert!(
                reply.as_ref().is_err() || reply.as_ref().is_ok_and(|reply| reply.status >= 400),
                "{reply:?}"
            );
        }
        // A connection that sends nothing is closed.
        for connection in &mut idle {
            connection.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
            let mut said = Vec::new();
            let end = connection.read_to_end(&mut said);
            assert!(!matches!(&end, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock), "{end:?}");
        }
        assert_eq!(client.status("/metrics"), 200);
    }
}
