//! What the web configuration can say, held to what Prometheus' exporter-toolkit makes of the same.

use rcgen::SanType;
use rustls::crypto::CryptoProvider;
use rustls::crypto::ring::{cipher_suite, default_provider, kx_group};
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, NamedGroup, SupportedProtocolVersion};

use crate::support::web_config_dir::{BROKER, TLS, WebConfigDir, users};
use crate::support::{Authority, HttpClient, Leaf, Program, Reply, ServerProcess, wait_until};

/// The kinds of files that the toolkit's own tests read: what they say, and whether the toolkit accepts them. `TLS:` stands
/// for the section with a certificate and its key, and `CERT`, `KEY` and `CA` for inline texts.
const KINDS: &[(&str, bool)] = &[
    // The file as a whole.
    ("", true),
    ("tls_server_config:\n", true),
    ("- a\n- b\n", false),
    ("nonsense: true\n", false),
    ("tls_server_config: {certfile: cert.pem}\n", false),
    // Certificate and key.
    ("TLS:", true),
    ("tls_server_config: {cert_file: \"\", key_file: key.pem}\n", false),
    ("tls_server_config: {cert: \"\", key_file: key.pem}\n", false),
    ("tls_server_config: {cert_file: cert.pem, key_file: \"\"}\n", false),
    ("tls_server_config: {cert_file: cert.pem, key: \"\"}\n", false),
    ("tls_server_config: {cert_file: \"\", key_file: \"\", client_auth_type: RequestClientCert}\n", false),
    ("tls_server_config: {cert_file: nowhere.pem, key_file: key.pem}\n", false),
    ("tls_server_config: {cert_file: cert.pem, key_file: nowhere.pem}\n", false),
    ("tls_server_config: {cert_file: nowhere.pem, key_file: nowhere.pem}\n", false),
    ("tls_server_config:\n  cert: |\nCERT\n  key: |\nKEY\n", true),
    ("tls_server_config:\n  cert_file: cert.pem\n  key: |\nKEY\n", true),
    ("tls_server_config:\n  cert: |\nCERT\n  key_file: key.pem\n", true),
    ("tls_server_config:\n  cert: nonsense\n  key_file: key.pem\n", false),
    // Client certificates.
    ("TLS:  client_auth_type: \"\"\n", true),
    ("TLS:  client_auth_type: NoClientCert\n", true),
    ("TLS:  client_auth_type: RequestClientCert\n", true),
    ("TLS:  client_auth_type: RequireAnyClientCert\n", true),
    ("TLS:  client_auth_type: RequireClientCert\n", true),
    ("TLS:  client_auth_type: VerifyClientCertIfGiven\n", true),
    ("TLS:  client_auth_type: RequireAndVerifyClientCert\n", true),
    ("TLS:  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n", true),
    ("TLS:  client_auth_type: RequireAndVerifyClientCert\n  client_ca: |\nCA\n", true),
    ("TLS:  client_auth_type: RequireAndVerifyClientCert\n  client_ca: nonsense\n", false),
    ("TLS:  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: nowhere.pem\n", false),
    ("TLS:  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: key.pem\n", false),
    ("TLS:  client_auth_type: Whatever\n", false),
    ("TLS:  client_ca_file: ca.pem\n", false),
    ("TLS:  client_ca: |\nCA\n", false),
    ("TLS:  client_auth_type: RequireAnyClientCert\n  client_allowed_sans: [scraper.example]\n", true),
    (
        "TLS:  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n  client_allowed_sans: [a, b]\n",
        true,
    ),
    (
        "TLS:  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: ca.pem\n  client_allowed_sans: [a]\n",
        false,
    ),
    ("TLS:  client_auth_type: RequestClientCert\n  client_allowed_sans: [a]\n", false),
    ("TLS:  client_allowed_sans: [a]\n", false),
    // Versions.
    ("TLS:  min_version: TLS13\n", true),
    ("TLS:  min_version: TLS10\n  max_version: TLS12\n", true),
    ("TLS:  min_version: TLS1.2\n", false),
    ("TLS:  max_version: TLS14\n", false),
    // Cipher suites and curves.
    ("TLS:  cipher_suites: [ALL_SUITES]\n", true),
    ("TLS:  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]\n  max_version: TLS12\n", true),
    (
        "TLS:  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]\n  \
         prefer_server_cipher_suites: false\n  max_version: TLS12\n",
        true,
    ),
    ("TLS:  cipher_suites: []\n", true),
    ("TLS:  cipher_suites: [TLS_ROT13]\n", false),
    ("TLS:  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ROT13]\n", false),
    ("TLS:  cipher_suites: [TLS_RSA_WITH_3DES_EDE_CBC_SHA]\n", false),
    ("TLS:  cipher_suites: [TLS_RSA_WITH_AES_256_CBC_SHA]\n  max_version: TLS12\n", false),
    ("TLS:  curve_preferences: [CurveP256, CurveP384, CurveP521, X25519]\n", true),
    ("TLS:  curve_preferences: [CurveP384]\n  min_version: TLS13\n", true),
    ("TLS:  curve_preferences: [Curve25]\n", false),
    // HTTP.
    (
        "TLS:  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]\n  max_version: TLS12\nhttp_server_config: {http2: false}\n",
        true,
    ),
    ("http_server_config: {http2: true}\n", true),
    ("http_server_config: {headers: {X-Frame-Options: sameorigin, X-XSS-Protection: 0}}\n", true),
    (
        "http_server_config:\n  headers:\n    Strict-Transport-Security: max-age=60\n    X-Content-Type-Options: nosniff\n    \
         Content-Security-Policy: \"default-src 'none'\"\n",
        true,
    ),
    ("http_server_config: {headers: {X-Content-Type-Options: sniff}}\n", false),
    ("http_server_config: {headers: {X-Frame-Options: ALLOWALL}}\n", false),
    ("http_server_config: {headers: {X-Powered-By: hamsters}}\n", false),
    // Users.
    ("TLS:basic_auth_users: {alice: HASH}\n", true),
    ("basic_auth_users: {alice: HASH, bob: HASH}\n", true),
    ("basic_auth_users: {alice: password}\n", false),
    // The rate limit.
    ("rate_limit: {interval: 0, burst: 0}\n", true),
    ("rate_limit: {interval: \"2s\", burst: 0}\n", true),
    ("rate_limit: {interval: 1h, burst: 20}\n", true),
    ("rate_limit: {interval: soon, burst: 1}\n", false),
    ("rate_limit: {interval: 1s, bursts: 1}\n", false),
];

