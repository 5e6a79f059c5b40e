//! `GET /client?broker=ALIAS&client=ALIAS`: everything that is known about one client.

use std::sync::Arc;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use jiff::{SignedDuration, Timestamp};
use url::form_urlencoded;

use super::format::{PageTime, truncated};
use super::html_cell::{HtmlCell, name};
use super::probe_summary::ProbeSummary;
use super::promql::{Query, queries};
use super::refresh::{self, RefreshBar};
use super::series::{ClientSeries, Series};
use super::view::ViewError;
use super::{PageFoot, PageHead, busy_page, bytes, error_page, html, links, page_title};
use crate::client::{Group, Groups, WatchedClient};
use crate::config::{Broker, Config, duration};
use crate::humanize;
use crate::outcome::Outcome;
use crate::probe::{ProbeSpec, Targets};
use crate::sanitize::sanitized;
use crate::server::AppState;
use crate::server::body::send_head;
use crate::server::query::{default_timeout, excerpt};
use crate::table::{COLUMNS, Column, TableRow};

/// Maximum number of characters of the labels of a series.
const MAX_LABEL_CHARACTERS: usize = 300;

/// The parameters of the page.
const PARAMETERS: &str = "broker, client, refresh";

/// Which client is shown.
struct ClientView {
    broker: Arc<Broker>,
    client: Arc<WatchedClient>,
    /// All groups about connection and session, and those of the broker's memory that scrapes request.
    groups: Groups,
    refresh: Option<u32>,
}

/// The content of the page.
#[derive(Template)]
#[template(path = "client_page.html")]
struct ClientPage {
    refresh: RefreshBar,
    home: &'static str,
    all_brokers_link: String,
    broker: String,
    broker_link: String,
    metrics_link: String,
    debug_link: String,
    alias: String,
    state: HtmlCell,
    summary: ProbeSummary,
    facts: Vec<ClientFact>,
    /// `PromQL` selector of all series of the client.
    selector: String,
    series: Vec<SeriesRow>,
    queries: Vec<Query>,
}

/// What is known about the client, as in the table of the overview.
struct ClientFact {
    title: &'static str,
    cell: HtmlCell,
}

/// A series of the client.
struct SeriesRow {
    name: String,
    labels: String,
    value: String,
    /// The time that the value is.
    time: Option<PageTime>,
    help: String,
}

/// Probes the client and shows everything that the broker says about it.
pub(in super::super) async fn get(request: HttpRequest, state: Data<AppState>) -> HttpResponse {
    let view = match ClientView::parse(request.query_string(), &state.active_config.config()) {
        Ok(view) => view,
        Err(error) => return error_page(&error),
    };
    let spec = ProbeSpec {
        targets: Targets::Watched(vec![Arc::clone(&view.client)]),
        groups: view.groups,
        timeout: default_timeout(&view.broker),
        broker: Arc::clone(&view.broker),
    };
    let Ok(outcome) = state.probe_for_page(spec).await else {
        return busy_page(view.refresh);
    };
    let refresh = view.refresh;
    let page = ClientPage::new(&view, outcome, Timestamp::now());
    let title = page_title::titled(&[Some(&format!("{} {}", page.alias, page.state.text)), Some(&page.broker)]);
    let chunks = [PageHead::new(title, refresh).render(), page.render(), PageFoot::new().render()];
    html(HttpResponse::Ok()).body(chunks.map(bytes).concat())
}

/// Returns the headers of the page, without probing the broker.
pub(in super::super) async fn head(request: HttpRequest, state: Data<AppState>) -> HttpResponse {
    match ClientView::parse(request.query_string(), &state.active_config.config()) {
        Ok(_) => send_head(&mut html(HttpResponse::Ok())),
        Err(error) => error_page(&error),
    }
}

