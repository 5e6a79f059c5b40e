//! The requests for what a broker remembers.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::super::request::{Policy, Rank, Retries};
use crate::client::{Group, WatchedClient};
use crate::emqx::wire::{ListPage, RetainedMessage};
use crate::emqx::{BanPage, EmqxApi, RequestLimits, Response};

/// Maximum body of a response about one client or one topic, or of the settings, in bytes.
const MAX_SMALL_BYTES: usize = 1024 * 1024;

/// Maximum body of the subscriptions of a client, in bytes. 3 000 of them are 344 kB, and EMQX does not page them.
const MAX_SUBSCRIPTIONS_BYTES: usize = 4 * 1024 * 1024;

/// Maximum body of a page, in bytes. 10 000 retained messages are 1.8 MB; a topic may have 64 kB.
const MAX_PAGE_BYTES: usize = 64 * 1024 * 1024;

/// A request for something that the broker remembers. The numbers are indexes of the plan that sends it.
#[derive(Debug, Clone)]
pub(in crate::probe) enum MemoryRequest {
    /// The retained message of one topic.
    Retained(usize, Arc<str>),
    /// A page of the retained messages whose topics match a filter.
    RetainedPage(usize, RetainedPage),
    /// Whether messages are retained at all.
    Retainer,
    /// A page of all bans.
    Bans { page: u64, limit: usize },
    /// The ban on one client ID.
    Ban(usize, Arc<WatchedClient>),
    /// The subscriptions of one client.
    Subscriptions(usize, Arc<WatchedClient>),
}

/// A request for a page of retained messages.
#[derive(Debug, Clone)]
pub(in crate::probe) struct RetainedPage {
    pub(super) filter: Arc<str>,
    pub(super) page: u64,
    pub(super) limit: usize,
    /// When the page must have been read.
    pub(super) until: Instant,
}

/// What the broker answered.
#[derive(Debug)]
pub(in crate::probe) enum MemoryAnswer {
    /// To a request for retained messages.
    Retained(ListPage<RetainedMessage>),
    /// Whether messages are retained.
    Retainer(bool),
    /// To a request for bans.
    Bans(BanPage),
    /// The topic filters of a client's subscriptions, if the broker knows the client.
    Subscriptions(Option<Vec<String>>),
}

impl MemoryRequest {
    /// Returns the group that it belongs to.
    pub(super) fn group(&self) -> Group {
        match self {
            Self::Retained(..) | Self::RetainedPage(..) | Self::Retainer => Group::Seen,
            Self::Bans { .. } | Self::Ban(..) => Group::Banned,
            Self::Subscriptions(..) => Group::Subscriptions,
        }
    }

    /// Returns the endpoint, for messages.
    pub(super) fn endpoint(&self) -> &'static str {
        match self {
            Self::Retained(..) | Self::RetainedPage(..) => "GET /mqtt/retainer/messages",
            Self::Retainer => "GET /mqtt/retainer",
            Self::Bans { .. } | Self::Ban(..) => "GET /banned",
            Self::Subscriptions(..) => "GET /clients/{clientid}/subscriptions",
        }
    }

    /// Returns how it is treated; `request_timeout` is that of the configuration.
    pub(in crate::probe) fn policy(&self, request_timeout: Duration) -> Policy {
        let single = Policy {
            limits: RequestLimits { time: request_timeout, body: MAX_SMALL_BYTES },
            rank: Rank::Memory,
            retries: Retries::All,
            is_keyed: false,
            ends_probe_if_refused: false,
        };
        match self {
            Self::Retained(..) | Self::Ban(..) => Policy { is_keyed: true, ..single },
            Self::Retainer => single,
            Self::RetainedPage(_, RetainedPage { until, .. }) => {
                let time = until.saturating_duration_since(Instant::now());
                // A page costs the broker far more than it costs us to wait for it.
                Policy {
                    limits: RequestLimits { time, body: MAX_PAGE_BYTES },
                    retries: Retries::NoTimeouts,
                    ..single
                }
            }
            Self::Bans { .. } => {
                let limits = RequestLimits { time: request_timeout, body: MAX_PAGE_BYTES };
                Policy { limits, retries: Retries::NoTimeouts, ..single }
            }
            Self::Subscriptions(..) => {
                let limits = RequestLimits { time: request_timeout, body: MAX_SUBSCRIPTIONS_BYTES };
                // EMQX asks every node of the cluster: one that hangs would hang again.
                Policy { limits, rank: Rank::Last, retries: Retries::NoTimeouts, ..single }
            }
        }
    }

    /// Returns the path and query that it asks for, below the base of the API.
    pub(in crate::probe) fn target(&self) -> String {
        match self {
            Self::Retained(_, topic) => EmqxApi::retained_target(topic, 1, 1),
            Self::RetainedPage(_, RetainedPage { filter, page, limit, .. }) => {
                EmqxApi::retained_target(filter, *page, *limit)
            }
            Self::Retainer => EmqxApi::RETAINER_TARGET.to_owned(),
            Self::Bans { page, limit } => EmqxApi::bans_target(*page, *limit),
            Self::Ban(_, client) => EmqxApi::ban_target(&client.client_id),
            Self::Subscriptions(_, client) => EmqxApi::subscriptions_target(&client.client_id),
        }
    }

    /// Sends it once.
    pub(in crate::probe) async fn send(self, api: &EmqxApi, limits: RequestLimits) -> Response<MemoryAnswer> {
        match self {
            Self::Retained(_, topic) => {
                api.retained_messages(&topic, 1, 1, limits).await.map(MemoryAnswer::Retained)
            }
            Self::RetainedPage(_, RetainedPage { filter, page, limit, .. }) => {
                api.retained_messages(&filter, page, limit, limits).await.map(MemoryAnswer::Retained)
            }
            Self::Retainer => api.is_retainer_enabled(limits).await.map(MemoryAnswer::Retainer),
            Self::Bans { page, limit } => api.bans(page, limit, limits).await.map(MemoryAnswer::Bans),
            Self::Ban(_, client) => api.ban(&client.client_id, limits).await.map(MemoryAnswer::Bans),
            Self::Subscriptions(_, client) => {
                api.subscriptions(&client.client_id, limits).await.map(MemoryAnswer::Subscriptions)
            }
        }
    }
}
