//! What a configuration takes from files and the environment.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::join_all;
use secrecy::ExposeSecret as _;
use tempfile::TempDir;
use tokio::time::Instant;

use super::*;
use crate::client::Groups;
use crate::outcome::FailureReason;
use crate::probe::{ProbeSpec, Targets, probe};
use crate::tls::{CertFiles, TlsSettings, Trust};

/// A directory with a configuration file of this content.
fn directory_with(content: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("config.yaml");
    fs::write(&path, content).expect("a file");
    (directory, path)
}

fn error_of(path: &Path) -> String {
    let error = Config::load(path).expect_err("a problem");
    error.to_string().replace(&path.display().to_string(), "FILE")
}

/// What a future results in that waits for nothing but a file.
fn wait_for<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime").block_on(future)
}

/// A deadline that no test reaches.
fn deadline() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

/// What a secret file of this content is read as.
fn secret_of(content: &[u8]) -> Result<String, String> {
    let (_directory, path) = directory_with(content);
    let secret = wait_for(Secret::File(path.clone()).read(deadline()));
    secret
        .map(|secret| secret.expose_secret().to_owned())
        .map_err(|error| error.to_string().replace(&path.display().to_string(), "FILE"))
}

#[test]
fn a_file_is_loaded() {
    let (_directory, path) = directory_with(OF_EXISTING_USERS);
    assert_eq!(Config::load(&path).expect("a configuration").brokers[0].clients.len(), 2);
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let (directory, path) = directory_with("");
    let hint =
        "name another one with --cfg FILE, or write one with `emqx-client-monitor --generate config > FILE`";
    let missing = directory.path().join("missing.yaml");
    assert_eq!(
        error_of(&missing),
        format!("cannot read the configuration file FILE: No such file or directory (os error 2); {hint}")
    );
    assert_eq!(
        error_of(directory.path()),
        format!("cannot read the configuration file FILE: not a regular file; {hint}")
    );
    let file = fs::File::create(&path).expect("a file");
    file.set_len((64 << 20) + 1).expect("a sparse file");
    assert_eq!(
        error_of(&path),
        format!("cannot read the configuration file FILE: larger than 67108864 bytes; {hint}")
    );
}

#[test]
fn a_file_is_utf_8() {
    let (_directory, path) = directory_with(b"emqx:\n  alias: \xc3\xa9\xff\n");
    assert_eq!(error_of(&path), "FILE:2:11: not valid UTF-8; save the file as UTF-8");
    let (_directory, path) = directory_with(b"\xff\xfee\0m\0q\0x\0");
    assert_eq!(error_of(&path), "FILE: UTF-16 text; save the file as UTF-8");
}

#[test]
fn final_line_ends_are_no_part_of_a_secret() {
    for (content, secret) in [
        ("secret", "secret"),
        ("secret\n", "secret"),
        ("secret\r\n", "secret"),
        ("secret\n\n", "secret"),
        ("secret\r", "secret"),
        ("\u{feff}secret\n", "secret"),
        (" se cret ", " se cret "),
        ("é", "é"),
    ] {
        assert_eq!(secret_of(content.as_bytes()).as_deref(), Ok(secret));
    }
    let message = |content: &[u8]| secret_of(content).expect_err("it is no secret");
    assert_eq!(message(b""), "the secret file FILE is empty");
    assert_eq!(message(b"\n"), "the secret file FILE is empty");
    assert_eq!(message(b"\xef\xbb\xbf\r\n"), "the secret file FILE is empty");
    assert_eq!(message(b"two\nlines\n"), "the secret file FILE contains control characters");
    assert_eq!(message(b"sec\xffret"), "the secret file FILE is not valid UTF-8");
    assert!(secret_of(&vec![b'x'; 64 << 10]).is_ok());
    assert_eq!(message(&vec![b'x'; (64 << 10) + 1]), "cannot read the secret file FILE");
}

