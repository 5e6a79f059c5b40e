//! Bans, and the broker's list of them.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::list_query::Paging;
use crate::recorded::Version;

/// How long a ban by flapping detection lasts by default.
const FLAPPING_BAN: SignedDuration = SignedDuration::from_mins(5);

/// A ban as the broker lists it.
#[derive(Clone, Debug)]
pub struct Ban {
    kind: String,
    who: String,
    by: String,
    reason: String,
    at: String,
    /// `None` is forever.
    until: Option<String>,
}

impl Ban {
    /// A ban on exactly this client ID, made just now by the API, forever.
    #[must_use]
    pub fn client_id(id: &str) -> Self {
        Self::of("clientid", id)
    }

    /// A ban of another kind: `username`, `peerhost`, `clientid_re`, `username_re` or `peerhost_net`. It affects no
    /// client of the fake.
    #[must_use]
    pub fn of(kind: &str, who: &str) -> Self {
        Self {
            kind: kind.into(),
            who: who.into(),
            by: "mgmt_api".into(),
            reason: String::new(),
            at: time_text(Timestamp::now()),
            until: None,
        }
    }

    /// A ban by flapping detection, made just now, for 5 min.
    #[must_use]
    pub fn by_flapping_detection(id: &str) -> Self {
        let ban = Self::client_id(id).by("flapping detector").reason("flapping is detected");
        ban.until(Timestamp::now() + FLAPPING_BAN)
    }

    /// Sets who made it.
    #[must_use]
    pub fn by(mut self, by: &str) -> Self {
        self.by = by.into();
        self
    }

    /// Sets why.
    #[must_use]
    pub fn reason(mut self, reason: &str) -> Self {
        self.reason = reason.into();
        self
    }

    /// Sets when it was made, as text.
    #[must_use]
    pub fn at_text(mut self, text: &str) -> Self {
        self.at = text.into();
        self
    }

    /// Sets its end, in whole seconds. The broker lists a ban for up to a minute after its end; the fake lists it until
    /// it is removed.
    #[must_use]
    pub fn until(self, time: Timestamp) -> Self {
        self.until_text(&time_text(time))
    }

    /// Sets its end to this text, which need not be a time.
    #[must_use]
    pub fn until_text(mut self, text: &str) -> Self {
        self.until = Some(text.into());
        self
    }

    fn is_on(&self, id: &str) -> bool {
        self.kind == "clientid" && self.who == id
    }

    fn row(&self, version: Version) -> Value {
        // Before 5.8.1 every ban has an end, of a year where none was given.
        let forever = || match version {
            Version::V6_2_2 | Version::V5_8_9 => "infinity".into(),
            Version::V5_0_26 => time_text(Timestamp::now() + SignedDuration::from_hours(24 * 365)),
        };
        json!({
            "reason": self.reason,
            "at": self.at,
            "until": self.until.clone().unwrap_or_else(forever),
            "who": self.who,
            "by": self.by,
            "as": self.kind,
        })
    }
}

/// The broker's bans in the order in which they were made.
#[derive(Default)]
pub(crate) struct BanList {
    bans: Vec<Ban>,
}

impl BanList {
    /// Adds a ban. Returns the client ID that it closes the connection and discards the session of.
    pub(crate) fn add(&mut self, ban: Ban) -> Option<String> {
        let kicked = (ban.kind == "clientid").then(|| ban.who.clone());
        self.bans.push(ban);
        kicked
    }

    pub(crate) fn remove(&mut self, id: &str) -> bool {
        let before = self.bans.len();
        self.bans.retain(|ban| !ban.is_on(id));
        self.bans.len() < before
    }

    /// The body of a page of the list, or of the bans on exactly this client ID.
    pub(crate) fn page(&self, version: Version, client_id: Option<&str>, paging: Paging) -> String {
        let found: Vec<&Ban> =
            self.bans.iter().filter(|ban| client_id.is_none_or(|id| ban.is_on(id))).collect();
        let mut meta = json!({ "count": found.len(), "limit": paging.limit, "page": paging.page });
        if client_id.is_some() {
            meta["hasnext"] = false.into();
        }
        let rows: Vec<_> = paging.cut(found).into_iter().map(|ban| ban.row(version)).collect();
        json!({ "data": rows, "meta": meta }).to_string()
    }
}

/// A time in EMQX's format for bans, in whole seconds.
fn time_text(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S+00:00").to_string()
}
