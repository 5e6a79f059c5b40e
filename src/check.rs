//! `--check`: probes every broker and prints the result, once or repeatedly.

mod column_widths;
mod csv_output;
mod failures;
mod frame;
mod json_output;
mod progress_line;
mod screen;
mod summary;
mod table_output;
mod text_table;
mod watch;

use std::collections::BTreeSet;
use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt as _};
use jiff::Timestamp;

use crate::cli::{CheckTask, OutputFormat, Strictness};
use crate::client::{Groups, WatchedClient};
use crate::config::{Broker, Config};
use crate::fleet::Fleet;
use crate::outcome::{ClientState, Outcome, ProbedClient};
use crate::probe::{BROKERS_AT_ONCE, ProbeSpec, Targets, probe, probe_with_progress};
use crate::sanitize::sanitized;
use crate::table::{self, ClientFilter, Selection};
use progress_line::{BrokerProgress, ProgressLine};

/// Default timeout for listing all clients of a broker. EMQX takes about a quarter of it for 100 000 clients.
const LIST_TIMEOUT: Duration = Duration::from_secs(60);

/// The overall result, which becomes the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CheckStatus {
    /// Every probe succeeded.
    Success,
    /// A probe failed, at least for some clients.
    Incomplete,
    /// With `--strict`: a watched client is not connected, or is overdue.
    NotConnected,
}

impl From<CheckStatus> for ExitCode {
    fn from(status: CheckStatus) -> Self {
        match status {
            CheckStatus::Success => Self::SUCCESS,
            CheckStatus::Incomplete => 2.into(),
            CheckStatus::NotConnected => 3.into(),
        }
    }
}

/// Errors that prevent a check.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckError {
    /// `--broker` names an unknown broker.
    #[error("unknown broker {alias:?}; configured brokers: {configured}")]
    UnknownBroker {
        /// The unknown alias.
        alias: String,
        /// The configured aliases.
        configured: String,
    },
    /// `--fleet` names an unknown fleet.
    #[error("unknown fleet {alias:?}; {configured}")]
    UnknownFleet {
        /// The unknown alias.
        alias: String,
        /// Which fleets are configured.
        configured: String,
    },
    /// `--client` matches no watched client.
    #[error("no watched client matches --client {0:?}")]
    NoSuchClient(String),
    /// Writing to stdout failed.
    #[error("cannot write to stdout")]
    Write(#[from] io::Error),
}

/// Probes the brokers of the task, once or repeatedly. Prints the results to stdout and failures to stderr.
///
/// # Errors
/// An unknown broker in the task, or a failed write to stdout. A closed pipe is no error.
pub(crate) async fn check(config: &Config, task: &CheckTask) -> Result<CheckStatus, CheckError> {
    let run = CheckRun::new(config, task)?;
    if let Some(interval) = task.watch {
        return watch::watch(&run, interval).await;
    }
    let result = run.probe_all(ProgressLine::on_stderr()).await;
    run.printer.print(&result, true)?;
    Ok(result.status)
}

/// The probes of a check, which `--watch` repeats.
struct CheckRun {
    brokers: Vec<Arc<Broker>>,
    all: bool,
    /// Aliases of the fleets whose clients are shown; if empty, watched clients are.
    fleets: Vec<String>,
    /// The groups that the configuration collects.
    collect: Groups,
    timeout: Option<Duration>,
    strict: Option<Strictness>,
    printer: Printer,
}

impl CheckRun {
    fn new(config: &Config, task: &CheckTask) -> Result<Self, CheckError> {
        Ok(Self {
            brokers: selected_brokers(config, task)?,
            all: task.all,
            fleets: task.fleets.clone(),
            collect: config.prometheus.collect,
            timeout: task.timeout,
            strict: task.strict,
            printer: Printer { format: task.output, selection: task.selection.clone() },
        })
    }

