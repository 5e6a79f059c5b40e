//! Under which paths the exporter serves, and the URL under which people and Prometheus reach it.
//!
//! `X-Forwarded-*` headers are not used: anybody can send them. Pages link relatively, which is right behind any proxy.

use url::Url;

/// The prefix of all routes, and the external URL.
#[derive(Debug, Clone, Default)]
pub struct Routing {
    /// Empty, or a path with a leading and without a final slash.
    prefix: String,
    external: Option<Url>,
}

/// Where Prometheus scrapes this exporter.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ScrapeAddress {
    /// Host, and port unless it is the default one.
    pub(super) authority: String,
    /// Whether it is scraped over TLS.
    pub(super) is_https: bool,
    /// Path of the route for probes.
    pub(super) probe_path: String,
}

impl Routing {
    /// Serves below `prefix`; below the path of the external URL if it is `None` or empty.
    #[must_use]
    pub fn new(external: Option<Url>, prefix: Option<&str>) -> Self {
        let prefix =
            prefix.filter(|prefix| !prefix.is_empty()).or(external.as_ref().map(Url::path)).unwrap_or_default();
        Self { prefix: without_final_slash(prefix), external }
    }

    /// Returns the prefix of all routes, which is empty or has a leading but no final slash.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Returns the route that a path names.
    pub(super) fn route<'p>(&self, path: &'p str) -> Option<&'p str> {
        path.strip_prefix(self.prefix.as_str()).filter(|route| route.starts_with('/'))
    }

    /// Returns the URL of the status page.
    pub(super) fn home(&self) -> String {
        match &self.external {
            Some(url) => format!("{}/", url.as_str().trim_end_matches('/')),
            None => format!("{}/", self.prefix),
        }
    }

    /// Returns where to scrape the exporter for a request to `host`, its header of that name. That is the external URL if
    /// the request came through it, and this exporter itself otherwise. A header that is not a host gives none.
    pub(super) fn scrape_address(&self, host: &str, speaks_tls: bool) -> Option<ScrapeAddress> {
        if !is_host(host) {
            return None;
        }
        if let Some(url) = &self.external
            && let Some(authority) = external_authority(url, host)
        {
            let probe_path = without_final_slash(url.path()) + "/probe";
            return Some(ScrapeAddress { authority, is_https: url.scheme() == "https", probe_path });
        }
        let probe_path = format!("{}/probe", self.prefix);
        Some(ScrapeAddress { authority: host.to_owned(), is_https: speaks_tls, probe_path })
    }
}

/// Returns whether a header `Host` names a host, with or without a port.
fn is_host(header: &str) -> bool {
    // Other characters would end the host, or a user name before it.
    let is_plain = |sign: char| sign.is_ascii_alphanumeric() || "-._~:[]".contains(sign);
    header.chars().all(is_plain) && Url::parse(&format!("http://{header}/")).is_ok()
}

/// Returns host and port of the external URL if `host` names the same host, and no other port. Many proxies pass the host
/// without its port.
fn external_authority(url: &Url, host: &str) -> Option<String> {
    let requested = Url::parse(&format!("{}://{host}/", url.scheme())).ok()?;
    let is_same_port = requested.port_or_known_default() == url.port_or_known_default();
    let is_without_port = host.ends_with(']') || !host.contains(':');
    (requested.host() == url.host() && (is_same_port || is_without_port))
        .then(|| Some(format!("{}:{}", url.host_str()?, url.port_or_known_default()?)))?
}

fn without_final_slash(path: &str) -> String {
    path.trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn routing(external: &str, prefix: Option<&str>) -> Routing {
        Routing::new(Url::parse(external).ok(), prefix)
    }

    #[test]
    fn the_prefix_is_the_path_of_the_external_url_unless_it_is_given() {
        for (external, prefix, expected, home) in [
            ("", None, "", "/"),
            ("", Some("/"), "", "/"),
            ("", Some("/emqx"), "/emqx", "/emqx/"),
            ("https://proxy.example", None, "", "https://proxy.example/"),
            ("https://proxy.example/a/b/", None, "/a/b", "https://proxy.example/a/b/"),
            ("https://proxy.example/a", Some(""), "/a", "https://proxy.example/a/"),
            ("https://proxy.example/a", Some("/"), "", "https://proxy.example/a/"),
        ] {
            let routing = routing(external, prefix);
            assert_eq!((routing.prefix(), routing.home().as_str()), (expected, home), "{external} {prefix:?}");
        }
        let routing = routing("", Some("/emqx"));
        assert_eq!(routing.route("/emqx/-/healthy"), Some("/-/healthy"));
        for path in ["/-/healthy", "/emqx", "/emqx-/healthy", "/a/emqx/-/healthy"] {
            assert_eq!(routing.route(path), None, "{path}");
        }
    }

    #[test]
    fn the_external_url_is_scraped_if_the_request_came_through_it() {
        let routing = routing("https://proxy.example/emqx/", Some("/"));
        let external = ScrapeAddress {
            authority: "proxy.example:443".to_owned(),
            is_https: true,
            probe_path: "/emqx/probe".to_owned(),
        };
        for host in ["proxy.example", "PROXY.example", "proxy.example:443"] {
            assert_eq!(routing.scrape_address(host, false).as_ref(), Some(&external), "{host}");
        }
        for host in ["proxy.example:9671", "10.0.0.1:9671", "other.example", "[::1]:443", "an_exporter"] {
            let own =
                ScrapeAddress { authority: host.to_owned(), is_https: false, probe_path: "/probe".to_owned() };
            assert_eq!(routing.scrape_address(host, false), Some(own), "{host}");
        }
        for host in
            ["", "a b", "a:99999", "proxy.example/x", "user@proxy.example", "a?b", "a#b", "a\\b", "a\tb", "::1"]
        {
            assert_eq!(routing.scrape_address(host, false), None, "{host}");
        }
        let routing = Routing::new(Url::parse("http://[::1]:8080").ok(), None);
        for (host, authority) in
            [("[::1]", "[::1]:8080"), ("[::1]:8080", "[::1]:8080"), ("[::1]:9671", "[::1]:9671")]
        {
            let address = routing.scrape_address(host, true);
            assert_eq!(address.map(|address| address.authority).as_deref(), Some(authority), "{host}");
        }
    }
}
