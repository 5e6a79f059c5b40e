//! `--check`: asks every broker and prints what it says, once or again and again.

mod drawing;
mod failures;
mod frame;
mod json;
mod layout;
mod progress;
mod screen;
mod text;
mod watch;

use std::collections::BTreeSet;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt as _};
use jiff::Timestamp;

use crate::cli::{CheckTask, Output};
use crate::client::Groups;
use crate::config::{Broker, Config};
use crate::outcome::{ClientState, Outcome};
use crate::probe::{BROKERS_AT_ONCE, ProbeSpec, Targets, probe_with_progress};
use crate::table::{self, Column, Order, harmless};
use progress::{Line, Track};

/// How long listing all clients of a broker may take. A list of 100 000 takes EMQX about a quarter of that.
const LIST_TIMEOUT: Duration = Duration::from_secs(60);

/// What the exit status says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckStatus {
    /// Everyone was asked and answered for.
    Answered,
    /// A broker could not be asked in full.
    Incomplete,
    /// With `--strict`: a watched client is not connected.
    NotConnected,
}

impl From<CheckStatus> for ExitCode {
    fn from(verdict: CheckStatus) -> Self {
        match verdict {
            CheckStatus::Answered => Self::SUCCESS,
            CheckStatus::Incomplete => 2.into(),
            CheckStatus::NotConnected => 3.into(),
        }
    }
}

/// Why nothing could be checked.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// `--broker` names none of the configuration.
    #[error("there is no broker {alias:?} in the configuration; there is {known}")]
    UnknownBroker {
        /// What was asked for.
        alias: String,
        /// What could have been asked for.
        known: String,
    },
    /// stdout does not take the answer.
    #[error("cannot print the answer")]
    Print(#[from] io::Error),
}

/// Asks the brokers of the task and prints the answer to stdout, once or again and again; what went wrong goes to
/// stderr.
///
/// # Errors
/// An unknown broker in the task, or a stdout that takes no text. One that is no longer read is no error.
pub async fn check(config: &Config, task: &CheckTask) -> Result<CheckStatus, CheckError> {
    let inquiry = CheckRun::new(config, task)?;
    if let Some(every) = task.watch {
        return watch::watch(&inquiry, every).await;
    }
    let round = inquiry.ask(Line::on_stderr()).await;
    inquiry.style.print(&round)?;
    Ok(round.verdict)
}

/// What is asked, as often as it is asked.
struct CheckRun {
    brokers: Vec<Arc<Broker>>,
    all: bool,
    groups: Groups,
    timeout: Option<Duration>,
    strict: bool,
    style: Style,
}

impl CheckRun {
    fn new(config: &Config, task: &CheckTask) -> Result<Self, CheckError> {
        let shown = table::groups(Column::is_in_terminal);
        Ok(Self {
            brokers: chosen(config, task)?,
            all: task.all,
            groups: match task.output {
                Output::Table => shown,
                Output::Json => shown.union(config.prometheus.collect),
            },
            timeout: task.timeout,
            strict: task.strict,
            style: Style { output: task.output, order: task.order },
        })
    }

    /// Asks every broker once. Where that takes long, the line says how far it has come.
    async fn ask(&self, line: Option<Line>) -> Round {
        let (asked_at, began) = (Timestamp::now(), Instant::now());
        let tracks: Vec<_> = self.brokers.iter().map(|broker| Track::new(&broker.alias)).collect();
        let asked = self.brokers.iter().zip(&tracks).map(async |(broker, track)| {
            let outcome = probe_with_progress(self.question(broker), &track.progress).await;
            track.end();
            outcome
        });
        let asking = stream::iter(asked).buffered(BROKERS_AT_ONCE).collect();
        let outcomes: Vec<_> = match line {
            Some(line) => line.follow(&tracks, asking).await,
            None => asking.await,
        };
        let verdict = verdict(&outcomes, self.strict);
        Round { outcomes, verdict, asked_at, answered_at: Timestamp::now(), took: began.elapsed() }
    }

    fn question(&self, broker: &Arc<Broker>) -> ProbeSpec {
        ProbeSpec {
            targets: if self.all { Targets::All } else { Targets::Watched(broker.clients.clone()) },
            groups: self.groups,
            timeout: self.timeout.unwrap_or_else(|| default_timeout(broker, self.all)),
            broker: Arc::clone(broker),
        }
    }
}

/// What came of asking every broker once.
struct Round {
    outcomes: Vec<Outcome>,
    verdict: CheckStatus,
    asked_at: Timestamp,
    answered_at: Timestamp,
    took: Duration,
}

/// How an answer is printed.
#[derive(Debug, Clone, Copy)]
struct Style {
    output: Output,
    order: Order,
}

impl Style {
    /// Prints an answer to stdout and what went wrong to stderr, and says whether anybody still reads.
    fn print(self, round: &Round) -> io::Result<bool> {
        let printed = match self.output {
            Output::Table => text::print(&round.outcomes, self.order, round.answered_at),
            Output::Json => json::print(&round.outcomes, self.order),
        };
        let is_read = match printed {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => false,
            Err(error) => return Err(error),
        };
        failures::report(&round.outcomes);
        Ok(is_read)
    }
}

/// How long asking a broker may take when nobody says so.
fn default_timeout(broker: &Broker, all: bool) -> Duration {
    if all { LIST_TIMEOUT } else { broker.default_timeout() }
}

/// The brokers to ask, in the order of the configuration.
fn chosen(config: &Config, task: &CheckTask) -> Result<Vec<Arc<Broker>>, CheckError> {
    if let Some(alias) = task.brokers.iter().find(|alias| config.broker(alias).is_none()) {
        let known = harmless(&config.broker_aliases());
        return Err(CheckError::UnknownBroker { alias: alias.clone(), known });
    }
    let wanted: BTreeSet<_> = task.brokers.iter().collect();
    let is_wanted = |broker: &&Arc<Broker>| wanted.is_empty() || wanted.contains(&broker.alias);
    Ok(config.brokers.iter().filter(is_wanted).cloned().collect())
}

fn verdict(outcomes: &[Outcome], strict: bool) -> CheckStatus {
    let all_connected = |outcome: &Outcome| outcome.count(ClientState::Connected) == outcome.clients.len();
    if !outcomes.iter().all(Outcome::is_success) {
        CheckStatus::Incomplete
    } else if strict && !outcomes.iter().all(all_connected) {
        CheckStatus::NotConnected
    } else {
        CheckStatus::Answered
    }
}
