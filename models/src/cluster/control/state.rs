//! The Deployments, nodes and autoscalers of a cluster as they are.

use super::istiod::Istiod;
use super::nodes_watch::NodesWatch;
use super::offloading_desk::Offloading;
use super::peers::Peers;
use super::shadows::Liqo;
use crate::cluster::pods::Pods;
use crate::ids::{ClusterId, ServiceId};
use crate::kubernetes::deployment::OwnedPod;
use crate::kubernetes::hpa::Autoscaler;
use crate::kubernetes::hpa::pod_groups::ReadyCondition;
use crate::kubernetes::metrics_server::PodHistory;
use crate::kubernetes::pod::{ImageCache, SIDECAR_IMAGE};
use crate::kubernetes::scheduler::node::Node;
use crate::kubernetes::scheduler::resources::{PodRequests, Resource};
use crate::kubernetes::settings::ChangeKind;
use crate::world::placement::{empty_nodes, requests_of};
use crate::world::topology::Topology;
use meshsim_core::SimTime;

/// Deployments and nodes of a cluster.
#[derive(Clone, Debug)]
pub struct Control {
    /// Its Deployments.
    pub(super) deployments: Vec<DeploymentState>,
    /// What its nodes have; empty until a pod comes or goes.
    pub(super) nodes: Vec<Node>,
    /// The images on its nodes; likewise.
    pub(super) images: Vec<ImageCache>,
    /// What is measured of its pods, by slot; empty until they are scraped.
    pub(super) histories: Vec<PodHistory>,
    /// What Prometheus has of them, where it asks all clusters from one.
    pub(super) central: Vec<PodHistory>,
    /// Calls whose spans it was offered.
    pub(super) calls_traced: u64,
    /// Whether it could scrape them the last time.
    pub(super) is_scraped: bool,
    /// Its istiod.
    pub(super) istiod: Istiod,
    /// Its nodes as they are watched, where something may happen to one.
    pub(super) watch: Option<Box<NodesWatch>>,
    /// Its pods at others, and those of others here.
    pub(super) liqo: Option<Box<Liqo>>,
    /// Its peers, where something may happen to them.
    pub(super) peers: Option<Box<Peers>>,
    /// What it has to do with offloading controllers, where there are any.
    pub(super) offloading: Option<Box<Offloading>>,
}

/// A Deployment as it is.
#[derive(Clone, Debug)]
pub struct DeploymentState {
    /// The service that its pods run.
    pub service: ServiceId,
    /// Whether consumers decide on its pods.
    pub for_others: bool,
    /// Whether it has been made, and not deleted since.
    pub exists: bool,
    /// Pods that it wants.
    pub wanted: u32,
    /// The newest version of its template.
    pub revision: u32,
    /// What a pod of it requests.
    pub requests: PodRequests,
    /// Its autoscaler.
    pub autoscaler: Option<Autoscaler>,
}

impl Control {
    /// A cluster's Deployments as they are at the start.
    #[must_use]
    pub(in crate::cluster) fn new(cluster: ClusterId, topology: &Topology) -> Self {
        Self {
            deployments: deployments(cluster, topology),
            nodes: Vec::new(),
            images: Vec::new(),
            histories: Vec::new(),
            central: Vec::new(),
            calls_traced: 0,
            is_scraped: true,
            istiod: Istiod::new(cluster, topology),
            watch: NodesWatch::new(cluster, topology),
            liqo: Liqo::new(cluster, topology),
            peers: Peers::new(cluster, topology),
            offloading: Offloading::new(cluster, topology),
        }
    }

    /// Pods come and go from now on: their nodes are looked at.
    pub(super) fn begin_to_change(&mut self, cluster: ClusterId, topology: &Topology, pods: &mut Pods) {
        if !self.nodes.is_empty() {
            return;
        }
        pods.begin_to_change();
        self.nodes = empty_nodes(&topology.description, cluster);
        self.images = vec![ImageCache::default(); self.nodes.len()];
        for deployment in &self.deployments {
            let image = topology.description.kubernetes.workload(deployment.service).image;
            for &slot in pods.slots_of(deployment.service) {
                let node = pods[slot as usize].node as usize;
                self.nodes[node].resources.add(&deployment.requests);
                self.images[node].hold(image);
                self.images[node].hold(SIDECAR_IMAGE);
            }
        }
        self.count_steered(cluster, topology, pods);
    }

    /// A pod dies: the metrics server knows nothing of what was before.
    pub(in crate::cluster) fn pod_dies(&mut self, slot: usize) {
        for histories in [&mut self.histories, &mut self.central] {
            if let Some(history) = histories.get_mut(slot) {
                history.clear();
            }
        }
    }

    /// So many proxies are connected to a replica of its istiod, where that paces its pushes.
    pub(in crate::cluster) fn connected_to_istiod(&self, replica: u32) -> Option<u32> {
        self.istiod.connected_to(replica)
    }

    /// Whether the tunnel to a peer is believed to be up: where nothing happens to peers they are not watched, and it is.
    pub(in crate::cluster) fn is_tunnel_up(&self, peer: ClusterId) -> bool {
        let watched = self.peers.iter().flat_map(|it| &it.all).find(|it| it.cluster == peer);
        watched.is_none_or(|it| it.tunnel.is_connected())
    }

