//! Secrets: their sources, their rotation, and that no output shows them.

use std::fs;
use std::path::PathBuf;

use fake_emqx::{FakeEmqx, Fault, Row, Version, When};
use tempfile::TempDir;

use crate::support::{Exporter, Families, Program, Run, ServerProcess, bare_command, config_of};

const KEY: &str = "canary-of-the-key";
const SECRET: &str = "canary-of-the-secret";
/// Base64 of key and secret, as sent.
const SENT: &str = "Y2FuYXJ5LW9mLXRoZS1rZXk6Y2FuYXJ5LW9mLXRoZS1zZWNyZXQ=";

/// A broker, and a directory for its secrets.
fn site() -> (FakeEmqx, TempDir) {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.set_credentials(KEY, SECRET);
    fake.add(Row::like("plain-user-1").client_id("device"));
    (fake, tempfile::tempdir().expect("a temporary directory"))
}

/// A configuration with these sources of key and secret.
fn config(fake: &FakeEmqx, key: &str, secret: &str) -> String {
    config_of(fake, "", &[("device", "device")])
        .replace(&format!("{:?}", fake.api_key()), key)
        .replace(&format!("{:?}", fake.api_secret()), secret)
}

/// A configuration with key and secret from files in this directory. Returns it and their paths.
fn config_with_files(fake: &FakeEmqx, directory: &TempDir) -> (String, [PathBuf; 2]) {
    let files = ["key", "secret"].map(|name| directory.path().join(name));
    let [key, secret] = files.each_ref().map(|path| format!("{{file: {}}}", path.display()));
    (config(fake, &key, &secret), files)
}

fn probe(exporter: &Exporter) -> Families {
    exporter.probe_within("broker=LocalEMQX", "10")
}

#[test]
fn secrets_in_files_are_rotated_without_a_restart() {
    let (fake, directory) = site();
    let (config, [key, secret]) = config_with_files(&fake, &directory);
    fs::write(&key, KEY).expect("a file");
    fs::write(&secret, format!("{SECRET}\n")).expect("a file");
    let exporter = Exporter::start(&config);
    assert!(probe(&exporter).success(), "one final newline does not count");

    fake.set_credentials(KEY, "rotated");
    probe(&exporter).assert_nothing_known(&["unauthorized"]);
    fs::write(&secret, "rotated").expect("a file");
    assert!(probe(&exporter).success());

    fake.set_credentials("other", "rotated");
    fs::write(&key, "other\r\n").expect("a file");
    assert!(probe(&exporter).success());
}

#[test]
fn without_its_secrets_a_broker_gets_no_request() {
    let (fake, directory) = site();
    let (config, [key, secret]) = config_with_files(&fake, &directory);
    let exporter = Exporter::start(&config);
    let families = probe(&exporter);
    families.assert_nothing_known(&["config"]);
    assert_eq!(families.value("emqx_probe_api_requests", &[]), Some("0"));

    fs::write(&key, KEY).expect("a file");
    for no_secret in ["", "\n", "two\nlines", "\0"] {
        fs::write(&secret, no_secret).expect("a file");
        probe(&exporter).assert_nothing_known(&["config"]);
    }
    assert_eq!((fake.connections(), fake.request_count()), (0, 0));

    fs::write(&secret, SECRET).expect("a file");
    assert!(probe(&exporter).success());
}

#[test]
fn a_key_with_a_colon_is_not_sent() {
    let (fake, directory) = site();
    let (config, [key, secret]) = config_with_files(&fake, &directory);
    fs::write(&key, format!("{KEY}:{SECRET}")).expect("a file");
    fs::write(&secret, "with:colons:and ünï").expect("a file");
    let exporter = Exporter::start(&config);
    probe(&exporter).assert_nothing_known(&["config"]);
    assert_eq!(fake.connections(), 0);
    let run = Program::with_config(&config).run(&["--check"]);
    assert_eq!(run.status, 2);
    let said = format!(
        "LocalEMQX: config: the secret file {} contains a colon (:), which an API key cannot; put what follows \
         it into api_secret (1 client unknown)\n",
        key.display()
    );
    assert!(run.stderr.contains(&(said + "help: config: ")), "{}", run.stderr);

    fs::write(&key, KEY).expect("a file");
    fake.set_credentials(KEY, "with:colons:and ünï");
    assert!(probe(&exporter).success(), "a secret may have any");
}

