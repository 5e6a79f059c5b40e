use std::time::Duration;

use super::*;

#[test]
fn settings_of_requests_are_read() {
    let broker = |lines| Arc::clone(&good(&format!("{BROKER}{lines}")).brokers[0]);

    let default = broker("");
    assert_eq!((default.timeout, default.attempts, default.concurrency), (Duration::from_secs(5), 3, 4));
    assert_eq!(default.default_timeout(), Duration::from_secs(15));
    assert!(default.nodes.is_empty());

    let configured = broker(
        "  timeout_seconds: 0.25\n  attempts: 10\n  concurrency: 64\n  nodes: {emqx@a: 0, 'emqx@b': 7}\n",
    );
    assert_eq!(
        (configured.timeout, configured.attempts, configured.concurrency),
        (Duration::from_millis(250), 10, 64)
    );
    assert_eq!(
        configured.nodes.iter().map(|(name, number)| (name.as_str(), *number)).collect::<Vec<_>>(),
        [("emqx@a", 0), ("emqx@b", 7)]
    );
}

#[test]
fn brokers_keep_the_order_of_the_file() {
    let config = good(TWO_BROKERS);
    assert_eq!(config.brokers.iter().map(|broker| broker.alias.as_str()).collect::<Vec<_>>(), ["A", "B"]);
    assert_eq!(config.broker("B").map(|broker| broker.api_url.path()), Some("/behind/a/proxy/api"));
    assert!(config.broker("C").is_none());
}

#[test]
fn the_path_of_an_api_url_ends_in_api() {
    let url = |url: &str| BROKER.replace("http://emqx:18083/api", url);
    for (written, read) in [
        ("http://emqx:18083/api", "http://emqx:18083/api"),
        ("http://emqx:18083/api/", "http://emqx:18083/api"),
        ("http://emqx:18083/api/v5", "http://emqx:18083/api"),
        ("http://emqx:18083/api/v5/", "http://emqx:18083/api"),
        ("http://emqx/a/b/api/", "http://emqx/a/b/api"),
        ("HTTP://EMQX/api", "http://emqx/api"),
        ("http://[::1]:18083/api", "http://[::1]:18083/api"),
    ] {
        assert_eq!(good(&url(written)).brokers[0].api_url.as_str(), read);
    }
    for wrong in [
        "http://emqx:18083",
        "http://emqx:18083/",
        "http://emqx:18083/API",
        "http://emqx:18083/xapi",
        "http://emqx:18083/api//",
        "http://emqx:18083/api/v4",
        "http://emqx:18083/api/v5/v5",
        "http://emqx:18083/api/v5/clients",
        "emqx:18083/api",
        "/api",
        "ftp://emqx/api",
        "http:///api:x",
        "http://emqx:99999/api",
        "[http://emqx/api]",
        "1",
    ] {
        assert_eq!(
            problem(&url(wrong)),
            "3:12: emqx.api_url: must be an http or https URL whose path ends in /api, such as http://emqx:18083/api"
        );
    }
}

#[test]
fn an_api_url_holds_nothing_else() {
    let message = |url: &str| problem(&BROKER.replace("http://emqx:18083/api", url));
    let credentials = "3:12: emqx.api_url: must not contain a user name or a password; set api_key and \
                       api_secret instead";
    assert_eq!(message("http://me@emqx:18083/api"), credentials);
    assert_eq!(message("http://me:CANARY@emqx:18083/api"), credentials);
    assert_eq!(message("http://:CANARY@emqx:18083/wrong?x"), credentials);
    let parts = "3:12: emqx.api_url: must not contain a query (?) or a fragment (#)";
    assert_eq!(message("http://emqx:18083/api?"), parts);
    assert_eq!(message("http://emqx:18083/api?limit=1"), parts);
    assert_eq!(message("http://emqx:18083/api#x"), parts);
}

#[test]
fn required_keys_of_a_broker_are_reported() {
    assert_eq!(
        problems("emqx: {}\n"),
        [
            "1:7: emqx: alias is missing; expected a name of your choice for this broker",
            "1:7: emqx: api_url is missing; expected an http or https URL whose path ends in /api, such as http://emqx:18083/api",
            "1:7: emqx: api_key is missing; expected the key of an EMQX API key",
            "1:7: emqx: api_secret is missing; expected the secret of that API key",
        ]
    );
    assert_eq!(
        problems("emqx:\n- alias:\n  api_url: ''\n  api_key: ''\n  api_secret: ~\n"),
        [
            "2:9: emqx[0].alias: must be a name of your choice for this broker",
            "3:12: emqx[0].api_url: must be an http or https URL whose path ends in /api, such as http://emqx:18083/api",
            "4:12: emqx[0].api_key: must be a text, {file: PATH} or {env: NAME}",
            "5:15: emqx[0].api_secret: must be the secret of that API key",
        ]
    );
    let right =
        "must be a broker (a mapping with alias, api_url, api_key and api_secret), or a list of brokers";
    assert_eq!(problem("emqx: text\n"), format!("1:7: emqx: {right}"));
    assert_eq!(problem("emqx: []\n"), "1:7: emqx: must not be empty; configure at least one broker");
    assert_eq!(
        problem(&TWO_BROKERS.replace("- alias: A", "- text\n- alias: A")),
        "2:3: emqx[0]: must be a mapping with alias, api_url, api_key and api_secret"
    );
}

