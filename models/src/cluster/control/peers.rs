//! What a cluster knows of its peers under Liqo: their tunnels, their API servers, its nodes that stand for them.

use super::reflection::Reflection;
use crate::cluster::news::{PeerCheck, PeerStep};
use crate::ids::ClusterId;
use crate::kubernetes::node_lifecycle::WatchedNode;
use crate::kubernetes::scheduler::resources::ResourceList;
use crate::liqo::api_server_check::ApiServerCheck;
use crate::liqo::connection_check::{ConnectionCheck, PingSettings};
use crate::liqo::endpoint_reflection::{Consumer, PeerStatus};
use crate::liqo::virtual_kubelet::{VirtualKubelet, VirtualKubeletSettings};
use crate::liqo::virtual_node::Provider;
use crate::world::federation::Peer;
use crate::world::timeline::first_check;
use crate::world::topology::Topology;
use meshsim_core::{Id, SimDuration, SimTime};

/// The peers of a cluster, and what their state makes of endpoints elsewhere.
#[derive(Clone, Debug)]
pub(super) struct Peers {
    /// In the order in which the description names them.
    pub(super) all: Vec<WatchedPeer>,
    pub(super) reflection: Reflection,
}

/// A peer as it is watched.
#[derive(Clone, Debug)]
pub(super) struct WatchedPeer {
    pub(super) cluster: ClusterId,
    /// When the first ping leaves, and how many have.
    first_ping: SimTime,
    pub(super) pings: u32,
    pub(super) tunnel: ConnectionCheck,
    /// Of one that runs pods for this cluster.
    pub(super) provider: Option<WatchedProvider>,
    /// Whether this cluster runs pods for it.
    pub(super) is_consumer: bool,
}

/// A provider as its consumer watches it.
#[derive(Clone, Debug)]
pub(super) struct WatchedProvider {
    /// The node that stands for it.
    pub(super) node: WatchedNode,
    granted: ResourceList,
    pub(super) api_server: ApiServerCheck,
    pub(super) kubelet: VirtualKubelet,
}

impl Peers {
    /// As a run begins, where something may happen to them: all are there.
    pub(super) fn new(here: ClusterId, topology: &Topology) -> Option<Box<Self>> {
        let description = &topology.description;
        if !topology.watches_peers() {
            return None;
        }
        let liqo = description.liqo()?;
        let own_nodes = description.clusters[here].nodes.len();
        let peer = |(peer, it): (u16, Peer)| {
            let begins = |check| first_check(topology, here, PeerStep { peer, check });
            let provider = |number: usize| WatchedProvider {
                node: WatchedNode::from_index(own_nodes + number),
                granted: liqo.providers_of(here).nth(number).expect("it is one of them").granted.clone(),
                api_server: ApiServerCheck::new(),
                kubelet: VirtualKubelet::new(
                    VirtualKubeletSettings::default(),
                    begins(PeerCheck::KubeletPing),
                ),
            };
            WatchedPeer {
                cluster: it.cluster,
                first_ping: begins(PeerCheck::Ping),
                pings: 0,
                tunnel: ConnectionCheck::new(PingSettings::default(), true, SimTime::ZERO, SimDuration::ZERO),
                provider: it.provider.map(provider),
                is_consumer: it.is_consumer,
            }
        };
        let all = (0..).zip(description.peers(here)).map(peer).collect();
        Some(Box::new(Self { all, reflection: Reflection::default() }))
    }

    /// The provider that a node stands for.
    pub(super) fn behind(&self, node: WatchedNode) -> Option<ClusterId> {
        let stands = |it: &&WatchedPeer| it.provider.as_ref().is_some_and(|it| it.node == node);
        self.all.iter().find(stands).map(|it| it.cluster)
    }
}

impl WatchedPeer {
    /// When a ping was sent.
    pub(super) fn sent(&self, ping: u32) -> SimTime {
        self.first_ping.saturating_add(PingSettings::default().interval * u64::from(ping))
    }

    /// As the node for it would be, if it is a provider: whether it is ready.
    pub(super) fn is_node_ready(&self) -> bool {
        self.provider.as_ref().is_some_and(|it| is_ready(&it.granted, self.tunnel.is_connected()))
    }

    /// What counts of endpoints that it reflects to this cluster, if it is a consumer: without a peering the other way
    /// nobody here asks its API server.
    pub(super) fn as_consumer(&self) -> Consumer {
        let status = |works| if works { PeerStatus::Established } else { PeerStatus::Error };
        Consumer {
            has_networking: true,
            network: status(self.tunnel.is_connected()),
            api_server: self.provider.as_ref().map_or(PeerStatus::None, |it| status(it.api_server.answers())),
        }
    }
}

/// Whether a node that stands for a provider that has granted so much is ready.
pub(super) fn is_ready(granted: &ResourceList, is_connected: bool) -> bool {
    let granted = Some(granted.clone());
    Provider { granted, has_networking: Some(true), is_connected, checks_network: true }.conditions().ready
}
