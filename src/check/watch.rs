//! `--watch`: asks again and again, until it is told to stop.

use std::io;
use std::pin::pin;
use std::thread;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout};

use super::frame::{frame, waiting};
use super::progress::Line;
use super::screen::{self, Screen};
use super::{CheckError, CheckRun, CheckStatus, Round, Style};
use crate::cli::Output;
use crate::signals::StopSignals;

/// How long an answer that is being printed is waited for when everything is to stop.
const LAST_WORD: Duration = Duration::from_secs(1);

/// Asks again so long after it asked last, or at once where that took longer, and says what the last answer came to.
/// Without any answer, nobody could be asked in full.
pub(super) async fn watch(inquiry: &CheckRun, every: Duration) -> Result<CheckStatus, CheckError> {
    let mut stop = StopSignals::listen()?;
    if inquiry.style.output == Output::Table && screen::can_redraw(&io::stdout()) {
        Ok(Frames::open(inquiry, every)?.draw_until(&mut stop).await?)
    } else {
        Ok(print_until(&mut stop, inquiry, every).await?)
    }
}

/// Prints one answer after the other, as long as somebody reads them.
async fn print_until(stop: &mut StopSignals, inquiry: &CheckRun, every: Duration) -> io::Result<CheckStatus> {
    let mut verdict = CheckStatus::Incomplete;
    loop {
        let next = Instant::now() + every;
        let Some(round) = stop.run_until_stopped(inquiry.ask(Line::on_stderr())).await else { break };
        verdict = round.verdict;
        let mut printing = pin!(print(inquiry.style, round));
        let Some(is_read) = stop.run_until_stopped(&mut printing).await else {
            // Whoever reads no more cannot keep us here.
            let _ = timeout(LAST_WORD, printing).await;
            break;
        };
        if !is_read? || stop.run_until_stopped(sleep_until(next)).await.is_none() {
            break;
        }
    }
    Ok(verdict)
}

/// Prints on a thread of its own: a pipe that nobody empties would keep us from hearing that we are to stop.
async fn print(style: Style, round: Round) -> io::Result<bool> {
    let (done, printed) = oneshot::channel();
    // Nobody waits for it any more where that fails.
    thread::Builder::new().spawn(move || drop(done.send(style.print(&round))))?;
    printed.await.unwrap_or_else(|_| Err(io::Error::other("the printing broke off")))
}

/// The answers in a terminal, each in the place of the one before.
struct Frames<'a> {
    inquiry: &'a CheckRun,
    every: Duration,
    screen: Screen,
    resized: Signal,
    /// Ctrl-Z.
    suspended: Signal,
    last: Option<Round>,
}

impl<'a> Frames<'a> {
    fn open(inquiry: &'a CheckRun, every: Duration) -> io::Result<Self> {
        let resized = signal(SignalKind::window_change())?;
        let suspended = signal(SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw()))?;
        Ok(Self { inquiry, every, screen: Screen::take()?, resized, suspended, last: None })
    }

    async fn draw_until(mut self, stop: &mut StopSignals) -> io::Result<CheckStatus> {
        self.draw()?;
        loop {
            let next = Instant::now() + self.every;
            let inquiry = self.inquiry;
            let Some(round) = stop.run_until_stopped(self.during(inquiry.ask(Some(Line::on_stdout())))).await
            else {
                break;
            };
            self.last = Some(round?);
            self.draw()?;
            if stop.run_until_stopped(self.during(sleep_until(next))).await.transpose()?.is_none() {
                break;
            }
        }
        Ok(self.last.map_or(CheckStatus::Incomplete, |round| round.verdict))
    }

    /// Waits for something, and draws anew when the terminal has changed meanwhile.
    async fn during<T>(&mut self, waiting: impl Future<Output = T>) -> io::Result<T> {
        let mut waiting = pin!(waiting);
        loop {
            tokio::select! {
                done = &mut waiting => return Ok(done),
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
            Some(round) => frame(round, self.every, self.inquiry.style.order, size),
            None => waiting(self.every, size.0),
        };
        self.screen.show(&lines)
    }
}
