//! Records the commit and the compiler of the build, and nothing that would make two builds of the same commit differ.

use std::env;
use std::path::Path;
use std::process::Command;

/// Names the commit if there is no repository, as in the build of a container.
const COMMIT: &str = "EMQX_CLIENT_MONITOR_COMMIT";

/// Number of digits of the commit that are recorded.
const COMMIT_DIGITS: usize = 12;

fn main() {
    println!("cargo::rerun-if-changed=src/version/build.rs");
    println!("cargo::rerun-if-env-changed={COMMIT}");
    let commit = named_commit().or_else(checked_out_commit).unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env={COMMIT}={commit:.COMMIT_DIGITS$}");
    println!("cargo::rustc-env=EMQX_CLIENT_MONITOR_RUSTC={}", rustc().as_deref().unwrap_or("unknown"));
}

fn named_commit() -> Option<String> {
    env::var(COMMIT).ok().map(|commit| commit.trim().to_owned()).filter(|commit| !commit.is_empty())
}

/// The commit of the repository whose root this is: never that of another one which merely holds these files.
fn checked_out_commit() -> Option<String> {
    if !Path::new(".git").exists() {
        return None;
    }
    watch(&git(&["--git-path", "HEAD"])?);
    if let Some(branch) = git(&["--symbolic-full-name", "HEAD"]).filter(|name| name != "HEAD") {
        let file = git(&["--git-path", &branch])?;
        // A branch without a file of its own is packed; its next commit will make that file.
        if Path::new(&file).exists() { watch(&file) } else { watch(&git(&["--git-path", "refs/heads"])?) }
    }
    git(&["--verify", "HEAD"])
}

/// Returns the output of `git rev-parse`, or `None` without git.
fn git(arguments: &[&str]) -> Option<String> {
    first_line(Command::new("git").args(["--git-dir=.git", "rev-parse"]).args(arguments))
}

fn watch(path: &str) {
    println!("cargo::rerun-if-changed={path}");
}

/// The version of the compiler, of its line `rustc 1.95.0 (59807616e 2026-04-14)`.
fn rustc() -> Option<String> {
    let line = first_line(Command::new(env::var_os("RUSTC")?).arg("--version"))?;
    line.split_whitespace().nth(1).map(str::to_owned)
}

fn first_line(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    String::from_utf8(output.stdout).ok()?.lines().next().map(str::to_owned)
}