#[test]
fn secrets_come_from_the_environment() {
    let (fake, _directory) = site();
    let program = Program::with_config(&config(&fake, "{env: EMQX_KEY}", "{env: EMQX_SECRET}"));
    let check = |key: Option<&str>| {
        let mut command = bare_command();
        command.env("EMQX_CLIENT_MONITOR_CFG", program.config_path()).arg("--check");
        command.env("EMQX_SECRET", SECRET).env_remove("EMQX_KEY");
        command.envs(key.map(|key| ("EMQX_KEY", key)));
        Run::of(command.output().expect("the program starts"))
    };
    let run = check(Some(KEY));
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    for (key, fault) in [
        (None, "is not set"),
        (Some(""), "is empty"),
        (Some("a:b"), "contains a colon (:), which an API key cannot; put what follows it into api_secret"),
    ] {
        let run = check(key);
        assert_eq!(run.status, 2);
        let said = format!("LocalEMQX: config: the environment variable EMQX_KEY {fault} (1 client unknown)\n");
        assert!(run.stderr.contains(&(said + "help: config: ")), "{}", run.stderr);
        assert!(run.stderr.contains("probes of this broker fail until it can be read"), "{}", run.stderr);
    }
    assert_eq!(fake.request_count(), 1);
}

fn assert_no_secret(said: &str) {
    for secret in [KEY, SECRET, SENT] {
        assert!(!said.contains(secret), "{said}");
    }
}

/// Responses that echo the request, as those of a misconfigured proxy.
fn echoes() -> Vec<Fault> {
    let echo = format!("Authorization: Basic {SENT} {KEY} {SECRET}");
    vec![
        Fault::Healthy,
        Fault::status(400, "text/plain", &echo),
        Fault::status(401, "application/json", format!("{{\"code\":\"{echo}\",\"message\":\"{echo}\"}}")),
        Fault::body(format!("{{\"clientid\":\"{echo}\",\"connected\":true}}")),
        Fault::body(&echo),
        Fault::response(200, &[("content-encoding", &echo)], "{}"),
        Fault::redirect(&format!("http://{KEY}:{SECRET}@example.org/")),
        Fault::raw(&echo),
        Fault::raw(format!("HTTP/1.1 200 {echo}\r\n{echo}\r\n\r\n")),
        Fault::Reset,
    ]
}

#[test]
fn checks_never_show_a_secret() {
    for fault in echoes() {
        let (fake, directory) = site();
        fake.inject(When::Any, fault.clone());
        let (with_files, [key, secret]) = config_with_files(&fake, &directory);
        fs::write(key, KEY).expect("a file");
        fs::write(secret, SECRET).expect("a file");
        for config in [config(&fake, KEY, SECRET), with_files] {
            let run = Program::with_config(&config).run(&["--check", "--log.level", "trace"]);
            assert!(!run.stderr.is_empty(), "nothing was logged");
            // A client ID from the broker is shown as it is.
            assert_no_secret(&run.stderr);
            assert_no_secret(&run.stdout);
        }
    }
}

#[test]
fn logs_and_responses_never_show_a_secret() {
    let (fake, directory) = site();
    let (with_files, [key, secret]) = config_with_files(&fake, &directory);
    fs::write(key, KEY).expect("a file");
    fs::write(secret, SECRET).expect("a file");
    for (config, format) in [(config(&fake, KEY, SECRET), "logfmt"), (with_files, "json")] {
        let program = Program::with_config(&config);
        let served = ServerProcess::start(&program, &["--log.level", "trace", "--log.format", format]);
        let mut failed = 0;
        for fault in echoes() {
            fake.clear_faults();
            fake.inject(When::Any, fault);
            let said = served.get("/probe?broker=LocalEMQX");
            failed += usize::from(said.contains("probe_success 0"));
            assert_no_secret(&said);
        }
        assert_eq!(failed, echoes().len() - 1);
        for path in [
            "/",
            "/sd",
            "/metrics",
            "/config",
            "/probe?broker=LocalEMQX&debug=true",
            "/probe?broker=Nope",
            "/nowhere",
        ] {
            assert_no_secret(&served.get(path));
        }
        fs::write(program.config_path(), format!("emqx: {{api_secret: [{SECRET}], {KEY}: {SECRET}}}"))
            .expect("a file");
        let (status, problems) = served.request("POST", "/-/reload");
        assert_eq!(status, 500);
        assert_no_secret(&problems);
        let log = served.stop();
        assert!(log.contains("probe failed"), "{log}");
        assert_no_secret(&log);
    }
}
