//! Simulates the devices second by second.

use fake_emqx::{Ban, FakeEmqx, Retained, Row};
use jiff::{SignedDuration, Timestamp};

use crate::devices::{Behavior, Device, Protocol, UNLIMITED};

/// Seconds after which the simulation repeats. Not a multiple of usual scrape intervals, so that each scrape sees
/// another part of it.
pub(crate) const CYCLE: u64 = 64;

/// Seconds of a cycle in which a brief connection begins, and how many it lasts.
const BRIEF: std::ops::Range<u64> = 30..32;

/// State of a device on its broker.
#[derive(Clone, Copy, PartialEq)]
enum DeviceState {
    Connected,
    /// Disconnected; the broker keeps the session.
    Disconnected,
    /// Unknown to the broker.
    Absent,
}

/// A device and what its broker knows about it.
pub(crate) struct Simulation {
    device: &'static Device,
    state: DeviceState,
    created_at: Timestamp,
    connected_at: Timestamp,
    disconnected_at: Timestamp,
    /// Messages of the connection that the broker received and sent, by quality of service.
    received: [u64; 3],
    sent: [u64; 3],
    /// Dropped messages of the connection.
    dropped: u64,
    /// Messages of the connection without PUBREL.
    unreleased: u64,
    /// Queued, unacknowledged and dropped messages of the session.
    queued: u64,
    inflight: u64,
    queue_dropped: u64,
}

impl Simulation {
    /// The device at the start of the demo.
    pub(crate) fn new(device: &'static Device, now: Timestamp) -> Self {
        let ago = |hours: u64| now - SignedDuration::from_hours(i64::try_from(hours).unwrap_or_default());
        let is_sleeping = device.behavior == Behavior::Sleeping;
        let created_at = ago(device.session_hours);
        let connected_since = if is_sleeping { 0 } else { device.session_hours * 3600 };
        Self {
            device,
            state: DeviceState::Absent,
            created_at,
            connected_at: if is_sleeping { ago(8) } else { created_at },
            disconnected_at: ago(7),
            received: device.publishes.map(|messages| messages * connected_since),
            sent: if device.has_queue() {
                [0; 3]
            } else {
                device.receives.map(|messages| messages * connected_since)
            },
            dropped: 0,
            unreleased: 0,
            queued: if device.has_queue() { device.queue_limit / 2 } else { 0 },
            inflight: 0,
            queue_dropped: 0,
        }
    }

    /// Sets up what the broker remembers of the device when the demo starts.
    pub(crate) fn remember(&self, now: Timestamp, fake: &FakeEmqx) {
        let id = self.device.client_id;
        match self.device.behavior {
            Behavior::Stopped => fake.retain(Retained::by_rule(id).at(now - SignedDuration::from_hours(5))),
            Behavior::Brief => fake.retain(Retained::by_rule(id).at(now - SignedDuration::from_secs(30))),
            _ => {}
        }
    }

    /// Advances by a second and updates the broker.
    pub(crate) fn advance(&mut self, second: u64, now: Timestamp, fake: &FakeEmqx) {
        let state = self.device.state(second);
        let previous = std::mem::replace(&mut self.state, state);
        if self.device.reconnects(second) || state == DeviceState::Connected && previous != state && second > 0
        {
            self.connect(previous, now);
        }
        if state != DeviceState::Connected && previous == DeviceState::Connected {
            self.disconnected_at = now;
        }
        if state == DeviceState::Connected {
            self.exchange(second);
        }
        self.queue(second);
        self.update(previous, fake);
        if self.device.behavior == Behavior::Banned && second.is_multiple_of(CYCLE) {
            fake.unban(self.device.client_id);
            fake.ban(Ban::by_flapping_detection(self.device.client_id));
        }
    }

    /// Resets the counters of the connection, and the session unless the broker kept it.
    fn connect(&mut self, previous: DeviceState, now: Timestamp) {
        self.connected_at = now;
        (self.received, self.sent, self.dropped, self.unreleased) = ([0; 3], [0; 3], 0, 0);
        if previous == DeviceState::Absent || self.device.expiry == 0 {
            (self.created_at, self.queued, self.queue_dropped) = (now, 0, 0);
        }
    }

