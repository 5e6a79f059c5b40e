//! The program: everything it does is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    emqx_client_monitor::run(std::env::args_os())
}
