//! Programs in a pseudo-terminal, and the screen that they draw.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::num::NonZeroU16;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use vt100::Parser;

use super::Run;
use super::program::send_signal;

/// Time limit of each wait; a test that exceeds it hangs.
const AT_MOST: Duration = Duration::from_secs(30);

/// Runs a command whose stdout is a terminal with this many columns; 0 is a terminal that does not report its size.
pub(crate) fn run_in_terminal(mut command: Command, columns: u16) -> Run {
    let (master, terminal) = open(columns, if columns == 0 { 0 } else { 24 });
    let program = command
        .env("TERM", "xterm")
        .stdin(Stdio::null())
        .stdout(Stdio::from(terminal))
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // The command holds a copy of the terminal, which would keep it open.
    drop(command);

    let mut shown = Vec::new();
    read_to_end(master, |chunk| shown.extend_from_slice(chunk));
    // A terminal ends its lines with CR LF.
    shown.retain(|byte| *byte != b'\r');
    let mut output = program.wait_with_output().expect("the program ends");
    output.stdout = shown;
    Run::of(output)
}

/// A program in a terminal of its own. Killed when dropped.
pub(crate) struct Terminal {
    program: Child,
    master: File,
    shown: Arc<Mutex<Output>>,
    reader: Option<JoinHandle<()>>,
}

/// What the program has written so far.
struct Output {
    raw: Vec<u8>,
    parser: Parser,
}

/// The terminal after the program has ended.
pub(crate) struct Ended {
    /// Its exit status.
    pub(crate) status: Option<i32>,
    /// The screen.
    pub(crate) screen: vt100::Screen,
    /// Every byte that the program wrote.
    pub(crate) raw: String,
}

impl Terminal {
    /// Starts a command with this terminal as stdin, stdout and stderr, except what `redirect` changes.
    pub(crate) fn start(
        mut command: Command,
        (columns, lines): (u16, u16),
        redirect: impl FnOnce(&mut Command),
    ) -> Self {
        let (master, terminal) = open(columns, lines);
        let copy = || Stdio::from(terminal.try_clone().expect("a terminal can be held twice"));
        command.env("TERM", "xterm").stdin(copy()).stdout(copy()).stderr(copy());
        redirect(&mut command);
        let program = command.spawn().expect("the program starts");

        let raw = Vec::new();
        let parser = Parser::new(nonzero(lines), nonzero(columns), 10_000);
        let shown = Arc::new(Mutex::new(Output { raw, parser }));
        let (reading, writing) = (master.try_clone().expect("a file can be held twice"), Arc::clone(&shown));
        let reader = thread::spawn(move || {
            read_to_end(reading, |chunk| {
                let mut shown = writing.lock().expect("an unpoisoned lock");
                shown.raw.extend_from_slice(chunk);
                shown.parser.process(chunk);
            });
        });
        Self { program, master, shown, reader: Some(reader) }
    }

    /// Waits until the screen fulfils a condition. `what` names it in the failure.
    pub(crate) fn wait_until(&self, what: &str, is_so: impl Fn(&vt100::Screen) -> bool) -> vt100::Screen {
        let since = Instant::now();
        loop {
            let screen = self.screen();
            if is_so(&screen) {
                return screen;
            }
            assert!(since.elapsed() < AT_MOST, "never shown: {what}; the screen is\n{}", screen.contents());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until the screen holds these words.
    pub(crate) fn wait_for(&self, words: &str) -> vt100::Screen {
        self.wait_until(words, |screen| screen.contents().contains(words))
    }

    /// The screen as it is now.
    pub(crate) fn screen(&self) -> vt100::Screen {
        self.shown.lock().expect("an unpoisoned lock").parser.screen().clone()
    }

    /// Resizes the terminal and sends the program `SIGWINCH`.
    pub(crate) fn resize(&self, columns: u16, lines: u16) {
        let mut shown = self.shown.lock().expect("an unpoisoned lock");
        shown.parser.set_size(nonzero(lines), nonzero(columns));
        tcsetwinsize(&self.master, size(columns, lines)).expect("a terminal has a size");
        drop(shown);
        self.signal(Signal::WINCH);
    }

    /// Types these keys.
    pub(crate) fn type_in(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).expect("a terminal takes keys");
    }

    /// Sends the program a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        send_signal(&self.program, signal);
    }

    /// The program's process, for streams that were redirected.
    pub(crate) fn program(&mut self) -> &mut Child {
        &mut self.program
    }

    /// Waits for the end of the program.
    pub(crate) fn wait(mut self) -> Ended {
        let since = Instant::now();
        let status = loop {
            if let Some(status) = self.program.try_wait().expect("a program that was started") {
                break status;
            }
            assert!(
                since.elapsed() < AT_MOST,
                "the program does not end; the screen is\n{}",
                self.screen().contents()
            );
            thread::sleep(Duration::from_millis(10));
        };
        self.reader.take().expect("a running reader").join().expect("the terminal can be read");
        let shown = self.shown.lock().expect("an unpoisoned lock");
        let raw = String::from_utf8(shown.raw.clone()).expect("text");
        Ended { status: status.code(), screen: shown.parser.screen().clone(), raw }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

/// Opens a pseudo-terminal. Returns its master and the program's end.
fn open(columns: u16, lines: u16) -> (File, OwnedFd) {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
    let master = openpt(flags).expect("a pseudo-terminal");
    grantpt(&master).expect("a pseudo-terminal can be granted");
    unlockpt(&master).expect("a pseudo-terminal can be unlocked");
    let terminal = ioctl_tiocgptpeer(&master, flags).expect("a pseudo-terminal has another end");
    tcsetwinsize(&terminal, size(columns, lines)).expect("a terminal has a size");
    (File::from(master), terminal)
}

fn size(columns: u16, lines: u16) -> Winsize {
    Winsize { ws_row: lines, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

fn nonzero(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).expect("a terminal has lines and columns")
}

/// Reads until the program's end is closed, which Linux reports as EIO.
fn read_to_end(mut master: File, mut on_chunk: impl FnMut(&[u8])) {
    let mut chunk = [0; 4096];
    loop {
        match master.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => on_chunk(&chunk[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => break,
            Err(error) => panic!("the terminal cannot be read: {error}"),
        }
    }
}
