//! The closing line of the table: how many clients are in each state.

use jiff::Timestamp;

use crate::humanize::plural;
use crate::outcome::{ClientState, Outcome, ProbedClient};
use crate::sanitize::sanitized;
use crate::table::state_label;

/// Returns a line for each fleet.
pub(super) fn fleet_lines(outcomes: &[Outcome]) -> impl Iterator<Item = String> {
    let has_several = outcomes.len() > 1;
    outcomes.iter().flat_map(move |outcome| {
        outcome.fleets.iter().flatten().map(move |result| {
            let broker = if has_several { format!(" of {}", outcome.broker) } else { String::new() };
            sanitized(&format!("Fleet {}{broker}: {}", result.fleet.alias, result.describe()))
        })
    })
}

/// Returns the closing line for all clients, of which `shown` pass the filters; `None` if there are no clients.
pub(super) fn summary(outcomes: &[Outcome], shown: usize, now: Timestamp) -> Option<String> {
    let clients = || outcomes.iter().flat_map(|outcome| &outcome.clients);
    let total = clients().count();
    if total == 0 {
        return None;
    }
    let count = |state| (outcomes.iter().map(|outcome| outcome.count(state)).sum::<usize>(), state);
    let by_state = ClientState::ALL.map(count).into_iter().filter(|(count, _)| *count > 0);
    let by_state: Vec<_> = by_state.map(|(count, state)| format!("{count} {}", state_label(state))).collect();
    let is_undated = |client: &&ProbedClient| {
        let is_away = matches!(client.status.state(), ClientState::Disconnected | ClientState::Absent);
        is_away && client.offline_after().is_some() && client.overdue(now).is_none()
    };
    let overdue = outcomes.iter().map(|outcome| outcome.overdue_count(now)).sum();
    let undated = clients().filter(is_undated).count();
    let banned = clients().filter(|client| client.is_banned() == Some(true)).count();
    let notes = [(overdue, "overdue"), (undated, "away for an unknown time"), (banned, "banned")];
    let notes: Vec<_> = notes
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, note)| format!("{count} {note}"))
        .collect();

    let shown = if shown < total { format!(" ({shown} shown)") } else { String::new() };
    let notes = if notes.is_empty() { String::new() } else { format!("; {}", notes.join(", ")) };
    Some(format!("{}{shown}: {}{notes}", plural(total as u64, "1 client", "clients"), by_state.join(", ")))
}
