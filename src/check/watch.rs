//! `--watch`: repeats the query until it is stopped.

use std::io;
use std::pin::pin;
use std::thread;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout};

use super::frame::{first_frame, frame};
use super::progress_line::ProgressLine;
use super::screen::{self, AlternateScreen};
use super::{CheckError, CheckResult, CheckRun, CheckStatus, Printer};
use crate::cli::OutputFormat;
use crate::signals::StopSignals;

/// How long a stop waits for a result that is being printed.
const PRINT_TIMEOUT: Duration = Duration::from_secs(1);

/// Queries at this interval, or back to back if a query takes longer, and returns the status of the last result:
/// incomplete if there is none.
pub(super) async fn watch(run: &CheckRun, interval: Duration) -> Result<CheckStatus, CheckError> {
    let mut stop = StopSignals::listen()?;
    if run.printer.format == OutputFormat::Table && screen::can_redraw(&io::stdout()) {
        Ok(LiveTable::open(run, interval)?.run_until(&mut stop).await?)
    } else {
        Ok(print_until(&mut stop, run, interval).await?)
    }
}

/// Prints one result after the other as long as stdout is read.
async fn print_until(stop: &mut StopSignals, run: &CheckRun, interval: Duration) -> io::Result<CheckStatus> {
    let (mut status, mut is_first) = (CheckStatus::Incomplete, true);
    loop {
        let next = Instant::now() + interval;
        let Some(result) = stop.run_until_stopped(run.probe_all(ProgressLine::on_stderr())).await else {
            break;
        };
        status = result.status;
        let mut printing = pin!(print(run.printer.clone(), result, is_first));
        let Some(is_read) = stop.run_until_stopped(&mut printing).await else {
            // A reader that stopped reading must not delay the end.
            let _ = timeout(PRINT_TIMEOUT, printing).await;
            break;
        };
        is_first = false;
        if !is_read? || stop.run_until_stopped(sleep_until(next)).await.is_none() {
            break;
        }
    }
    Ok(status)
}

/// Prints on a separate thread: a full pipe would block the signals.
async fn print(printer: Printer, result: CheckResult, is_first: bool) -> io::Result<bool> {
    let (sender, receiver) = oneshot::channel();
    // Sending fails only after a stop.
    thread::Builder::new().spawn(move || drop(sender.send(printer.print(&result, is_first))))?;
    receiver.await.unwrap_or_else(|_| Err(io::Error::other("the printing thread panicked")))
}

/// The results in a terminal, redrawn in place.
struct LiveTable<'a> {
    run: &'a CheckRun,
    interval: Duration,
    screen: AlternateScreen,
    resized: Signal,
    /// Ctrl-Z.
    suspended: Signal,
    last: Option<CheckResult>,
}

impl<'a> LiveTable<'a> {
    fn open(run: &'a CheckRun, interval: Duration) -> io::Result<Self> {
        let resized = signal(SignalKind::window_change())?;
        let suspended = signal(SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw()))?;
        Ok(Self { run, interval, screen: AlternateScreen::open()?, resized, suspended, last: None })
    }

    async fn run_until(mut self, stop: &mut StopSignals) -> io::Result<CheckStatus> {
        self.draw()?;
        loop {
            let next = Instant::now() + self.interval;
            let query = self.run.probe_all(Some(ProgressLine::on_stdout()));
            let Some(result) = stop.run_until_stopped(self.redraw_during(query)).await else { break };
            self.last = Some(result?);
            self.draw()?;
            if stop.run_until_stopped(self.redraw_during(sleep_until(next))).await.transpose()?.is_none() {
                break;
            }
        }
        Ok(self.last.map_or(CheckStatus::Incomplete, |result| result.status))
    }

    /// Waits for the future, and redraws when the terminal changes meanwhile.
    async fn redraw_during<T>(&mut self, future: impl Future<Output = T>) -> io::Result<T> {
        let mut future = pin!(future);
        loop {
            tokio::select! {
                result = &mut future => return Ok(result),
                _ = self.resized.recv() => self.draw()?,
                _ = self.suspended.recv() => {
                    self.screen.suspend()?;
                    self.draw()?;
                }
            }
        }
    }

    fn draw(&mut self) -> io::Result<()> {
        let size = self.screen.size();
        let lines = match &self.last {
            Some(result) => frame(result, self.interval, &self.run.printer.selection, size),
            None => first_frame(self.interval, size.0),
        };
        self.screen.show(&lines)
    }
}
