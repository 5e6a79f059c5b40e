//! Shares of the watched clients, for one broker with more clients than one scrape carries.

use std::fmt;
use std::str::FromStr;

/// Maximum number of shares.
pub(crate) const MAX_SHARDS: u32 = 1_000;

/// One of several shares of the watched clients.
///
/// Which share a client falls to depends on its client ID alone, so every exporter says the same, now and after an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shard {
    index: u32,
    count: u32,
}

/// Not a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be I/N, with N from 1 to {MAX_SHARDS} and I from 0 to N-1, such as 0/4")]
pub struct NoShard;

impl Shard {
    /// Returns all shares of this many.
    pub(crate) fn all(count: u32) -> impl Iterator<Item = Self> {
        (0..count).map(move |index| Self { index, count })
    }

    /// Returns its number, the first being 0.
    pub(crate) fn index(self) -> u32 {
        self.index
    }

    /// Returns whether the client with this ID falls to this share.
    pub(crate) fn contains(self, client_id: &str) -> bool {
        fnv_1a(client_id) % u64::from(self.count) == u64::from(self.index)
    }
}

impl FromStr for Shard {
    type Err = NoShard;

    fn from_str(text: &str) -> Result<Self, NoShard> {
        let (index, count) = text.split_once('/').ok_or(NoShard)?;
        let (index, count) = (parse(index)?, parse(count)?);
        if index < count && count <= MAX_SHARDS { Ok(Self { index, count }) } else { Err(NoShard) }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.index, self.count)
    }
}

/// Parses a number without a sign, which `u32` alone would accept.
fn parse(text: &str) -> Result<u32, NoShard> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten().ok_or(NoShard)
}

/// Returns the FNV-1a hash of a text, with 64 bits.
fn fnv_1a(text: &str) -> u64 {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    text.bytes().fold(OFFSET_BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_published_one() {
        // Test vectors of draft-eastlake-fnv.
        assert_eq!(fnv_1a(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv_1a("a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(fnv_1a("foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn each_client_falls_to_one_share_and_the_shares_are_of_similar_size() {
        let mut sizes = [0_u32; 4];
        for number in 0..10_000 {
            let client_id = format!("device-{number:05}");
            let shares: Vec<_> = Shard::all(4).filter(|shard| shard.contains(&client_id)).collect();
            let [share] = shares.as_slice() else { panic!("{client_id} falls to {shares:?}") };
            sizes[share.index() as usize] += 1;
        }
        assert!(sizes.iter().all(|size| (2_300..2_700).contains(size)), "{sizes:?}");
    }

    #[test]
    fn shares_are_parsed_strictly() {
        assert_eq!("3/4".parse::<Shard>().map(|shard| shard.to_string()), Ok("3/4".to_owned()));
        for wrong in [
            "",
            "0",
            "/",
            "0/0",
            "4/4",
            "-0/2",
            "+0/2",
            "0/+2",
            "0 /2",
            "0/1001",
            "0/2/3",
            "1.0/2",
            "0/99999999999",
        ] {
            assert_eq!(wrong.parse::<Shard>(), Err(NoShard), "{wrong}");
        }
    }
}
