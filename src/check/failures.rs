//! The failures of `--check`, printed to stderr.

use std::io::Write as _;

use crate::failure_help;
use crate::humanize::clients_unknown;
use crate::outcome::{ClientState, FailureReason, Outcome};
use crate::sanitize::is_unsafe;

/// Prints the failures with the reasons of the metric `emqx_probe_failure_reason`, and what each reason means.
pub(super) fn print(outcomes: &[Outcome]) {
    let mut stderr = anstream::stderr().lock();
    for line in lines(outcomes) {
        let _ = writeln!(stderr, "{line}");
    }
}

/// Returns a line for each failure, then a line for each reason that explains it.
pub(super) fn lines(outcomes: &[Outcome]) -> impl Iterator<Item = String> {
    outcomes.iter().flat_map(failure_lines).chain(explanations(outcomes))
}

fn explanations(outcomes: &[Outcome]) -> impl Iterator<Item = String> {
    let has_failed = |reason: &FailureReason| outcomes.iter().any(|outcome| outcome.failures.has(*reason));
    FailureReason::ALL.into_iter().filter(has_failed).map(|reason| {
        format!("help: {reason}: {} {}", failure_help::meaning(reason), failure_help::remedy(reason))
    })
}

/// Returns a line for each failure, without unsafe characters: parts of it may come from the broker.
fn failure_lines(outcome: &Outcome) -> Vec<String> {
    let failures = outcome.failures.listed();
    let broker = outcome.broker.replace(is_unsafe, " ");
    let mut lines: Vec<_> = failures
        .iter()
        .map(|failure| {
            let text = failure.text.replace(is_unsafe, " ");
            format!("{broker}: {}: {text}{}", failure.reason, clients_unknown(failure.clients))
        })
        .collect();
    let listed: usize = failures.iter().map(|failure| failure.clients).sum();
    let others = outcome.count(ClientState::Unknown).saturating_sub(listed);
    if others > 0 {
        lines.push(format!("{broker}: further failures{}", clients_unknown(others)));
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::client::{Groups, WatchedClient};

    use crate::outcome::{ClientIdentity, ClientStatus, FailureReason, Failures, ProbedClient};

    fn outcome(unknown: usize, failures: Failures) -> Outcome {
        let client = |number| WatchedClient {
            alias: format!("Client {number}").into(),
            client_id: format!("client-{number}").into(),
            ..WatchedClient::default()
        };
        let probed = |number| {
            ProbedClient::new(ClientIdentity::Watched(Arc::new(client(number))), ClientStatus::Unknown)
        };
        Outcome {
            failures,
            timeout: Duration::from_secs(15),
            ..Outcome::new("LocalEMQX", Groups::STATE, (0..unknown).map(probed).collect())
        }
    }

    #[test]
    fn a_failure_is_one_line_whatever_its_text() {
        let mut failures = Failures::default();
        failures.add(FailureReason::Decode, "\u{1b}[2Jcleared\nand \u{9b}\u{202e}more", 1);
        failures.add(FailureReason::Timeout, "no answer in time", 0);
        assert_eq!(
            failure_lines(&outcome(1, failures)),
            [
                "LocalEMQX: decode:  [2Jcleared and   more (1 client unknown)",
                "LocalEMQX: timeout: no answer in time"
            ]
        );
    }

    #[test]
    fn clients_of_failures_that_are_not_listed_are_still_counted() {
        let mut failures = Failures::default();
        for number in 0..11 {
            failures.add(FailureReason::Decode, &format!("odd {number}"), 2);
        }
        let lines = failure_lines(&outcome(22, failures));
        assert_eq!(lines.len(), 9);
        assert_eq!(lines[7], "LocalEMQX: decode: odd 7 (2 clients unknown)");
        assert_eq!(lines[8], "LocalEMQX: further failures (6 clients unknown)");
    }
}
