//! The fleet: a table of devices, and what becomes of each of them, second by second.

use fake_emqx::{FakeEmqx, Row};
use jiff::{SignedDuration, Timestamp};

/// After so many seconds everything happens again. No multiple of a usual scrape interval, so that scrapes see
/// another part of it each time.
pub(crate) const CYCLE: u64 = 64;

/// What EMQX calls a queue without a limit.
const UNLIMITED: u64 = 0;

/// A device, as its maker built it.
pub(crate) struct Device {
    /// Its name for people.
    pub(crate) alias: &'static str,
    /// Its MQTT client ID.
    pub(crate) client_id: &'static str,
    /// How long it may be away, where the default does not fit.
    pub(crate) offline_after: Option<&'static str>,
    username: Option<&'static str>,
    node: &'static str,
    protocol: Protocol,
    habit: Habit,
    /// In seconds; 0 is none.
    keepalive: u64,
    /// For how many seconds the broker holds its session; 0 is not at all.
    expiry: u64,
    /// The age of its session in hours.
    hours: u64,
    /// Messages it sends each second with quality of service 0, 1 and 2.
    sends: [u64; 3],
    /// Messages that come for it each second with quality of service 0, 1 and 2. Here only those of 1 are queued.
    gets: [u64; 3],
    queue_limit: u64,
}

#[derive(Clone, Copy, PartialEq)]
enum Protocol {
    V311,
    V5,
}

/// What a device does with its connection.
#[derive(Clone, Copy, PartialEq)]
enum Habit {
    /// Stays connected.
    Stays,
    /// Is away for a while in each cycle.
    ComesAndGoes,
    /// Loses its connection every few seconds, and is back at once.
    Flaps,
    /// Comes for what was queued for it, and leaves again.
    Fetches,
    /// Stays connected, and is slow to acknowledge what it gets.
    Dawdles,
    /// Is away for longer than a gateway should be, every few cycles.
    Strays,
    /// Wakes once a day, and not now.
    Sleeps,
    /// Was never seen.
    NeverCame,
}

/// What most devices have in common.
const DEVICE: Device = Device {
    alias: "",
    client_id: "",
    offline_after: None,
    username: None,
    node: "emqx@127.0.0.1",
    protocol: Protocol::V311,
    habit: Habit::Stays,
    keepalive: 60,
    expiry: 0,
    hours: 24,
    sends: [0, 0, 0],
    gets: [0, 0, 0],
    queue_limit: 1000,
};

/// The clients of `LocalEMQX`, a single node.
pub(crate) const LOCAL: &[Device] = &[
    Device {
        alias: "HumidifierWaterRefTerm",
        client_id: "humidifier-water-refterm",
        username: Some("humidifier"),
        keepalive: 10,
        hours: 16,
        sends: [1, 0, 0],
        gets: [0, 1, 0],
        ..DEVICE
    },
    Device {
        alias: "QingpingCO2_Room1",
        client_id: "qingping-DEADBEEF1234",
        username: Some("qingping"),
        keepalive: 120,
        hours: 3,
        sends: [1, 0, 0],
        ..DEVICE
    },
    Device {
        alias: "QingpingCO2_Room2",
        client_id: "qingping-DEADBEEF5678",
        username: Some("qingping"),
        habit: Habit::ComesAndGoes,
        keepalive: 120,
        expiry: 7200,
        hours: 30,
        sends: [1, 0, 0],
        ..DEVICE
    },
    Device { alias: "RTL433_Room1", client_id: "rtl433/room 1", hours: 24 * 33, sends: [29, 0, 0], ..DEVICE },
    Device { alias: "RTL433_Room2", client_id: "rtl433/room 2", hours: 24 * 30, sends: [217, 0, 0], ..DEVICE },
    Device {
        alias: "DoorSensor",
        client_id: "door-sensor",
        username: Some("door"),
        habit: Habit::ComesAndGoes,
        keepalive: 300,
        hours: 50,
        ..DEVICE
    },
    Device {
        alias: "LeakSensor_Cellar",
        client_id: "leak-sensor-cellar",
        offline_after: Some("26h"),
        username: Some("leak"),
        protocol: Protocol::V5,
        habit: Habit::Sleeps,
        keepalive: 900,
        expiry: 7 * 24 * 3600,
        hours: 24 * 200,
        ..DEVICE
    },
    Device {
        alias: "Gateway",
        client_id: "gateway",
        offline_after: Some("1m"),
        username: Some("gateway"),
        protocol: Protocol::V5,
        expiry: 3600,
        hours: 24 * 12,
        sends: [3, 2, 0],
        gets: [1, 4, 0],
        ..DEVICE
    },
    Device { alias: "GardenPump", client_id: "garden-pump", habit: Habit::NeverCame, ..DEVICE },
];

