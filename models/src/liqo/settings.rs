//! How Liqo joins clusters: who peers with whom, what its gateways take, and whose pods may run where.

use super::gateway::GatewayCost;
use super::namespace_offloading::PodOffloadingStrategy;
use super::quota::LimitsEnforcement;
use super::resource_slice::default_resources;
use crate::ids::{ClusterId, ServiceId};
use crate::kubernetes::scheduler::node_affinity::NodeSelector;
use crate::kubernetes::scheduler::resources::ResourceList;
use meshsim_core::Table;
use std::collections::BTreeSet;

/// The largest packet of a pod that fits into the tunnel (bytes).
pub const TUNNEL_MTU: u32 = 1_340;

/// What Geneve and WireGuard add to each packet (bytes).
pub const TUNNEL_OVERHEAD: u32 = 50 + 60;

/// Clusters that Liqo joins.
#[derive(Clone, Debug)]
pub struct LiqoSettings {
    /// Who peers with whom.
    pub peerings: Vec<Peering>,
    /// What the gateways of each cluster take.
    pub gateways: Table<ClusterId, GatewayCost>,
    /// What of the consumers' services may run at providers; absent: nothing.
    pub offloading: Option<Offloading>,
}

/// Services of consumers whose pods may run at providers (a NamespaceOffloading).
#[derive(Clone, Debug)]
pub struct Offloading {
    /// Which.
    pub services: BTreeSet<ServiceId>,
    /// On which nodes.
    pub strategy: PodOffloadingStrategy,
    /// On the nodes of which providers; empty: of all.
    pub cluster_selector: NodeSelector,
}

/// A provider runs pods of a consumer.
#[derive(Clone, Debug, PartialEq)]
pub struct Peering {
    /// Its name.
    pub name: String,
    /// Whose pods they are.
    pub consumer: ClusterId,
    /// Who runs them.
    pub provider: ClusterId,
    /// What the provider has granted: the consumer's node for it has as much, and so has its quota.
    pub granted: ResourceList,
    /// What the provider asks of pods.
    pub enforcement: LimitsEnforcement,
}

impl Peering {
    /// With what a provider grants if nobody says otherwise.
    #[must_use]
    pub fn new(name: &str, consumer: ClusterId, provider: ClusterId) -> Self {
        let enforcement = LimitsEnforcement::default();
        Self { name: name.to_owned(), consumer, provider, granted: default_resources(), enforcement }
    }
}

impl LiqoSettings {
    /// The peerings of a consumer, in the order of its nodes for them.
    pub fn providers_of(&self, consumer: ClusterId) -> impl Iterator<Item = &Peering> {
        self.peerings.iter().filter(move |it| it.consumer == consumer)
    }

    /// Whether pods of a service may run at providers of whoever has it.
    #[must_use]
    pub fn is_offloaded(&self, service: ServiceId) -> bool {
        self.offloading.as_ref().is_some_and(|it| it.services.contains(&service))
    }

    /// Whether pods of a service of a cluster may run elsewhere.
    #[must_use]
    pub fn offloads(&self, service: ServiceId, cluster: ClusterId) -> bool {
        self.is_offloaded(service) && self.providers_of(cluster).next().is_some()
    }

    /// Whether what runs of a service in a cluster runs for others.
    #[must_use]
    pub fn provides(&self, service: ServiceId, cluster: ClusterId) -> bool {
        self.is_offloaded(service) && self.providers_of(cluster).next().is_none()
    }
}

/// Packets of a message of so many bytes on the wire.
#[must_use]
pub const fn packets(wire_bytes: u32) -> u32 {
    wire_bytes.div_ceil(TUNNEL_MTU + TUNNEL_OVERHEAD)
}