/// Every cipher suite that Go calls secure, among them four without forward secrecy that older versions of Go did.
const ALL_SUITES: &str = "TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256, \
    TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, \
    TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, \
    TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, \
    TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, \
    TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, TLS_RSA_WITH_AES_128_CBC_SHA, TLS_RSA_WITH_AES_256_CBC_SHA, \
    TLS_RSA_WITH_AES_128_GCM_SHA256, TLS_RSA_WITH_AES_256_GCM_SHA384";

/// Indents a PEM text as the value of a key in `tls_server_config`.
fn indented(pem: &str) -> String {
    format!("    {}\n", pem.trim_end().replace('\n', "\n    "))
}

fn status(answer: &std::io::Result<Reply>) -> Option<u16> {
    answer.as_ref().ok().map(|reply| reply.status)
}

#[test]
fn files_are_accepted_or_refused_as_by_the_exporter_toolkit() {
    let site = WebConfigDir::new("");
    let server = site.authority.server(&["localhost"]);
    site.write("cert.pem", &server.cert);
    site.write("key.pem", &server.key);
    let (_, hash) = users(&[("alice", "x")])
        .split_once(": ")
        .map(|(key, hash)| (key.to_owned(), hash.trim().to_owned()))
        .expect("a hash");
    for (kind, is_accepted) in KINDS {
        let text = kind
            .replace("TLS:", TLS)
            .replace("CERT\n", &indented(&server.cert))
            .replace("KEY\n", &indented(&server.key))
            .replace("CA\n", &indented(&site.authority.pem()))
            .replace("ALL_SUITES", ALL_SUITES)
            .replace("HASH", &hash);
        site.write("web.yaml", &text);
        let run = site.check();
        assert_eq!(run.status == 0, *is_accepted, "{kind}\n{}", run.stderr);
        assert!(!run.stderr.contains("password") || !kind.contains("{alice: password}"), "{}", run.stderr);
    }
}

/// An exporter with TLS and these further settings.
struct TlsSite {
    site: WebConfigDir,
    served: ServerProcess,
}

impl TlsSite {
    fn new(settings: &str) -> Self {
        let site = WebConfigDir::new(&format!("{TLS}{settings}"));
        let served = site.serve(&[]);
        Self { site, served }
    }