    /// Counts messages to the broker, and those from it that are not queued.
    fn exchange(&mut self, second: u64) {
        for (total, messages) in self.received.iter_mut().zip(self.device.publishes) {
            *total += messages;
        }
        self.sent[0] += self.device.receives[0];
        self.sent[2] += self.device.receives[2];
        if self.device.publishes[2] > 0 && second.is_multiple_of(8) {
            self.unreleased += 1;
        }
    }

    /// Queues messages for the device, delivers what it takes, and drops what exceeds the limit.
    fn queue(&mut self, second: u64) {
        let waiting = self.queued + self.device.receives[1];
        let taken = self.device.accepts(second, self.state).min(waiting);
        let (left, limit) = (waiting - taken, self.device.queue_limit);
        self.queued = if limit == UNLIMITED { left } else { left.min(limit) };
        self.sent[1] += taken;
        self.dropped += left - self.queued;
        self.queue_dropped += left - self.queued;
        self.inflight = if self.state == DeviceState::Connected { self.queued.min(10) } else { 0 };
    }

    /// Updates the broker in one step.
    fn update(&self, previous: DeviceState, fake: &FakeEmqx) {
        let id = self.device.client_id;
        match (previous, self.state) {
            (DeviceState::Absent, DeviceState::Absent) => {}
            (_, DeviceState::Absent) => {
                fake.remove(id);
            }
            (DeviceState::Absent, _) => fake.add(self.row()),
            _ => fake.change(id, |_| self.row()),
        }
    }

    /// The broker's row for the device: a recorded one with the device's values.
    fn row(&self) -> Row {
        let device = self.device;
        let row = Row::like(match (self.state, device.protocol) {
            (DeviceState::Connected, Protocol::V311) => "plain-user-1",
            (DeviceState::Connected, Protocol::V5) => "v5-props",
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
        .subscribed(device.subscribed.iter().copied());
        let row = self.with_traffic(row);
        if self.state == DeviceState::Connected {
            // Only a connected client has byte counters.
            return row
                .set("recv_oct", 42 + 64 * sum(self.received))
                .set("send_oct", 4 + 96 * sum(self.sent))
                .set("awaiting_rel_cnt", device.publishes[2] * (self.received[2] / 2 % 3));
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
    fn has_queue(&self) -> bool {
        matches!(self.behavior, Behavior::Polling | Behavior::SlowConsumer)
    }

    fn state(&self, second: u64) -> DeviceState {
        let in_cycle = second % CYCLE;
        let is_connected = match self.behavior {
            Behavior::Stable | Behavior::Flapping | Behavior::SlowConsumer => true,
            Behavior::Intermittent => !(20..40).contains(&in_cycle),
            Behavior::Polling => in_cycle >= 40,
            Behavior::LongOutages => second % (4 * CYCLE) < 150,
            Behavior::Brief => BRIEF.contains(&in_cycle),
            Behavior::Sleeping => false,
            Behavior::Stopped | Behavior::Banned | Behavior::NeverConnects => return DeviceState::Absent,
        };
        match self.expiry {
            _ if is_connected => DeviceState::Connected,
            0 => DeviceState::Absent,
            _ => DeviceState::Disconnected,
        }
    }

    /// Returns whether it reconnects in this second.
    fn reconnects(&self, second: u64) -> bool {
        self.behavior == Behavior::Flapping && second % 7 == 6
    }

    /// Number of queued messages that it accepts in this second.
    fn accepts(&self, second: u64, state: DeviceState) -> u64 {
        match self.behavior {
            _ if state != DeviceState::Connected => 0,
            Behavior::Polling => 150,
            Behavior::SlowConsumer if second % 32 < 20 => 4,
            Behavior::SlowConsumer => 30,
            _ => u64::MAX,
        }
    }
}

fn sum(messages: [u64; 3]) -> u64 {
    messages.iter().sum()
}

/// A time in EMQX's format.
fn time_of(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3f+00:00").to_string()
}
