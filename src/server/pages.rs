//! The pages for people.

mod broker_section;
pub(super) mod client_page;
mod client_table;
mod fleet_table;
mod format;
mod html_cell;
mod links;
pub(super) mod overview;
mod page_title;
mod probe_summary;
mod promql;
mod refresh;
pub(super) mod runbook;
mod series;
mod view;

use std::sync::LazyLock;

use actix_web::http::header;
use actix_web::{HttpResponse, HttpResponseBuilder};
use askama::Template;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use ring::digest::{SHA256, digest};
use tracing::error;

use self::view::ViewError;
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

/// The start of a page, up to its own content.
#[derive(Template)]
#[template(path = "head.html")]
struct PageHead {
    style: &'static str,
    title: String,
    /// Interval of the automatic refresh, in seconds.
    refresh: Option<u32>,
}

impl PageHead {
    fn new(title: String, refresh: Option<u32>) -> Self {
        Self { style: STYLE, title, refresh }
    }
}

/// The content of a page that answers no question.
#[derive(Template)]
#[template(path = "error.html")]
struct PageError<'a> {
    home: &'static str,
    title: &'a str,
    error: &'a str,
}

/// The end of a page.
#[derive(Template)]
#[template(path = "foot.html")]
struct PageFoot {
    version: &'static str,
    runbook: &'static str,
}

impl PageFoot {
    fn new() -> Self {
        Self { version: version::VERSION, runbook: links::RUNBOOK }
    }
}

fn error_page(error: &ViewError) -> HttpResponse {
    let status = match error {
        ViewError::UnknownBroker(..) | ViewError::UnknownClient(..) => HttpResponse::NotFound(),
        _ => HttpResponse::BadRequest(),
    };
    failed_page(status, "Invalid request", &error.to_string(), None)
}

/// Returns the page of a request that may be repeated after a second. A refresh that the visitor chose goes on.
fn busy_page(refresh: Option<u32>) -> HttpResponse {
    let mut status = HttpResponse::ServiceUnavailable();
    status.insert_header((header::RETRY_AFTER, "1"));
    let error = "Too many concurrent probes (--web.max-probes). Load this page again in a moment.";
    failed_page(status, "Not probed", error, refresh)
}

fn failed_page(status: HttpResponseBuilder, title: &str, error: &str, refresh: Option<u32>) -> HttpResponse {
    let chunks = [
        PageHead::new(page_title::titled(&[Some(title)]), refresh).render(),
        PageError { home: links::HOME, title, error }.render(),
        PageFoot::new().render(),
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