impl ClientView {
    fn parse(query: &str, config: &Config) -> Result<Self, ViewError> {
        let (mut broker, mut client, mut refresh) = (None, None, None);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "broker" => broker = Some(value.into_owned()),
                "client" => client = Some(value.into_owned()),
                "refresh" if value.is_empty() => {}
                "refresh" => refresh = Some(refresh::parse(&value)?),
                unknown => return Err(ViewError::UnknownParameter(excerpt(unknown), PARAMETERS)),
            }
        }
        let broker = broker.ok_or(ViewError::MissingParameter("broker"))?;
        let client = client.ok_or(ViewError::MissingParameter("client"))?;
        let unknown_broker = || ViewError::UnknownBroker(excerpt(&broker), config.broker_aliases());
        let broker = Arc::clone(config.broker(&broker).ok_or_else(unknown_broker)?);
        let unknown_client = || ViewError::UnknownClient(excerpt(&client), broker.alias.clone());
        let mut clients = broker.clients.iter();
        let client = Arc::clone(clients.find(|watched| *watched.alias == *client).ok_or_else(unknown_client)?);
        let groups = Group::ALL.into_iter().collect::<Groups>().of_rows();
        let remembered = broker.configured_groups(std::slice::from_ref(&client));
        let groups = groups.union(remembered).union(config.prometheus.collect);
        Ok(Self { broker, client, groups, refresh })
    }
}

impl ClientPage {
    fn new(view: &ClientView, outcome: Outcome, now: Timestamp) -> Self {
        let ClientView { broker, client, refresh, .. } = view;
        let summary = ProbeSummary::from(&outcome);
        let row = outcome.clients.first().map(|client| TableRow { client, broker: &outcome.broker });
        let cells = row.map(|row| (HtmlCell::new(&Column::STATE, row, now), facts(row, client, now)));
        let (state, facts) = cells.unwrap_or_default();
        let series = ClientSeries::of(outcome);
        let selector = sanitized(&series.selector());
        Self {
            refresh: RefreshBar::new(*refresh, |refresh| {
                links::client_page(&broker.alias, &client.alias, refresh)
            }),
            home: links::HOME,
            broker: name(&broker.alias),
            all_brokers_link: links::all_clients(None, *refresh),
            broker_link: links::all_clients(Some(&broker.alias), *refresh),
            metrics_link: links::probe(&broker.alias, &[("client", &client.alias)]),
            debug_link: links::probe(&broker.alias, &[("client", &client.alias), ("debug", "true")]),
            alias: name(&client.alias),
            state,
            summary,
            facts,
            queries: queries(&selector),
            selector,
            series: series.series.iter().map(|series| series_row(series, now)).collect(),
        }
    }
}

/// Returns what is known of the client: its identity, and its cell in every column.
fn facts(row: TableRow<'_>, client: &WatchedClient, now: Timestamp) -> Vec<ClientFact> {
    let text = |title, text| ClientFact { title, cell: HtmlCell { text, ..HtmlCell::default() } };
    let cells =
        COLUMNS.iter().filter(|column| column.is_on_page() && !["alias", "state"].contains(&column.name));
    let cells = cells.map(|column| ClientFact { title: column.title, cell: HtmlCell::new(column, row, now) });
    let labels: Vec<_> = client.labels.texts().collect();
    let identity = [
        text("Client ID", name(&client.client_id)),
        text("Labels", name(&labels.join(", "))),
        text("May be offline for", duration::format(client.offline_after)),
    ];
    let expected = row.client.expected_subscriptions();
    let missing: Vec<_> = expected.iter().filter(|one| !one.is_present).map(|one| one.topic.as_str()).collect();
    let subscriptions = match (expected.len(), missing.is_empty()) {
        (0, _) => String::new(),
        (_, true) => "all present".to_owned(),
        (_, false) => format!("missing: {}", name(&missing.join(", "))),
    };
    let subscriptions = text("Expected subscriptions", subscriptions);
    let configuration = text("Configured in", name(&client.origin.to_string()));
    let all = identity.into_iter().chain(cells).chain([subscriptions, configuration]);
    all.filter(|fact| !fact.cell.text.is_empty()).collect()
}

fn series_row(series: &Series, now: Timestamp) -> SeriesRow {
    let time = time_of(series);
    let value = time.map_or_else(|| series.value.clone(), |time| format!("{} ago", age(time, now)));
    SeriesRow {
        name: series.name.clone(),
        labels: truncated(sanitized(&series.labels), MAX_LABEL_CHARACTERS),
        value,
        time: time.map(PageTime::new),
        help: series.help.clone(),
    }
}

/// Returns how long ago a time was; a time in the future counts as now.
fn age(time: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(time.as_second());
    humanize::age(u64::try_from(seconds).unwrap_or(0))
}

/// Returns the time that the value of a series is.
fn time_of(series: &Series) -> Option<Timestamp> {
    let seconds: f64 = series.name.ends_with("_timestamp_seconds").then(|| series.value.parse().ok())??;
    Timestamp::from_duration(SignedDuration::try_from_secs_f64(seconds).ok()?).ok()
}
