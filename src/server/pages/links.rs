//! Where one gets from a broker on the page.

use url::form_urlencoded;

use super::view::View;
use crate::config::Broker;
use crate::outcome::ProbedClient;

/// Where one gets from a broker on the page.
#[derive(Clone)]
pub(super) struct Links<'a> {
    /// The broker.
    pub(super) broker: &'a Broker,
    /// Its place on the page, which its anchors are made of.
    pub(super) number: usize,
    /// Whether it stands alone on the page.
    pub(super) is_alone: bool,
    /// What the page shows.
    pub(super) view: &'a View,
}

impl Links<'_> {
    /// The address of another view, opened at this broker.
    pub(super) fn to(&self, view: &View) -> String {
        if self.is_alone { view.link() } else { format!("{}#broker-{}", view.link(), self.number) }
    }

    /// This page anew.
    pub(super) fn again(&self) -> String {
        self.to(self.view)
    }

    /// All clients instead of those that are shown.
    pub(super) fn all_clients(&self) -> String {
        self.to(&self.view.of_all())
    }

    /// This broker alone.
    pub(super) fn alone(&self) -> String {
        self.view.of_broker(&self.broker.alias).link()
    }

    /// What Prometheus would be told.
    pub(super) fn metrics(&self) -> String {
        self.probe(&[])
    }

    /// What was asked and answered.
    pub(super) fn debug_view(&self) -> String {
        self.probe(&[("debug", "true")])
    }

    /// What was asked and answered of one client.
    pub(super) fn debug_view_of(&self, told: &ProbedClient) -> String {
        self.probe(&[("client", told.alias()), ("debug", "true")])
    }

    fn probe(&self, more: &[(&str, &str)]) -> String {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("broker", &self.broker.alias)
            .extend_pairs(more)
            .finish();
        format!("probe?{query}")
    }
}