    /// Asks with these versions, cipher suites and curves, and returns what was negotiated.
    fn negotiate(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        change: impl FnOnce(&mut CryptoProvider),
    ) -> Option<(CipherSuite, NamedGroup)> {
        let mut provider = default_provider();
        change(&mut provider);
        let client =
            HttpClient::tls_offering(provider, versions, self.served.address(), &self.site.authority, None);
        client.get("/-/healthy").ok()?.negotiated
    }
}

#[test]
fn versions_are_bounded_from_below_and_from_above() {
    for (settings, expected) in [
        ("", [true, true]),
        ("  max_version: TLS12\n", [true, false]),
        ("  min_version: TLS13\n", [false, true]),
        ("  min_version: TLS10\n  max_version: TLS13\n", [true, true]),
    ] {
        let exporter = TlsSite::new(settings);
        let found = [&TLS12, &TLS13].map(|version| exporter.negotiate(&[version], |_| ()).is_some());
        assert_eq!(found, expected, "{settings}");
    }
}

#[test]
fn cipher_suites_are_those_of_the_list_in_its_order() {
    const SUITES: &str = "  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, \
                          TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]\n";
    let (chacha, aes_128, aes_256) = (
        cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    );
    let suite = |exporter: &TlsSite, offered: &[_]| {
        let negotiated = exporter.negotiate(&[&TLS12], |provider| provider.cipher_suites = offered.to_vec())?;
        Some(negotiated.0)
    };
    let exporter = TlsSite::new(SUITES);
    assert_eq!(suite(&exporter, &[aes_128, chacha]), Some(chacha.suite()), "the server's order");
    assert_eq!(suite(&exporter, &[aes_256, aes_128]), Some(aes_128.suite()));
    assert_eq!(suite(&exporter, &[aes_256]), None);
    assert!(exporter.negotiate(&[&TLS13], |_| ()).is_some(), "TLS 1.3 has its own suites");
    exporter.served.wait_until_logged("cipher_suites[0]: TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA is skipped", 1);

    let exporter = TlsSite::new(&format!("{SUITES}  prefer_server_cipher_suites: false\n"));
    assert_eq!(suite(&exporter, &[aes_128, chacha]), Some(aes_128.suite()), "the client's order");
}

#[test]
fn curves_are_those_of_the_list() {
    let exporter = TlsSite::new("  curve_preferences: [CurveP521, CurveP384, CurveP256]\n");
    for version in [&TLS12, &TLS13] {
        let curve = |offered| {
            let negotiated = exporter.negotiate(&[version], |provider| provider.kx_groups = offered)?;
            Some(negotiated.1)
        };
        assert_eq!(curve(vec![kx_group::SECP384R1]), Some(NamedGroup::secp384r1));
        assert_eq!(curve(vec![kx_group::X25519, kx_group::SECP256R1]), Some(NamedGroup::secp256r1));
        assert_eq!(curve(vec![kx_group::X25519]), None);
    }
}

#[test]
fn contradictions_of_tls_parameters_are_explained() {
    for (settings, message) in [
        ("  max_version: TLS11\n", "max_version: leaves no TLS version"),
        ("  min_version: TLS13\n  max_version: TLS12\n", "max_version: leaves no TLS version"),
        (
            "  curve_preferences: [CurveP521]\n",
            "curve_preferences: none of these is supported; add one of X25519, ",
        ),
        (
            "  cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA]\n",
            "cipher_suites: none of these is supported; add one of",
        ),
        (
            "  cipher_suites: [TLS_AES_128_GCM_SHA256]\n  max_version: TLS12\n",
            "tls_server_config: TLS cannot be set up: no usable cipher suites",
        ),
        ("  client_allowed_sans: []\n", "client_allowed_sans: lists no name"),
        ("  client_allowed_sans: [a]\n", "client_allowed_sans: needs client_auth_type"),
        ("  cert: x\n  key: nonsense\n  key_file: \"\"\n", "key_file"),
    ] {
        let run = WebConfigDir::new(&format!("{TLS}{settings}")).check();
        assert_eq!(run.status, 1, "{settings}");
        assert!(run.stderr.contains(message), "{settings}: {}", run.stderr);
    }
    for (settings, message) in [
        ("  min_version: TLS11\n", "min_version: TLS 1.0 and 1.1 are broken and never enabled"),
        ("  cipher_suites: [TLS_AES_128_GCM_SHA256]\n", "selects cipher suites of TLS 1.2 only"),
        ("  cert: x\n", "cert: is ignored, because there is cert_file"),
        (
            "  client_auth_type: RequireAndVerifyClientCert\n",
            "certificates of every public authority are accepted",
        ),
        ("http_server_config: {http2: true}\n", "http_server_config.http2: true has no effect"),
        (
            "  client_auth_type: RequireAnyClientCert\n  client_allowed_sans: [a]\n",
            "client_allowed_sans: protects nothing",
        ),
        ("rate_limit: {interval: 1s}\n", "rate_limit: a burst of 0 refuses every request"),
        ("rate_limit: {burst: 1}\n", "rate_limit: has no effect without an interval"),
    ] {
        let run = WebConfigDir::new(&format!("{TLS}{settings}")).check();
        assert_eq!(run.status, 0, "{settings}: {}", run.stderr);
        assert!(run.stderr.contains(message), "{settings}: {}", run.stderr);
    }
}

