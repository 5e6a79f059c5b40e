//! The command line: what is offered, what is refused, and where each answer goes.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;

use fake_emqx::{FakeEmqx, Row, Version};
use rustix::process::Signal;
use serde_json::Value;

use crate::support::{
    Authority, Program, Run, ServerProcess, Tls, bare_command, config_of, config_of_brokers, send_signal,
};

fn healthy() -> (FakeEmqx, Program) {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add(Row::recorded(Version::V5_8_9, "plain-user-1"));
    let program = Program::with_config(&config_of(&fake, "", &[("Plain", "plain-user-1")]));
    (fake, program)
}

fn bare(arguments: &[&str]) -> Run {
    Run::of(bare_command().args(arguments).output().expect("the program starts"))
}

/// The first line of a usage error.
fn refused(arguments: &[&str]) -> String {
    let run = bare(arguments);
    assert_eq!((run.status, run.stdout.as_str()), (1, ""), "{arguments:?}");
    assert!(run.stderr.contains("--help"), "{arguments:?}: {}", run.stderr);
    run.stderr.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn help_and_version_exit_with_status_0() {
    for arguments in [["--help"], ["-h"]] {
        let run = bare(&arguments);
        assert_eq!((run.status, run.stderr.as_str()), (0, ""));
        for text in ["[check|prometheus]", "--cfg", "--check", "--broker", "--strict", "--config.check"] {
            assert!(run.stdout.contains(text), "{text} is not in\n{}", run.stdout);
        }
    }
    for arguments in [["--version"], ["-V"]] {
        let run = bare(&arguments);
        assert_eq!((run.status, run.stderr.as_str()), (0, ""));
        let version = concat!("emqx-client-monitor ", env!("CARGO_PKG_VERSION"), " (commit ");
        let build = run.stdout.strip_prefix(version).and_then(|rest| rest.strip_suffix(")\n"));
        let (commit, rustc) = build.and_then(|build| build.split_once(", rustc 1.")).expect("commit and rustc");
        let is_commit = commit.len() == 12 && commit.bytes().all(|digit| digit.is_ascii_hexdigit());
        assert!(is_commit || commit == "unknown", "{commit}");
        assert!(rustc.starts_with(|digit: char| digit.is_ascii_digit()), "{rustc}");
    }
}

#[test]
fn healthcheck_reports_whether_the_exporter_is_up() {
    let (_fake, program) = healthy();
    let served = ServerProcess::start(&program, &[]);
    let ask = |address: &str| bare(&["--healthcheck", address]);
    assert_eq!(ask(served.address()).status, 0);
    let address = served.address().to_owned();
    served.end();
    let run = ask(&address);
    assert_eq!((run.status, run.stdout.as_str()), (1, ""));
    assert!(run.stderr.starts_with(&format!("{address} does not answer: ")), "{}", run.stderr);

    // Over TLS, only the connection can be checked.
    let tls = Tls::presenting(&Authority::new("Anyone").server(&["localhost"]));
    let secured = FakeEmqx::start_tls(Version::V5_8_9, tls.config());
    assert_eq!(ask(&secured.address().to_string()).status, 0);
    // A broker is something else, and says so.
    let other = FakeEmqx::start(Version::V5_8_9);
    let run = ask(&other.address().to_string());
    assert!(run.status == 1 && run.stderr.contains("answers \"HTTP/1.1 4"), "{}", run.stderr);

    // Accepts connections and sends nothing.
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    assert_eq!(ask(&silent.local_addr().expect("it is bound").to_string()).status, 1);
}

#[test]
fn options_that_cannot_be_combined_are_refused() {
    for (arguments, message) in [
        (&["--broker", "A"][..], "--broker requires --check"),
        (&["--output", "json"], "--output requires --check"),
        (&["--strict"], "--strict requires --check"),
        (&["--strict=overdue"], "--strict requires --check"),
        (&["--client", "*"], "--client requires --check"),
        (&["--state", "absent"], "--state requires --check"),
        (&["--overdue"], "--overdue requires --check"),
        (&["--all"], "--all requires --check"),
        (&["--sort", "received"], "--sort requires --check"),
        (&["prometheus", "--sort=-received"], "--sort requires --check"),
        (&["--watch", "5"], "--watch requires --check"),
        (&["--generate", "man", "check"], "--generate cannot be combined with another task"),
        (&["--generate", "man", "--config.check"], "--generate cannot be combined with another task"),
        (&["--generate", "man", "--healthcheck", ":9671"], "--generate cannot be combined with another task"),
        (
            &["--generate", "bash", "--web.config.file", "web.yaml"],
            "--web.config.file cannot be used with --generate",
        ),
        (
            &["--healthcheck", ":9671", "--web.config.file", "web.yaml"],
            "--web.config.file cannot be used with --healthcheck",
        ),
        (
            &["--check", "--all", "--strict"],
            "--strict applies to watched clients and cannot be used with --all",
        ),
        (
            &["--check", "--all", "--overdue"],
            "--overdue applies to watched clients and cannot be used with --all",
        ),
        (&["prometheus", "--timeout", "5"], "--timeout requires --check"),
        (&["--config.check", "--strict"], "--strict requires --check"),
        (&["prometheus", "--check"], "--check cannot be used with `prometheus`"),
        (
            &["--check", "--web.listen-address", "127.0.0.1:0"],
            "--web.listen-address cannot be used with --check",
        ),
        (&["--check", "--web.config.file", "web.yaml"], "--web.config.file cannot be used with --check"),
        (&["--timeout-offset=1", "check"], "--timeout-offset cannot be used with --check"),
        (&["--config.check", "--check"], "--config.check cannot be combined with another task"),
        (&["--config.check", "check"], "--config.check cannot be combined with another task"),
        (&["--config.check", "--timeout-offset", "1"], "--timeout-offset cannot be used with --config.check"),
        (&["--healthcheck", ":9671", "check"], "--healthcheck cannot be combined with another task"),
        (&["--healthcheck", ":9671", "--all"], "--all requires --check"),
    ] {
        assert_eq!(refused(arguments), format!("error: {message}"), "{arguments:?}");
    }
}

#[test]
fn invalid_arguments_are_refused_with_status_1() {
    for (arguments, message) in [
        (&["chekc"][..], "invalid value 'chekc' for '[check|prometheus]'"),
        (&["check", "prometheus"], "unexpected argument 'prometheus' found"),
        (&["--nope"], "unexpected argument '--nope' found"),
        (&["--check", "--output", "xml"], "invalid value 'xml' for '--output <FORMAT>'"),
        (&["--check", "--sort", "size"], "invalid value 'size' for '--sort <COLUMN>': unknown column \"size\""),
        (&["--check", "--sort", "--received"], "invalid value '--received' for '--sort <COLUMN>'"),
        (&["--check", "--state", "gone"], "invalid value 'gone' for '--state <STATE>'"),
        (&["--check", "--client", ""], "invalid value '' for '--client <GLOB>': must not be empty"),
        (
            &["--check", "--client", r"a\b"],
            r"invalid value 'a\b' for '--client <GLOB>': `\` must be followed by",
        ),
        (&["--check", "--strict=absent"], "invalid value 'absent' for '--strict[=<WHEN>]'"),
        (&["--check", "--output", "xml"], "invalid value 'xml' for '--output <FORMAT>'"),
        (
            &["--check", "--watch", "0"],
            "invalid value '0' for '--watch <SECONDS>': must be at least 0.1 seconds",
        ),
        (&["--check", "--watch", "often"], "invalid value 'often' for '--watch <SECONDS>'"),
        (&["--check", "--watch"], "a value is required for '--watch <SECONDS>'"),
        (&["--generate", "csh"], "invalid value 'csh' for '--generate <TARGET>'"),
        (&["--check", "--timeout", "0"], "invalid value '0' for '--timeout <SECONDS>'"),
        (&["--check", "--timeout=-1"], "invalid value '-1' for '--timeout <SECONDS>'"),
        (&["--check", "--timeout", "soon"], "invalid value 'soon' for '--timeout <SECONDS>'"),
        (&["--check", "--timeout", "NaN"], "invalid value 'NaN' for '--timeout <SECONDS>'"),
        (&["--check", "--broker"], "a value is required for '--broker <ALIAS>'"),
        (
            &["--check", "--strict", "--strict"],
            "the argument '--strict[=<WHEN>]' cannot be used multiple times",
        ),
        (&["--log.level", "loud"], "invalid value 'loud' for '--log.level <LEVEL>'"),
    ] {
        assert!(refused(arguments).starts_with(&format!("error: {message}")), "{}", refused(arguments));
    }
}

#[test]
fn the_help_is_grouped_and_lists_the_sort_columns() {
    let help = bare(&["--help"]).stdout;
    let headings: Vec<_> = help.lines().filter(|line| line.ends_with(':') && !line.starts_with(' ')).collect();
    assert_eq!(
        headings,
        [
            "Arguments:",
            "Options:",
            "Tasks (instead of serving):",
            "Check options:",
            "Server options:",
            "Logging options (logs go to stderr):"
        ]
    );
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    let columns = "[possible values: alias, broker, state, since, created, keepalive, connected, seen, \
                   subscriptions, inflight, queue, received, received-dropped, sent, sent-dropped, username, node]";
    assert!(words.contains(columns), "{help}");
    assert!(help.lines().all(|line| line.len() <= 100), "{help}");
    // An unknown column is answered with the same list.
    let run = bare(&["check", "--sort", "size"]);
    assert!(run.stderr.contains("alias, broker, state, since, created, keepalive"), "{}", run.stderr);
}

#[test]
fn options_may_precede_or_follow_the_subcommand() {
    let (_fake, program) = healthy();
    let path = program.config_path();
    for arguments in [
        &["check", "--cfg", path, "--output", "json"][..],
        &["--cfg", path, "check", "--output", "json"],
        &["--output=json", "--cfg", path, "check"],
        &["--output=json", "--cfg", path, "--check"],
        &["--check", "--output", "json", "--config.file", path],
        &["check", "--output", "json", &format!("--config.file={path}")],
    ] {
        let run = bare(arguments);
        assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{arguments:?}");
        assert!(run.stdout.starts_with("{\"alias\":\"LocalEMQX\",\"success\":true,"), "{}", run.stdout);
    }
}

#[test]
fn the_configuration_file_comes_from_option_environment_or_default_path() {
    let (_fake, program) = healthy();
    let home = tempfile::tempdir().expect("a temporary directory");
    let xdg_config_home = home.path().join("xdg");
    let run = |variable: Option<&str>, arguments: &[&str]| {
        let mut command = bare_command();
        command.env("HOME", home.path()).env("XDG_CONFIG_HOME", &xdg_config_home).args(arguments);
        command.envs(variable.map(|path| ("EMQX_CLIENT_MONITOR_CFG", path)));
        Run::of(command.output().expect("the program starts"))
    };
    assert_eq!(run(Some(program.config_path()), &["--check"]).status, 0);
    assert_eq!(run(Some("/nope.yaml"), &["--check", "--cfg", program.config_path()]).status, 0);

    let missing = run(Some("/nope.yaml"), &["--check"]);
    assert_eq!((missing.status, missing.stdout.as_str()), (1, ""));
    let message = "cannot read the configuration file /nope.yaml: No such file or directory";
    assert!(missing.stderr.starts_with(message) && missing.stderr.contains("--cfg FILE"), "{}", missing.stderr);

    let default = home.path().join(".config/emqx-client-monitor/config.yaml");
    let xdg_default = xdg_config_home.join("emqx-client-monitor/config.yaml");
    let missing = run(None, &["--check"]);
    assert_eq!(missing.status, 1);
    let places = format!(
        "no configuration file: looked for {}, {}, /etc/emqx-client-monitor/config.yaml; write one with \
         `emqx-client-monitor --generate config > FILE`, or name one with --cfg FILE",
        default.display(),
        xdg_default.display()
    );
    assert!(missing.stderr.contains(&places), "{}", missing.stderr);

    let create = |path: &Path, content: &str| {
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("a new directory");
        std::fs::write(path, content).expect("a file");
    };
    create(&xdg_default, &std::fs::read_to_string(program.config_path()).expect("a configuration"));
    assert_eq!(run(None, &["--check"]).status, 0);
    create(&default, "the first place with a file counts");
    assert!(run(None, &["--check"]).stderr.starts_with(&format!("{}:1:1: ", default.display())));
}

/// Runs the program with these variables, whose names begin with `EMQX_CLIENT_MONITOR_`.
fn run_with(program: &Program, variables: &[(&str, &str)], arguments: &[&str]) -> Run {
    let mut command = program.command();
    let variables = variables.iter().map(|(name, value)| (format!("EMQX_CLIENT_MONITOR_{name}"), value));
    Run::of(command.envs(variables).args(arguments).output().expect("the program starts"))
}

#[test]
fn options_come_from_the_environment_and_the_command_line_wins() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    let brokers: Vec<_> = ["One", "Two", "Three"].into_iter().map(|alias| (alias, &fake)).collect();
    let program = Program::with_config(&config_of_brokers(
        &brokers,
        "  - {alias: Gone, client_id: nobody, brokers: \"*\"}\n",
    ));
    let shown = |run: &Run| -> Vec<_> {
        run.stdout.lines().map(|line| line.split('"').nth(3).unwrap_or_default().to_owned()).collect()
    };
    let variables = &[("OUTPUT", "json"), ("BROKER", "One, Three"), ("STRICT", "true"), ("TIMEOUT", "")];
    let run = run_with(&program, variables, &["check"]);
    assert_eq!((run.status, shown(&run)), (3, vec!["One".to_owned(), "Three".to_owned()]), "{}", run.stderr);
    let run = run_with(&program, variables, &["check", "--broker=Two"]);
    assert_eq!((run.status, shown(&run)), (3, vec!["Two".to_owned()]));
    let run = run_with(&program, &[("STRICT", "off"), ("OUTPUT", "table")], &["check", "--output", "json"]);
    assert_eq!((run.status, shown(&run).len()), (0, 3), "{}", run.stderr);
    let run = run_with(&program, &[("LOG_LEVEL", "error")], &["--config.check", "--log.level", "loud"]);
    assert!(run.stderr.starts_with("error: invalid value 'loud' for '--log.level <LEVEL>'"), "{}", run.stderr);
}

