//! Requests for what a broker remembers: retained messages, bans, and the subscriptions of a client.

use jiff::Timestamp;
use tokio::task::spawn_blocking;

use super::http::RawResponse;
use super::wire::{self, BanRow, ListPage, RetainedMessage};
use super::{EmqxApi, RequestError, RequestLimits, Response, url};

/// A page of bans, and when they were current.
#[derive(Debug)]
pub struct BanPage {
    /// Its rows, in the broker's order.
    pub rows: Vec<BanRow>,
    /// How many bans the broker has, if it says so.
    pub count: Option<u64>,
    /// When the broker answered, by its own clock.
    pub at: Option<Timestamp>,
}

impl EmqxApi {
    /// The path of the settings of the retainer.
    pub const RETAINER_TARGET: &str = url::RETAINER;

    /// Returns the path and query of a page of retained messages.
    #[must_use]
    pub fn retained_target(filter: &str, page: u64, limit: usize) -> String {
        url::retained_path(filter, page, limit)
    }

    /// Returns the path and query of a page of bans.
    #[must_use]
    pub fn bans_target(page: u64, limit: usize) -> String {
        url::bans_path(page, limit)
    }

    /// Returns the path and query of the ban on a client ID.
    #[must_use]
    pub fn ban_target(client_id: &str) -> String {
        url::ban_path(client_id)
    }

    /// Returns the path of the subscriptions of a client.
    #[must_use]
    pub fn subscriptions_target(client_id: &str) -> String {
        url::subscriptions_path(client_id)
    }

    /// Requests a page of the retained messages whose topics match a filter, without their payloads; the first page is 1,
    /// and the oldest message comes first. EMQX before 5.5 ignores the filter.
    ///
    /// # Errors
    /// Every [`RequestError`].
    pub async fn retained_messages(
        &self,
        filter: &str,
        page: u64,
        limit: usize,
        limits: RequestLimits,
    ) -> Response<ListPage<RetainedMessage>> {
        let target = Self::retained_target(filter, page, limit);
        if limit == 1 {
            return self.read(target, limits, |response| wire::retained_messages(response.json(), 1)).await;
        }
        let (exchange, response) = self.http.get(target, limits.body, limits.time).await;
        let answer = match response {
            // Reading thousands of messages takes a while, and other tasks of this thread must not wait that long.
            Ok(response) => spawn_blocking(move || {
                response.expect_ok()?;
                wire::retained_messages(response.json(), limit)
            })
            .await
            .unwrap_or_else(|_| Err(RequestError::decode("a page that cannot be read"))),
            Err(error) => Err(error),
        };
        Response { answer, exchange }
    }

    /// Asks whether the broker retains messages at all.
    ///
    /// # Errors
    /// Every [`RequestError`].
    pub async fn is_retainer_enabled(&self, limits: RequestLimits) -> Response<bool> {
        let target = Self::RETAINER_TARGET.to_owned();
        self.read(target, limits, |response| wire::is_retainer_enabled(response.json())).await
    }

    /// Requests a page of all bans, the first being 1.
    ///
    /// # Errors
    /// Every [`RequestError`].
    pub async fn bans(&self, page: u64, limit: usize, limits: RequestLimits) -> Response<BanPage> {
        self.read(Self::bans_target(page, limit), limits, |response| read_bans(response, limit)).await
    }

    /// Requests the ban on a client ID. EMQX before 5.8.1 answers with all bans.
    ///
    /// # Errors
    /// Every [`RequestError`].
    pub async fn ban(&self, client_id: &str, limits: RequestLimits) -> Response<BanPage> {
        self.read(Self::ban_target(client_id), limits, |response| read_bans(response, usize::MAX)).await
    }

    /// Requests the topic filters that a client is subscribed to, of which EMQX asks every node of the cluster. `None` means
    /// that the broker does not know the client.
    ///
    /// # Errors
    /// Every [`RequestError`].
    pub async fn subscriptions(&self, client_id: &str, limits: RequestLimits) -> Response<Option<Vec<String>>> {
        let target = Self::subscriptions_target(client_id);
        let (exchange, response) = self.http.get(target, limits.body, limits.time).await;
        let answer = response.and_then(|response| {
            if response.is_unknown_client() {
                return Ok(None);
            }
            response.expect_ok()?;
            wire::subscriptions(response.json(), client_id).map(Some)
        });
        Response { answer, exchange }
    }

    /// Requests a target whose only good status is 200.
    async fn read<T>(
        &self,
        target: String,
        limits: RequestLimits,
        read: impl FnOnce(&RawResponse) -> Result<T, RequestError>,
    ) -> Response<T> {
        let (exchange, response) = self.http.get(target, limits.body, limits.time).await;
        let answer = response.and_then(|response| response.expect_ok().and_then(|()| read(&response)));
        Response { answer, exchange }
    }
}

fn read_bans(response: &RawResponse, limit: usize) -> Result<BanPage, RequestError> {
    let ListPage { rows, count } = wire::bans(response.json(), limit)?;
    Ok(BanPage { rows, count, at: response.date() })
}
