//! Reloading: a valid configuration replaces the active one, an invalid one changes nothing.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use fake_emqx::{FakeEmqx, Fault, Row, Version, When};
use rustix::process::Signal;

use crate::support::{Exporter, Families, Program, ServerProcess, config_of, wait_until};

fn broker() -> FakeEmqx {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add_all(["a", "b"].map(|id| Row::like("plain-user-1").client_id(id)));
    fake
}

fn own(served: &ServerProcess, name: &str, labels: &[(&str, &str)]) -> Option<String> {
    Families::parse(&served.get("/metrics")).value(name, labels).map(ToOwned::to_owned)
}

#[test]
fn a_changed_file_is_reloaded_by_post_and_by_sighup() {
    let fake = broker();
    let program = Program::with_config(&config_of(&fake, "", &[("A", "a")]));
    let served = ServerProcess::start(&program, &[]);
    let watched = || Families::parse(&served.get("/probe?broker=LocalEMQX")).series_names("B").len();
    assert_eq!(watched(), 0);

    fs::write(program.config_path(), config_of(&fake, "", &[("A", "a"), ("B", "b")])).expect("a file");
    assert_eq!(watched(), 0, "not before the reload");
    assert_eq!(served.request("POST", "/-/reload"), (200, "reloaded\n".to_owned()));
    assert!(watched() > 10);

    fs::write(program.config_path(), config_of(&fake, "", &[("A", "a")])).expect("a file");
    served.signal(Signal::HUP);
    wait_until("B is watched no more", || watched() == 0);
    assert_eq!(served.request("GET", "/-/reload").0, 405);
}

/// Starts an exporter that checks its files every tenth of a second.
fn start_watching(program: &Program) -> ServerProcess {
    let options =
        ["--config.enable-auto-reload", "--config.auto-reload-interval", "100ms", "--log.level", "debug"];
    ServerProcess::start(program, &options)
}

/// Waits until the files have been found unchanged three times more.
fn wait_for_unchanged(served: &ServerProcess) {
    let unchanged = "message=\"checked the files of the configuration\" has_changed=false";
    served.wait_until_logged(unchanged, served.log().matches(unchanged).count() + 3);
}

#[test]
fn a_changed_file_is_reloaded_without_a_signal_if_that_is_enabled() {
    let fake = broker();
    let program = Program::with_config(&config_of(&fake, "", &[("A", "a")]));
    let served = start_watching(&program);
    let watched = || Families::parse(&served.get("/probe?broker=LocalEMQX")).series_names("B").len();
    let text = fs::read_to_string(program.config_path()).expect("a file");
    fs::write(program.config_path(), text).expect("a file");
    wait_for_unchanged(&served);
    assert!(!served.log().contains("reloaded"), "the same content is no change: {}", served.log());

    fs::write(program.config_path(), config_of(&fake, "", &[("A", "a"), ("B", "b")])).expect("a file");
    served.wait_until_logged("reloaded the configuration", 1);
    assert!(watched() > 10);
    wait_for_unchanged(&served);
    assert_eq!(served.stop().matches("reloaded the configuration").count(), 1);
}

#[test]
fn an_invalid_change_is_logged_once_until_it_is_mended() {
    let fake = broker();
    let program = Program::with_config(&config_of(&fake, "", &[("A", "a")]));
    let served = start_watching(&program);
    let reloaded = || own(&served, "emqx_client_monitor_config_last_reload_successful", &[]);
    fs::write(program.config_path(), "emqx: {alias: A}\n").expect("a file");
    served.wait_until_logged("the configuration was not reloaded", 1);
    wait_for_unchanged(&served);
    assert_eq!(reloaded().as_deref(), Some("0"));
    assert_eq!(served.log().matches("was not reloaded").count(), 1, "{}", served.log());
    assert!(Families::parse(&served.get("/probe?broker=LocalEMQX")).success());

    fs::write(program.config_path(), config_of(&fake, "", &[("A", "a")])).expect("a file");
    served.wait_until_logged("reloaded the configuration", 1);
    assert_eq!(reloaded().as_deref(), Some("1"));
}

/// Kubernetes mounts files as links to links, and swaps one of them.
#[test]
fn a_swapped_link_is_a_change() {
    let fake = broker();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = |name: &str| directory.path().join(name);
    for (version, clients) in [("1", &[("A", "a")][..]), ("2", &[("A", "a"), ("B", "b")])] {
        fs::create_dir(path(version)).expect("a directory");
        fs::write(path(version).join("config.yaml"), config_of(&fake, "", clients)).expect("a file");
    }
    symlink("1", path("..data")).expect("a link");
    symlink("..data/config.yaml", path("config.yaml")).expect("a link");
    let served = start_watching(&Program::with_config_at(&path("config.yaml")));
    symlink("2", path("..new")).expect("a link");
    fs::rename(path("..new"), path("..data")).expect("a link");
    served.wait_until_logged("reloaded the configuration", 1);
    assert!(Families::parse(&served.get("/probe?broker=LocalEMQX")).series_names("B").len() > 10);
}

