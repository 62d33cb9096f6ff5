//! Where pods stand at the start, and how many places each Deployment has.
//!
//! # Models
//! In a cluster whose Deployments never change pods stand on its nodes in turn, in the order of the
//! Deployments. In one with autoscalers, changes, taints or services that ask for labels of nodes the
//! scheduler places them, in the same order; one that fits nowhere is pending from the start.
//!
//! A service outside the clusters has a place in each of them, on the first node in name: it takes nothing of it.
//!
//! # Assumptions
//! - The way to a service outside the clusters is part of what its endpoints wait, and its connections are made as fast as
//!   those within a cluster, without TLS. Effect: the first request over a connection is up to two round trips too fast.
//! - Everywhere else nobody asks whether nodes have what pods request. Effect: pods may stand on
//!   a node that would not have taken them; its cores are shared all the same.

use super::description::{ClusterSpec, Deployment, Description};
use crate::ids::{ClusterId, ContainerId, PodId, ServiceId};
use crate::istiod::locality_setting::REGION_LABEL;
use crate::kubernetes::scheduler::choice::{PodNeeds, choose};
use crate::kubernetes::scheduler::node::Node;
use crate::kubernetes::scheduler::resources::{NodeResources, PodRequests, ResourceList};
use crate::kubernetes::scheduler::topology_spread::{HOSTNAME, Labels, ZONE};
use meshsim_core::{Id, Table};
use std::ops::Range;

/// A place for a pod of a Deployment; in one that never changes there is always one.
#[derive(Clone, Copy, Debug)]
pub struct Pod {
    /// What it runs.
    pub service: ServiceId,
    /// Where it runs.
    pub cluster: ClusterId,
    /// Its place among those of its cluster.
    pub place: u32,
    /// The node of the pod that is there at the start, counted within the cluster.
    pub starts_on: Option<u32>,
    /// Load balancing weight of its endpoint.
    pub weight: u32,
    /// Its container, numbered within the process of its cluster.
    pub container: ContainerId,
    /// CPU limit (cores).
    pub cpu_limit: Option<f64>,
    /// Whether it is outside the mesh: nothing stands before it.
    pub is_outside: bool,
}

/// A Deployment among the places for pods of its cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeploymentPlaces {
    /// Its number among the description's.
    pub number: usize,
    /// The places of its pods among those of the cluster.
    pub places: Range<usize>,
}

/// The Deployments of each cluster, in the order of the description.
#[must_use]
pub fn deployments_by_cluster(description: &Description) -> Table<ClusterId, Vec<DeploymentPlaces>> {
    let mut all: Table<ClusterId, Vec<DeploymentPlaces>> =
        description.clusters.iter().map(|_| Vec::new()).collect();
    for (number, it) in description.deployments.iter().enumerate() {
        let places = description.kubernetes.places(it.service, it.cluster, it.replicas) as usize;
        let first = all[it.cluster].last().map_or(0, |before| before.places.end);
        all[it.cluster].push(DeploymentPlaces { number, places: first..first + places });
    }
    all
}

/// The places of all Deployments, those of a cluster together.
pub(super) fn place_pods(
    description: &Description,
    deployments: &Table<ClusterId, Vec<DeploymentPlaces>>,
) -> (Table<PodId, Pod>, Table<ClusterId, Range<u32>>) {
    let mut pods: Table<PodId, Pod> = Table::new();
    let mut ranges = Table::new();
    for (cluster, here) in deployments.enumerate() {
        let first = pods.len();
        let mut nodes = Nodes::new(description, cluster);
        for it in here {
            let deployment = &description.deployments[it.number];
            let is_outside = description.services[deployment.service].external;
            for place in 0..it.places.len() {
                let starts = place < deployment.replicas as usize;
                pods.push(Pod {
                    service: deployment.service,
                    cluster,
                    place: (pods.len() - first) as u32,
                    starts_on: match starts {
                        true if is_outside => Some(0),
                        true => nodes.take(description, deployment),
                        false => None,
                    },
                    weight: deployment.weight,
                    container: ContainerId(0),
                    cpu_limit: deployment.cpu_limit.map(|cores| cores.0),
                    is_outside,
                });
            }
        }
        ranges.push(first as u32..pods.len() as u32);
    }
    (pods, ranges)
}

/// The nodes of a cluster, without any pod.
#[must_use]
pub fn empty_nodes(description: &Description, cluster: ClusterId) -> Vec<Node> {
    let spec = &description.clusters[cluster];
    (0..spec.nodes.len()).map(|place| empty_node(description, spec, place)).collect()
}

fn empty_node(description: &Description, spec: &ClusterSpec, place: usize) -> Node {
    let node = &spec.nodes[place];
    let mut labels: Labels = node.labels.clone();
    let own = [
        (HOSTNAME, format!("{}-{}", spec.name, place + 1)),
        (ZONE, node.locality.zone.clone()),
        (REGION_LABEL, node.locality.region.clone()),
    ];
    for (key, value) in own {
        labels.entry(key.to_owned()).or_insert(value);
    }
    let cores = description.hosts[node.host].cores;
    let milli_cpu = node.capacity.milli_cpu.unwrap_or((cores * 1000.0) as u64);
    let memory = node.capacity.memory.unwrap_or((cores * MEMORY_PER_CORE) as u64);
    let resources = NodeResources::new(ResourceList::new(milli_cpu, memory), node.capacity.pods);
    Node { labels, taints: node.taints.clone(), resources }
}

/// Memory of a node that does not say it, per core (bytes): 4 GiB, as general machines of clouds have.
const MEMORY_PER_CORE: f64 = 4.0 * 1024.0 * 1024.0 * 1024.0;

/// What a pod of a service requests, with its sidecar.
#[must_use]
pub fn requests_of(description: &Description, service: ServiceId) -> PodRequests {
    if description.services[service].external {
        return PodRequests::of([]);
    }
    let workload = description.kubernetes.workload(service);
    let sidecar = description.mesh.data_plane == super::description::DataPlane::Sidecar;
    PodRequests::of([&workload.application].into_iter().chain(sidecar.then_some(&workload.sidecar)))
}

/// The nodes of a cluster while its first pods are placed.
enum Nodes {
    /// In turn: the number of nodes and of pods so far.
    InTurn(usize, usize),
    /// By the scheduler; per node, its pods of each service.
    Scheduled(Vec<Node>, Vec<Vec<u32>>),
}

impl Nodes {
    fn new(description: &Description, cluster: ClusterId) -> Self {
        let count = description.clusters[cluster].nodes.len();
        if !description.kubernetes.is_elastic(cluster) {
            return Self::InTurn(count, 0);
        }
        let services = description.application.services.len();
        Self::Scheduled(empty_nodes(description, cluster), vec![vec![0; count]; services])
    }

    fn take(&mut self, description: &Description, deployment: &Deployment) -> Option<u32> {
        match self {
            Self::InTurn(nodes, pods) => {
                *pods += 1;
                Some(((*pods - 1) % *nodes) as u32)
            }
            Self::Scheduled(nodes, alike) => {
                let workload = description.kubernetes.workload(deployment.service);
                let requests = requests_of(description, deployment.service);
                let needs = PodNeeds {
                    requests: &requests,
                    node_selector: workload.node_selector.as_ref(),
                    tolerations: &workload.tolerations,
                };
                let alike = &mut alike[deployment.service.index()];
                let node = choose(description.kubernetes.controller.version, nodes, &needs, alike).ok()?;
                nodes[node].resources.add(&requests);
                alike[node] += 1;
                Some(node as u32)
            }
        }
    }
}
