//! The Deployments, nodes and autoscalers of a cluster as they are.

use super::istiod::Istiod;
use crate::cluster::pods::Pods;
use crate::ids::{ClusterId, PodId, ServiceId};
use crate::kubernetes::deployment::OwnedPod;
use crate::kubernetes::hpa::Autoscaler;
use crate::kubernetes::hpa::pod_groups::ReadyCondition;
use crate::kubernetes::metrics_server::PodHistory;
use crate::kubernetes::pod::{ImageCache, Phase, PodLife, SIDECAR_IMAGE};
use crate::kubernetes::scheduler::node::Node;
use crate::kubernetes::scheduler::resources::PodRequests;
use crate::world::placement::{DeploymentPlaces, empty_nodes, requests_of};
use crate::world::topology::Topology;
use meshsim_core::SimTime;
use std::ops::Range;

/// Deployments and nodes of a cluster.
#[derive(Clone, Debug)]
pub struct Control {
    /// Its Deployments.
    pub(super) deployments: Vec<DeploymentState>,
    /// What its nodes have; empty where nothing changes.
    pub(super) nodes: Vec<Node>,
    /// The images on its nodes; likewise.
    pub(super) images: Vec<ImageCache>,
    /// What is measured of its pods; likewise.
    pub(super) histories: Vec<PodHistory>,
    /// Its istiod.
    pub(super) istiod: Istiod,
}

/// A Deployment as it is.
#[derive(Clone, Debug)]
pub struct DeploymentState {
    /// The service that its pods run.
    pub service: ServiceId,
    /// The places of its pods in the cluster.
    pub places: Range<usize>,
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
    /// A cluster's Deployments, with its pods, as they are at the start.
    #[must_use]
    pub(in crate::cluster) fn new(cluster: ClusterId, topology: &Topology) -> (Self, Pods) {
        let description = &topology.description;
        let changes = description.kubernetes.is_elastic(cluster);
        let life = |pod: u32| match topology.pods[PodId(pod)].starts_on {
            Some(node) => PodLife::running(node),
            None => PodLife::default(),
        };
        let mut pods = Pods::new(topology.pods_of(cluster).map(life).collect(), changes);
        let mut control = Self {
            deployments: deployments(cluster, topology),
            nodes: Vec::new(),
            images: Vec::new(),
            histories: Vec::new(),
            istiod: Istiod::new(cluster, topology),
        };
        if changes {
            control.nodes = empty_nodes(description, cluster);
            control.images = vec![ImageCache::default(); control.nodes.len()];
            control.histories = vec![PodHistory::default(); pods.len()];
            control.fill_nodes(topology, &mut pods);
        }
        (control, pods)
    }

    /// What stands on the nodes at the start, and the images that it brought.
    fn fill_nodes(&mut self, topology: &Topology, pods: &mut Pods) {
        for deployment in &mut self.deployments {
            let image = topology.description.kubernetes.workload(deployment.service).image;
            for place in deployment.places.clone() {
                let pod = pods.life_mut(place);
                if pod.phase != Phase::Absent {
                    self.nodes[pod.node as usize].resources.add(&deployment.requests);
                    self.images[pod.node as usize].hold(image);
                    self.images[pod.node as usize].hold(SIDECAR_IMAGE);
                } else if ((place - deployment.places.start) as u32) < deployment.wanted {
                    *pod = pod.next(0, SimTime::ZERO);
                }
            }
        }
    }

    /// A pod dies: the metrics server knows nothing of what was before.
    pub(in crate::cluster) fn pod_dies(&mut self, place: usize) {
        if let Some(history) = self.histories.get_mut(place) {
            history.clear();
        }
    }

    /// A Deployment.
    #[must_use]
    pub fn state(&self, deployment: usize) -> &DeploymentState {
        &self.deployments[deployment]
    }

    /// The Deployment of a pod.
    ///
    /// # Panics
    /// If there is no such place.
    pub(super) fn deployment_of(&self, place: usize) -> usize {
        let after = self.deployments.partition_point(|it| it.places.end <= place);
        assert!(self.deployments[after].places.contains(&place), "a place of a Deployment");
        after
    }

    /// The Deployment of a service.
    #[must_use]
    pub fn deployment(&self, service: ServiceId) -> Option<usize> {
        self.deployments.iter().position(|it| it.service == service)
    }

    /// The pods of a Deployment that are not being deleted; of a place, what was seen last of its faults.
    pub(super) fn owned(
        &self,
        pods: &Pods,
        deployment: usize,
        now: SimTime,
        fault: impl Fn(usize) -> Option<ReadyCondition>,
    ) -> Vec<OwnedPod> {
        let places = self.deployments[deployment].places.clone();
        let owned = |place: usize| {
            let it = &pods[place];
            let bound = matches!(it.phase, Phase::Starting | Phase::Ready);
            (bound || it.phase == Phase::Pending).then(|| OwnedPod {
                place,
                revision: it.revision,
                node: bound.then_some(it.node),
                runs: bound && it.runs_from <= now,
                ready_since: it.ready_since(fault(place)),
                created: it.created,
            })
        };
        places.filter_map(owned).collect()
    }

    /// How many pods of a revision of a Deployment each node has, those that are being deleted apart.
    pub(super) fn alike(&self, pods: &Pods, deployment: usize, revision: u32) -> Vec<u32> {
        let mut alike = vec![0; self.nodes.len()];
        for pod in self.deployments[deployment].places.clone().map(|place| &pods[place]) {
            if pod.revision == revision && matches!(pod.phase, Phase::Starting | Phase::Ready) {
                alike[pod.node as usize] += 1;
            }
        }
        alike
    }

    /// The free place of a Deployment whose last pod ended first.
    pub(super) fn free_place(&self, pods: &Pods, deployment: usize) -> Option<usize> {
        let places = self.deployments[deployment].places.clone();
        let free = places.filter(|&place| pods[place].phase == Phase::Absent);
        free.min_by_key(|&place| (pods[place].ended, place))
    }
}

/// The pods that found no node, in the order in which they were tried last.
pub(super) fn waiting(pods: &Pods) -> Vec<usize> {
    let mut waiting: Vec<usize> = (0..pods.len()).filter(|&place| pods[place].unschedulable).collect();
    waiting.sort_by_key(|&place| (pods[place].tried, pods[place].created, place));
    waiting
}

fn deployments(cluster: ClusterId, topology: &Topology) -> Vec<DeploymentState> {
    let description = &topology.description;
    let state = |placed: &DeploymentPlaces| {
        let it = &description.deployments[placed.number];
        let autoscaler = description.kubernetes.autoscaler(it.service, cluster);
        DeploymentState {
            service: it.service,
            places: placed.places.clone(),
            wanted: it.replicas,
            revision: 0,
            requests: requests_of(description, it.service),
            autoscaler: autoscaler.map(|_| Autoscaler::default()),
        }
    };
    topology.deployments_in[cluster].iter().map(state).collect()
}
