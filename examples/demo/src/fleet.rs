//! The fleet: a table of devices.

/// What EMQX calls a queue without a limit.
pub(crate) const UNLIMITED: u64 = 0;

/// A device, as its maker built it.
pub(crate) struct Device {
    /// Its name for people.
    pub(crate) alias: &'static str,
    /// Its MQTT client ID.
    pub(crate) client_id: &'static str,
    /// How long it may be away, where the default does not fit.
    pub(crate) offline_after: Option<&'static str>,
    pub(crate) username: Option<&'static str>,
    pub(crate) node: &'static str,
    pub(crate) protocol: Protocol,
    pub(crate) habit: Habit,
    /// In seconds; 0 is none.
    pub(crate) keepalive: u64,
    /// For how many seconds the broker holds its session; 0 is not at all.
    pub(crate) expiry: u64,
    /// The age of its session in hours.
    pub(crate) hours: u64,
    /// Messages it sends each second with quality of service 0, 1 and 2.
    pub(crate) sends: [u64; 3],
    /// Messages that come for it each second with quality of service 0, 1 and 2. Here only those of 1 are queued.
    pub(crate) gets: [u64; 3],
    pub(crate) queue_limit: u64,
}

/// Which MQTT it speaks.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Protocol {
    V311,
    V5,
}

/// What a device does with its connection.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Habit {
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