/// The nodes of `FactoryEMQX`, a cluster.
const NODES: [&str; 2] = ["emqx@emqx-0.emqx", "emqx@emqx-1.emqx"];

/// The client of `FactoryEMQX` that cannot be looked up now and then.
pub(crate) const TROUBLED: &str = "press-7";

/// The clients of `FactoryEMQX`.
pub(crate) const FACTORY: &[Device] = &[
    // The same alias and client ID as on the other broker: they are two devices.
    Device {
        alias: "Gateway",
        client_id: "gateway",
        offline_after: Some("1m"),
        username: Some("gateway"),
        node: NODES[0],
        protocol: Protocol::V5,
        habit: Habit::Strays,
        expiry: 3600,
        hours: 24 * 90,
        sends: [40, 10, 0],
        gets: [20, 5, 0],
        ..DEVICE
    },
    Device {
        alias: "Press_7",
        client_id: TROUBLED,
        username: Some("press"),
        node: NODES[0],
        keepalive: 30,
        hours: 24 * 7,
        sends: [0, 5, 0],
        gets: [0, 1, 0],
        ..DEVICE
    },
    Device {
        alias: "ForkliftTerminal",
        client_id: "forklift-terminal-2",
        offline_after: Some("8h"),
        username: Some("forklift"),
        node: NODES[1],
        protocol: Protocol::V5,
        habit: Habit::Fetches,
        expiry: 24 * 3600,
        hours: 24 * 5,
        sends: [0, 1, 0],
        gets: [0, 40, 0],
        ..DEVICE
    },
    Device {
        alias: "LineDisplay",
        client_id: "line-display",
        username: Some("display"),
        node: NODES[1],
        protocol: Protocol::V5,
        habit: Habit::Dawdles,
        expiry: 600,
        hours: 9,
        gets: [2, 12, 0],
        queue_limit: 100,
        ..DEVICE
    },
    Device {
        alias: "WeldingRobot",
        client_id: "welding-robot",
        username: Some("welding"),
        node: NODES[0],
        habit: Habit::Flaps,
        keepalive: 5,
        hours: 1,
        sends: [8, 1, 0],
        ..DEVICE
    },
    // A client chooses its own user name.
    Device {
        alias: "GuestTablet",
        client_id: "guest-tablet",
        username: Some("<script>alert(1)</script>"),
        node: NODES[1],
        hours: 2,
        sends: [1, 0, 0],
        gets: [3, 0, 1],
        ..DEVICE
    },
    Device {
        alias: "Scale_Dock3",
        client_id: "scale-dock3",
        node: NODES[0],
        keepalive: 0,
        hours: 24 * 400,
        sends: [0, 0, 2],
        queue_limit: UNLIMITED,
        ..DEVICE
    },
];

/// Where a device is.
#[derive(Clone, Copy, PartialEq)]
enum Presence {
    Connected,
    /// The broker holds its session.
    Away,
    /// The broker does not know it.
    Absent,
}

