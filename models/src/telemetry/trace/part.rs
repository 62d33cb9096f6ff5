//! What the time of a request is spent on.

use std::fmt;

/// What time is spent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The way between a user and its gateway, with what TCP takes there.
    Access,
    /// Behind others at a worker of a proxy.
    ProxyQueue,
    /// In a proxy.
    Proxy,
    /// Between an application and the sidecar beside it.
    Loopback,
    /// A delay that fault injection adds.
    InjectedDelay,
    /// In the calling process, until its pool has a connection.
    ClientPool,
    /// Behind others for a connection of a proxy's pool.
    PoolQueue,
    /// A connection is made: TCP, TLS and certificates.
    Connecting,
    /// Behind others at a server's sidecar for a connection to the application.
    ServerPool,
    /// Before a further attempt.
    BackOff,
    /// Swallowed, until TCP's next try gets through.
    Stalled,
    /// TCP's rounds beyond the first: round trips until the window lets the rest go, or a lost segment is there.
    Rounds,
    /// Behind others at the transmitter of a link, or in its gateway.
    LinkQueue,
    /// Bytes being put on a link.
    Transmission,
    /// On its way.
    Way,
    /// Behind others for a thread of the worker process.
    WorkerQueue,
    /// On a CPU.
    Cpu,
    /// Ready to run, while others of the worker process or the host do.
    RunQueue,
    /// Stopped by the container's CPU quota.
    Throttled,
    /// Work that nobody has seen end: beyond what it takes of a CPU it was ready to run, or stopped by the quota.
    Unfinished,
    /// Waiting without a CPU: a sleep, a disk, a service outside the clusters.
    Sleep,
    /// Waiting for calls. On a critical path only where none of them accounts for the time.
    Calls,
}

/// Parts that are reported together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Behind others: for a worker process, a proxy's worker, a pool, a link, a CPU.
    Queue,
    /// On a CPU.
    Cpu,
    /// In a sleep of the service, or of what it waits for outside the clusters.
    Sleep,
    /// Stopped by a quota.
    Throttling,
    /// In proxies and between them and applications.
    Proxy,
    /// On the network: ways and bytes.
    Network,
    /// TCP's further rounds and retransmissions.
    Rounds,
    /// Connections being made.
    Connections,
    /// Attempts that were tried again, and the waits between.
    Retries,
    /// Delays of fault injection, and what nothing accounts for.
    Other,
}

impl Kind {
    /// All of them, in the order in which they are reported.
    pub const ALL: [Self; 10] = [
        Self::Queue,
        Self::Cpu,
        Self::Sleep,
        Self::Throttling,
        Self::Proxy,
        Self::Network,
        Self::Rounds,
        Self::Connections,
        Self::Retries,
        Self::Other,
    ];

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Cpu => "cpu",
            Self::Sleep => "sleep",
            Self::Throttling => "throttling",
            Self::Proxy => "proxy",
            Self::Network => "network",
            Self::Rounds => "rounds",
            Self::Connections => "connections",
            Self::Retries => "retries",
            Self::Other => "other",
        }
    }
}

impl Part {
    /// Among which it is reported, where its attempt is the one that counts.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::ProxyQueue
            | Self::ClientPool
            | Self::PoolQueue
            | Self::ServerPool
            | Self::LinkQueue
            | Self::WorkerQueue
            | Self::RunQueue
            | Self::Unfinished => Kind::Queue,
            Self::Cpu => Kind::Cpu,
            Self::Sleep => Kind::Sleep,
            Self::Throttled => Kind::Throttling,
            Self::Proxy | Self::Loopback => Kind::Proxy,
            Self::Access | Self::Transmission | Self::Way => Kind::Network,
            Self::Rounds | Self::Stalled => Kind::Rounds,
            Self::Connecting => Kind::Connections,
            Self::BackOff => Kind::Retries,
            Self::InjectedDelay | Self::Calls => Kind::Other,
        }
    }

    /// Whether a message is on its way then.
    #[must_use]
    pub const fn is_way(self) -> bool {
        matches!(self, Self::Way | Self::Rounds | Self::LinkQueue | Self::Transmission | Self::Stalled)
    }

    /// The words for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Access => "user's access network",
            Self::ProxyQueue => "queue of a proxy's worker",
            Self::Proxy => "proxy",
            Self::Loopback => "loopback",
            Self::InjectedDelay => "injected delay",
            Self::ClientPool => "pool of the calling process",
            Self::PoolQueue => "queue for a connection",
            Self::Connecting => "connection set-up",
            Self::ServerPool => "queue at the server's sidecar",
            Self::BackOff => "back-off",
            Self::Stalled => "swallowed, sent again",
            Self::Rounds => "TCP rounds",
            Self::LinkQueue => "queue of a link",
            Self::Transmission => "transmission",
            Self::Way => "way",
            Self::WorkerQueue => "queue for a thread",
            Self::Cpu => "CPU",
            Self::RunQueue => "CPU run queue",
            Self::Throttled => "throttled by the CPU quota",
            Self::Unfinished => "CPU run queue or quota, not finished",
            Self::Sleep => "sleep",
            Self::Calls => "calls",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
