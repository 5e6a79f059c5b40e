//! A stand-in for the system resolver, which `resolver.c` describes.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use tempfile::TempDir;

use super::Program;

static LIBRARY: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let [source, library] = ["resolver.c", "resolver.so"].map(|name| directory.path().join(name));
    fs::write(&source, include_str!("resolver.c")).expect("a temporary directory takes files");
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).arg("-ldl");
    assert!(compiler.status().expect("the C compiler that Rust links with").success());
    (directory, library)
});

/// A program that resolves names with the stand-in.
pub(crate) fn with_resolver(config: &str) -> Program {
    Program::with_config(config).with_variable("LD_PRELOAD", LIBRARY.1.to_str().expect("a path in UTF-8"))
}
