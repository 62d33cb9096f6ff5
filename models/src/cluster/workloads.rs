//! The Deployments of a cluster as they are: their pods, its nodes, and what was done about them.

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

/// Deployments, pods and nodes of a cluster.
#[derive(Clone, Debug)]
pub struct Workloads {
    /// Whether anything of it may change.
    pub is_elastic: bool,
    /// By the place of a pod in the cluster.
    pub pods: Vec<PodLife>,
    /// Its Deployments.
    pub deployments: Vec<DeploymentState>,
    /// What its nodes have; empty where nothing changes.
    pub nodes: Vec<Node>,
    /// The images on its nodes; likewise.
    pub images: Vec<ImageCache>,
    /// What is measured of its pods; likewise.
    pub histories: Vec<PodHistory>,
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

impl Workloads {
    /// As they are at the start.
    #[must_use]
    pub fn new(cluster: ClusterId, topology: &Topology) -> Self {
        let description = &topology.description;
        let is_elastic = description.kubernetes.is_elastic(cluster);
        let pods_of = topology.pods_of(cluster);
        let life = |pod: u32| match topology.pods[PodId(pod)].starts_on {
            Some(node) => PodLife::running(node),
            None => PodLife::default(),
        };
        let mut workloads = Self {
            is_elastic,
            pods: pods_of.clone().map(life).collect(),
            deployments: deployments(cluster, topology),
            nodes: Vec::new(),
            images: Vec::new(),
            histories: Vec::new(),
        };
        if is_elastic {
            workloads.nodes = empty_nodes(description, cluster);
            workloads.images = vec![ImageCache::default(); workloads.nodes.len()];
            workloads.histories = vec![PodHistory::default(); workloads.pods.len()];
            workloads.fill_nodes(topology);
        }
        workloads
    }

    /// What stands on the nodes at the start, and the images that it brought.
    fn fill_nodes(&mut self, topology: &Topology) {
        for deployment in &mut self.deployments {
            let image = topology.description.kubernetes.workload(deployment.service).image;
            for place in deployment.places.clone() {
                let pod = &mut self.pods[place];
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

    /// The Deployment of a pod.
    ///
    /// # Panics
    /// If there is no such place.
    #[must_use]
    pub fn deployment_of(&self, place: usize) -> usize {
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
    #[must_use]
    pub fn owned(
        &self,
        deployment: usize,
        now: SimTime,
        fault: impl Fn(usize) -> Option<ReadyCondition>,
    ) -> Vec<OwnedPod> {
        let places = self.deployments[deployment].places.clone();
        let owned = |place: usize| {
            let it = &self.pods[place];
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

    /// The pods that found no node, in the order in which they were tried last.
    #[must_use]
    pub fn waiting(&self) -> Vec<usize> {
        let unschedulable = |place: &usize| self.pods[*place].unschedulable;
        let mut waiting: Vec<usize> = (0..self.pods.len()).filter(unschedulable).collect();
        waiting.sort_by_key(|&place| (self.pods[place].tried, self.pods[place].created, place));
        waiting
    }

    /// Pods of a Deployment in a phase.
    #[must_use]
    pub fn count(&self, deployment: usize, phase: Phase) -> u32 {
        let pods = &self.pods[self.deployments[deployment].places.clone()];
        pods.iter().filter(|it| it.phase == phase).count() as u32
    }

    /// How many pods of a revision of a Deployment each node has, those that are being deleted apart.
    #[must_use]
    pub fn alike(&self, deployment: usize, revision: u32) -> Vec<u32> {
        let mut alike = vec![0; self.nodes.len()];
        for pod in &self.pods[self.deployments[deployment].places.clone()] {
            if pod.revision == revision && matches!(pod.phase, Phase::Starting | Phase::Ready) {
                alike[pod.node as usize] += 1;
            }
        }
        alike
    }

    /// The free place of a Deployment whose last pod ended first.
    #[must_use]
    pub fn free_place(&self, deployment: usize) -> Option<usize> {
        let places = self.deployments[deployment].places.clone();
        let free = places.filter(|&place| self.pods[place].phase == Phase::Absent);
        free.min_by_key(|&place| (self.pods[place].ended, place))
    }
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
