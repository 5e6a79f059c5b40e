//! `GET /`: the page for people. It asks the brokers while it is being sent, shows each as it has answered, and
//! remembers nothing.

mod clients;
mod links;
mod section;
mod view;
mod words;

use std::convert::Infallible;
use std::pin::pin;
use std::sync::{Arc, LazyLock};

use actix_web::http::header;
use actix_web::rt::spawn;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use askama::Template;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use futures_util::stream::{self, Stream, StreamExt as _};
use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use tracing::error;

use self::links::Links;
use self::section::Section;
use self::view::{Refusal, View};
use self::words::machine_moment;
use super::AppState;
use super::connections::Connection;
use super::query::default_timeout;
use crate::blocking::run_detached;
use crate::config::Broker;
use crate::humanize::moment;
use crate::probe::{BROKERS_AT_ONCE, ProbeSpec, Targets};
use crate::table::{self, Column};
use crate::version;

const STYLE: &str = include_str!("pages/page.css");

/// Nothing but this one style, nothing from elsewhere, no script, and in nobody's frame.
static CONTENT_SECURITY_POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = BASE64_STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; img-src data:; form-action 'self'; base-uri 'none'; \
         frame-ancestors 'none'"
    )
});

/// The page down to the first broker.
#[derive(Template)]
#[template(path = "head.html")]
struct Head<'a> {
    style: &'static str,
    /// When the page was opened: for programs, and for people.
    opened: (String, String),
    brokers: &'a [Arc<Broker>],
    /// What the page shows; nothing where it only says why it cannot.
    view: Option<&'a View>,
}

impl<'a> Head<'a> {
    fn new(brokers: &'a [Arc<Broker>], view: Option<&'a View>) -> Self {
        let now = Timestamp::now();
        Self { style: STYLE, opened: (machine_moment(now), moment(now)), brokers, view }
    }
}

/// Why the page cannot be shown.
#[derive(Template)]
#[template(path = "refusal.html")]
struct Refused<'a> {
    refusal: &'a Refusal,
}

/// The page below the last broker.
#[derive(Template)]
#[template(path = "foot.html")]
struct Foot {
    version: &'static str,
}

/// Shows the brokers and their watched clients, as they are at this moment.
pub(super) async fn answer(request: HttpRequest, state: Data<AppState>) -> HttpResponse {
    let config = state.active_config.config();
    let view = match View::parse(request.query_string(), &config) {
        Ok(view) => Arc::new(view),
        Err(refusal) => return refuse(&refusal),
    };
    let brokers = view.brokers(&config);
    let head = Head::new(&brokers, Some(&view)).render();
    let is_alone = brokers.len() == 1;
    let clients = brokers.iter().map(|broker| broker.clients.len()).sum();

    let sections = stream::iter(brokers.into_iter().enumerate())
        .map(move |(number, broker)| {
            let (state, view) = (state.clone(), Arc::clone(&view));
            async move { section(&state, view, broker, number, is_alone).await }
        })
        .buffered(BROKERS_AT_ONCE);
    let foot = Foot { version: version::VERSION }.render();
    let pieces = stream::iter([head]).chain(sections).chain(stream::iter([foot]));
    if let Some(connection) = request.conn_data::<Arc<Connection>>() {
        connection.hold_clients(clients);
    }
    html(HttpResponse::Ok()).streaming(produced(pieces.map(sent)))
}

/// Returns the pieces of a page, which are produced whether or not its client reads: its probes end in time. The rest is
/// left out when the client closes the connection.
fn produced(pieces: impl Stream<Item = Bytes> + 'static) -> impl Stream<Item = Result<Bytes, Infallible>> {
    // As many pieces as brokers: the queue is bounded by the configuration.
    let (sender, receiver) = mpsc::unbounded_channel();
    let producer = spawn(async move {
        let mut pieces = pin!(pieces);
        while let Some(piece) = pieces.next().await {
            if sender.send(piece).is_err() {
                break;
            }
        }
    });
    let producer = AbortOnDropHandle::new(producer);
    stream::unfold((receiver, producer), async |(mut receiver, producer)| {
        Some((Ok(receiver.recv().await?), (receiver, producer)))
    })
}

/// What a page would be sent with. No broker is asked for it.
pub(super) async fn head(request: HttpRequest, state: Data<AppState>) -> HttpResponse {
    match View::parse(request.query_string(), &state.active_config.config()) {
        // Of unknown length, as the page itself.
        Ok(_) => html(HttpResponse::Ok()).streaming(stream::empty::<Result<Bytes, Infallible>>()),
        Err(refusal) => refuse(&refusal),
    }
}

/// Asks a broker and tells of it.
async fn section(
    state: &AppState,
    view: Arc<View>,
    broker: Arc<Broker>,
    number: usize,
    is_alone: bool,
) -> askama::Result<String> {
    let question = ProbeSpec {
        targets: Targets::Watched(broker.clients.clone()),
        groups: table::groups(Column::is_on_page),
        timeout: default_timeout(&broker),
        broker: Arc::clone(&broker),
    };
    let asked = state.probe_for_page(question).await.ok();
    // Thousands of rows take longer to write than others should wait for this thread.
    let written = run_detached(move || {
        let outcome = asked.as_ref();
        let links = Links { broker: &broker, number, is_alone, view: &view };
        Section::new(links, outcome, Timestamp::now()).render()
    });
    written.await.unwrap_or(Err(askama::Error::Fmt))
}

fn refuse(refusal: &Refusal) -> HttpResponse {
    let status = match refusal {
        Refusal::UnknownBroker(..) => HttpResponse::NotFound(),
        _ => HttpResponse::BadRequest(),
    };
    let pieces = [
        Head::new(&[], None).render(),
        Refused { refusal }.render(),
        Foot { version: version::VERSION }.render(),
    ];
    html(status).body(pieces.map(sent).concat())
}

/// Writing to memory does not fail; if it does, the page says so in this place and goes on.
fn sent(piece: askama::Result<String>) -> Bytes {
    let piece = piece.unwrap_or_else(|error| {
        error!("a part of the page could not be written: {error}");
        "<p>This part of the page could not be written.</p>".to_owned()
    });
    piece.into()
}

/// A page that is kept by nobody and obeys nobody else.
fn html(mut answer: HttpResponseBuilder) -> HttpResponseBuilder {
    answer
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY.as_str()))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        // Names of clients stand in the addresses of its views.
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::CACHE_CONTROL, "no-store"));
    answer
}