/// A device as it lives on its broker.
pub(crate) struct Life {
    device: &'static Device,
    presence: Presence,
    created_at: Timestamp,
    connected_at: Timestamp,
    disconnected_at: Timestamp,
    /// Of the connection: messages the broker received from it and sent to it, by quality of service.
    received: [u64; 3],
    sent: [u64; 3],
    /// Of the connection: messages for it that were dropped.
    dropped: u64,
    /// Of the connection: messages that it never released.
    unreleased: u64,
    /// Of the session: what waits for it, what was sent and not acknowledged, and what was dropped.
    queued: u64,
    inflight: u64,
    queue_dropped: u64,
}

impl Life {
    /// The device when the demo begins.
    pub(crate) fn new(device: &'static Device, now: Timestamp) -> Self {
        let ago = |hours: u64| now - SignedDuration::from_hours(i64::try_from(hours).unwrap_or_default());
        let sleeps = device.habit == Habit::Sleeps;
        let created_at = ago(device.hours);
        let connected_since = if sleeps { 0 } else { device.hours * 3600 };
        Self {
            device,
            presence: Presence::Absent,
            created_at,
            connected_at: if sleeps { ago(8) } else { created_at },
            disconnected_at: ago(7),
            received: device.sends.map(|messages| messages * connected_since),
            sent: if device.queues() { [0; 3] } else { device.gets.map(|messages| messages * connected_since) },
            dropped: 0,
            unreleased: 0,
            queued: if device.queues() { device.queue_limit / 2 } else { 0 },
            inflight: 0,
            queue_dropped: 0,
        }
    }

    /// Lets a second pass, and shows what became of the device on its broker.
    pub(crate) fn pass(&mut self, second: u64, now: Timestamp, fake: &FakeEmqx) {
        let presence = self.device.presence(second);
        let was = std::mem::replace(&mut self.presence, presence);
        if self.device.reconnects(second) || presence == Presence::Connected && was != presence && second > 0 {
            self.connect(was, now);
        }
        if presence != Presence::Connected && was == Presence::Connected {
            self.disconnected_at = now;
        }
        if presence == Presence::Connected {
            self.exchange(second);
        }
        self.queue(second);
        self.show(was, fake);
    }

    /// Counters of the connection begin anew, and so does the session unless the broker held it.
    fn connect(&mut self, was: Presence, now: Timestamp) {
        self.connected_at = now;
        (self.received, self.sent, self.dropped, self.unreleased) = ([0; 3], [0; 3], 0, 0);
        if was == Presence::Absent || self.device.expiry == 0 {
            (self.created_at, self.queued, self.queue_dropped) = (now, 0, 0);
        }
    }

    /// Messages to the broker, and those from it that are not queued.
    fn exchange(&mut self, second: u64) {
        for (total, messages) in self.received.iter_mut().zip(self.device.sends) {
            *total += messages;
        }
        self.sent[0] += self.device.gets[0];
        self.sent[2] += self.device.gets[2];
        if self.device.sends[2] > 0 && second.is_multiple_of(8) {
            self.unreleased += 1;
        }
    }

    /// What comes for it waits until it takes it, and what finds no place is dropped.
    fn queue(&mut self, second: u64) {
        let waiting = self.queued + self.device.gets[1];
        let taken = self.device.takes(second, self.presence).min(waiting);
        let (left, limit) = (waiting - taken, self.device.queue_limit);
        self.queued = if limit == UNLIMITED { left } else { left.min(limit) };
        self.sent[1] += taken;
        self.dropped += left - self.queued;
        self.queue_dropped += left - self.queued;
        self.inflight = if self.presence == Presence::Connected { self.queued.min(10) } else { 0 };
    }

    /// The broker never knows half of a change.
    fn show(&self, was: Presence, fake: &FakeEmqx) {
        let id = self.device.client_id;
        match (was, self.presence) {
            (Presence::Absent, Presence::Absent) => {}
            (_, Presence::Absent) => drop(fake.remove(id)),
            (Presence::Absent, _) => fake.add(self.row()),
            _ => fake.change(id, |_| self.row()),
        }
    }

