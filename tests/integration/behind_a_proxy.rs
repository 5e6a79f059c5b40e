//! The route prefix and the external URL.

use std::fs;

use fake_emqx::{FakeEmqx, Row, Version};
use serde_json::{Value, json};

use crate::support::{
    Families, HaProxy, HttpClient, Program, Prometheus, Release, ServerProcess, config_of, send,
};

fn program() -> (FakeEmqx, Program) {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add(Row::recorded(Version::V5_8_9, "plain-user-1"));
    let program = Program::with_config(&config_of(&fake, "", &[("Room 1", "plain-user-1")]));
    (fake, program)
}

/// The target that `/sd` lists for a request with this `Host`.
fn target(served: &ServerProcess, path: &str, host: &str) -> Value {
    let headers = [
        ("host", host),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-prefix", "/evil"),
        ("forwarded", "host=evil.example;proto=https"),
    ];
    let answer = send(served.address(), "GET", path, &headers).text();
    serde_json::from_str::<Value>(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"))[0].take()
}

#[test]
fn every_route_is_below_the_prefix() {
    let (_fake, program) = program();
    let served = ServerProcess::start(&program, &["--web.route-prefix", "emqx/clients/"]);
    for route in ["/", "/probe?broker=LocalEMQX", "/metrics", "/sd", "/config", "/-/healthy", "/-/ready"] {
        assert_eq!(served.request("GET", &format!("/emqx/clients{route}")).0, 200, "{route}");
        assert_eq!(served.request("GET", route).0, if route == "/" { 200 } else { 404 }, "{route}");
    }
    assert!(Families::parse(&served.get("/emqx/clients/probe?broker=LocalEMQX")).success());
    assert_eq!(served.request("POST", "/emqx/clients/-/reload").0, 200);
    assert_eq!(served.request("POST", "/emqx/clients/probe").0, 405);
    let (status, text) = served.request("GET", "/emqx/clients/nope");
    assert!(status == 404 && text.contains("/emqx/clients/probe?broker=ALIAS"), "{text}");
    // All links of the page lead below it.
    let page = served.get("/emqx/clients/");
    assert!(page.contains("href=\"probe?broker=LocalEMQX\"") && page.contains("action=\"./\""), "{page}");
    assert!(!page.contains("href=\"/") && !page.contains("action=\"/"), "{page}");
    let labels = &target(&served, "/emqx/clients/sd", served.address())["labels"];
    assert_eq!(labels["__metrics_path__"], "/emqx/clients/probe");
}

#[test]
fn paths_above_the_prefix_redirect_to_the_status_page() {
    let (_fake, program) = program();
    let location = |served: &ServerProcess, path: &str| {
        let reply = HttpClient::plain(served.address()).get(path).expect("a response");
        assert_eq!(reply.status, 302, "{path}");
        let location = reply.head.lines().find_map(|line| line.strip_prefix("location: "));
        location.map(ToOwned::to_owned)
    };
    let served = ServerProcess::start(&program, &["--web.route-prefix=/emqx"]);
    for path in ["/", "/emqx"] {
        assert_eq!(location(&served, path).as_deref(), Some("/emqx/"), "{path}");
    }
    let served = ServerProcess::start(&program, &["--web.external-url=https://proxy.example/emqx"]);
    assert_eq!(location(&served, "/").as_deref(), Some("https://proxy.example/emqx/"));
    assert_eq!(served.request("GET", "/emqx/").0, 200, "the prefix is the path of the external URL");
}

#[test]
fn the_targets_are_those_of_the_external_url_for_requests_through_it_only() {
    let (_fake, program) = program();
    let served = ServerProcess::start(
        &program,
        &["--web.external-url", "https://proxy.example/emqx/", "--web.route-prefix", "/"],
    );
    let through_proxy = json!({
        "targets": ["proxy.example:443"],
        "labels": {
            "__scheme__": "https",
            "__metrics_path__": "/emqx/probe",
            "__param_broker": "LocalEMQX",
            "instance": "LocalEMQX",
        },
    });
    let direct = |host: &str| {
        json!({
            "targets": [host],
            "labels": {"__metrics_path__": "/probe", "__param_broker": "LocalEMQX", "instance": "LocalEMQX"},
        })
    };
    for host in ["proxy.example", "Proxy.Example:443"] {
        assert_eq!(target(&served, "/sd", host), through_proxy, "{host}");
    }
    for host in ["10.0.0.1:9671", "proxy.example:9671", "monitor.example"] {
        assert_eq!(target(&served, "/sd", host), direct(host), "{host}");
    }
}

#[test]
fn the_health_check_knows_the_prefix_and_needs_no_password() {
    let (_fake, program) = program();
    let web_config = tempfile::NamedTempFile::with_suffix(".yaml").expect("a temporary file");
    // The hash of `secret`.
    let users = "basic_auth_users:\n  a: $2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW\n";
    fs::write(web_config.path(), users).expect("a file");
    let web_config = web_config.path().to_str().expect("a path in UTF-8");
    let served = ServerProcess::start(&program, &["--web.route-prefix=/emqx", "--web.config.file", web_config]);
    let check = |options: &[&str]| program.run(&[&["--healthcheck", served.address()], options].concat());
    assert_eq!(check(&["--web.route-prefix=/emqx"]).status, 0);
    assert_eq!(check(&["--web.external-url=http://proxy.example/emqx/"]).status, 0);
    assert_eq!(check(&[]).status, 1);
    // As the health check of an image, whose command is fixed.
    let program = program.with_variable("EMQX_CLIENT_MONITOR_WEB_ROUTE_PREFIX", "/emqx");
    assert_eq!(program.run(&["--healthcheck", served.address()]).status, 0);
    assert_eq!(served.request("GET", "/emqx/-/ready").0, 200);
    for path in ["/emqx/metrics", "/-/healthy", "/", "/emqx"] {
        assert_eq!(served.request("GET", path).0, 401, "{path}");
    }
}

/// The proxy removes the prefix, so the exporter serves without one.
#[test]
fn prometheus_scrapes_through_a_proxy_with_a_prefix() {
    let (_fake, program) = program();
    let mut served = None;
    let proxy = HaProxy::start(
        |address| {
            let external_url = format!("http://{address}/emqx/");
            let options = ["--web.external-url", &external_url, "--web.route-prefix", "/"];
            let backend = served.insert(ServerProcess::start(&program, &options)).address();
            format!(
                "defaults\n  mode http\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n\
                 frontend f\n  bind {address}\n  http-request deny unless {{ path_beg /emqx/ }}\n  \
                 http-request replace-path /emqx/(.*) /\\1\n  default_backend b\n\
                 backend b\n  server s {backend}\n"
            )
        },
        "/emqx/-/healthy",
    );
    for release in Release::ALL {
        let prometheus = Prometheus::start_release(
            release,
            &format!(
                "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n  - job_name: emqx-clients\n    \
                 http_sd_configs: [{{url: \"http://{}/emqx/sd\", refresh_interval: 1s}}]\n",
                proxy.address()
            ),
            &[],
        );
        prometheus.wait_for("emqx_mqtt_client_connected{instance=\"LocalEMQX\"} == 1", |series| {
            (series.len() == 1).then_some(())
        });
    }
}

#[test]
fn invalid_urls_and_prefixes_are_refused() {
    let (_fake, program) = program();
    for (option, value) in [
        ("--web.external-url", "proxy.example/emqx"),
        ("--web.external-url", "ftp://proxy.example/"),
        ("--web.external-url", "https:///emqx"),
        ("--web.external-url", "https:proxy.example/emqx"),
        ("--web.external-url", "https://a:b@proxy.example/"),
        ("--web.external-url", "https://proxy.example/?a=b"),
        ("--web.external-url", "https://proxy.example/a%20b"),
        ("--web.route-prefix", "/{a}"),
        ("--web.route-prefix", "/a/../b"),
        ("--web.route-prefix", "/a//b"),
    ] {
        let run = program.run(&[option, value]);
        let message = format!("error: invalid value '{value}' for '{option} <");
        assert!(run.status == 1 && run.stderr.starts_with(&message), "{}", run.stderr);
        assert!(run.stderr.contains("such as"), "{}", run.stderr);
    }
}
