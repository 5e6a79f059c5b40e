//! The simulated fleets of both brokers: clients that are counted, and not watched one by one.

use fake_emqx::{FakeEmqx, Row};

use crate::devices::NODES;
use crate::simulation::CYCLE;

/// A fleet, and the devices that are simulated for it.
pub(crate) struct Fleet {
    /// The alias in the configuration.
    pub(crate) alias: &'static str,
    /// `client_id` in the configuration.
    pub(crate) pattern: &'static str,
    pub(crate) expected_connected: u64,
    pub(crate) expected_sessions: u64,
    members: Option<Members>,
}

/// Devices whose client IDs are this prefix and a number.
struct Members {
    prefix: &'static str,
    count: u64,
    nodes: &'static [&'static str],
    /// How many of them are disconnected during the whole demo.
    lost: u64,
    /// How many of them acknowledge messages slowly.
    slow: u64,
}

/// The fleets of `LocalEMQX`.
pub(crate) const LOCAL_FLEETS: &[Fleet] = &[
    // Two watched devices, of which one is disconnected for a part of each cycle. That is no alert.
    Fleet {
        alias: "air-sensors",
        pattern: "qingping-*",
        expected_connected: 2,
        expected_sessions: 2,
        members: None,
    },
    // Three of them do not come back. Their sessions wait for them, and their queues fill.
    Fleet {
        alias: "thermostats",
        pattern: "thermostat-*",
        expected_connected: 24,
        expected_sessions: 24,
        members: Some(Members {
            prefix: "thermostat-",
            count: 24,
            nodes: &["emqx@127.0.0.1"],
            lost: 3,
            slow: 0,
        }),
    },
];

/// The fleets of `FactoryEMQX`.
pub(crate) const FACTORY_FLEETS: &[Fleet] = &[Fleet {
    alias: "scanners",
    pattern: "scanner-*",
    expected_connected: 36,
    expected_sessions: 40,
    members: Some(Members { prefix: "scanner-", count: 40, nodes: &NODES, lost: 0, slow: 3 }),
}];

impl Fleet {
    /// Updates the broker. One device after the other is disconnected for a moment in each cycle.
    pub(crate) fn advance(&self, second: u64, fake: &FakeEmqx) {
        let Some(members) = &self.members else { return };
        for number in 0..members.count {
            let row = members.row(number, second);
            if second == 0 {
                fake.add(row);
            } else {
                fake.change(&members.client_id(number), |_| row.clone());
            }
        }
    }
}

impl Members {
    fn client_id(&self, number: u64) -> String {
        format!("{}{number:02}", self.prefix)
    }

    fn row(&self, number: u64, second: u64) -> Row {
        let roams = (second + 7 * number) % CYCLE < 3;
        let (is_lost, is_slow) = (number < self.lost, (self.lost..self.lost + self.slow).contains(&number));
        let is_v5 = number.is_multiple_of(3);
        let row = Row::like(match (is_lost || roams, is_v5) {
            (false, false) => "plain-user-1",
            (false, true) => "v5-props",
            (true, false) => "persist-v311",
            (true, true) => "persist-v5",
        });
        let queued = if is_lost {
            (second / 4).min(200)
        } else if is_slow {
            5 + second % 40
        } else {
            0
        };
        row.client_id(&self.client_id(number))
            .username(Some(self.prefix.trim_end_matches('-')))
            .set("node", self.nodes.iter().cycle().nth(usize::from(is_v5)).copied().unwrap_or_default())
            .set("mqueue_len", queued)
            .set("mqueue_dropped", 0)
            .set("inflight_cnt", u64::from(is_slow) * 4)
            .subscribed(["commands/all"])
    }
}