#[test]
fn inline_texts_are_used_and_can_be_renewed() {
    let site = WebConfigDir::new("");
    let inline = |server: &Leaf, ca: &str| {
        format!(
            "tls_server_config:\n  cert: |\n{}  key: |\n{}  client_auth_type: RequireAndVerifyClientCert\n  client_ca: |\n{}",
            indented(&server.cert),
            indented(&server.key),
            indented(ca)
        )
    };
    site.write("web.yaml", &inline(&site.authority.server(&["localhost"]), &site.authority.pem()));
    let served = site.serve(&[]);
    assert_eq!(status(&site.tls_showing(&served, &site.authority.client()).get("/-/healthy")), Some(200));
    assert_eq!(status(&site.tls(&served).get("/-/healthy")), None);

    let next = Authority::new("The next authority");
    let renewed = next.server(&["localhost"]);
    site.write("web.yaml", &inline(&renewed, &next.pem()));
    let client = HttpClient::tls(served.address(), &next, Some(&next.client()));
    wait_until("the new certificate", || status(&client.get("/-/healthy")) == Some(200));

    let mixed_up = Leaf { cert: renewed.cert, key: next.server(&["localhost"]).key };
    for (count, web_config) in [inline(&mixed_up, &next.pem()), inline(&mixed_up, "none")].iter().enumerate() {
        site.write("web.yaml", web_config);
        served.wait_until_logged("the previous one stays active", count + 1);
        assert_eq!(status(&client.get("/-/healthy")), Some(200));
    }
    let log = served.end();
    for message in [
        "the text of cert and the text of key are not a usable pair",
        "client_ca: the text of client_ca holds no certificate",
    ] {
        assert!(log.contains(message), "{log}");
    }
    let secret = mixed_up.key.lines().nth(1).expect("a line of base64");
    assert!(!log.contains(secret), "{log}");
}

#[test]
fn only_clients_with_a_listed_name_are_accepted() {
    let site = WebConfigDir::new(&format!(
        "{TLS}  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n  client_allowed_sans:\n    \
         - scraper.example\n    - 192.0.2.7\n    - prometheus@example.com\n    - spiffe://example/prometheus\n"
    ));
    let served = site.serve(&["--log.level", "debug"]);
    let ia5 = |text: &str| text.try_into().expect("ASCII");
    let is_accepted = |authority: &Authority, names: Vec<SanType>| {
        let client = authority.client_named(names);
        status(&site.tls_showing(&served, &client).get("/-/healthy")) == Some(200)
    };
    for name in [
        SanType::DnsName(ia5("scraper.example")),
        SanType::IpAddress([192, 0, 2, 7].into()),
        SanType::Rfc822Name(ia5("prometheus@example.com")),
        SanType::URI(ia5("spiffe://example/prometheus")),
    ] {
        assert!(
            is_accepted(&site.authority, vec![SanType::DnsName(ia5("other.example")), name.clone()]),
            "{name:?}"
        );
        assert!(!is_accepted(&Authority::new("Another"), vec![name.clone()]), "{name:?} of another authority");
    }
    for names in [
        vec![],
        vec![SanType::DnsName(ia5("example"))],
        vec![SanType::DnsName(ia5("a.scraper.example"))],
        vec![SanType::IpAddress([192, 0, 2, 8].into())],
    ] {
        assert!(!is_accepted(&site.authority, names.clone()), "{names:?}");
    }
    served.wait_until_logged("failed: the certificate has no subjectAltName that client_allowed_sans lists", 4);

    let list = "    - scraper.example\n";
    let text = std::fs::read_to_string(site.path("web.yaml")).expect("a file");
    site.write("web.yaml", text.split("  client_allowed_sans").next().expect("the beginning"));
    served.wait_until_logged("it no longer has client_allowed_sans, which needs a restart", 1);
    assert!(!is_accepted(&site.authority, vec![]));
    site.write("web.yaml", &text.replace(list, "    - other.example\n"));
    wait_until("the new list", || is_accepted(&site.authority, vec![SanType::DnsName(ia5("other.example"))]));
}

