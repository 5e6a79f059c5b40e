//! The links of a broker on the page.

use url::form_urlencoded;

use super::view::View;
use crate::config::Broker;
use crate::outcome::ProbedClient;

/// The links of a broker on the page.
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

    /// Returns the URL of the probe, as Prometheus scrapes it.
    pub(super) fn metrics(&self) -> String {
        self.probe(&[])
    }

    /// Returns the URL of the debug view.
    pub(super) fn debug_view(&self) -> String {
        self.probe(&[("debug", "true")])
    }

    /// Returns the URL of the debug view of one client.
    pub(super) fn client_debug_view(&self, client: &ProbedClient) -> String {
        self.probe(&[("client", client.alias()), ("debug", "true")])
    }

    fn probe(&self, parameters: &[(&str, &str)]) -> String {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("broker", &self.broker.alias)
            .extend_pairs(parameters)
            .finish();
        format!("probe?{query}")
    }
}
