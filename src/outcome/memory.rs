//! What a broker remembers of a client.

use jiff::Timestamp;
use serde::Serialize;

use crate::client::BanEnd;

/// What the broker remembers of a client.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Memory {
    /// When the newest of its signs of life was published, if there is any.
    pub seen: Remembered<Timestamp>,
    /// When the ban on its client ID ends, if there is one. Only of a client that is not known.
    pub ban: Remembered<BanEnd>,
    /// Each subscription that it must have; empty unless the broker knows the client.
    pub subscriptions: Vec<ExpectedSubscription>,
}

/// Something that a broker may remember.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Remembered<T> {
    /// It was not asked, or not answered.
    #[default]
    Unknown,
    /// The broker remembers nothing.
    Nothing,
    /// This is remembered.
    Fact(T),
}

impl<T: Copy> Remembered<T> {
    /// Returns what is remembered, if that is known and there is anything.
    #[must_use]
    pub fn fact(&self) -> Option<T> {
        match self {
            Self::Fact(fact) => Some(*fact),
            Self::Unknown | Self::Nothing => None,
        }
    }

    /// Returns whether anything is remembered; `None` where that is not known.
    #[must_use]
    pub fn is_there(&self) -> Option<bool> {
        match self {
            Self::Unknown => None,
            Self::Nothing => Some(false),
            Self::Fact(_) => Some(true),
        }
    }
}

/// A subscription that a client must have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExpectedSubscription {
    /// The topic filter, as EMQX spells it.
    pub topic: String,
    /// Whether the client has it.
    #[serde(rename = "present")]
    pub is_present: bool,
}
