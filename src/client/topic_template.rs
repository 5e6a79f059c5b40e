//! Topics and topic filters of the configuration, in which `${clientid}` and `${alias}` stand for those of each client.

use serde::Serialize;

use super::WatchedClient;

/// MQTT gives the length of a topic in 16 bits.
const MAX_BYTES: usize = u16::MAX as usize;

const CLIENT_ID: &str = "${clientid}";
const ALIAS: &str = "${alias}";

/// EMQX takes a topic that begins so for a subscription of a special kind. Its retainer takes it literally.
const SUBSCRIPTION_PREFIXES: [&str; 3] = ["$share/", "$queue/", EXCLUSIVE];

/// The prefix that EMQX removes from an exclusive subscription.
const EXCLUSIVE: &str = "$exclusive/";

/// What clients leave on a broker: the topics of retained messages that are signs of life, and the filters that must be
/// subscribed to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Topics {
    /// Topics of retained messages that are a sign of life.
    #[serde(rename = "seen_topics")]
    pub seen: Vec<TopicTemplate>,
    /// Topic filters that a client must be subscribed to.
    pub subscriptions: Vec<TopicTemplate>,
}

impl Topics {
    /// Returns whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.seen.is_empty() && self.subscriptions.is_empty()
    }

    /// Returns each list under its key of the configuration.
    #[must_use]
    pub fn by_key(&self) -> [(&'static str, &[TopicTemplate]); 2] {
        [("seen_topics", &self.seen), ("subscriptions", &self.subscriptions)]
    }

    /// Returns all of them.
    pub fn iter(&self) -> impl Iterator<Item = &TopicTemplate> {
        self.seen.iter().chain(&self.subscriptions)
    }
}

/// A topic or topic filter, as it is written in the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct TopicTemplate(Box<str>);

/// Why a text is not a topic or topic filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TopicError {
    /// There is no text.
    #[error("must not be empty")]
    Empty,
    /// It is longer than MQTT allows.
    #[error("too long; MQTT allows at most {MAX_BYTES} bytes")]
    TooLong,
    /// It has characters that MQTT forbids, or advises against and EMQX refuses in requests.
    #[error("must not contain control characters")]
    ControlCharacter,
    /// It has `${...}` with another name.
    #[error(
        "unknown placeholder; {CLIENT_ID} and {ALIAS} stand for those of each client, and variables are not expanded"
    )]
    UnknownPlaceholder,
    /// A wildcard is where MQTT does not allow it.
    #[error("not a topic filter: `+` must be alone in its level, and `#` alone in the last one")]
    MisplacedWildcard,
    /// A wildcard is in a topic of one client.
    #[error("must be one exact topic, without `+` and `#`: it stands for one retained message of each client")]
    NotExact,
    /// It is the filter of a special subscription.
    #[error("must be the topic of a retained message, without $share/, $queue/ and $exclusive/")]
    NotRetained,
    /// A shared subscription lacks its group or its filter.
    #[error("must be $share/GROUP/FILTER, the group without wildcards")]
    IncompleteShare,
    /// A subscription prefix has nothing after it.
    #[error("lacks the topic filter after its prefix")]
    EmptyAfterPrefix,
}

impl TopicTemplate {
    /// Reads a topic of retained messages for all clients of a broker: an exact topic with placeholders, or a filter without.
    ///
    /// # Errors
    /// A [`TopicError`].
    pub fn seen(text: &str) -> Result<Self, TopicError> {
        let template = Self::filter(text)?;
        if template.has_placeholder() && template.has_wildcard() {
            return Err(TopicError::NotExact);
        }
        template.retained()
    }

    /// Reads a topic of retained messages of one client: an exact topic.
    ///
    /// # Errors
    /// A [`TopicError`].
    pub fn seen_of_client(text: &str) -> Result<Self, TopicError> {
        let template = Self::filter(text)?;
        if template.has_wildcard() {
            return Err(TopicError::NotExact);
        }
        template.retained()
    }

    /// Reads a topic filter that a client must be subscribed to.
    ///
    /// # Errors
    /// A [`TopicError`].
    pub fn subscription(text: &str) -> Result<Self, TopicError> {
        if let Some(rest) = text.strip_prefix("$share/") {
            let (group, filter) = rest.split_once('/').ok_or(TopicError::IncompleteShare)?;
            if group.is_empty() || group.contains(['+', '#']) || filter.is_empty() {
                return Err(TopicError::IncompleteShare);
            }
            Self::filter(filter)?;
        } else if let Some(filter) = SUBSCRIPTION_PREFIXES.iter().find_map(|prefix| text.strip_prefix(prefix)) {
            Self::filter(filter).map_err(|error| match error {
                TopicError::Empty => TopicError::EmptyAfterPrefix,
                error => error,
            })?;
        }
        Self::filter(text)
    }

