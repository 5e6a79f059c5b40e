//! What is made from the definitions of the command line: completions for shells, and the manual page.

use std::io;

use clap::CommandFactory as _;

use super::arguments::{Arguments, Generated};
use super::manual;

/// Makes it.
///
/// # Errors
/// None that memory to write to would not give.
pub fn generated(what: Generated) -> io::Result<Vec<u8>> {
    let mut command = Arguments::command();
    let Some(shell) = what.shell() else {
        return manual::page(command);
    };
    let name = command.get_name().to_owned();
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut text);
    Ok(text)
}