#[test]
fn an_invalid_file_changes_nothing_and_is_reported() {
    let fake = broker();
    let program = Program::with_config(&config_of(&fake, "", &[("A", "a")]));
    let served = ServerProcess::start(&program, &[]);
    let reloaded = || own(&served, "emqx_client_monitor_config_last_reload_successful", &[]);
    let when = || own(&served, "emqx_client_monitor_config_last_reload_success_timestamp_seconds", &[]);
    assert_eq!(reloaded().as_deref(), Some("1"));
    let began = when();

    fs::write(program.config_path(), "emqx: {alias: A, api_secret: canary}\n").expect("a file");
    let (status, text) = served.request("POST", "/-/reload");
    assert_eq!(status, 500);
    assert!(
        text.starts_with("nothing has changed:\n") && text.contains(":1:7: emqx: api_url is missing"),
        "{text}"
    );
    assert_eq!((reloaded().as_deref(), when()), (Some("0"), began));
    assert!(Families::parse(&served.get("/probe?broker=LocalEMQX")).success());

    fs::remove_file(program.config_path()).expect("it is there");
    let (status, text) = served.request("POST", "/-/reload");
    assert!(status == 500 && text.contains("cannot read"), "{text}");

    fs::write(program.config_path(), config_of(&fake, "", &[])).expect("a file");
    assert_eq!(served.request("POST", "/-/reload").0, 200);
    assert_eq!(reloaded().as_deref(), Some("1"));
    let log = served.stop();
    assert!(log.contains("the configuration was not reloaded, the previous one stays active"), "{log}");
    assert!(!log.contains("canary"), "{log}");
}

#[test]
fn a_probe_in_progress_keeps_its_configuration() {
    let fake = broker();
    fake.inject(When::Any, Fault::Slow(Duration::from_millis(1500)).times(1));
    let program = Program::with_config(&config_of(&fake, "", &[("A", "a")]));
    let served = Arc::new(ServerProcess::start(&program, &[]));
    let in_flight = {
        let served = Arc::clone(&served);
        thread::spawn(move || served.get("/probe?broker=LocalEMQX"))
    };
    assert!(fake.wait_for_requests(1, Duration::from_secs(10)));
    fs::write(program.config_path(), config_of(&fake, "", &[("B", "b")])).expect("a file");
    assert_eq!(served.request("POST", "/-/reload").0, 200);
    let families = Families::parse(&in_flight.join().expect("it is answered"));
    assert!(
        families.success() && families.series_names("A").len() > 10 && families.series_names("B").is_empty()
    );
}

#[test]
fn a_broker_that_is_removed_during_its_probe_leaves_no_series() {
    let fake = broker();
    fake.inject(When::Any, Fault::Slow(Duration::from_secs(1)).times(1));
    let program = Program::with_config(&config_of(&fake, "", &[("A", "a")]));
    let served = Arc::new(ServerProcess::start(&program, &[]));
    let under_way = {
        let served = Arc::clone(&served);
        thread::spawn(move || served.get("/probe?broker=LocalEMQX"))
    };
    assert!(fake.wait_for_requests(1, Duration::from_secs(10)));
    let renamed = config_of(&fake, "", &[("A", "a")]).replace("LocalEMQX", "RemoteEMQX");
    fs::write(program.config_path(), renamed).expect("a file");
    assert_eq!(served.request("POST", "/-/reload").0, 200);
    assert!(Families::parse(&under_way.join().expect("a response")).success());
    assert!(!served.get("/metrics").contains("LocalEMQX"));
}

#[test]
fn other_sites_cannot_make_a_browser_reload() {
    let fake = broker();
    let exporter = Exporter::start(&config_of(&fake, "", &[("A", "a")]));
    let host = exporter.address().to_string();
    let own_origin = format!("http://{host}");
    for (name, value, is_refused) in [
        ("Sec-Fetch-Site", "cross-site", true),
        ("Sec-Fetch-Site", "same-site", true),
        ("Sec-Fetch-Site", "same-origin", false),
        ("Sec-Fetch-Site", "none", false),
        ("Origin", "https://evil.example", true),
        ("Origin", "null", true),
        ("Origin", own_origin.as_str(), false),
        ("X-Anything", "else", false),
    ] {
        let answer = exporter.request("POST", "/-/reload", &[(name, value)]);
        assert_eq!(answer.status == 403, is_refused, "{name}: {value}: {}", answer.text());
    }
}

#[test]
fn the_series_of_removed_brokers_end() {
    let fake = broker();
    let program = Program::with_config(&config_of(&fake, "", &[("A", "a")]));
    let served = ServerProcess::start(&program, &[]);
    served.get("/probe?broker=LocalEMQX");
    let labels = [("broker", "LocalEMQX"), ("code", "200")];
    assert_eq!(own(&served, "emqx_client_monitor_api_requests_total", &labels).as_deref(), Some("1"));
    let count = "emqx_client_monitor_api_request_duration_seconds_count";
    assert_eq!(own(&served, count, &[("broker", "LocalEMQX")]).as_deref(), Some("1"));

    let renamed = config_of(&fake, "", &[("A", "a")]).replace("LocalEMQX", "RemoteEMQX");
    fs::write(program.config_path(), renamed).expect("a file");
    assert_eq!(served.request("POST", "/-/reload").0, 200);
    assert!(!served.get("/metrics").contains("LocalEMQX"));
}

#[test]
fn the_running_configuration_is_shown_without_secrets() {
    let fake = broker();
    let more = "timeout_seconds: 2.5\nnodes: {\"emqx@127.0.0.1\": 3}";
    let config = config_of(&fake, more, &[("A", "a")]).replace(
        "- {alias: \"A\"",
        "- {alias: Second, client_id: \"1e3\", offline_after: 1h30m}\n  - {alias: \"A\"",
    );
    let program = Program::with_config(&config);
    let served = ServerProcess::start(&program, &[]);
    let shown = served.get("/config");
    for words in
        ["alias: LocalEMQX", "api_key: <secret>", "api_secret: <secret>", "offline_after: 1h30m", "port: 9671"]
    {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert!(!shown.contains(&fake.api_secret()) && !shown.contains(&fake.api_key()), "{shown}");

    // What is shown is a configuration, and runs as the same.
    let again = Program::with_config(&shown);
    let run = again.run(&["--config.check"]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert_eq!(ServerProcess::start(&again, &[]).get("/config"), shown);
}