    /// Probes every broker once, and shows the progress on the line if that takes long.
    async fn probe_all(&self, line: Option<ProgressLine>) -> CheckResult {
        let (started_at, started) = (Timestamp::now(), Instant::now());
        let progress: Vec<_> = self.brokers.iter().map(|broker| BrokerProgress::new(&broker.alias)).collect();
        let probes = self.brokers.iter().zip(&progress).map(async |(broker, progress)| {
            let mut outcome = probe_with_progress(self.probe_spec(broker), &progress.clients).await;
            // A broker that does not respond need not be waited for twice.
            if let Some(spec) = self.fleet_spec(broker).filter(|_| outcome.requests.answered) {
                outcome.add_fleets(probe(spec).await);
            }
            progress.end();
            outcome
        });
        let probes = stream::iter(probes).buffered(BROKERS_AT_ONCE).collect();
        let outcomes: Vec<_> = match line {
            Some(line) => line.show_until(&progress, probes).await,
            None => probes.await,
        };
        let ended_at = Timestamp::now();
        let status = status(&outcomes, self.strict, ended_at);
        CheckResult { outcomes, status, started_at, ended_at, duration: started.elapsed() }
    }

    /// Returns the groups to request where these are configured for the clients.
    fn groups(&self, configured: Groups) -> Groups {
        match self.printer.format {
            OutputFormat::Table => table::groups(self.collect, |_| true),
            OutputFormat::Json | OutputFormat::Csv => {
                table::groups(self.collect, |_| true).union(self.collect).union(configured)
            }
        }
    }

    fn probe_spec(&self, broker: &Arc<Broker>) -> ProbeSpec {
        let filter = &self.printer.selection.filter;
        let is_list = self.all || !self.fleets.is_empty();
        let (targets, groups) = if self.all {
            (Targets::All, self.groups(Groups::STATE).of_rows())
        } else if is_list {
            let fleets = selected_fleets(broker, &self.fleets);
            (Targets::ClientsOf(fleets), self.groups(Groups::STATE).of_rows())
        } else {
            let clients: Vec<_> = selected_clients(broker, filter).cloned().collect();
            let groups = self.groups(broker.configured_groups(&clients));
            (Targets::Watched(clients), groups)
        };
        ProbeSpec {
            targets,
            groups,
            timeout: self.timeout.unwrap_or_else(|| default_timeout(broker, is_list)),
            broker: Arc::clone(broker),
        }
    }

    /// Returns the probe of the fleets that the table is followed by, if there are any. They are left out where the task
    /// selects single clients.
    fn fleet_spec(&self, broker: &Arc<Broker>) -> Option<ProbeSpec> {
        let selects = self.all || !self.fleets.is_empty() || !self.printer.selection.filter.names.is_empty();
        let is_shown = self.printer.format == OutputFormat::Table && !selects && !broker.fleets.is_empty();
        is_shown.then(|| ProbeSpec {
            targets: Targets::Fleets(broker.fleets.clone()),
            groups: Groups::STATE,
            timeout: self.timeout.unwrap_or_else(|| default_timeout(broker, false)),
            broker: Arc::clone(broker),
        })
    }
}

/// The result of probing every broker once.
struct CheckResult {
    outcomes: Vec<Outcome>,
    status: CheckStatus,
    started_at: Timestamp,
    ended_at: Timestamp,
    duration: Duration,
}

/// Prints the clients that the task selects, in its format and order.
#[derive(Debug, Clone)]
struct Printer {
    format: OutputFormat,
    selection: Selection,
}

impl Printer {
    /// Prints a result to stdout and its failures to stderr; of several, the first one has the header of the CSV. Returns
    /// whether stdout is still read.
    fn print(&self, result: &CheckResult, is_first: bool) -> io::Result<bool> {
        let printed = match self.format {
            OutputFormat::Table => table_output::print(&result.outcomes, &self.selection, result.ended_at),
            OutputFormat::Json => json_output::print(&result.outcomes, &self.selection, result.ended_at),
            OutputFormat::Csv => {
                csv_output::print(&result.outcomes, &self.selection, result.ended_at, is_first)
            }
        };
        let is_read = match printed {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => false,
            Err(error) => return Err(error),
        };
        failures::print(&result.outcomes);
        Ok(is_read)
    }
}

