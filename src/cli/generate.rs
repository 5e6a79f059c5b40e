//! `--generate`: shell completions, the manual page and the commented configuration.

use std::io;

use clap_complete::Shell;

use super::arguments::GenerateTarget;
use super::{command, manual};

const EXAMPLE_CONFIG: &str = include_str!("../../examples/config.yaml");

/// Generates the text of this target.
///
/// # Errors
/// Only I/O errors; writing to a `Vec` never fails.
pub(crate) fn generate(target: GenerateTarget) -> io::Result<Vec<u8>> {
    match target {
        GenerateTarget::Bash => Ok(completions(Shell::Bash)),
        GenerateTarget::Elvish => Ok(completions(Shell::Elvish)),
        GenerateTarget::Fish => Ok(completions(Shell::Fish)),
        GenerateTarget::Powershell => Ok(completions(Shell::PowerShell)),
        GenerateTarget::Zsh => Ok(completions(Shell::Zsh)),
        GenerateTarget::Man => manual::page(command()),
        GenerateTarget::Config => Ok(EXAMPLE_CONFIG.into()),
    }
}

fn completions(shell: Shell) -> Vec<u8> {
    let mut command = command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    script
}
