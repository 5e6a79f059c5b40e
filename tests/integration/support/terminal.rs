//! A terminal, as the program sees one.

use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::process::{Command, Stdio};

use rustix::io::Errno;
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::Run;

/// Runs a command whose stdout is a terminal of this width; 0 is one that does not tell its width.
pub(crate) fn run_in_terminal(mut command: Command, columns: u16) -> Run {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
    let master = openpt(flags).expect("a pseudo-terminal");
    grantpt(&master).expect("a pseudo-terminal can be granted");
    unlockpt(&master).expect("a pseudo-terminal can be unlocked");
    let terminal = ioctl_tiocgptpeer(&master, flags).expect("a pseudo-terminal has another end");
    let size =
        Winsize { ws_row: if columns == 0 { 0 } else { 24 }, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&terminal, size).expect("a terminal has a size");

    let program = command
        .env("TERM", "xterm")
        .stdin(Stdio::null())
        .stdout(Stdio::from(terminal))
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // It holds a copy of the terminal, whose end would never come.
    drop(command);

    let shown = read_to_the_end(File::from(master));
    let mut output = program.wait_with_output().expect("the program ends");
    output.stdout = shown;
    Run::of(output)
}

/// What was shown. Linux says with an error that nobody holds the terminal any more.
fn read_to_the_end(mut master: File) -> Vec<u8> {
    let (mut shown, mut part) = (Vec::new(), [0; 4096]);
    loop {
        match master.read(&mut part) {
            Ok(0) => break,
            Ok(count) => shown.extend_from_slice(&part[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => break,
            Err(error) => panic!("the terminal cannot be read: {error}"),
        }
    }
    // A terminal ends its lines with a return, too.
    shown.retain(|byte| *byte != b'\r');
    shown
}
