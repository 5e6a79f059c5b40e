//! `GET /probe`: what is asked, and how it is answered.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::HeaderMap;
use actix_web::web::{self, Data};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use tracing::{debug, warn};
use url::form_urlencoded;

use super::{State, text};
use crate::client::{Group, Groups, WatchedClient};
use crate::config::{Broker, Config};
use crate::metrics::exposition::{CONTENT_TYPE, Exposition};
use crate::outcome::Outcome;
use crate::probe::{MAX_TIMEOUT, Of, Question, probe};

/// How long Prometheus waits for the answer, in seconds. It sends this with every scrape.
const SCRAPE_TIMEOUT: &str = "X-Prometheus-Scrape-Timeout-Seconds";

/// Why a request is not worth asking a broker for. The texts go to whoever asked.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("say which broker to ask: /probe?broker=ALIAS; there is {0}")]
    NoBroker(String),
    #[error("say one broker, as `broker` or as `target`, and once; several brokers are several scrapes")]
    SeveralBrokers,
    #[error("there is no broker {0:?} in the configuration; there is {1}")]
    UnknownBroker(String, String),
    #[error("the broker {1:?} has no watched client with the alias {0:?}")]
    UnknownClient(String, String),
    #[error("there is no metric group {0:?}; there are state, session, queue, traffic, process and address")]
    UnknownGroup(String),
    #[error("there is no parameter {0:?}; there are broker (or target), client and collect[]")]
    UnknownParameter(String),
    #[error("the header {SCRAPE_TIMEOUT} must be a number of seconds above the timeout offset of {0} s")]
    BadTimeout(f64),
}

impl Refusal {
    /// The label value it is counted under.
    fn reason(&self) -> &'static str {
        match self {
            Self::NoBroker(_) => "no_broker",
            Self::SeveralBrokers => "several_brokers",
            Self::UnknownBroker(..) => "unknown_broker",
            Self::UnknownClient(..) => "unknown_client",
            Self::UnknownGroup(_) => "unknown_group",
            Self::UnknownParameter(_) => "unknown_parameter",
            Self::BadTimeout(_) => "bad_timeout",
        }
    }
}

/// Answers a scrape. What goes wrong on the broker's side is a 200 that says so.
pub(super) async fn answer(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let question = match question(&request, &state) {
        Ok(question) => question,
        Err(refusal) => {
            // Prometheus shows nobody the text of a 400.
            warn!(reason = refusal.reason(), query = request.query_string(), "refused a probe: {refusal}");
            state.telemetry.probe_refused(refusal.reason());
            return text(HttpResponse::BadRequest(), format!("{refusal}\n"));
        }
    };
    let under_way = state.telemetry.probe_begins();
    let outcome = probe(question).await;
    drop(under_way);
    state.telemetry.probe_ended(&outcome);
    log(&outcome);
    tell(outcome)
}

fn question(request: &HttpRequest, state: &State) -> Result<Question, Refusal> {
    let asked = Parameters::parse(request.query_string())?;
    let broker = asked.broker(&state.config)?;
    Ok(Question {
        of: Of::Watched(asked.clients(&broker)?),
        groups: asked.groups.unwrap_or(state.config.prometheus.collect),
        timeout: timeout(request.headers(), state.timeout_offset, &broker)?,
        broker,
    })
}

/// The parameters of a probe, as they were given.
#[derive(Debug, Default)]
struct Parameters {
    broker: Option<String>,
    clients: BTreeSet<String>,
    groups: Option<Groups>,
}

