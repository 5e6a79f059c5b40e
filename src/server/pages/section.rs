//! One broker on the page: whether it answers, why it could not be asked, and who is there.

use askama::Template;
use jiff::Timestamp;

use super::clients::Clients;
use super::links::Links;
use super::words::{mark, shortened};
use crate::failure_help;
use crate::humanize::{clients_unknown, counted};
use crate::outcome::{ClientState, FailureReason, Outcome};
use crate::table::{harmless, word};

/// As much of a cause as is shown.
const MAX_CAUSE_CHARACTERS: usize = 500;

/// A broker on the page.
#[derive(Template)]
#[template(path = "section.html")]
pub(super) struct Section<'a> {
    links: Links<'a>,
    /// Nothing where there was no room for a probe.
    answer: Option<Answer<'a>>,
}

/// What was found out.
struct Answer<'a> {
    verdict: Verdict,
    /// What the asking cost.
    cost: String,
    troubles: Vec<Trouble>,
    counts: [Count; ClientState::ALL.len()],
    /// How many clients are watched.
    watched: usize,
    clients: Clients<'a>,
}

/// Whether a broker answers: in words, and the class they have in the style sheet.
struct Verdict {
    words: &'static str,
    class: &'static str,
}

/// A reason why something could not be found out, and its causes.
struct Trouble {
    reason: &'static str,
    meaning: &'static str,
    remedy: &'static str,
    causes: Vec<String>,
}

/// How many clients are in a state.
struct Count {
    number: usize,
    word: &'static str,
    class: &'static str,
    mark: &'static str,
    /// The view of these clients alone.
    link: String,
    is_shown_alone: bool,
}

impl<'a> Section<'a> {
    /// Tells what was found out of a broker.
    pub(super) fn new(links: Links<'a>, outcome: Option<&'a Outcome>, now: Timestamp) -> Self {
        let answer = outcome.map(|outcome| Answer {
            verdict: verdict(outcome),
            cost: cost(outcome),
            troubles: troubles(outcome),
            counts: counts(outcome, &links),
            watched: outcome.clients.len(),
            clients: Clients::new(outcome, &links, now),
        });
        Self { links, answer }
    }
}

fn verdict(outcome: &Outcome) -> Verdict {
    let knows_somebody = outcome.count(ClientState::Unknown) < outcome.clients.len();
    match (outcome.is_success(), knows_somebody) {
        (true, _) => Verdict { words: "answers", class: "answers" },
        (false, true) => Verdict { words: "answers in part", class: "partly" },
        (false, false) => Verdict { words: "could not be asked", class: "fails" },
    }
}

fn cost(outcome: &Outcome) -> String {
    let seconds = outcome.duration.as_secs_f64();
    let took = if seconds < 1.0 { format!("{:.0} ms", seconds * 1e3) } else { format!("{seconds:.1} s") };
    format!("{} in {took}", counted(outcome.requests.sent, "1 request", "requests"))
}

fn troubles(outcome: &Outcome) -> Vec<Trouble> {
    let causes = |reason: FailureReason| {
        let causes = outcome.failures.told().iter().filter(move |failure| failure.reason == reason);
        causes.map(|failure| {
            let text = shortened(harmless(&failure.text), MAX_CAUSE_CHARACTERS);
            text + &clients_unknown(failure.clients)
        })
    };
    let trouble = |reason: &FailureReason| Trouble {
        reason: reason.name(),
        meaning: failure_help::meaning(*reason),
        remedy: failure_help::remedy(*reason),
        causes: causes(*reason).collect(),
    };
    outcome.failures.reasons().iter().map(trouble).collect()
}

fn counts(outcome: &Outcome, links: &Links<'_>) -> [Count; ClientState::ALL.len()] {
    outcome.by_state().map(|(state, number)| {
        let is_shown_alone = links.view.state == Some(state);
        let view = if is_shown_alone { links.view.of_any_state() } else { links.view.of_state(state) };
        let (word, class, mark) = (word(state), state.name(), mark(state));
        Count { number, word, class, mark, link: links.to(&view), is_shown_alone }
    })
}
