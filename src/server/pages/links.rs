//! The URLs of the pages and of what they link to, relative so that they work behind a proxy with a path prefix.

use url::form_urlencoded;

use super::html_cell::name;
use super::view::View;
use crate::config::Broker;

/// The overview without parameters.
pub(super) const HOME: &str = "./";

/// The runbook.
pub(super) const RUNBOOK: &str = "runbook";

/// Returns the URL of the overview with these parameters.
pub(super) fn overview(parameters: &[(&str, String)]) -> String {
    with_query(HOME, parameters)
}

/// Returns the URL of the overview, or of its view of one broker, with an interval of its refresh.
pub(super) fn all_clients(broker: Option<&str>, refresh: Option<u32>) -> String {
    let broker = broker.map(|broker| ("broker", broker.to_owned()));
    overview(&broker.into_iter().chain(interval(refresh)).collect::<Vec<_>>())
}

/// Returns the URL of the page of a client, with an interval of its refresh.
pub(super) fn client_page(broker: &str, client: &str, refresh: Option<u32>) -> String {
    let client = [("broker", broker.to_owned()), ("client", client.to_owned())];
    with_query("client", &client.into_iter().chain(interval(refresh)).collect::<Vec<_>>())
}

fn interval(refresh: Option<u32>) -> Option<(&'static str, String)> {
    refresh.map(|seconds| ("refresh", seconds.to_string()))
}

/// Returns the URL of a probe with these parameters.
pub(super) fn probe(broker: &str, parameters: &[(&str, &str)]) -> String {
    let broker = ("broker", broker.to_owned());
    let others = parameters.iter().map(|(name, value)| (*name, (*value).to_owned()));
    with_query("probe", &[broker].into_iter().chain(others).collect::<Vec<_>>())
}

fn with_query(path: &str, parameters: &[(&str, String)]) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// The links of a broker on the overview.
#[derive(Clone)]
pub(super) struct Links<'a> {
    /// The broker.
    pub(super) broker: &'a Broker,
    /// Its index on the page, for anchors.
    pub(super) index: usize,
    /// Whether the page shows no other broker.
    pub(super) is_only_broker: bool,
    /// The current view.
    pub(super) view: &'a View,
}

impl Links<'_> {
    /// Returns the name of the broker.
    pub(super) fn broker_name(&self) -> String {
        name(&self.broker.alias)
    }

    /// Returns the URL of another view, at the anchor of this broker.
    pub(super) fn to(&self, view: &View) -> String {
        if self.is_only_broker { view.link() } else { format!("{}#broker-{}", view.link(), self.index) }
    }

    /// Returns the URL of the current view.
    pub(super) fn refresh(&self) -> String {
        self.to(self.view)
    }

    /// Returns the URL of the view without filters.
    pub(super) fn all_clients(&self) -> String {
        self.to(&self.view.without_filters())
    }

    /// Returns the URL of the view of this broker only.
    pub(super) fn only_broker(&self) -> String {
        self.view.with_broker(&self.broker.alias).link()
    }

    /// Returns the URL of the page of a client.
    pub(super) fn client(&self, alias: &str) -> String {
        client_page(&self.broker.alias, alias, self.view.refresh)
    }

    /// Returns the URL of the probe, as Prometheus scrapes it.
    pub(super) fn metrics(&self) -> String {
        probe(&self.broker.alias, &[])
    }

    /// Returns the URL of the debug view.
    pub(super) fn debug_view(&self) -> String {
        probe(&self.broker.alias, &[("debug", "true")])
    }
}
