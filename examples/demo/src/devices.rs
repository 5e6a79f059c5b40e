//! The simulated devices of both brokers.

/// EMQX's `mqueue_max` of an unlimited queue.
pub(crate) const UNLIMITED: u64 = 0;

/// A simulated device.
pub(crate) struct Device {
    /// The alias in the configuration.
    pub(crate) alias: &'static str,
    /// The MQTT client ID.
    pub(crate) client_id: &'static str,
    /// The topic filters that it is subscribed to.
    pub(crate) subscribed: &'static [&'static str],
    /// `subscriptions` in the configuration.
    pub(crate) expected: &'static [&'static str],
    /// `offline_after` in the configuration; `None` for the default.
    pub(crate) offline_after: Option<&'static str>,
    pub(crate) username: Option<&'static str>,
    pub(crate) node: &'static str,
    pub(crate) protocol: Protocol,
    pub(crate) behavior: Behavior,
    /// Seconds; 0 turns keepalive off.
    pub(crate) keepalive: u64,
    /// Session expiry interval in seconds; 0 ends the session with the connection.
    pub(crate) expiry: u64,
    /// Age of the session in hours when the demo starts.
    pub(crate) session_hours: u64,
    /// Messages that it publishes each second with quality of service 0, 1 and 2.
    pub(crate) publishes: [u64; 3],
    /// Messages for it each second with quality of service 0, 1 and 2. Only those with 1 are queued.
    pub(crate) receives: [u64; 3],
    pub(crate) queue_limit: u64,
}

/// The version of MQTT.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Protocol {
    V311,
    V5,
}

/// How a device uses its connection.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Behavior {
    /// Stays connected.
    Stable,
    /// Is disconnected for a part of each cycle.
    Intermittent,
    /// Loses its connection every few seconds and reconnects at once.
    Flapping,
    /// Connects only to receive its queued messages.
    Polling,
    /// Stays connected and acknowledges messages slowly.
    SlowConsumer,
    /// Is disconnected for longer than its `offline_after` every few cycles.
    LongOutages,
    /// Connects once a day and is disconnected during the demo.
    Sleeping,
    /// Connects for two seconds a minute, and leaves no session.
    Brief,
    /// Connected last some hours before the demo, and left no session.
    Stopped,
    /// Is banned by flapping detection.
    Banned,
    /// Never connects.
    NeverConnects,
}

/// Defaults of a device.
const DEVICE: Device = Device {
    alias: "",
    client_id: "",
    subscribed: &[],
    expected: &[],
    offline_after: None,
    username: None,
    node: "emqx@127.0.0.1",
    protocol: Protocol::V311,
    behavior: Behavior::Stable,
    keepalive: 60,
    expiry: 0,
    session_hours: 24,
    publishes: [0, 0, 0],
    receives: [0, 0, 0],
    queue_limit: 1000,
};

