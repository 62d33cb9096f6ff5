//! What joins the clusters of a world, as the rest of it asks.
//!
//! # Models
//! Under Liqo each peering has a tunnel over the link between its consumer and its provider, with a gateway at each end.
//! What is sent over it is wrapped twice, in Geneve to the gateway and in WireGuard between the gateways, and the gateway
//! clamps TCP's segments to what fits; a link whose description says what its tunnel adds keeps that and its MTU. A link
//! that no peering uses carries no pods' traffic: providers reach each other through their consumer.
//!
//! # Assumptions
//! - Both wrappings count on the link, though Geneve's is taken off at the gateway. Effect: 50 bytes per packet too many
//!   on the link, and none within the clusters.
//! - The way from a pod over its node to the gateway is one of the cluster's own, each way.
//! - A link whose own MTU leaves less than 1340 bytes makes packets smaller, where real ones would be fragmented.
//! - A node that stands for a provider has that cluster's labels and the region of its first node, and no zone.
//!
//! # Source
//! liqotech/liqo v1.2.0 `pkg/gateway/flags.go` (`mtu`; MSS is clamped since v1.1), `pkg/virtualKubelet/liqoNodeProvider`;
//! RFC 8926 (Geneve: IPv4 20, UDP 8, Geneve 8, Ethernet 14 bytes); WireGuard: IPv4 20, UDP 8, data message 32 bytes.

use super::description::{ClusterSpec, Description, Federation, LinkSpec};
use crate::ids::{ClusterId, ServiceId};
use crate::istiod::locality_setting::REGION_LABEL;
use crate::kubernetes::node_lifecycle::LEASE_RENEWAL;
use crate::kubernetes::scheduler::node::Node;
use crate::kubernetes::scheduler::resources::{NodeResources, Resource, ResourceList};
use crate::kubernetes::scheduler::topology_spread::HOSTNAME;
use crate::kubernetes::taint_eviction::DEFAULT_TOLERATION;
use crate::liqo::settings::{LiqoSettings, Peering, TUNNEL_MTU, TUNNEL_OVERHEAD};
use crate::liqo::virtual_node::{TYPE_LABEL, VIRTUAL_NODE, taint};
use crate::multi_network::gateway::EastWestSettings;
use meshsim_core::{SimDuration, Table};

/// A cluster with which another one peers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Which.
    pub cluster: ClusterId,
    /// Where the other one's pods may run there: which of its nodes for others stands for it.
    pub provider: Option<usize>,
    /// Whether its pods may run at the other one.
    pub is_consumer: bool,
}

impl Description {
    /// The clusters with which one peers under Liqo.
    #[must_use]
    pub fn peers(&self, here: ClusterId) -> Vec<Peer> {
        let Some(liqo) = self.liqo() else { return Vec::new() };
        let mut peers: Vec<Peer> = Vec::new();
        let mut peer = |cluster, provider: Option<usize>| {
            let index = peers.iter().position(|it| it.cluster == cluster).unwrap_or_else(|| {
                peers.push(Peer { cluster, provider: None, is_consumer: false });
                peers.len() - 1
            });
            peers[index].provider = peers[index].provider.or(provider);
            peers[index].is_consumer |= provider.is_none();
        };
        for (number, it) in liqo.providers_of(here).enumerate() {
            peer(it.provider, Some(number));
        }
        for it in liqo.peerings.iter().filter(|it| it.provider == here) {
            peer(it.consumer, None);
        }
        peers
    }

    /// Time from the loss of a node until what was on it runs on another one: until its lease has run out and is found to have (by
    /// these parts, 0 to 1, of the periods of the lease and of the checks), tainted a check later and evicted.
    #[must_use]
    pub fn replaces_pod_of_lost_node(&self, [renewed, looked]: [f64; 2]) -> SimDuration {
        let settings = self.kubernetes.node_lifecycle();
        let part = |of: SimDuration, part: f64| SimDuration::from_nanos_f64(of.as_nanos() as f64 * part);
        let found = settings.grace.saturating_sub(part(LEASE_RENEWAL, renewed))
            + part(settings.monitor_period, looked);
        let pods = &self.kubernetes.pods;
        found + settings.monitor_period + DEFAULT_TOLERATION + pods.scheduling + pods.container_start
    }

    /// What Liqo is told, where it joins the clusters.
    #[must_use]
    pub const fn liqo(&self) -> Option<&LiqoSettings> {
        match &self.federation {
            Some(Federation::Liqo(settings)) => Some(settings),
            Some(Federation::MultiNetwork(_) | Federation::Flat) | None => None,
        }
    }

