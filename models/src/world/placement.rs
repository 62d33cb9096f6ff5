//! Where pods stand at the start.
//!
//! # Models
//! In a cluster for which nothing is said that the scheduler could act upon, pods stand on its nodes in turn, in the
//! order of the Deployments. In one with autoscalers, changes, taints or services that ask for labels of nodes
//! the scheduler places them, in the same order; one that fits nowhere is not there yet, and is made and
//! scheduled when the run begins.
//!
//! Pods that may run at a consumer's providers are not there yet either: they are made when the run begins, so that what
//! decides where they go is what does during the run.
//!
//! A service outside the clusters has a pod in each of them, on the first node in name: it takes nothing of it.
//!
//! # Assumptions
//! - The way to a service outside the clusters is part of what its endpoints wait, and its connections are made as fast as
//!   those within a cluster, without TLS. Effect: the first request over a connection is up to two round trips too fast.
//! - Everywhere else nobody asks whether nodes have what the pods that run from the start request. Effect: pods may
//!   stand on a node that would not have taken them; its cores are shared all the same.

use super::description::{ClusterSpec, Deployment, Description};
use crate::ids::{ClusterId, PodId, ServiceId};
use crate::istiod::locality_setting::REGION_LABEL;
use crate::kubernetes::scheduler::choice::{PodNeeds, choose};
use crate::kubernetes::scheduler::node::Node;
use crate::kubernetes::scheduler::resources::{NodeResources, PodRequests, ResourceList};
use crate::kubernetes::scheduler::topology_spread::{HOSTNAME, Labels, ZONE};
use crate::kubernetes::settings::ChangeKind;
use crate::liqo::pod_mutation::{OffloadedPod, mutate};
use crate::pod_id::{PodAddresses, PodIds};
use meshsim_core::{Id, Table};
use std::collections::BTreeMap;
use std::ops::Range;

/// A pod that runs from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Which one.
    pub pod: PodId,
    /// Its node, counted within the cluster.
    pub node: u32,
}

/// The Deployments of each cluster, by their numbers in the description and in that order.
#[must_use]
pub fn deployments_by_cluster(description: &Description) -> Table<ClusterId, Vec<usize>> {
    let mut all: Table<ClusterId, Vec<usize>> = description.clusters.iter().map(|_| Vec::new()).collect();
    for (number, it) in description.deployments.iter().enumerate() {
        all[it.cluster].push(number);
    }
    all
}

/// The same numbers by service, those of one service in their order.
pub(super) fn by_service(
    description: &Description,
    deployments: &Table<ClusterId, Vec<usize>>,
) -> Table<ClusterId, Vec<(ServiceId, usize)>> {
    let sorted = |numbers: &Vec<usize>| {
        let of = numbers.iter().map(|&number| (description.deployments[number].service, number));
        let mut of: Vec<_> = of.collect();
        of.sort_unstable();
        of
    };
    deployments.iter().map(sorted).collect()
}

/// The pods that run from the start, those of a cluster together, and where each cluster's are.
pub(super) fn place_pods(
    description: &Description,
    ids: PodIds,
    deployments: &Table<ClusterId, Vec<usize>>,
) -> (Vec<Placed>, Table<ClusterId, Range<usize>>) {
    let mut placed = Vec::new();
    let mut ranges = Table::new();
    for (cluster, here) in deployments.enumerate() {
        let first = placed.len();
        let mut nodes = Nodes::new(description, cluster);
        // Deployments of one service count their pods on.
        let mut ordinals: BTreeMap<ServiceId, u32> = BTreeMap::new();
        for it in here.iter().map(|&number| &description.deployments[number]) {
            let is_outside = description.services[it.service].external;
            let mut node = || if is_outside { Some(0) } else { nodes.take(description, it) };
            let replicas = if description.offloads(it.service, cluster) { 0 } else { it.replicas };
            let taken = (0..replicas).map_while(|_| node());
            let next = ordinals.entry(it.service).or_default();
            for node in taken {
                placed.push(Placed { pod: ids.pod(cluster, it.service, *next), node });
                *next += 1;
            }
        }
        ranges.push(first..placed.len());
    }
    (placed, ranges)
}

