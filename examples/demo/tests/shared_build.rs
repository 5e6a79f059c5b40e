//! The demo and the program share one build of every dependency.
#![allow(clippy::expect_used, clippy::panic, reason = "tests may fail")]

use std::collections::BTreeSet;
use std::process::Command;

/// Every crate that a build of this package compiles, with the features that cargo resolves for it.
fn resolved(package: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--offline", "--edges", "normal,build", "--prefix", "none"])
        .args(["--no-dedupe", "--format", "{p} {f}", "--package", package])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8").lines().map(str::to_owned).collect()
}

#[test]
fn no_dependency_of_the_program_is_compiled_again_for_the_demo() {
    let (program, demo) = (resolved("emqx-client-monitor"), resolved("demo"));
    let different: Vec<_> = program.difference(&demo).collect();
    assert!(program.len() > 100 && different.is_empty(), "other features in the demo: {different:#?}");
}