#[test]
fn aliases_of_brokers_are_unique() {
    assert_eq!(
        problem(&TWO_BROKERS.replace("B\n", "A\n")),
        "6:10: emqx[1].alias: duplicate alias; another broker has it"
    );
    let message = |alias: &str| problem(&BROKER.replace("alias: A", alias));
    assert_eq!(message("alias: '*'"), "2:10: emqx.alias: must not be \"*\", which means all brokers");
    assert_eq!(message("alias: \"a\\nb\""), "2:10: emqx.alias: must not contain control characters");
    assert_eq!(message("alias: [A]"), "2:10: emqx.alias: must be a name of your choice for this broker");
    assert_eq!(good(&BROKER.replace("alias: A", "alias: 007")).brokers[0].alias, "007");
}

#[test]
fn numbers_have_their_bounds() {
    let timeout = "6:20: emqx.timeout_seconds: must be a number of seconds above 0 and up to 120";
    for wrong in [
        "0",
        "0.0",
        "1e-10",
        "-1",
        "120.1",
        "121",
        "18446744073709551615",
        "1e300",
        ".inf",
        "-.inf",
        ".nan",
        "x",
        "'5'",
        "5s",
        "[5]",
        "true",
    ] {
        assert_eq!(broker_problem(&format!("  timeout_seconds: {wrong}\n")), timeout, "{wrong}");
    }
    for right in ["120", "0.001", "1e1"] {
        good(&format!("{BROKER}  timeout_seconds: {right}\n"));
    }
    for wrong in ["0", "11", "-1", "1.5", "4294967297", "'3'", "{}"] {
        assert_eq!(
            broker_problem(&format!("  attempts: {wrong}\n")),
            "6:13: emqx.attempts: must be a whole number from 1 to 10",
            "{wrong}"
        );
    }
    for wrong in ["0", "65", "99999999999999999999999"] {
        assert_eq!(
            broker_problem(&format!("  concurrency: {wrong}\n")),
            "6:16: emqx.concurrency: must be a whole number from 1 to 64",
            "{wrong}"
        );
    }
}

#[test]
fn nodes_have_numbers() {
    assert_eq!(
        broker_problem("  nodes: [a]\n"),
        "6:10: emqx.nodes: must be a mapping of EMQX node names to numbers"
    );
    let number = "6:14: emqx.nodes: must be a whole number from 0 to 18446744073709551615";
    assert_eq!(broker_problem("  nodes: {a: -1}\n"), number);
    assert_eq!(broker_problem("  nodes: {a: x}\n"), number);
    assert_eq!(broker_problem("  nodes: {a: 1, a: 2}\n"), "6:17: emqx.nodes: duplicate node; keep one of them");
    assert_eq!(broker_problem("  nodes: {'': 1}\n"), "6:11: emqx.nodes: must be the name of an EMQX node");
}

#[test]
fn ssl_has_no_effect_without_tls() {
    let warnings = |ssl: &str| good(&format!("{BROKER}  ssl: {ssl}\n")).warnings;
    assert!(warnings("true").is_empty());
    assert!(warnings("false").is_empty());
    assert!(warnings("").is_empty());
    assert_eq!(warnings("/no/such/ca.pem"), ["emqx.ssl: has no effect, because api_url is http"]);
    assert_eq!(warnings("{insecure_skip_verify: true}"), ["emqx.ssl: has no effect, because api_url is http"]);
}

#[test]
fn ssl_makes_sense() {
    let right = "6:8: emqx.ssl: must be true, false, the path of a CA file, or a mapping of ca_file, cert_file, \
                 key_file, server_name and insecure_skip_verify";
    for wrong in ["5", "[ca.pem]", "1.5"] {
        assert_eq!(broker_problem(&format!("  ssl: {wrong}\n")), right);
    }
    for (wrong, message) in [
        ("''", "6:8: emqx.ssl: must be the path of a file"),
        ("{cert_file: c}", "6:8: emqx.ssl: cert_file needs key_file; set both or neither"),
        ("{key_file: k}", "6:8: emqx.ssl: key_file needs cert_file; set both or neither"),
        ("{ca_file: [c]}", "6:18: emqx.ssl.ca_file: must be the path of a file"),
        (
            "{ca_file: c, insecure_skip_verify: true}",
            "6:18: emqx.ssl.ca_file: conflicts with insecure_skip_verify: true; keep one of them",
        ),
        ("{insecure_skip_verify: 1}", "6:31: emqx.ssl.insecure_skip_verify: must be true or false"),
        ("{server_name: a b}", "6:22: emqx.ssl.server_name: must be a DNS name or an IP address"),
        ("{cafile: c}", "6:9: emqx.ssl.cafile: unknown key; did you mean ca_file?"),
    ] {
        assert_eq!(broker_problem(&format!("  ssl: {wrong}\n")), message);
    }
    good(&format!(
        "{BROKER}  ssl: {{ca_file: c, insecure_skip_verify: false, cert_file: c, key_file: k, server_name: h}}\n"
    ));
}

