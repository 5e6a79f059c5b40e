//! What becomes of the devices, second by second.

use fake_emqx::{FakeEmqx, Row};
use jiff::{SignedDuration, Timestamp};

use crate::fleet::{Device, Habit, Protocol, UNLIMITED};

/// After so many seconds everything happens again. No multiple of a usual scrape interval, so that scrapes see
/// another part of it each time.
pub(crate) const CYCLE: u64 = 64;

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