    /// The device as its broker tells it: a recorded row, with its own values.
    fn row(&self) -> Row {
        let device = self.device;
        let row = Row::like(match (self.presence, device.protocol) {
            (Presence::Connected, Protocol::V311) => "plain-user-1",
            (Presence::Connected, Protocol::V5) => "v5-props",
            (_, Protocol::V311) => "persist-v311",
            (_, Protocol::V5) => "persist-v5",
        })
        .client_id(device.client_id)
        .username(device.username)
        .set("node", device.node)
        .set("keepalive", device.keepalive)
        .set("expiry_interval", device.expiry)
        .set("clean_start", device.expiry == 0)
        .set("is_persistent", device.expiry > 0)
        .set("created_at", time_of(self.created_at))
        .set("connected_at", time_of(self.connected_at))
        .set("subscriptions_cnt", u64::from(device.gets != [0; 3]));
        let row = self.with_traffic(row);
        if self.presence == Presence::Connected {
            // Only a connection has a socket that counts.
            return row
                .set("recv_oct", 42 + 64 * sum(self.received))
                .set("send_oct", 4 + 96 * sum(self.sent))
                .set("awaiting_rel_cnt", device.sends[2] * (self.received[2] / 2 % 3));
        }
        row.set("disconnected_at", time_of(self.disconnected_at))
    }

    fn with_traffic(&self, row: Row) -> Row {
        let ([r0, r1, r2], [s0, s1, s2]) = (self.received, self.sent);
        row.set("recv_msg", r0 + r1 + r2)
            .set("recv_msg.qos0", r0)
            .set("recv_msg.qos1", r1)
            .set("recv_msg.qos2", r2)
            .set("recv_msg.dropped", self.unreleased)
            .set("recv_msg.dropped.await_pubrel_timeout", self.unreleased)
            .set("recv_pkt", 1 + r0 + r1 + 2 * r2 + s1 + 2 * s2)
            .set("send_msg", s0 + s1 + s2)
            .set("send_msg.qos0", s0)
            .set("send_msg.qos1", s1)
            .set("send_msg.qos2", s2)
            .set("send_msg.dropped", self.dropped)
            .set("send_msg.dropped.queue_full", self.dropped)
            .set("send_pkt", 1 + s0 + s1 + 2 * s2 + r1 + 2 * r2)
            .set("inflight_cnt", self.inflight)
            .set("mqueue_len", self.queued)
            .set("mqueue_max", self.device.queue_limit)
            .set("mqueue_dropped", self.queue_dropped)
    }
}

impl Device {
    fn queues(&self) -> bool {
        matches!(self.habit, Habit::Fetches | Habit::Dawdles)
    }

    fn presence(&self, second: u64) -> Presence {
        let in_cycle = second % CYCLE;
        let is_connected = match self.habit {
            Habit::Stays | Habit::Flaps | Habit::Dawdles => true,
            Habit::ComesAndGoes => !(20..40).contains(&in_cycle),
            Habit::Fetches => in_cycle >= 40,
            Habit::Strays => second % (4 * CYCLE) < 150,
            Habit::Sleeps => false,
            Habit::NeverCame => return Presence::Absent,
        };
        match self.expiry {
            _ if is_connected => Presence::Connected,
            0 => Presence::Absent,
            _ => Presence::Away,
        }
    }

    /// Whether it lost its connection just now and made another one.
    fn reconnects(&self, second: u64) -> bool {
        self.habit == Habit::Flaps && second % 7 == 6
    }

    /// How many queued messages it takes in this second.
    fn takes(&self, second: u64, presence: Presence) -> u64 {
        match self.habit {
            _ if presence != Presence::Connected => 0,
            Habit::Fetches => 150,
            Habit::Dawdles if second % 32 < 20 => 4,
            Habit::Dawdles => 30,
            _ => u64::MAX,
        }
    }
}

fn sum(messages: [u64; 3]) -> u64 {
    messages.iter().sum()
}

/// As EMQX writes it.
fn time_of(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3f+00:00").to_string()
}