    /// Whether pods of a service of a cluster may run at its providers.
    #[must_use]
    pub fn offloads(&self, service: ServiceId, cluster: ClusterId) -> bool {
        self.liqo().is_some_and(|it| it.offloads(service, cluster))
    }

    /// Whether pods of a service may run at providers of whoever has it.
    #[must_use]
    pub fn is_offloaded(&self, service: ServiceId) -> bool {
        self.liqo().is_some_and(|it| it.is_offloaded(service))
    }

    /// Whose offloading controller may move a service in a cluster, if that is an edge of one.
    #[must_use]
    pub fn steers(&self, service: ServiceId, edge: ClusterId) -> Option<ClusterId> {
        let mut controllers = self.offloading.iter().flat_map(|it| &it.controllers);
        let of_it = controllers.find(|it| it.edge == edge && it.number_of(service).is_some());
        of_it.map(|it| it.cluster)
    }

    /// Whether pods of any service of a cluster may run at its providers.
    #[must_use]
    pub fn offloads_any(&self, cluster: ClusterId) -> bool {
        let mut of_cluster = self.deployments.iter().filter(|it| it.cluster == cluster);
        self.liqo().is_some_and(|liqo| of_cluster.any(|it| liqo.offloads(it.service, cluster)))
    }

    /// Whether autoscalers of a cluster's consumers go by what is scraped in it.
    #[must_use]
    pub fn scrapes_for_others(&self, cluster: ClusterId) -> bool {
        let Some(liqo) = self.liqo() else { return false };
        let mut consumers = liqo.peerings.iter().filter(|it| it.provider == cluster).map(|it| it.consumer);
        consumers.any(|consumer| self.offloads_any(consumer) && self.kubernetes.autoscales(consumer))
    }

    /// The east-west gateways, where clusters are networks of their own.
    #[must_use]
    pub const fn east_west(&self) -> Option<&EastWestSettings> {
        match &self.federation {
            Some(Federation::MultiNetwork(settings)) => Some(settings),
            Some(Federation::Liqo(_) | Federation::Flat) | None => None,
        }
    }

    /// Whether what goes from cluster to cluster passes gateways.
    #[must_use]
    pub const fn has_gateways_between_clusters(&self) -> bool {
        self.liqo().is_some() || self.east_west().is_some()
    }

    /// The links as pods see them, and whether pods use each.
    #[must_use]
    pub fn links_of_pods(&self) -> (Vec<LinkSpec>, Vec<bool>) {
        let Some(liqo) = self.liqo() else { return (self.links.clone(), vec![true; self.links.len()]) };
        let seen = |link: &LinkSpec| match is_tunnel(liqo, link) {
            true => (through_tunnel(link, &self.clusters), true),
            false => (link.clone(), false),
        };
        self.links.iter().map(seen).unzip()
    }

    /// The consumer's node that stands for the provider, without pods.
    #[must_use]
    pub fn virtual_node(&self, peering: &Peering) -> Node {
        let spec = &self.clusters[peering.provider];
        let mut labels = spec.labels.clone();
        let region = spec.nodes.first().map_or("", |node| &node.locality.region);
        let own = [(TYPE_LABEL, VIRTUAL_NODE), (HOSTNAME, &spec.name), (REGION_LABEL, region)];
        for (key, value) in own.into_iter().filter(|(_, value)| !value.is_empty()) {
            labels.insert(key.to_owned(), value.to_owned());
        }
        let pods = peering.granted.amount(Resource::PODS);
        let granted = [Resource::CPU, Resource::MEMORY].map(|it| peering.granted.amount(it));
        let resources = NodeResources::new(ResourceList::new(granted[0], granted[1]), pods);
        Node { labels, taints: vec![taint()], resources }
    }
}

/// Whether a peering's tunnel uses a link.
#[must_use]
pub fn is_tunnel(liqo: &LiqoSettings, link: &LinkSpec) -> bool {
    let [a, b] = link.between;
    liqo.peerings.iter().any(|it| [[a, b], [b, a]].contains(&[it.consumer, it.provider]))
}

/// A link as pods see it through the tunnel.
fn through_tunnel(link: &LinkSpec, clusters: &Table<ClusterId, ClusterSpec>) -> LinkSpec {
    let [a, b] = link.between.map(|end| clusters[end].local_delay * 2);
    let (mtu, tunnel_overhead) = match link.tunnel_overhead {
        0 => (TUNNEL_MTU.min(link.mtu - TUNNEL_OVERHEAD), TUNNEL_OVERHEAD),
        said => (link.mtu, said),
    };
    LinkSpec { round_trip: link.round_trip + a + b, mtu, tunnel_overhead, ..link.clone() }
}