impl Parameters {
    fn parse(query: &str) -> Result<Self, Refusal> {
        let mut asked = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "broker" | "target" => {
                    if asked.broker.replace(value.into_owned()).is_some() {
                        return Err(Refusal::SeveralBrokers);
                    }
                }
                "client" => {
                    asked.clients.insert(value.into_owned());
                }
                "collect[]" => {
                    let group: Group = value.parse().map_err(|_| Refusal::UnknownGroup(excerpt(&value)))?;
                    asked.groups = Some(asked.groups.unwrap_or(Groups::STATE).with(group));
                }
                // Probe resources of Kubernetes that were copied from the blackbox exporter's send it.
                "module" => {}
                unknown => return Err(Refusal::UnknownParameter(excerpt(unknown))),
            }
        }
        Ok(asked)
    }

    fn broker(&self, config: &Config) -> Result<Arc<Broker>, Refusal> {
        let known = || {
            let aliases: Vec<_> = config.brokers.iter().map(|broker| broker.alias.as_str()).collect();
            aliases.join(", ")
        };
        match self.broker.as_deref() {
            None | Some("") => Err(Refusal::NoBroker(known())),
            Some(alias) => {
                config.broker(alias).cloned().ok_or_else(|| Refusal::UnknownBroker(excerpt(alias), known()))
            }
        }
    }

    /// The watched clients of `broker` that are asked for: all of them, where none is named.
    fn clients(&self, broker: &Broker) -> Result<Vec<Arc<WatchedClient>>, Refusal> {
        if self.clients.is_empty() {
            return Ok(broker.clients.clone());
        }
        let found: Vec<_> =
            broker.clients.iter().filter(|client| self.clients.contains(&client.alias)).cloned().collect();
        let unknown = self.clients.iter().find(|alias| found.iter().all(|client| client.alias != **alias));
        match unknown {
            Some(alias) => Err(Refusal::UnknownClient(excerpt(alias), broker.alias.clone())),
            None => Ok(found),
        }
    }
}

/// How long the probe may take: what Prometheus allows, less the offset for the way back.
fn timeout(headers: &HeaderMap, offset: Duration, broker: &Broker) -> Result<Duration, Refusal> {
    let Some(header) = headers.get(SCRAPE_TIMEOUT) else {
        return Ok(broker.default_timeout().min(MAX_TIMEOUT));
    };
    header
        .to_str()
        .ok()
        .and_then(|seconds| seconds.trim().parse().ok())
        .filter(|seconds: &f64| seconds.is_finite())
        .and_then(|seconds| Duration::try_from_secs_f64(seconds.min(MAX_TIMEOUT.as_secs_f64() * 2.0)).ok())
        .and_then(|allowed| allowed.checked_sub(offset))
        .filter(|left| !left.is_zero())
        .map(|left| left.min(MAX_TIMEOUT))
        .ok_or(Refusal::BadTimeout(offset.as_secs_f64()))
}

/// As much of somebody's words as an error needs to repeat.
fn excerpt(words: &str) -> String {
    words.chars().take(80).collect()
}

/// One line for a probe: its cost at debug level, its failure as a warning.
fn log(outcome: &Outcome) {
    let broker = outcome.broker.as_str();
    let milliseconds = outcome.duration.as_millis();
    debug!(
        broker,
        milliseconds,
        success = outcome.is_success(),
        clients = outcome.clients.len(),
        requests = outcome.account.requests,
        retries = outcome.account.retries,
        "probe"
    );
    for failure in outcome.failures.told() {
        let clients_unknown = failure.clients;
        warn!(broker, reason = failure.reason.name(), clients_unknown, "probe failed: {}", failure.text);
    }
}

/// Tells the outcome. A large one goes out in pieces, each made only when the one before is under way, on a
/// thread where nobody else waits.
fn tell(outcome: Outcome) -> HttpResponse {
    let mut exposition = Exposition::new(outcome);
    let first = exposition.next().unwrap_or_default();
    let Some(second) = exposition.next() else {
        return ok().body(first);
    };
    let rest = stream::unfold(exposition, |mut exposition| async {
        let written = web::block(move || (exposition.next(), exposition)).await;
        let (piece, exposition) = written.ok()?;
        Some((piece?, exposition))
    });
    let pieces = stream::iter([first, second]).chain(rest);
    ok().streaming(pieces.map(Ok::<Bytes, Infallible>))
}

fn ok() -> HttpResponseBuilder {
    let mut answer = HttpResponse::Ok();
    answer.content_type(CONTENT_TYPE);
    answer
}
