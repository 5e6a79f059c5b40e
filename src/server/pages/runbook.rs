//! `GET /runbook`: the runbook of the alerts, so that their `runbook_url` opens on the exporter itself.

use std::collections::HashMap;
use std::sync::LazyLock;

use actix_web::HttpResponse;
use askama::Template;
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};

use super::{PageFoot, PageHead, bytes, links, page_title};

/// The runbook in Markdown.
const RUNBOOK: &str = include_str!("../../../examples/prometheus/runbook.md");

/// The runbook in HTML.
static HTML: LazyLock<String> = LazyLock::new(|| to_html(RUNBOOK));

/// The content of the page.
#[derive(Template)]
#[template(path = "runbook.html")]
struct RunbookPage {
    home: &'static str,
    /// Without raw HTML of the Markdown, and so safe.
    html: &'static str,
}

/// Returns the page.
pub(in super::super) async fn get() -> HttpResponse {
    let chunks = [
        PageHead::new(page_title::titled(&[Some("Runbook")]), None).render(),
        RunbookPage { home: links::HOME, html: &HTML }.render(),
        PageFoot::new().render(),
    ];
    super::html(HttpResponse::Ok()).body(chunks.map(bytes).concat())
}

/// Renders Markdown. Each heading has the anchor that GitHub gives it, and is one level lower than written, because the
/// page has a heading of its own. Links to other files lead nowhere here and are shown as text, as raw HTML is.
fn to_html(markdown: &str) -> String {
    let anchors = anchors(markdown);
    let mut is_link_shown = Vec::new();
    let events =
        Parser::new_ext(markdown, Options::ENABLE_TABLES).into_offset_iter().filter_map(|(event, range)| {
            match event {
                Event::Html(text) | Event::InlineHtml(text) => Some(Event::Text(text)),
                Event::Start(Tag::Heading { level, classes, attrs, .. }) => {
                    let id = anchors.get(&range.start).map(|anchor| CowStr::from(anchor.clone()));
                    let level = lower(level);
                    Some(Event::Start(Tag::Heading { level, id, classes, attrs }))
                }
                Event::End(TagEnd::Heading(level)) => Some(Event::End(TagEnd::Heading(lower(level)))),
                Event::Start(Tag::Link { ref dest_url, .. }) => {
                    let is_shown = dest_url.starts_with('#') || dest_url.starts_with("https://");
                    is_link_shown.push(is_shown);
                    is_shown.then_some(event)
                }
                Event::End(TagEnd::Link) => is_link_shown.pop().unwrap_or_default().then_some(event),
                _ => Some(event),
            }
        });
    let mut text = String::new();
    html::push_html(&mut text, events);
    text
}

/// Returns the anchor of each heading, by the position of the heading.
fn anchors(markdown: &str) -> HashMap<usize, String> {
    let mut anchors = HashMap::new();
    let mut heading: Option<(usize, String)> = None;
    for (event, range) in Parser::new_ext(markdown, Options::ENABLE_TABLES).into_offset_iter() {
        match (event, &mut heading) {
            (Event::Start(Tag::Heading { .. }), _) => heading = Some((range.start, String::new())),
            (Event::Text(text) | Event::Code(text), Some((_, written))) => written.push_str(&text),
            (Event::End(TagEnd::Heading(_)), _) => {
                anchors.extend(heading.take().map(|(start, text)| (start, anchor(&text))));
            }
            _ => {}
        }
    }
    anchors
}

/// Returns the anchor that GitHub gives to a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
    kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}

fn lower(level: pulldown_cmark::HeadingLevel) -> pulldown_cmark::HeadingLevel {
    use pulldown_cmark::HeadingLevel::{H2, H3, H4, H5, H6};
    match level {
        pulldown_cmark::HeadingLevel::H1 => H2,
        H2 => H3,
        H3 => H4,
        H4 => H5,
        H5 | H6 => H6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_have_anchors_and_neither_raw_html_nor_links_to_files_pass() {
        let html = to_html(
            "# The `Book` of *runs*\n\n## Over_view, 2\n\n<script>alert(1)</script>\n\nA <b>bold</b> [one](#over_view-2), \
             [two](README.md#rules), [three](https://example.org/) and [four](javascript:alert(1)).\n",
        );
        assert_eq!(
            html,
            "<h2 id=\"the-book-of-runs\">The <code>Book</code> of <em>runs</em></h2>\n\
             <h3 id=\"over_view-2\">Over_view, 2</h3>\n\
             &lt;script&gt;alert(1)&lt;/script&gt;\n\
             <p>A &lt;b&gt;bold&lt;/b&gt; <a href=\"#over_view-2\">one</a>, two, \
             <a href=\"https://example.org/\">three</a> and four.</p>\n"
        );
    }
}
