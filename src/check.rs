//! `--check`: asks every broker once and prints what it says.

mod failures;
mod json;
mod layout;
mod text;

use std::collections::BTreeSet;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use jiff::Timestamp;

use crate::cli::{CheckTask, Output};
use crate::config::{Broker, Config};
use crate::outcome::{Outcome, State};
use crate::probe::{Of, Question, probe};
use crate::table::{self, Column};

/// How many brokers are asked at once.
const BROKERS_AT_ONCE: usize = 8;

/// How long listing all clients of a broker may take. A list of 100 000 takes EMQX about a quarter of that.
const LIST_TIMEOUT: Duration = Duration::from_secs(60);

/// What the exit status says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Everyone was asked and answered for.
    Answered,
    /// A broker could not be asked in full.
    Incomplete,
    /// With `--strict`: a watched client is not connected.
    NotConnected,
}

impl From<Verdict> for ExitCode {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Answered => Self::SUCCESS,
            Verdict::Incomplete => 2.into(),
            Verdict::NotConnected => 3.into(),
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

/// Asks the brokers of the task and prints the answer to stdout; what went wrong goes to stderr.
///
/// # Errors
/// An unknown broker in the task, or a stdout that takes no text. One that is no longer read is no error.
pub async fn check(config: &Config, task: &CheckTask) -> Result<Verdict, CheckError> {
    let brokers = chosen(config, task)?;
    let shown = table::groups(Column::is_in_terminal);
    let groups = match task.output {
        Output::Table => shown,
        Output::Json => shown.union(config.prometheus.collect),
    };
    let questions = brokers.into_iter().map(|broker| Question {
        of: if task.all { Of::Everyone } else { Of::Watched(broker.clients.clone()) },
        groups,
        timeout: task.timeout.unwrap_or_else(|| default_timeout(&broker, task.all)),
        broker,
    });
    let outcomes: Vec<Outcome> = stream::iter(questions).map(probe).buffered(BROKERS_AT_ONCE).collect().await;

    let printed = match task.output {
        Output::Table => text::print(&outcomes, Timestamp::now()),
        Output::Json => json::print(&outcomes),
    };
    match printed {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error.into()),
        _ => {}
    }
    failures::report(&outcomes);
    Ok(verdict(&outcomes, task.strict))
}

/// How long asking a broker may take when nobody says so.
fn default_timeout(broker: &Broker, all: bool) -> Duration {
    if all { LIST_TIMEOUT } else { broker.default_timeout() }
}

/// The brokers to ask, in the order of the configuration.
fn chosen(config: &Config, task: &CheckTask) -> Result<Vec<Arc<Broker>>, CheckError> {
    if let Some(alias) = task.brokers.iter().find(|alias| config.broker(alias).is_none()) {
        let known: Vec<_> = config.brokers.iter().map(|broker| broker.alias.as_str()).collect();
        return Err(CheckError::UnknownBroker { alias: alias.clone(), known: known.join(", ") });
    }
    let wanted: BTreeSet<_> = task.brokers.iter().collect();
    let is_wanted = |broker: &&Arc<Broker>| wanted.is_empty() || wanted.contains(&broker.alias);
    Ok(config.brokers.iter().filter(is_wanted).cloned().collect())
}

fn verdict(outcomes: &[Outcome], strict: bool) -> Verdict {
    let all_connected = |outcome: &Outcome| outcome.count(State::Connected) == outcome.clients.len();
    if !outcomes.iter().all(Outcome::is_success) {
        Verdict::Incomplete
    } else if strict && !outcomes.iter().all(all_connected) {
        Verdict::NotConnected
    } else {
        Verdict::Answered
    }
}