/// The clients of `LocalEMQX`, a single node.
pub(crate) const LOCAL: &[Device] = &[
    Device {
        alias: "HumidifierWaterRefTerm",
        client_id: "humidifier-water-refterm",
        subscribed: &["humidifier/set", "humidifier/water"],
        expected: &["humidifier/set"],
        username: Some("humidifier"),
        keepalive: 10,
        session_hours: 16,
        publishes: [1, 0, 0],
        receives: [0, 1, 0],
        ..DEVICE
    },
    Device {
        alias: "QingpingCO2_Room1",
        client_id: "qingping-DEADBEEF1234",
        username: Some("qingping"),
        keepalive: 120,
        session_hours: 3,
        publishes: [1, 0, 0],
        ..DEVICE
    },
    Device {
        alias: "QingpingCO2_Room2",
        client_id: "qingping-DEADBEEF5678",
        subscribed: &["qingping/2/set"],
        expected: &["qingping/2/set"],
        username: Some("qingping"),
        behavior: Behavior::Intermittent,
        keepalive: 120,
        expiry: 7200,
        session_hours: 30,
        publishes: [1, 0, 0],
        ..DEVICE
    },
    Device {
        alias: "RTL433_Room1",
        client_id: "rtl433/room 1",
        session_hours: 24 * 33,
        publishes: [29, 0, 0],
        ..DEVICE
    },
    Device {
        alias: "RTL433_Room2",
        client_id: "rtl433/room 2",
        session_hours: 24 * 30,
        publishes: [217, 0, 0],
        ..DEVICE
    },
    Device {
        alias: "DoorSensor",
        client_id: "door-sensor",
        username: Some("door"),
        behavior: Behavior::Intermittent,
        keepalive: 300,
        session_hours: 50,
        ..DEVICE
    },
    Device {
        alias: "LeakSensor_Cellar",
        client_id: "leak-sensor-cellar",
        offline_after: Some("26h"),
        username: Some("leak"),
        protocol: Protocol::V5,
        behavior: Behavior::Sleeping,
        keepalive: 900,
        expiry: 7 * 24 * 3600,
        session_hours: 24 * 200,
        ..DEVICE
    },
    Device {
        alias: "Gateway",
        client_id: "gateway",
        subscribed: &["cmd/gateway/+"],
        expected: &["cmd/gateway/+", "$share/gateways/alarm/#"],
        offline_after: Some("1m"),
        username: Some("gateway"),
        protocol: Protocol::V5,
        expiry: 3600,
        session_hours: 24 * 12,
        publishes: [3, 2, 0],
        receives: [1, 4, 0],
        ..DEVICE
    },
    // Absent at nearly every scrape. What the broker remembers says that the first is well, and that the second is not.
    Device {
        alias: "SoilSensor",
        client_id: "soil-sensor",
        offline_after: Some("3m"),
        username: Some("garden"),
        behavior: Behavior::Brief,
        publishes: [1, 0, 0],
        session_hours: 0,
        ..DEVICE
    },
    Device {
        alias: "RainSensor",
        client_id: "rain-sensor",
        offline_after: Some("2h"),
        username: Some("garden"),
        behavior: Behavior::Stopped,
        ..DEVICE
    },
    Device { alias: "PorchCamera", client_id: "porch-camera", behavior: Behavior::Banned, ..DEVICE },
    Device { alias: "GardenPump", client_id: "garden-pump", behavior: Behavior::NeverConnects, ..DEVICE },
];

/// The nodes of `FactoryEMQX`, a cluster.
pub(crate) const NODES: [&str; 2] = ["emqx@emqx-0.emqx", "emqx@emqx-1.emqx"];

/// The client of `FactoryEMQX` whose lookups fail now and then.
pub(crate) const FAILING: &str = "press-7";

/// The clients of `FactoryEMQX`.
pub(crate) const FACTORY: &[Device] = &[
    // Alias and client ID exist on both brokers, for two devices.
    Device {
        alias: "Gateway",
        client_id: "gateway",
        offline_after: Some("1m"),
        username: Some("gateway"),
        node: NODES[0],
        protocol: Protocol::V5,
        behavior: Behavior::LongOutages,
        expiry: 3600,
        session_hours: 24 * 90,
        publishes: [40, 10, 0],
        receives: [20, 5, 0],
        ..DEVICE
    },
    Device {
        alias: "Press_7",
        client_id: FAILING,
        username: Some("press"),
        node: NODES[0],
        keepalive: 30,
        session_hours: 24 * 7,
        publishes: [0, 5, 0],
        receives: [0, 1, 0],
        ..DEVICE
    },
    Device {
        alias: "ForkliftTerminal",
        client_id: "forklift-terminal-2",
        offline_after: Some("8h"),
        username: Some("forklift"),
        node: NODES[1],
        protocol: Protocol::V5,
        behavior: Behavior::Polling,
        expiry: 24 * 3600,
        session_hours: 24 * 5,
        publishes: [0, 1, 0],
        receives: [0, 40, 0],
        ..DEVICE
    },
    Device {
        alias: "LineDisplay",
        client_id: "line-display",
        username: Some("display"),
        node: NODES[1],
        protocol: Protocol::V5,
        behavior: Behavior::SlowConsumer,
        expiry: 600,
        session_hours: 9,
        receives: [2, 12, 0],
        queue_limit: 100,
        ..DEVICE
    },
    Device {
        alias: "WeldingRobot",
        client_id: "welding-robot",
        username: Some("welding"),
        node: NODES[0],
        behavior: Behavior::Flapping,
        keepalive: 5,
        session_hours: 1,
        publishes: [8, 1, 0],
        ..DEVICE
    },
    // Clients choose their user names.
    Device {
        alias: "GuestTablet",
        client_id: "guest-tablet",
        username: Some("<script>alert(1)</script>"),
        node: NODES[1],
        session_hours: 2,
        publishes: [1, 0, 0],
        receives: [3, 0, 1],
        ..DEVICE
    },
    Device {
        alias: "Scale_Dock3",
        client_id: "scale-dock3",
        node: NODES[0],
        keepalive: 0,
        session_hours: 24 * 400,
        publishes: [0, 0, 2],
        queue_limit: UNLIMITED,
        ..DEVICE
    },
];