#[test]
fn secrets_come_from_files_and_variables() {
    let (directory, path) = directory_with(
        BROKER
            .replace("api_key: key", "api_key: {file: key.txt}")
            .replace("api_secret: secret", "api_secret: {env: CARGO_MANIFEST_DIR}"),
    );
    fs::write(directory.path().join("key.txt"), "first\n").expect("a file");
    let config = Config::load(&path).expect("a configuration");
    assert_eq!(config.warnings, Vec::<String>::new());
    let broker = &config.brokers[0];

    let key = || wait_for(broker.api_key.read(deadline())).expect("a key").expose_secret().to_owned();
    assert_eq!(key(), "first");
    fs::write(directory.path().join("key.txt"), "rotated").expect("a file");
    assert_eq!(key(), "rotated");
    let secret = wait_for(broker.api_secret.read(deadline())).expect("a secret");
    assert_eq!(secret.expose_secret(), env!("CARGO_MANIFEST_DIR"));
}

#[test]
fn a_missing_secret_is_a_warning() {
    let config = good(
        &BROKER
            .replace("api_key: key", "api_key: {file: /no/such/file}")
            .replace("api_secret: secret", "api_secret: {env: NO_SUCH_VARIABLE}"),
    );
    assert_eq!(
        config.warnings,
        [
            "emqx.api_key: cannot read the secret file /no/such/file: No such file or directory (os error 2); probes of this broker \
         fail until it can be read",
            "emqx.api_secret: the environment variable NO_SUCH_VARIABLE is not set; probes of this broker fail until it can be read",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_secret_file_on_a_hung_disk_is_a_warning_and_fails_the_probes_of_its_broker() {
    let path = PathBuf::from("/hung/secret");
    let (end, ended) = std::sync::mpsc::channel::<()>();
    secret::tests::read_from_hung_disk(&path, move || assert!(ended.recv().is_err()));
    let config = good(
        &TWO_BROKERS
            .replace("api_secret: secret", "api_secret: {file: /hung/secret}")
            .replace("api_key: key", "api_key: {file: /no/such/file}")
            .replacen("{file: /no/such/file}", "key", 1),
    );
    let hung = "the secret file /hung/secret could not be read in time";
    let missing = "cannot read the secret file /no/such/file: No such file or directory (os error 2)";
    let warning = |key, reason| format!("{key}: {reason}; probes of this broker fail until it can be read");
    assert_eq!(
        config.warnings,
        [
            warning("emqx[0].api_secret", hung),
            warning("emqx[1].api_key", missing),
            warning("emqx[1].api_secret", hung),
        ]
    );

    let probe = |broker: &Arc<Broker>| {
        let (broker, targets) = (Arc::clone(broker), Targets::Watched(Vec::new()));
        probe(ProbeSpec { broker, targets, groups: Groups::STATE, timeout: Duration::from_secs(10) })
    };
    let outcomes = join_all((0..520).map(|_| probe(&config.brokers[0]))).await;
    for outcome in outcomes {
        let failures: Vec<_> = outcome.failures.listed().iter().map(|failure| failure.text.as_str()).collect();
        assert_eq!(
            (outcome.failures.reasons(), failures.as_slice()),
            (&[FailureReason::Config][..], &[hung][..])
        );
    }
    let threads = fs::read_dir("/proc/self/task").expect("the threads of this process");
    let names = threads.filter_map(|thread| fs::read_to_string(thread.ok()?.path().join("comm")).ok());
    assert!(names.filter(|name| name == "blocking\n").count() < 100, "a thread for each probe");
    drop(end);
}

#[test]
fn a_key_from_elsewhere_has_no_colon_either() {
    let (directory, path) = directory_with(BROKER.replace("api_key: key", "api_key: {file: key.txt}"));
    let file = directory.path().join("key.txt");
    fs::write(&file, "key:secret\n").expect("a file");
    let config = Config::load(&path).expect("a configuration");
    let reason = format!(
        "the secret file {} contains a colon (:), which an API key cannot; put what follows it into \
         api_secret",
        file.display()
    );
    assert_eq!(
        config.warnings,
        [format!("emqx.api_key: {reason}; probes of this broker fail until it can be read")]
    );
    let key = &config.brokers[0].api_key;
    assert_eq!(wait_for(key.read_key(deadline())).expect_err("no key").to_string(), reason);
    fs::write(&file, "key\n").expect("a file");
    assert!(wait_for(key.read_key(deadline())).is_ok());
}

#[test]
fn secrets_are_texts_files_or_variables() {
    let right = "must be a text, {file: PATH} or {env: NAME}";
    let message =
        |secret: &str| problem(&BROKER.replace("api_secret: secret", &format!("api_secret: {secret}")));
    for wrong in ["[x]", "{}", "{file: a, env: b}", "{flie: a}", "{file}: x}", "{[a]: x}", "!x y", "''"] {
        let message = problems(&BROKER.replace("api_secret: secret", &format!("api_secret: {wrong}")));
        assert!(message[0].ends_with(right) || wrong == "{file}: x}", "{wrong} {message:?}");
    }
    assert_eq!(message("{file: [x]}"), "5:22: emqx.api_secret.file: must be the path of a file");
    assert_eq!(message("{file: ''}"), "5:22: emqx.api_secret.file: must be the path of a file");
    assert_eq!(message("{env: ''}"), "5:21: emqx.api_secret.env: must be the name of an environment variable");
    assert_eq!(message("{env: A=B}"), "5:21: emqx.api_secret.env: must be the name of an environment variable");
    assert_eq!(message("\"a\\nb\""), "5:15: emqx.api_secret: contains control characters");
    assert_eq!(message("|\n   \n"), format!("5:15: emqx.api_secret: {right}"));
    let config = good(&BROKER.replace("api_secret: secret", "api_secret: |\n    secret"));
    assert_eq!(
        wait_for(config.brokers[0].api_secret.read(deadline())).expect("a secret").expose_secret(),
        "secret"
    );
    assert_eq!(
        problem(&BROKER.replace("api_key: key", "api_key: a:b")),
        "4:12: emqx.api_key: must not contain a colon (:); put what follows it into api_secret"
    );
    good(&BROKER.replace("api_secret: secret", "api_secret: a:b"));
}

#[test]
fn unquoted_secrets_are_taken_as_they_are_written() {
    for secret in
        ["0123456", "1.10", "1e3", "0x1F", "true", "12345678901234567890123456789012345678901234567890"]
    {
        let config = good(&BROKER.replace("api_secret: secret", &format!("api_secret: {secret}")));
        let read = wait_for(config.brokers[0].api_secret.read(deadline())).expect("a secret");
        assert_eq!(read.expose_secret(), secret);
    }
}

/// A broker behind https, with CA, certificate and key beside the configuration.
fn https_broker(ssl: &str) -> (TempDir, PathBuf) {
    let (directory, path) = directory_with(format!("{}  ssl: {ssl}\n", BROKER.replace("http:", "https:")));
    let pair = rcgen::generate_simple_self_signed(vec!["emqx".to_owned()]).expect("a certificate");
    fs::write(directory.path().join("cert.pem"), pair.cert.pem()).expect("a file");
    fs::write(directory.path().join("key.pem"), pair.signing_key.serialize_pem()).expect("a file");
    (directory, path)
}

#[test]
fn https_is_set_up_as_ssl_says() {
    let settings = |ssl: &str| {
        let (directory, path) = https_broker(ssl);
        let config = Config::load(&path).expect("a configuration");
        (directory, config.brokers[0].tls.as_ref().expect("TLS").settings().clone())
    };

    assert_eq!(settings("false").1.trust, Trust::SkipVerify);
    assert_eq!(settings("{insecure_skip_verify: true}").1.trust, Trust::SkipVerify);
    let (directory, read) = settings("cert.pem");
    assert_eq!(read.trust, Trust::CaFile(directory.path().join("cert.pem")));
    let (directory, read) =
        settings("{ca_file: cert.pem, cert_file: cert.pem, key_file: key.pem, server_name: broker.example}");
    assert_eq!(
        read,
        TlsSettings {
            trust: Trust::CaFile(directory.path().join("cert.pem")),
            client_cert: Some(CertFiles {
                cert_file: directory.path().join("cert.pem"),
                key_file: directory.path().join("key.pem"),
            }),
            server_name: Some("broker.example".to_owned()),
        }
    );
}

#[test]
fn files_that_are_no_use_for_tls_are_problems_of_ssl() {
    let message = |ssl: &str| {
        let (directory, path) = https_broker(ssl);
        error_of(&path).replace(&format!("{}/", directory.path().display()), "")
    };
    assert_eq!(
        message("no-such-ca.pem"),
        "FILE:6:8: emqx.ssl: cannot read no-such-ca.pem: No such file or directory (os error 2)"
    );
    assert_eq!(
        message("{ca_file: key.pem}"),
        "FILE:6:8: emqx.ssl: key.pem holds no certificate; it must be a PEM file with at least one"
    );
}
