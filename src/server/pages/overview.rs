//! `GET /`: every broker with its watched clients. It is streamed: a broker that takes long holds up no other.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use futures_util::stream::{self, Stream, StreamExt as _};
use jiff::Timestamp;
use tokio::time::{Instant, timeout_at};

use super::broker_section::BrokerSection;
use super::html_cell::name;
use super::links::{self, Links};
use super::page_title::Tally;
use super::refresh::RefreshBar;
use super::view::View;
use super::{PageFoot, PageHead, bytes, error_page, html};
use crate::blocking::run_detached;
use crate::client::Groups;
use crate::config::Broker;
use crate::probe::{BROKERS_AT_ONCE, ProbeSpec, Targets};
use crate::server::AppState;
use crate::server::body::{send_head, send_stream};
use crate::server::query::default_timeout;
use crate::table::{self, Column};

/// How long the page waits for its probes before it begins, so that its title can count their clients.
const TITLE_PATIENCE: Duration = Duration::from_secs(1);

/// The page above the first broker.
#[derive(Template)]
#[template(path = "overview_head.html")]
struct OverviewHead<'a> {
    home: &'static str,
    refresh: RefreshBar,
    /// Their names.
    brokers: Vec<String>,
    view: &'a View,
}

/// The section of a broker.
struct Section {
    /// Its place in the configuration.
    index: usize,
    html: askama::Result<String>,
    /// What the title counts of it.
    tally: Tally,
}

/// Probes the brokers and shows their watched clients.
pub(in super::super) async fn get(request: HttpRequest, state: Data<AppState>) -> HttpResponse {
    let config = state.active_config.config();
    let view = match View::parse(request.query_string(), &config) {
        Ok(view) => Arc::new(view),
        Err(error) => return error_page(&error),
    };
    let brokers = view.brokers(&config);
    let (count, is_only_broker) = (brokers.len(), brokers.len() == 1);
    let clients = brokers.iter().map(|broker| broker.clients.len()).sum();
    let refresh = RefreshBar::new(view.refresh, |refresh| view.with_refresh(refresh).link());
    let names = brokers.iter().map(|broker| name(&broker.alias)).collect();
    let header = OverviewHead { home: links::HOME, refresh, brokers: names, view: &view }.render();

    let sections = stream::iter(brokers.into_iter().enumerate()).map({
        let view = Arc::clone(&view);
        let groups = table::groups(config.prometheus.collect, Column::is_on_page);
        move |(index, broker)| {
            let (state, view) = (state.clone(), Arc::clone(&view));
            async move { section(&state, view, groups, broker, index, is_only_broker).await }
        }
    });
    let mut sections = Box::pin(sections.buffer_unordered(BROKERS_AT_ONCE));
    let early = early(&mut sections, count).await;
    let tally = (early.len() == count).then(|| early.iter().map(|section| section.tally).sum());
    let head = PageHead::new(super::page_title::overview(tally, view.broker.as_deref()), view.refresh);

    let sections = stream::iter(early).chain(sections).map(|section| section.html);
    let chunks = stream::iter([head.render(), header]).chain(sections);
    let chunks = chunks.chain(stream::iter([PageFoot::new().render()])).map(bytes);
    send_stream(&request, &mut html(HttpResponse::Ok()), clients, chunks)
}

/// Returns the headers of the page, without probing a broker.
pub(in super::super) async fn head(request: HttpRequest, state: Data<AppState>) -> HttpResponse {
    match View::parse(request.query_string(), &state.active_config.config()) {
        Ok(_) => send_head(&mut html(HttpResponse::Ok())),
        Err(error) => error_page(&error),
    }
}

/// Returns the sections that are ready in time, in the order of the configuration. The others follow as they end.
async fn early(sections: &mut (impl Stream<Item = Section> + Unpin), count: usize) -> Vec<Section> {
    let deadline = Instant::now() + TITLE_PATIENCE;
    let mut early = Vec::new();
    while early.len() < count
        && let Ok(Some(section)) = timeout_at(deadline, sections.next()).await
    {
        early.push(section);
    }
    early.sort_by_key(|section| section.index);
    early
}

/// Probes a broker and renders its section.
async fn section(
    state: &AppState,
    view: Arc<View>,
    groups: Groups,
    broker: Arc<Broker>,
    index: usize,
    is_only_broker: bool,
) -> Section {
    let spec = ProbeSpec {
        targets: Targets::Watched(broker.clients.clone()),
        groups,
        timeout: default_timeout(&broker),
        broker: Arc::clone(&broker),
    };
    let mut probed = state.probe_for_page(spec).await.ok();
    // A broker that does not respond need not be waited for twice.
    if let Some(outcome) = probed.as_mut().filter(|outcome| outcome.requests.answered)
        && !broker.fleets.is_empty()
    {
        let spec = ProbeSpec {
            targets: Targets::Fleets(broker.fleets.clone()),
            groups: Groups::STATE,
            timeout: default_timeout(&broker),
            broker: Arc::clone(&broker),
        };
        if let Ok(of_fleets) = state.probe_for_page(spec).await {
            outcome.add_fleets(of_fleets);
        }
    }
    // Rendering thousands of rows would block this worker for too long.
    let rendered = run_detached(move || {
        let now = Timestamp::now();
        let links = Links { broker: &broker, index, is_only_broker, view: &view };
        (BrokerSection::new(links, probed.as_ref(), now).render(), Tally::of(probed.as_ref(), now))
    });
    let (html, tally) = rendered.await.unwrap_or_else(|_| (Err(askama::Error::Fmt), Tally::default()));
    Section { index, html, tally }
}