    /// A Deployment.
    #[must_use]
    pub fn state(&self, deployment: usize) -> &DeploymentState {
        &self.deployments[deployment]
    }

    /// The Deployment of the pod in a slot.
    ///
    /// # Panics
    /// If there is none.
    pub(super) fn deployment_of(&self, pods: &Pods, slot: usize) -> usize {
        self.deployment(pods.service_of(slot)).expect("a pod of a Deployment")
    }

    /// The Deployment of a service.
    #[must_use]
    pub fn deployment(&self, service: ServiceId) -> Option<usize> {
        self.deployments.iter().position(|it| it.service == service)
    }

    /// The pods of a Deployment that are not being deleted; of a slot, what was seen last of its pod's faults.
    pub(super) fn owned(
        &self,
        pods: &Pods,
        deployment: usize,
        now: SimTime,
        fault: impl Fn(usize) -> Option<ReadyCondition>,
    ) -> Vec<OwnedPod> {
        let owned = |slot: usize| {
            let pod = &pods[slot];
            let bound = pod.stage.is_bound();
            pod.stage.is_owned().then(|| OwnedPod {
                slot,
                revision: pod.revision,
                node: bound.then_some(pod.node),
                runs: bound && pod.runs_from <= now,
                ready_since: pod.ready_since(fault(slot)),
                created: pod.created,
            })
        };
        let slots = pods.slots_of(self.deployments[deployment].service);
        slots.iter().filter_map(|&slot| owned(slot as usize)).collect()
    }

    /// Checks that nodes count the pods that stand on them, and quotas those that run for their consumers.
    ///
    /// # Panics
    /// If one counts what is not there, or does not count what is.
    pub fn check_nodes(&self, pods: &Pods) {
        let stands = |slot: usize| pods[slot].stage.has_node();
        for (number, node) in self.nodes.iter().enumerate() {
            let here = (0..pods.len()).filter(|&slot| stands(slot) && pods[slot].node as usize == number);
            let (mut count, mut milli_cpu) = (0, 0);
            for slot in here {
                let requests = &self.deployments[self.deployment_of(pods, slot)].requests;
                count += 1;
                milli_cpu += requests.requested.amount(Resource::CPU);
            }
            let counted = (node.resources.pods(), node.resources.requested().requested.amount(Resource::CPU));
            assert_eq!(counted, (count, milli_cpu), "node {number}: pods, and what they request");
        }
        if let Some(liqo) = &self.liqo {
            let asks = |service| {
                let deployment = self.deployments.iter().find(|it| it.service == service);
                deployment.map_or(0, |it| it.requests.requested.amount(Resource::CPU))
            };
            liqo.check_quotas(|slot| pods.service_of(slot), asks);
        }
    }

    /// How many pods of a revision of a Deployment each node has, those that are being deleted apart.
    pub(super) fn alike(&self, pods: &Pods, deployment: usize, revision: u32) -> Vec<u32> {
        let mut alike = vec![0; self.nodes.len()];
        let slots = pods.slots_of(self.deployments[deployment].service);
        for pod in slots.iter().map(|&slot| &pods[slot as usize]) {
            if pod.revision == revision && pod.stage.is_bound() {
                alike[pod.node as usize] += 1;
            }
        }
        alike
    }
}

/// The pods that found no node, in the order in which they were tried last.
pub(super) fn waiting(pods: &Pods) -> Vec<usize> {
    let mut waiting: Vec<usize> = (0..pods.len()).filter(|&slot| pods[slot].unschedulable).collect();
    waiting.sort_by_key(|&slot| (pods[slot].tried, pods[slot].created, slot));
    waiting
}

fn deployments(cluster: ClusterId, topology: &Topology) -> Vec<DeploymentState> {
    let description = &topology.description;
    // One that is offloaded during the run and has no pods is not there before.
    let offloaded = |service| {
        let mut changes = description.kubernetes.changes.iter();
        changes.any(|it| {
            (it.service, it.cluster) == (service, cluster) && matches!(it.kind, ChangeKind::Offload(_))
        }) || description.kubernetes.steered.contains_key(&(cluster, service))
    };
    let state = |&number: &usize| {
        let deployment = &description.deployments[number];
        let autoscaler = description.kubernetes.autoscaler(deployment.service, cluster);
        DeploymentState {
            service: deployment.service,
            for_others: description.liqo().is_some_and(|it| it.provides(deployment.service, cluster)),
            exists: deployment.replicas > 0 || !offloaded(deployment.service),
            wanted: deployment.replicas,
            revision: 0,
            requests: requests_of(description, deployment.service),
            autoscaler: autoscaler.map(|_| Autoscaler::default()),
        }
    };
    let mut all: Vec<DeploymentState> = Vec::new();
    for it in topology.deployments_in[cluster].iter().map(state) {
        // Several of one service, told apart by the weights of their pods, are one to their controller.
        match all.iter_mut().find(|other| other.service == it.service) {
            Some(same) => same.wanted += it.wanted,
            None => all.push(it),
        }
    }
    all
}