    fn filter(text: &str) -> Result<Self, TopicError> {
        if text.is_empty() {
            return Err(TopicError::Empty);
        }
        if text.len() > MAX_BYTES {
            return Err(TopicError::TooLong);
        }
        if text.contains(char::is_control) {
            return Err(TopicError::ControlCharacter);
        }
        let is_known = |rest: &str| [CLIENT_ID, ALIAS].iter().any(|known| rest.starts_with(&known[2..]));
        if !text.split("${").skip(1).all(is_known) {
            return Err(TopicError::UnknownPlaceholder);
        }
        let levels: Vec<_> = text.split('/').collect();
        let is_misplaced = |(index, level): (usize, &&str)| match *level {
            "+" => false,
            "#" => index + 1 < levels.len(),
            level => level.contains(['+', '#']),
        };
        if levels.iter().enumerate().any(is_misplaced) {
            return Err(TopicError::MisplacedWildcard);
        }
        Ok(Self(text.into()))
    }

    fn retained(self) -> Result<Self, TopicError> {
        if SUBSCRIPTION_PREFIXES.iter().any(|prefix| self.0.starts_with(prefix)) {
            return Err(TopicError::NotRetained);
        }
        Ok(self)
    }

    /// Returns the text as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether it has a placeholder.
    #[must_use]
    pub fn has_placeholder(&self) -> bool {
        self.0.contains("${")
    }

    /// Returns whether it has the placeholder of the alias.
    #[must_use]
    pub fn uses_alias(&self) -> bool {
        self.0.contains(ALIAS)
    }

    /// Returns whether a level after the first is empty, as where a tool has replaced a placeholder by nothing.
    #[must_use]
    pub fn has_empty_level(&self) -> bool {
        self.0.split('/').skip(1).any(str::is_empty)
    }

    /// Returns the topic of a client. `None` where its client ID or alias holds a wildcard: it has no such topic.
    #[must_use]
    pub fn topic_of(&self, client: &WatchedClient) -> Option<String> {
        let is_wild =
            |placeholder: &str, value: &str| self.0.contains(placeholder) && value.contains(['+', '#', '\0']);
        if is_wild(CLIENT_ID, &client.client_id) || is_wild(ALIAS, &client.alias) {
            return None;
        }
        // The client ID may itself look like a placeholder, so each piece is replaced once.
        let mut topic = String::with_capacity(self.0.len() + client.client_id.len());
        let mut rest = &*self.0;
        while let Some((before, after)) = rest.split_once("${") {
            topic.push_str(before);
            let (value, placeholder) = match after.strip_prefix(&CLIENT_ID[2..]) {
                Some(_) => (&client.client_id, CLIENT_ID),
                None => (&client.alias, ALIAS),
            };
            topic.push_str(value);
            rest = after.get(placeholder.len() - 2..).unwrap_or_default();
        }
        topic.push_str(rest);
        Some(topic)
    }

    /// Returns a bound for the length of a client's topic, without making it.
    #[must_use]
    pub fn max_topic_bytes(&self, client: &WatchedClient) -> usize {
        let placeholders = self.0.matches("${").count();
        self.0.len() + placeholders * client.client_id.len().max(client.alias.len())
    }

    /// Returns the subscription of a client as EMQX spells it: it removes `$exclusive/`, and no other prefix.
    #[must_use]
    pub fn subscription_of(&self, client: &WatchedClient) -> Option<String> {
        let topic = self.topic_of(client)?;
        Some(topic.strip_prefix(EXCLUSIVE).map(ToOwned::to_owned).unwrap_or(topic))
    }

    /// Returns how the topics of many clients are listed at once: possible where each placeholder fills a level.
    #[must_use]
    pub fn listing(&self) -> Option<TopicListing> {
        let placeholder_at = |level: &str| match level {
            CLIENT_ID => Some(Placeholder::ClientId),
            ALIAS => Some(Placeholder::Alias),
            _ => None,
        };
        let (level, placeholder) = self
            .0
            .split('/')
            .enumerate()
            .find_map(|(index, level)| placeholder_at(level).map(|placeholder| (index, placeholder)))?;
        let filter: Vec<_> =
            self.0.split('/').map(|level| if placeholder_at(level).is_some() { "+" } else { level }).collect();
        let filter = filter.join("/");
        (!filter.contains("${")).then_some(TopicListing { filter, level, placeholder })
    }

    fn has_wildcard(&self) -> bool {
        self.0.contains(['+', '#'])
    }
}

/// How the topics of many clients are listed at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicListing {
    /// The topic filter.
    pub filter: String,
    /// The level of a topic that names its client, the first being 0.
    pub level: usize,
    /// How it names it.
    pub placeholder: Placeholder,
}

/// What a placeholder stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placeholder {
    /// The MQTT client ID.
    ClientId,
    /// The alias.
    Alias,
}

impl Placeholder {
    /// Returns what it stands for.
    #[must_use]
    pub fn of(self, client: &WatchedClient) -> &str {
        match self {
            Self::ClientId => &client.client_id,
            Self::Alias => &client.alias,
        }
    }
}

/// Returns whether the levels of a topic match a topic filter (MQTT 5, section 4.7). A filter that begins with a wildcard
/// does not stand for topics that begin with `$`, which is not considered here: EMQX 5.5 to 5.8.1 lists them all the same.
#[must_use]
pub fn levels_match(filter: &str, topic: &str) -> bool {
    let mut levels = topic.split('/');
    for wanted in filter.split('/') {
        match (wanted, levels.next()) {
            // `#` matches the level above it too.
            ("#", _) => return true,
            ("+", Some(_)) => {}
            (wanted, Some(level)) if wanted == level => {}
            _ => return false,
        }
    }
    levels.next().is_none()
}

#[cfg(test)]
mod tests;
