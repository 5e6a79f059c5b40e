//! Which format of the metrics a request prefers.

use actix_web::HttpRequest;
use actix_web::http::header::{Accept, Header as _, Quality};

use crate::metrics::exposition::Format;

/// How precisely a media range of the header `Accept` names a format. The most precise range that matches counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Precision {
    Anything,
    Type,
    Subtype,
    Version,
}

/// Returns the preferred format. `OpenMetrics` must be named: whoever accepts anything gets the text format.
pub(super) fn preferred_format(request: &HttpRequest) -> Format {
    let Ok(accept) = Accept::parse(request) else { return Format::Text };
    let text = preference(&accept, ["text", "plain", "0.0.4"]).map_or(Quality::ZERO, |(_, quality)| quality);
    match preference(&accept, ["application", "openmetrics-text", "1.0.0"]) {
        Some((Precision::Subtype | Precision::Version, quality))
            if quality > Quality::ZERO && quality >= text =>
        {
            Format::OpenMetrics
        }
        _ => Format::Text,
    }
}

/// Returns how much a media type of this version is preferred. Parameters other than the version are ignored.
fn preference(accept: &Accept, [media_type, subtype, version]: [&str; 3]) -> Option<(Precision, Quality)> {
    let matching = accept.iter().filter_map(|range| {
        let names = (range.item.type_().as_str(), range.item.subtype().as_str());
        let precision = match range.item.get_param("version") {
            _ if names == ("*", "*") => Precision::Anything,
            _ if names == (media_type, "*") => Precision::Type,
            None if names == (media_type, subtype) => Precision::Subtype,
            Some(accepted) if names == (media_type, subtype) && accepted == version => Precision::Version,
            _ => return None,
        };
        Some((precision, range.quality))
    });
    matching.max()
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::ACCEPT;
    use actix_web::test::TestRequest;

    use super::*;

    fn preferred(accept: &str) -> Format {
        preferred_format(&TestRequest::default().insert_header((ACCEPT, accept)).to_http_request())
    }

    #[test]
    fn open_metrics_is_sent_to_those_who_prefer_it() {
        for accept in [
            // Prometheus 2.42, and 3.5 with and without protobuf.
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
             text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
             application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
             text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,\
             application/openmetrics-text;version=1.0.0;escaping=underscores;q=0.5,text/plain;version=0.0.4;q=0.2",
            "application/openmetrics-text",
            "Application/OpenMetrics-Text; Version=1.0.0; charset=utf-8",
            "text/plain, application/openmetrics-text",
            "text/*;q=0.9, application/openmetrics-text;q=0.9",
            "text/plain;version=1.0.0, application/openmetrics-text;q=0.1",
        ] {
            assert_eq!(preferred(accept), Format::OpenMetrics, "{accept}");
        }
    }

    #[test]
    fn everybody_else_gets_text() {
        for accept in [
            "",
            "*/*",
            "application/*",
            "text/html,application/xhtml+xml,*/*;q=0.8",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=0.4,text/plain;q=0.5",
            "application/openmetrics-text;q=0.4,text/plain;version=0.0.4;q=0.5",
            "application/openmetrics-text;q=0.4,*/*;q=0.5",
            "application/openmetrics-text;version=0.0.1",
            "application/openmetrics-text;version=2.0.0",
            "application/openmetrics-text;version=1.0.0;q=0,application/openmetrics-text",
            "nonsense",
            "text/plain;version=0.0.4",
        ] {
            assert_eq!(preferred(accept), Format::Text, "{accept}");
        }
        assert_eq!(preferred_format(&TestRequest::default().to_http_request()), Format::Text);
    }
}