#[test]
fn words_that_look_like_booleans_are_explained() {
    let reason = "words such as `yes`, and `true` in quotes, are texts in YAML 1.2";
    for word in ["yes", "No", "ON", "off", "y", "N", "'true'", "\"False\""] {
        assert_eq!(
            broker_problem(&format!("  ssl: {word}\n")),
            format!(
                "6:8: emqx.ssl: must be true, false, the path of a CA file, or a mapping of ca_file, cert_file, key_file, \
                 server_name and insecure_skip_verify; {reason}"
            )
        );
        assert_eq!(
            broker_problem(&format!("  ssl: {{insecure_skip_verify: {word}}}\n")),
            format!("6:31: emqx.ssl.insecure_skip_verify: must be true or false; {reason}")
        );
    }
    good(&format!("{BROKER}  ssl: True\n"));
}

#[test]
fn a_proxy_is_an_http_url_without_a_password() {
    let right =
        "6:14: emqx.proxy_url: must be the http URL of a proxy without a path, such as http://proxy:3128";
    for wrong in
        ["5", "[a]", "proxy:3128", "socks5://proxy", "'http://proxy/x'", "'http://proxy?x'", "'http://'"]
    {
        assert_eq!(broker_problem(&format!("  proxy_url: {wrong}\n")), right, "{wrong}");
    }
    for (wrong, message) in [
        (
            "http://user:canary@proxy",
            "must not contain a user name or a password; set Proxy-Authorization in proxy_connect_header instead",
        ),
        ("https://proxy", "must begin with http://; proxies that speak TLS themselves are not supported"),
    ] {
        let problem = broker_problem(&format!("  proxy_url: {wrong}\n"));
        assert_eq!(problem, format!("6:14: emqx.proxy_url: {message}"));
    }
    let config = good(&format!(
        "{BROKER}  proxy_url: http://proxy:3128\n  proxy_connect_header: {{Proxy-Authorization: Basic c2VjcmV0}}\n"
    ));
    let redacted: String = Arc::new(config).redacted().expect("YAML").collect();
    assert!(redacted.contains("  proxy_url: http://proxy:3128/\n  proxy_connect_header:\n    "), "{redacted}");
    assert!(redacted.contains("Proxy-Authorization: <secret>"), "{redacted}");
    assert_eq!(
        broker_problem("  proxy_connect_header: {A: b}\n"),
        "6:25: emqx.proxy_connect_header: needs proxy_url, to which it is sent"
    );
}

#[test]
fn headers_are_names_and_secrets() {
    for (wrong, message) in [
        ("[a]", "6:12: emqx.headers: must be a mapping of header names to values"),
        ("{a b: c}", "6:13: emqx.headers: must be the name of an HTTP header"),
        ("{A: ''}", "6:16: emqx.headers.A: must be a text, {file: PATH} or {env: NAME}"),
        ("{A: [b]}", "6:16: emqx.headers.A: must be a text, {file: PATH} or {env: NAME}"),
        ("{A: b, a: c}", "6:19: emqx.headers: duplicate header; keep one of them"),
        ("{host: x}", "6:13: emqx.headers: host cannot be set; the exporter sets it itself"),
        (
            "{Content-Length: 1}",
            "6:13: emqx.headers: Content-Length cannot be set; the exporter sets it itself",
        ),
        ("{Connection: x}", "6:13: emqx.headers: Connection cannot be set; the exporter sets it itself"),
        (
            "{Transfer-Encoding: x}",
            "6:13: emqx.headers: Transfer-Encoding cannot be set; the exporter sets it itself",
        ),
        (
            "{Authorization: canary}",
            "6:13: emqx.headers: Authorization cannot be set; it carries api_key and api_secret",
        ),
        (
            "{Proxy-Authorization: canary}",
            "6:13: emqx.headers: Proxy-Authorization is not for the broker; set it in proxy_connect_header",
        ),
    ] {
        assert_eq!(broker_problem(&format!("  headers: {wrong}\n")), message);
    }
    let config = good(&format!("{BROKER}  headers: {{X-A: b, X-B: {{env: B}}}}\n"));
    let redacted: String = Arc::new(config).redacted().expect("YAML").collect();
    assert!(redacted.contains("  headers:\n    X-A: <secret>\n    X-B:\n      env: B\n"), "{redacted}");
}
