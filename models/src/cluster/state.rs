//! The state of one cluster: six owners, and what surrounds them.

use super::control::Control;
use super::inbound::Inbound;
use super::network::Network;
use super::outbound::Outbound;
use super::pods::Pods;
use super::users::Users;
use crate::envoy::proxies::Proxies;
use crate::ids::{ClusterId, ContainerId};
use crate::telemetry::recorder::Recorder;
use crate::telemetry::slices::Slices;
use crate::telemetry::work::WorkId;
use crate::world::placement::Placed;
use crate::world::timeline::Timeline;
use crate::world::topology::Topology;

/// Everything that changes in a cluster.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Which one.
    pub id: ClusterId,
    /// Whose state it is.
    pub owners: Owners,
    /// What is measured in it.
    pub recorder: Recorder,
    /// Its proxies: who passes them queues for their workers.
    pub proxies: Proxies,
    /// Its pods: everybody sees them, `control` changes them.
    pub pods: Pods,
    /// What is known of it in advance.
    pub timeline: Timeline,
    /// Draws of its own so far.
    pub draws: u64,
}

/// The owners of a cluster's state: what each of them has is its own.
#[derive(Clone, Debug)]
pub struct Owners {
    /// Its users.
    pub users: Users,
    /// The client's side of calls.
    pub outbound: Outbound,
    /// The server's side of calls.
    pub inbound: Inbound,
    /// Deployments, nodes, autoscalers.
    pub control: Control,
    /// Its links.
    pub network: Network,
}

impl Cluster {
    /// A cluster in which nothing has happened, with the containers of its pods.
    #[must_use]
    pub fn new(id: ClusterId, topology: &Topology, containers: Vec<ContainerId>, slices: Slices) -> Self {
        let room = room(id, topology);
        let proxies = topology.proxies_of(id);
        Self {
            id,
            owners: Owners {
                users: Users::new(id, topology),
                outbound: Outbound::new(id, topology, proxies.ids().count(), room),
                inbound: Inbound::new(id, topology, room),
                control: Control::new(id, topology),
                network: Network::new(id, topology, room),
            },
            recorder: Recorder::new(id, topology, slices),
            proxies,
            pods: Pods::new(topology, id, containers),
            timeline: Timeline::default(),
            draws: 0,
        }
    }

    /// Whose work whatever is under way in the cluster is.
    pub fn works(&self) -> impl Iterator<Item = WorkId> {
        let Owners { outbound, inbound, network, .. } = &self.owners;
        let hops = outbound.hops().map(|hop| hop.work);
        hops.chain(inbound.calls().map(|call| call.work)).chain(network.works())
    }

    /// Memory of what grows with the load (bytes).
    #[must_use]
    pub fn bytes(&self) -> usize {
        let Owners { users, outbound, inbound, network, .. } = &self.owners;
        let of_requests = users.bytes() + outbound.bytes() + inbound.bytes();
        of_requests + network.bytes() + self.recorder.bytes()
    }
}

/// A cluster has room for as many calls as it has threads, but for no more than this, before it
/// allocates.
const MOST_ROOM: usize = 512;

fn room(cluster: ClusterId, topology: &Topology) -> usize {
    let services = &topology.description.application.services;
    let threads = |it: &Placed| {
        let service = &services[topology.pod_ids.service_of(it.pod)];
        usize::from(service.workers) * usize::from(service.threads)
    };
    topology.pods_at_start(cluster).iter().map(threads).sum::<usize>().clamp(16, MOST_ROOM)
}