#[test]
fn without_a_ca_file_the_systems_authorities_issue_client_certificates() {
    for (auth_type, without) in [("VerifyClientCertIfGiven", Some(200)), ("RequireAndVerifyClientCert", None)] {
        let site = WebConfigDir::new(&format!("{TLS}  client_auth_type: {auth_type}\n"));
        let program = Program::with_config(BROKER).with_variable("SSL_CERT_FILE", &site.path("ca.pem"));
        let served = site.serve_program(&program, &[]);
        let get = |client: HttpClient| status(&client.get("/-/healthy"));
        assert_eq!(get(site.tls(&served)), without, "{auth_type}");
        assert_eq!(get(site.tls_showing(&served, &site.authority.client())), Some(200), "{auth_type}");
        assert_eq!(get(site.tls_showing(&served, &Authority::new("Another").client())), None, "{auth_type}");
    }
}

#[test]
fn headers_are_added_to_every_response() {
    let site = WebConfigDir::new(&format!(
        "http_server_config:\n  headers:\n    X-Frame-Options: deny\n    X-XSS-Protection: 1\n    \
         Content-Security-Policy: \"\"\n    Strict-Transport-Security: max-age=60\n{}",
        users(&[("alice", "secret")])
    ));
    let served = site.serve(&[]);
    let client = HttpClient::plain(served.address());
    let alice = client.as_user("alice", "secret");
    for (client, path, status) in [
        (&alice, "/", 200),
        (&alice, "/metrics", 200),
        (&alice, "/nowhere", 404),
        (&alice, "/probe", 400),
        (&client, "/metrics", 401),
        (&client, "/-/healthy", 200),
    ] {
        let reply = client.get(path).expect("an answer");
        assert_eq!(reply.status, status, "{path}");
        for header in ["x-frame-options: deny", "x-xss-protection: 1", "strict-transport-security: max-age=60"]
        {
            assert!(reply.head.contains(header), "{path}: {}", reply.head);
        }
    }
    let page = || alice.get("/").expect("an answer").head;
    assert_eq!(
        page().matches("content-security-policy: default-src 'none'").count(),
        1,
        "the page's own: {}",
        page()
    );
    let other = std::fs::read_to_string(site.path("web.yaml")).expect("a file");
    site.write("web.yaml", &other.replace("Policy: \"\"", "Policy: \"default-src 'self'\""));
    wait_until("the new header", || page().contains("content-security-policy: default-src 'self'"));
    assert_eq!(page().matches("content-security-policy").count(), 1, "{}", page());
}

#[test]
fn requests_beyond_the_rate_limit_are_refused() {
    let site = WebConfigDir::new(
        "rate_limit: {interval: 1h, burst: 3}\nhttp_server_config: {headers: {X-Frame-Options: deny}}\n",
    );
    let served = site.serve(&[]);
    let client = HttpClient::plain(served.address());
    let statuses: Vec<_> =
        ["/metrics", "/", "/nowhere", "/metrics", "/sd"].map(|path| client.status(path)).into();
    assert_eq!(statuses, [200, 200, 404, 429, 429]);
    let reply = client.get("/metrics").expect("an answer");
    assert_eq!((reply.status, reply.body.as_str()), (429, "Too Many Requests\n"));
    assert!(
        reply.head.contains("retry-after: 3") && reply.head.contains("x-frame-options: deny"),
        "{}",
        reply.head
    );
    assert_eq!(client.status("/-/healthy"), 200, "the kubelet would restart what does not answer");

    site.write("web.yaml", "rate_limit: {interval: 10ms, burst: 1}\n");
    wait_until("the new limit", || client.status("/metrics") == 200);
    site.write("web.yaml", "");
    served.wait_until_logged("reloaded the web configuration", 2);
    assert_eq!([(); 5].map(|()| client.status("/metrics")), [200; 5]);
}
