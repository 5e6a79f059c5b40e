//! `GET /`: the page for people. It is streamed: each broker appears when its probe has ended.

mod broker_section;
mod client_table;
mod format;
mod links;
mod view;

use std::sync::{Arc, LazyLock};

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use askama::Template;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use tracing::error;

use self::broker_section::BrokerSection;
use self::format::PageTime;
use self::links::Links;
use self::view::{View, ViewError};
use super::AppState;
use super::body::{send_head, send_stream};
use super::query::default_timeout;
use crate::blocking::run_detached;
use crate::client::Groups;
use crate::config::Broker;
use crate::probe::{BROKERS_AT_ONCE, ProbeSpec, Targets};
use crate::table::{self, Column};
use crate::version;

const STYLE: &str = include_str!("pages/page.css");

/// Allows the style of the page only: no script, no other resource, no embedding.
static CONTENT_SECURITY_POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = BASE64_STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; img-src data:; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'"
    )
});

/// The page above the first broker.
#[derive(Template)]
#[template(path = "head.html")]
struct PageHead<'a> {
    style: &'static str,
    opened: PageTime,
    brokers: &'a [Arc<Broker>],
    /// `None` on an error page.
    view: Option<&'a View>,
}

impl<'a> PageHead<'a> {
    fn new(brokers: &'a [Arc<Broker>], view: Option<&'a View>) -> Self {
        Self { style: STYLE, opened: PageTime::new(Timestamp::now()), brokers, view }
    }
}

/// The error on an error page.
#[derive(Template)]
#[template(path = "error.html")]
struct PageError<'a> {
    error: &'a ViewError,
}

/// The page below the last broker.
#[derive(Template)]
#[template(path = "foot.html")]
struct PageFoot {
    version: &'static str,
}

/// Probes the brokers and shows their watched clients.
pub(super) async fn get(request: HttpRequest, state: Data<AppState>) -> HttpResponse {
    let config = state.active_config.config();
    let view = match View::parse(request.query_string(), &config) {
        Ok(view) => Arc::new(view),
        Err(error) => return error_page(&error),
    };
    let brokers = view.brokers(&config);
    let head = PageHead::new(&brokers, Some(&view)).render();
    let is_only_broker = brokers.len() == 1;
    let clients = brokers.iter().map(|broker| broker.clients.len()).sum();

    let sections = stream::iter(brokers.into_iter().enumerate())
        .map(move |(index, broker)| {
            let (state, view) = (state.clone(), Arc::clone(&view));
            async move { section(&state, view, broker, index, is_only_broker).await }
        })
        .buffered(BROKERS_AT_ONCE);
    let foot = PageFoot { version: version::VERSION }.render();
    let chunks = stream::iter([head]).chain(sections).chain(stream::iter([foot])).map(bytes);
    send_stream(&request, &mut html(HttpResponse::Ok()), clients, chunks)
}

/// Returns the headers of the page, without probing a broker.
pub(super) async fn head(request: HttpRequest, state: Data<AppState>) -> HttpResponse {
    match View::parse(request.query_string(), &state.active_config.config()) {
        Ok(_) => send_head(&mut html(HttpResponse::Ok())),
        Err(error) => error_page(&error),
    }
}

/// Probes a broker and renders its section.
async fn section(
    state: &AppState,
    view: Arc<View>,
    broker: Arc<Broker>,
    index: usize,
    is_only_broker: bool,
) -> askama::Result<String> {
    let spec = ProbeSpec {
        targets: Targets::Watched(broker.clients.clone()),
        groups: table::groups(Column::is_on_page),
        timeout: default_timeout(&broker),
        broker: Arc::clone(&broker),
    };
    let mut probed = state.probe_for_page(spec).await.ok();
    let fleets = (!broker.fleets.is_empty()).then(|| ProbeSpec {
        targets: Targets::Fleets(broker.fleets.clone()),
        groups: Groups::STATE,
        timeout: default_timeout(&broker),
        broker: Arc::clone(&broker),
    });
    // A broker that does not respond need not be waited for twice.
    if let (Some(fleets), Some(outcome)) = (fleets, &mut probed)
        && outcome.requests.answered
        && let Ok(of_fleets) = state.probe_for_page(fleets).await
    {
        outcome.add_fleets(of_fleets);
    }
    // Rendering thousands of rows would block this worker for too long.
    let rendered = run_detached(move || {
        let links = Links { broker: &broker, index, is_only_broker, view: &view };
        BrokerSection::new(links, probed.as_ref(), Timestamp::now()).render()
    });
    rendered.await.unwrap_or(Err(askama::Error::Fmt))
}

fn error_page(error: &ViewError) -> HttpResponse {
    let status = match error {
        ViewError::UnknownBroker(..) => HttpResponse::NotFound(),
        _ => HttpResponse::BadRequest(),
    };
    let chunks = [
        PageHead::new(&[], None).render(),
        PageError { error }.render(),
        PageFoot { version: version::VERSION }.render(),
    ];
    html(status).body(chunks.map(bytes).concat())
}

/// Returns the chunk, or a notice in its place if it cannot be rendered.
fn bytes(chunk: askama::Result<String>) -> Bytes {
    let chunk = chunk.unwrap_or_else(|error| {
        error!("cannot render a part of the page: {error}");
        "<p>This part of the page could not be rendered.</p>".to_owned()
    });
    chunk.into()
}

/// Sets the headers of a page.
fn html(mut response: HttpResponseBuilder) -> HttpResponseBuilder {
    response
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY.as_str()))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        // The URL may contain names of clients.
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::CACHE_CONTROL, "no-store"));
    response
}
