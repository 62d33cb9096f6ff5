//! Who has counters: pods as they come and go, gateways, waypoints and ztunnels.

use crate::ids::{PodId, ServiceId};

/// A pod, among those that have its number one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PodName {
    /// Its number.
    pub pod: PodId,
    /// How many had it before.
    pub generation: u32,
}

/// A process that has counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Instance {
    /// An ingress gateway, by its number in the cluster.
    Gateway(u32),
    /// A pod's sidecar.
    Pod(PodName),
    /// The waypoint of a service.
    Waypoint(ServiceId),
    /// The ztunnel of a node, counted within the cluster.
    Ztunnel(u32),
}

impl Instance {
    /// The pod whose sidecar it is.
    #[must_use]
    pub const fn pod(self) -> Option<PodName> {
        match self {
            Self::Pod(pod) => Some(pod),
            Self::Gateway(_) | Self::Waypoint(_) | Self::Ztunnel(_) => None,
        }
    }
}