#[test]
fn variables_that_do_not_apply_to_the_task_are_ignored() {
    let (_fake, program) = healthy();
    let server = &[
        ("WEB_LISTEN_ADDRESS", "nowhere"),
        ("WEB_MAX_PROBES", "many"),
        ("WEB_CONFIG_FILE", "/nope.yaml"),
        ("CONFIG_ENABLE_AUTO_RELOAD", "true"),
    ];
    for arguments in [&["check"][..], &["--generate", "config"], &["check", "--all"]] {
        let run = run_with(&program, server, arguments);
        assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{arguments:?}");
    }
    let run = run_with(&program, &[("STRICT", "true")], &["check", "--all"]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    let run = run_with(&program, &[("STRICT", "true"), ("BROKER", "Nope")], &["--config.check"]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    // It applies here.
    let run = run_with(&program, server, &["--config.check"]);
    assert!(run.status == 1 && run.stderr.contains("/nope.yaml"), "{}", run.stderr);
}

#[test]
fn an_invalid_variable_is_named_in_the_error() {
    let (_fake, program) = healthy();
    for (name, value, task, message) in [
        ("WEB_MAX_PROBES", "0", "prometheus", "invalid value '0' for '--web.max-probes <N>': must be a number"),
        (
            "OUTPUT",
            "xml",
            "check",
            "invalid value 'xml' for '--output <FORMAT>'\n  [possible values: table, json, csv]\n\n",
        ),
        (
            "STRICT",
            "perhaps",
            "check",
            "invalid value 'perhaps' for '--strict[=<WHEN>]'\n  [possible values: connected, overdue]\n\n",
        ),
        ("WEB_LISTEN_ADDRESS", "127.0.0.1:0,x", "prometheus", "invalid value 'x' for '--web.listen-address"),
    ] {
        let run = run_with(&program, &[(name, value)], &[task]);
        let start = format!("error: variable EMQX_CLIENT_MONITOR_{name}: {message}");
        assert!(run.stderr.starts_with(&start), "{}", run.stderr);
        assert_eq!((run.status, run.stdout.as_str()), (1, ""));
    }
}

#[test]
fn a_variable_without_effect_is_warned_of_if_it_resembles_a_setting() {
    let (_fake, program) = healthy();
    let silent = &[("SERVICE_HOST", "10.0.0.1"), ("PORT_9671_TCP", "tcp://10.0.0.1:9671"), ("API_KEY", "k")];
    assert_eq!(run_with(&program, silent, &["--config.check"]).stderr, "");
    let run = run_with(&program, &[("MAX_PROBES", "5"), ("ALL", "true")], &["check", "--output=json"]);
    assert_eq!((run.status, run.stderr.lines().count()), (0, 2), "{}", run.stderr);
    for words in [
        "level=warn",
        "EMQX_CLIENT_MONITOR_MAX_PROBES has no effect; did you mean EMQX_CLIENT_MONITOR_WEB_MAX_PROBES?",
        "EMQX_CLIENT_MONITOR_ALL has no effect; --all is not set by a variable",
    ] {
        assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
    }
}

#[test]
fn the_server_takes_its_options_from_the_environment() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    let program = Program::with_config(&config_of(&fake, "", &[]))
        .with_variable("EMQX_CLIENT_MONITOR_LOG_FORMAT", "json")
        .with_variable("EMQX_CLIENT_MONITOR_WEB_MAX_PROBES", "7")
        .with_variable("EMQX_CLIENT_MONITOR_WEB_LISTEN_ADDRESS", "127.0.0.1:0,[::1]:0");
    let mut process = program.command().stderr(Stdio::piped()).spawn().expect("the program starts");
    let lines = BufReader::new(process.stderr.take().expect("it is piped")).lines().map_while(Result::ok);
    let listening: Vec<Value> = lines
        .map(|line| serde_json::from_str(&line).expect("a JSON object"))
        .filter(|line: &Value| line["message"] == "listening")
        .take(2)
        .collect();
    send_signal(&process, Signal::TERM);
    assert_eq!(process.wait().expect("it ends").code(), Some(0));
    let address = |line: &Value| line["address"].as_str().unwrap_or_default().to_owned();
    assert!(address(&listening[0]).starts_with("127.0.0.1:") && address(&listening[1]).starts_with("[::1]:"));
}

#[test]
fn config_check_confirms_a_valid_configuration() {
    let (fake, program) = healthy();
    let run = program.run(&["--config.check"]);
    assert_eq!(run.stdout, format!("{}: the configuration is valid\n", program.config_path()));
    assert_eq!((run.status, run.stderr.as_str(), fake.request_count()), (0, "", 0), "no request is sent");
}

#[test]
fn every_problem_of_a_configuration_is_printed_on_its_own_line() {
    let program = Program::with_config(
        "emqx:\n  alias: LocalEMQX\n  api_url: ftp://broker/api\n  api_key: k\n  api_secrets: s3cret\n\
         monitored_clients:\n  - {alias: A}\n",
    );
    for arguments in [["--config.check"], ["--check"], ["prometheus"]] {
        let run = program.run(&arguments);
        assert_eq!((run.status, run.stdout.as_str()), (1, ""), "{arguments:?}");
        let place = |line: &str| line.starts_with(&format!("{}:", program.config_path()));
        assert!(run.stderr.lines().count() >= 4 && run.stderr.lines().all(place), "{}", run.stderr);
        for key in ["api_url", "api_secret", "api_secrets", "client_id"] {
            assert!(run.stderr.contains(key), "{key} is not in\n{}", run.stderr);
        }
        assert!(!run.stderr.contains("s3cret"), "{}", run.stderr);
    }
}

#[test]
fn warnings_are_logged_to_stderr_in_the_chosen_format() {
    let fake = FakeEmqx::start(Version::V5_8_9);
    fake.add(Row::recorded(Version::V5_8_9, "plain-user-1"));
    let odd = Program::with_config(&config_of(
        &fake,
        "ssl: {insecure_skip_verify: true}",
        &[("Plain", "plain-user-1")],
    ));
    for task in ["--check", "--config.check"] {
        let run = odd.run(&[task]);
        assert_eq!((run.status, run.stderr.lines().count()), (0, 1), "{}", run.stderr);
        assert!(run.stderr.contains("level=warn message=") && run.stderr.contains("ssl"), "{}", run.stderr);
        assert!(!run.stdout.contains("level="), "{}", run.stdout);
        assert_eq!(odd.run(&[task, "--log.level", "error"]).stderr, "");

        let run = odd.run(&[task, "--log.format=json"]);
        let line: Value = serde_json::from_str(&run.stderr).expect("a JSON object");
        assert_eq!(line["level"], "WARN");
        assert!(line["message"].as_str().is_some_and(|message| message.contains("ssl")), "{line}");
    }
}
