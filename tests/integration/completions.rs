//! `--generate`: shell completions, the manual page and the commented configuration.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::support::{Program, Run, bare_command};

const SHELLS: [&str; 5] = ["bash", "elvish", "fish", "powershell", "zsh"];

fn generated(what: &str) -> String {
    // Without a configuration file, and without a home directory to find one in.
    let mut command = bare_command();
    let run =
        Run::of(command.args(["--generate", what]).env_remove("HOME").output().expect("the program starts"));
    assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{what}");
    run.stdout
}

/// Every long option in the help, without its hyphens.
fn options() -> BTreeSet<String> {
    let help = Run::of(bare_command().arg("--help").output().expect("the program starts")).stdout;
    let options: BTreeSet<_> = help
        .lines()
        .filter_map(|line| line.trim_start().split_once("--"))
        .filter(|(before, _)| before.is_empty() || *before == "-h, " || *before == "-V, ")
        .map(|(_, rest)| rest.split([' ', '[']).next().unwrap_or_default().to_owned())
        .collect();
    for known in ["cfg", "check", "sort", "watch", "generate", "web.max-probes", "log.level", "help", "version"]
    {
        assert!(options.contains(known), "{known} is not in {options:?}");
    }
    options
}

/// Runs a program with this text on its stdin, and returns its result.
fn fed(program: &str, arguments: &[&str], text: &str) -> Run {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program} cannot be run (tests/run installs it): {error}"));
    child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it reads");
    Run::of(child.wait_with_output().expect("it ends"))
}

#[test]
fn every_shell_completes_every_option_and_column() {
    for shell in SHELLS {
        let script = generated(shell);
        for option in options() {
            let is_there = script.contains(&format!("--{option}"))
                || (shell == "fish" && script.contains(&format!(" -l {option}")));
            assert!(is_there, "{shell} does not complete --{option}\n{script}");
        }
        // The library gives elvish and PowerShell no values.
        let has_values = !["elvish", "powershell"].contains(&shell);
        for value in ["received-dropped", "json", "zsh"] {
            assert!(!has_values || script.contains(value), "{shell} does not complete {value}\n{script}");
        }
    }
}

#[test]
fn bash_loads_its_script_and_completes_with_it() {
    let script = generated("bash");
    let run = fed("bash", &["-n"], &script);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));

    let completed = |words: &str, last: usize| {
        let ask = format!(
            "{script}\nCOMP_WORDS=({words}); COMP_CWORD={last}; \
             $(complete -p emqx-client-monitor | grep -o -- '-F [^ ]*' | cut -c4-) emqx-client-monitor \"${{COMP_WORDS[{last}]}}\" \"${{COMP_WORDS[{last}-1]}}\"; \
             echo \"${{COMPREPLY[@]}}\""
        );
        let run = fed("bash", &["--norc"], &ask);
        assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{words}");
        run.stdout.trim().to_owned()
    };
    assert_eq!(completed("emqx-client-monitor --wat", 1), "--watch");
    assert_eq!(completed("emqx-client-monitor check --sort receiv", 3), "received received-dropped");
    assert_eq!(completed("emqx-client-monitor --output js", 2), "json");
    assert_eq!(completed("emqx-client-monitor prom", 1), "prometheus");
}

#[test]
fn the_manual_page_is_valid_and_has_every_option() {
    let page = generated("man");
    let run = fed("groff", &["-mandoc", "-ww", "-Tutf8", "-P-cbou"], &page);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    let unhyphenated = run.stdout.replace("‐\n", "").replace('‐', "-");
    for section in
        ["NAME", "SYNOPSIS", "DESCRIPTION", "EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES", "CHECK OPTIONS"]
    {
        assert!(unhyphenated.lines().any(|line| line == section), "{section} is not in\n{unhyphenated}");
    }
    for option in options() {
        let heading = format!("--{option}");
        let has_heading = |line: &str| line.trim_start().split([' ', ',']).any(|word| word == heading);
        assert!(unhyphenated.lines().any(has_heading), "{heading} is not in\n{unhyphenated}");
    }
    for text in ["EMQX_CLIENT_MONITOR_CFG", "config.yaml", "check --watch 5", "Possible values:"] {
        assert!(unhyphenated.contains(text), "{text} is not in\n{unhyphenated}");
    }
    let status = unhyphenated.split("EXIT STATUS").nth(1).and_then(|rest| rest.split("ENVIRONMENT").next());
    let status = status.expect("the section is there");
    for number in ["0", "1", "2", "3"] {
        let has_number = |line: &str| line.trim_start().starts_with(&format!("{number} "));
        assert!(status.lines().any(has_number), "{number} is not in\n{status}");
    }
}

#[test]
fn generate_accepts_a_closed_pipe_but_not_a_full_disk() {
    let mut child = bare_command()
        .args(["--generate", "man"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    drop(child.stdout.take());
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!((ended.status.code(), ended.stderr.len()), (Some(0), 0));

    let full = File::options().write(true).open("/dev/full").expect("a device that is always full");
    let output = bare_command().args(["--generate", "zsh"]).stdout(full).output().expect("the program starts");
    let run = Run::of(output);
    assert_eq!(run.status, 1);
    assert_eq!(run.stderr, "cannot write to stdout: No space left on device (os error 28)\n");
}

#[test]
fn the_generated_configuration_is_the_commented_example_and_valid() {
    let config = generated("config");
    assert_eq!(config, include_str!("../../examples/config.yaml"));
    let program = Program::with_config(&config);
    let mut command = program.command();
    for variable in ["EMQX_API_KEY", "FACTORY_EMQX_API_KEY", "FACTORY_EMQX_API_SECRET"] {
        command.env(variable, "anything");
    }
    let run = Run::of(command.arg("--config.check").output().expect("the program starts"));
    assert_eq!(run.status, 0, "{}", run.stderr);
}