fn default_timeout(broker: &Broker, is_list: bool) -> Duration {
    if is_list { LIST_TIMEOUT } else { broker.default_timeout() }
}

/// Returns the brokers to probe, in the order of the configuration.
fn selected_brokers(config: &Config, task: &CheckTask) -> Result<Vec<Arc<Broker>>, CheckError> {
    if let Some(alias) = task.brokers.iter().find(|alias| config.broker(alias).is_none()) {
        let configured = sanitized(&config.broker_aliases());
        return Err(CheckError::UnknownBroker { alias: alias.clone(), configured });
    }
    let selected: BTreeSet<_> = task.brokers.iter().collect();
    let is_selected = |broker: &&Arc<Broker>| selected.is_empty() || selected.contains(&broker.alias);
    let brokers: Vec<_> = config.brokers.iter().filter(is_selected).cloned().collect();
    if !task.fleets.is_empty() {
        return with_fleets(brokers, &task.fleets);
    }
    if task.all { Ok(brokers) } else { with_selected_clients(brokers, &task.selection.filter) }
}

/// Returns the brokers that have one of these fleets.
fn with_fleets(mut brokers: Vec<Arc<Broker>>, aliases: &[String]) -> Result<Vec<Arc<Broker>>, CheckError> {
    let known: BTreeSet<_> =
        brokers.iter().flat_map(|broker| &broker.fleets).map(|fleet| fleet.alias.clone()).collect();
    if let Some(alias) = aliases.iter().find(|alias| !known.contains(*alias)) {
        let configured = if known.is_empty() {
            "no fleets are configured for these brokers".to_owned()
        } else {
            format!("configured fleets: {}", sanitized(&Vec::from_iter(known).join(", ")))
        };
        return Err(CheckError::UnknownFleet { alias: alias.clone(), configured });
    }
    brokers.retain(|broker| !selected_fleets(broker, aliases).is_empty());
    Ok(brokers)
}

/// Returns the fleets of a broker with these aliases.
fn selected_fleets(broker: &Broker, aliases: &[String]) -> Vec<Arc<Fleet>> {
    broker.fleets.iter().filter(|fleet| aliases.contains(&fleet.alias)).cloned().collect()
}

/// Returns the brokers that have clients with the names of the filter, or every broker if it names none.
fn with_selected_clients(
    mut brokers: Vec<Arc<Broker>>,
    filter: &ClientFilter,
) -> Result<Vec<Arc<Broker>>, CheckError> {
    if filter.names.is_empty() {
        return Ok(brokers);
    }
    for pattern in &filter.names {
        let mut clients = brokers.iter().flat_map(|broker| &broker.clients);
        if !clients.any(|client| pattern.matches(&client.alias) || pattern.matches(&client.client_id)) {
            return Err(CheckError::NoSuchClient(pattern.as_str().to_owned()));
        }
    }
    brokers.retain(|broker| selected_clients(broker, filter).next().is_some());
    Ok(brokers)
}

/// Returns the watched clients of a broker with the names of the filter.
fn selected_clients<'a>(
    broker: &'a Broker,
    filter: &'a ClientFilter,
) -> impl Iterator<Item = &'a Arc<WatchedClient>> {
    broker.clients.iter().filter(|client| filter.matches_name(&client.alias, &client.client_id))
}

/// Returns the overall result. It covers every probed client, whichever of them are shown.
fn status(outcomes: &[Outcome], strict: Option<Strictness>, now: Timestamp) -> CheckStatus {
    let fails = |client: &ProbedClient| match strict {
        Some(Strictness::Connected) => client.status.state() != ClientState::Connected,
        Some(Strictness::Overdue) => client.is_overdue(now),
        None => false,
    };
    if !outcomes.iter().all(Outcome::is_success) {
        CheckStatus::Incomplete
    } else if outcomes.iter().flat_map(|outcome| &outcome.clients).any(fails) {
        CheckStatus::NotConnected
    } else {
        CheckStatus::Success
    }
}
