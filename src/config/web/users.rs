//! `basic_auth_users`: the users that have access, each with the bcrypt hash of a password.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

use bcrypt::HashParts;

use crate::config::node_ref::NodeRef;

/// The costs that bcrypt allows.
const COSTS: RangeInclusive<u32> = 4..=31;
/// Above this cost, checking a password takes seconds of processor time.
const MAX_COST_WITHOUT_WARNING: u32 = 14;
/// Above this cost, it takes longer than Prometheus waits for an answer.
const MAX_COST: u32 = 18;

/// The users that have access. Their hashes are never shown.
#[derive(Default)]
pub struct Users {
    hashes: BTreeMap<String, String>,
    /// The hash against which passwords of unknown users are checked, so that they take as long as those of known
    /// ones. It has the highest cost of all: where costs differ, a lower one would reveal itself by its response time.
    decoy: String,
}

impl Users {
    /// Returns whether there are no users; access then needs no password.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Returns the hash to check a user's password against, and whether the user exists. No password matches the
    /// hash of an unknown user.
    pub(crate) fn hash_of(&self, user: &str) -> (&str, bool) {
        self.hashes.get(user).map_or((&self.decoy, false), |hash| (hash, true))
    }

    fn new(hashes: BTreeMap<String, String>, highest_cost: u32) -> Self {
        // Salt and hash of zeros: dots are the zeros of bcrypt's base64.
        let decoy = format!("$2b${highest_cost:02}${}", ".".repeat(53));
        Self { hashes, decoy }
    }

    #[cfg(test)]
    pub(crate) fn of_one(user: &str, hash: &str) -> Self {
        Self::new([(user.to_owned(), hash.to_owned())].into(), 4)
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.hashes.keys()).finish()
    }
}

/// Reads the users.
pub(super) fn read(value: &NodeRef<'_>) -> Users {
    let (mut hashes, mut highest_cost) = (BTreeMap::new(), *COSTS.start());
    let entries = value.entries("a mapping of user names to bcrypt hashes").unwrap_or_default();
    if value.is_mapping() && entries.is_empty() {
        value.error("lists no users; remove the key to turn authentication off");
    }
    for (name, hash) in entries {
        let user = read_name(&name);
        let hash = user.filter(|user| is_showable(user)).map_or_else(|| hash.clone(), |user| hash.under(user));
        let (Some(user), Some((hash, cost))) = (user, read_hash(&hash)) else { continue };
        highest_cost = highest_cost.max(cost);
        if hashes.insert(user.to_owned(), hash.to_owned()).is_some() {
            name.error("a user is listed twice; keep one of the entries");
        }
    }
    Users::new(hashes, highest_cost)
}

fn read_name<'d>(name: &NodeRef<'d>) -> Option<&'d str> {
    let user = name.line("given user names that are not empty")?;
    if user.contains(':') {
        name.error("a user name must not contain a colon; is a space missing after it?");
        return None;
    }
    Some(user)
}

/// Returns whether a name looks like one. Anything else may be a misplaced hash or password.
fn is_showable(user: &str) -> bool {
    user.len() <= 40 && user.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-@".contains(&byte))
}

fn read_hash<'d>(value: &NodeRef<'d>) -> Option<(&'d str, u32)> {
    const EXPECTED: &str = "a bcrypt hash of 60 characters that begins with $2y$, $2b$ or $2a$; \
                            `htpasswd -nBC 10 USER` makes one";
    let hash = value.text(EXPECTED)?;
    let Some(parts) = hash.parse::<HashParts>().ok().filter(|_| !hash.starts_with("$2x$")) else {
        return value.expected(EXPECTED);
    };
    let cost = parts.get_cost();
    if !COSTS.contains(&cost) {
        return value.expected(EXPECTED);
    }
    if cost > MAX_COST {
        value.error(format_args!(
            "has a bcrypt cost of {cost}, which takes longer than any scrape; 10 to 12 is usual, {MAX_COST} the maximum"
        ));
        return None;
    }
    if cost > MAX_COST_WITHOUT_WARNING {
        value.diagnostics().warning(format!(
            "{} has a bcrypt cost of {cost}: checking a password takes seconds of processor time; 10 to 12 is usual",
            value.name()
        ));
    }
    Some((hash, cost))
}