/// The addresses of pods: each Deployment has a block of them.
pub(super) fn addresses(
    description: &Description,
    ids: PodIds,
    deployments: &Table<ClusterId, Vec<usize>>,
) -> PodAddresses {
    let block = |&number: &usize| {
        let deployment = &description.deployments[number];
        (deployment.service, addresses_of(description, deployment))
    };
    PodAddresses::new(ids, deployments.iter().map(|here| here.iter().map(block)))
}

/// The size of a Deployment's block of addresses: for as many pods as it may be expected to have at a time, while
/// all are replaced and all that were before still end, as often as that happens within a grace period.
fn addresses_of(description: &Description, deployment: &Deployment) -> u32 {
    let (kubernetes, Deployment { service, cluster, replicas, .. }) = (&description.kubernetes, *deployment);
    let autoscaler = kubernetes.autoscaler(service, cluster);
    let changes = || kubernetes.changes.iter().filter(|it| (it.service, it.cluster) == (service, cluster));
    let steered = kubernetes.steered.get(&(cluster, service)).copied();
    if autoscaler.is_none() && changes().next().is_none() && steered.is_none() {
        return replicas;
    }
    let scaled = changes().filter_map(|it| match it.kind {
        ChangeKind::Scale(replicas) | ChangeKind::Offload(replicas) => Some(replicas),
        ChangeKind::Rollout | ChangeKind::Remove => None,
    });
    let most = scaled.chain(autoscaler.map(|it| it.hpa.max_replicas)).chain(steered).fold(replicas, u32::max);
    let (surge, _) = kubernetes.workload(service).rollout.resolve(most);
    let grace = kubernetes.pods_of(service).grace;
    let times = |from| changes().filter(|it| it.at >= from && it.at - from <= grace).count();
    let ending = changes().map(|it| times(it.at)).max().unwrap_or(0)
        + usize::from(autoscaler.is_some() || steered.is_some());
    most * (1 + ending as u32) + surge
}

/// The nodes of a cluster that it has itself, without any pod.
#[must_use]
pub fn own_nodes(description: &Description, cluster: ClusterId) -> Vec<Node> {
    let spec = &description.clusters[cluster];
    (0..spec.nodes.len()).map(|number| empty_node(description, spec, number)).collect()
}

/// The nodes of a cluster, without any pod: its own, then those that stand for its providers.
#[must_use]
pub fn empty_nodes(description: &Description, cluster: ClusterId) -> Vec<Node> {
    let own = own_nodes(description, cluster).into_iter();
    let peerings = description.liqo().into_iter().flat_map(|it| it.providers_of(cluster));
    own.chain(peerings.map(|it| description.virtual_node(it))).collect()
}

fn empty_node(description: &Description, spec: &ClusterSpec, number: usize) -> Node {
    let node = &spec.nodes[number];
    let mut labels: Labels = node.labels.clone();
    let own = [
        (HOSTNAME, format!("{}-{}", spec.name, number + 1)),
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
    let sidecar = description.is_injected(service);
    PodRequests::of([&workload.application].into_iter().chain(sidecar.then_some(&workload.sidecar)))
}

impl Description {
    /// What a pod of a service in a cluster asks of its node, as Liqo's webhook leaves it where it may be offloaded; one
    /// that runs for another cluster brings no affinity along.
    #[must_use]
    pub fn asks_of_nodes(&self, service: ServiceId, cluster: ClusterId) -> OffloadedPod {
        let workload = self.kubernetes.workload(service);
        let mut pod = OffloadedPod {
            tolerations: workload.tolerations.clone(),
            node_selector: workload.node_selector.clone(),
            has_liqo_runtime_class: false,
        };
        let liqo = self.liqo();
        if let Some(offloading) =
            liqo.filter(|it| it.offloads(service, cluster)).and_then(|it| it.offloading.as_ref())
        {
            mutate(offloading.strategy, &offloading.cluster_selector, &mut pod);
        } else if liqo.is_some_and(|it| it.provides(service, cluster)) {
            pod.node_selector = None;
        }
        pod
    }
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
        if !description.kubernetes.schedules(cluster) {
            return Self::InTurn(count, 0);
        }
        let services = description.application.services.len();
        let nodes = empty_nodes(description, cluster);
        let alike = vec![vec![0; nodes.len()]; services];
        Self::Scheduled(nodes, alike)
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
