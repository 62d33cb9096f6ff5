//! What the API server of a cluster tells those who watch it, and what an istiod makes of it for proxies.
//!
//! # Models
//! One kind of news for whatever changes: it is told, sent to other clusters and pushed to proxies as it is
//! (`control/istiod`).

use crate::ids::{ClusterId, ConfigurationId, PodId, ProxyId, ServiceId};
use crate::istiod::push_kind::PushKind;
use crate::telemetry::scrapes::SeriesId;
use meshsim_core::SimTime;
use serde::{Deserialize, Serialize};

/// Something that an API server tells, and that an istiod pushes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum News {
    /// An endpoint of an EndpointSlice.
    Endpoint {
        /// The endpoint.
        pod: PodId,
        /// What is new of it.
        what: EndpointNews,
    },
    /// Routes or policies: the mesh has this configuration.
    Configuration(ConfigurationId),
}

/// What is new of an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EndpointNews {
    /// There is a new one, on this node of its cluster.
    Appears(u32),
    /// It is gone.
    Leaves,
    /// It is ready again.
    Ready,
    /// It is no longer ready.
    Unready,
}

/// A proxy, as an istiod elsewhere names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addressee {
    /// One that is there from the start.
    Standing(ProxyId),
    /// The sidecar of a pod.
    SidecarOf(PodId),
}

/// What istiod sends to the proxies of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Push {
    /// Something new, under this number: to all proxies at once, or, where istiod pushes to one after the other, for
    /// those to which it will.
    Content {
        /// Counted by the istiod, from 1.
        number: u32,
        /// What is new.
        news: News,
    },
    /// A proxy has what has come up to this number.
    To {
        /// The proxy.
        proxy: Addressee,
        /// The number.
        up_to: u32,
    },
}

/// How a consumer names a pod of its own to a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ShadowName {
    /// Its slot at the consumer.
    pub slot: u32,
    /// Its generation there.
    pub generation: u32,
}

/// What the two sides of a peering tell each other of an offloaded pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShadowNews {
    /// The consumer wants it.
    Create {
        /// Which.
        name: ShadowName,
        /// What it runs.
        service: ServiceId,
        /// The version of its template.
        revision: u32,
    },
    /// The consumer wants it no more.
    Delete {
        /// Which.
        name: ShadowName,
    },
    /// The provider's quota does not let it in.
    Refused {
        /// Which.
        name: ShadowName,
    },
    /// The provider's API server does not answer.
    Unavailable {
        /// Which.
        name: ShadowName,
    },
    /// It is ready.
    Ready {
        /// Which.
        name: ShadowName,
        /// What runs of it at the provider.
        pod: PodId,
    },
    /// Its EndpointSlice says whether it is ready.
    Condition {
        /// Which.
        name: ShadowName,
        /// Whether it is.
        ready: bool,
    },
    /// It has ended.
    Ended {
        /// Which.
        name: ShadowName,
    },
    /// It was scraped.
    Counted {
        /// Which.
        name: ShadowName,
    },
}

/// What offloading controllers and what they steer tell each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OffloadingNews {
    /// A counter was scraped.
    Sample {
        /// Which.
        series: SeriesId,
        /// When.
        at: SimTime,
        /// What it had counted.
        value: f64,
    },
    /// The status of a service's autoscaler in a cluster.
    Status {
        /// Where.
        edge: ClusterId,
        /// Whose.
        service: ServiceId,
        /// Current and desired pods; absent: there is none.
        scaled: Option<(u32, u32)>,
    },
    /// A service is to have so many pods here, or, with none, no Deployment.
    Order {
        /// Which.
        service: ServiceId,
        /// Pods.
        replicas: u32,
    },
}

/// What an istiod has done of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IstiodStep {
    /// It may have been quiet for long enough.
    DebounceEnds,
    /// A push is prepared.
    IsPrepared {
        /// It has what was learned up to this number.
        up_to: u32,
        /// What it sends.
        kind: PushKind,
        /// Whether it is of one change of endpoints alone.
        is_alone: bool,
        /// How often the istiod had died before.
        life: u8,
    },
    /// It is made for a proxy and sent.
    IsSent {
        /// By this replica.
        replica: u8,
        /// The proxy, as the istiod counts those that it serves.
        target: u32,
        /// It has what was learned up to this number.
        up_to: u32,
        /// What it sends.
        kind: PushKind,
        /// How often the replica had died before.
        life: u8,
    },
    /// The next proxy connects of those that are to.
    Connects {
        /// How often the istiod had died before.
        life: u8,
    },
    /// A connection may be as old as it may be.
    ConnectionsAge,
}

/// A step of how a cluster watches one of its peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerStep {
    /// The peer, as the cluster counts them.
    pub peer: u16,
    /// What is due.
    pub check: PeerCheck,
}

/// What is due of how a peer is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerCheck {
    /// A ping leaves through the tunnel.
    Ping,
    /// The answer to a ping is there, which was sent as this many before it, from 0.
    Pong(u32),
    /// The observer of the tunnel looks.
    Look,
    /// The peer's API server is asked whether it lives.
    Ask,
    /// That question ends: whether with an answer.
    Answer(bool),
    /// The virtual kubelet reads what is believed of the API server.
    KubeletPing,
    /// It renews the lease of its node.
    Lease,
    /// It posts the status of its node if nothing has happened for a while.
    Status,
}
