//! Pods come and go: acts on what the Deployment controller, the scheduler and the pods' lives say.
//!
//! # Models
//! A change of the wanted number, of the template, of a pod's state or of what is known of its faults
//! makes the Deployment controller look at its pods at once. Pods without a node try again when another
//! one has left a node, first the one that has waited longest since it was last tried. A pod's endpoint
//! is announced to the proxies of its own cluster after the endpoint delay, and from there to those of
//! the others over the links. A proxy that learns that an endpoint is gone closes its idle connections
//! to it and lets the others end; a pod that ends closes all of its.
//!
//! # Assumptions
//! - The API server, the controllers' queues and their watches take no time of their own; the delay
//!   of the scheduler and the endpoint delay stand for all.
//! - A client in another cluster finds out that a pod is gone when its request arrives, not already
//!   when it makes a connection. Effect: its failure is seen a round trip later, as a reset.
//! - A place is used again by a later pod of the same Deployment, which has its address.
//!
//! # Source
//! kubernetes/kubernetes `pkg/controller/deployment`, `pkg/scheduler/backend/queue/scheduling_queue.go`
//! (`MoveAllToActiveOrBackoffQueue`); Envoy `cluster_manager_impl.cc` (`drainConnections` of removed
//! hosts).

use super::changed_views::EndpointNews;
use super::event::Event;
use super::handle::Context;
use super::message::{Body, Message};
use crate::draws::{Purpose, draw};
use crate::ids::{ClusterId, PodId};
use crate::kubernetes::deployment::reconcile;
use crate::kubernetes::hpa::pod_groups::ReadyCondition;
use crate::kubernetes::pod::{Phase, SIDECAR_IMAGE, Sidecar, Start, StartFactors};
use crate::kubernetes::scheduler::choice::{PodNeeds, choose};
use crate::kubernetes::settings::{ChangeKind, WorkloadSettings};
use crate::telemetry::control_log::{PodRecord, PodStep};
use crate::world::topology::Topology;
use meshsim_core::random::LogNormal;
use meshsim_core::{EntityId, SimDuration, SimTime};

/// A kubelet looks this often whether a container has ended.
const RELIST: SimDuration = SimDuration::from_secs(1);

/// An update of endpoints, as istiod pushes it (bytes).
const ENDPOINT_UPDATE_BYTES: u32 = 1_500;

/// What changes in elastic clusters from the start on: pods without a node, and what is changed.
pub(super) fn first_events(topology: &Topology) -> Vec<(EntityId, SimTime, Event)> {
    let settings = &topology.description.kubernetes;
    let mut events = Vec::new();
    for (place, change) in settings.changes.iter().enumerate() {
        events.push((change.cluster.entity(), change.at, Event::WorkloadChanges(place as u32)));
    }
    for cluster in topology.description.clusters.ids().filter(|&it| settings.is_elastic(it)) {
        events.push((cluster.entity(), SimTime::ZERO, Event::WorkloadsStart));
    }
    events
}

impl Context<'_> {
    /// The first pods that found no node try again.
    pub(super) fn workloads_start(&mut self) {
        for deployment in 0..self.cluster.workloads.deployments.len() {
            for place in self.cluster.workloads.deployments[deployment].places.clone() {
                if self.cluster.workloads.pods[place].phase == Phase::Pending {
                    self.record(place, PodStep::Created);
                    self.try_to_schedule(place);
                }
            }
        }
    }

    /// Somebody changes a Deployment.
    pub(super) fn workload_changes(&mut self, place: u32) {
        let change = self.topology.description.kubernetes.changes[place as usize];
        let Some(deployment) = self.cluster.workloads.deployment(change.service) else { return };
        let state = &mut self.cluster.workloads.deployments[deployment];
        match change.kind {
            ChangeKind::Scale(replicas) => state.wanted = replicas,
            ChangeKind::Rollout => state.revision += 1,
        }
        self.reconcile(deployment);
    }

    /// A Deployment's controller looks at its pods until there is nothing to do.
    pub(super) fn reconcile(&mut self, deployment: usize) {
        while self.reconcile_once(deployment) {}
    }

    /// Tells whether anything was done.
    fn reconcile_once(&mut self, deployment: usize) -> bool {
        let now = self.now;
        let workloads = &self.cluster.workloads;
        let state = &workloads.deployments[deployment];
        let (wanted, revision) = (state.wanted, state.revision);
        let rollout = self.topology.description.kubernetes.workload(state.service).rollout;
        let owned = workloads.owned(deployment, now, |place| self.fault_seen(place));
        let actions = reconcile(wanted, revision, rollout, &owned, now);
        for &place in &actions.delete {
            self.delete_pod(place);
        }
        let mut acted = !actions.delete.is_empty();
        for _ in 0..actions.create {
            // All places are taken while many pods still end: the next one to end asks again.
            let Some(place) = self.cluster.workloads.free_place(deployment) else { return acted };
            let pod = &mut self.cluster.workloads.pods[place];
            *pod = pod.next(revision, now);
            self.record(place, PodStep::Created);
            self.try_to_schedule(place);
            acted = true;
        }
        acted
    }

    /// What the control plane saw last of the faults of the pod in a place.
    pub(super) fn fault_seen(&self, place: usize) -> Option<ReadyCondition> {
        self.topology.faults.last_seen(self.pod_in(place), self.now)
    }

    /// The controller of a pod's Deployment, if it is here, learns of a fault or its end.
    pub(super) fn controller_sees_fault(&mut self, pod: PodId) {
        if self.cluster.workloads.is_elastic && self.topology.pods[pod].cluster == self.cluster.id {
            self.reconcile(self.cluster.workloads.deployment_of(self.topology.slot_of(pod)));
        }
    }

    fn try_to_schedule(&mut self, place: usize) {
        let at = self.now.saturating_add(self.topology.description.kubernetes.pods.scheduling);
        self.pod_advances_at(place, at);
    }

    pub(super) fn pod_advances_at(&mut self, place: usize, at: SimTime) {
        let incarnation = self.cluster.workloads.pods[place].incarnation;
        self.scheduler.schedule(at, Event::PodAdvances { place: place as u32, incarnation });
    }

    /// The next step in the life of a pod is due.
    pub(super) fn pod_advances(&mut self, place: usize, incarnation: u32) {
        let pod = self.cluster.workloads.pods[place];
        if pod.incarnation != incarnation {
            return;
        }
        match pod.phase {
            Phase::Pending => self.schedule_pod(place),
            Phase::Starting => self.pod_starts(place),
            Phase::Terminating if pod.ends_from <= self.now => self.pod_may_end(place),
            Phase::Absent | Phase::Ready | Phase::Terminating => {}
        }
    }

    /// The scheduler looks for a node.
    fn schedule_pod(&mut self, place: usize) {
        let settings = &self.topology.description.kubernetes;
        let deployment = self.cluster.workloads.deployment_of(place);
        let workloads = &mut self.cluster.workloads;
        let state = &workloads.deployments[deployment];
        let workload = settings.workload(state.service);
        let needs = PodNeeds {
            requests: &state.requests,
            node_selector: &workload.node_selector,
            tolerations: &workload.tolerations,
        };
        let revision = workloads.pods[place].revision;
        let version = settings.controller.version;
        match choose(version, &workloads.nodes, &needs, &workloads.alike(deployment, revision)) {
            Err(unfit) => {
                workloads.pods[place].tried = self.now;
                if !std::mem::replace(&mut workloads.pods[place].unschedulable, true) {
                    self.record(place, PodStep::Unschedulable(unfit));
                }
            }
            Ok(node) => {
                workloads.nodes[node].resources.add(&state.requests);
                self.start_pod(place, node, &workload);
            }
        }
    }

    /// A node's kubelet takes a pod.
    fn start_pod(&mut self, place: usize, node: usize, workload: &WorkloadSettings) {
        let (now, sidecar) = (self.now, self.sidecar());
        let times = &self.topology.description.kubernetes.pods;
        let bandwidth = times.pull_bits_per_second;
        let factors = self.start_factors(place);
        let workloads = &mut self.cluster.workloads;
        let cache = &mut workloads.images[node];
        let mut images = now;
        if sidecar != Sidecar::None {
            images = cache.pull(SIDECAR_IMAGE, times.sidecar_image_bytes, bandwidth, now);
        }
        images = images.max(cache.pull(workload.image, workload.image_bytes, bandwidth, now));
        let start = Start { times, factors, sidecar, work: workload.start };
        let pod = &mut workloads.pods[place];
        pod.start(node as u32, now, images, &start);
        let next = if pod.works { pod.runs_from } else { pod.ready_from };
        let host = self.topology.description.clusters[self.cluster.id].nodes[node].host;
        let container = self.topology.pods[self.pod_in(place)].container;
        self.compute.place(container, Some(self.topology.local_hosts[host]));
        self.record(place, PodStep::Scheduled(node as u32));
        self.pod_advances_at(place, next);
    }

    /// What kind of sidecar the pods here have.
    fn sidecar(&self) -> Sidecar {
        let description = &self.topology.description;
        let native = description.mesh.istio_version.has_native_sidecars()
            && description.kubernetes.controller.version.has_stable_sidecars();
        match (self.topology.has_sidecars(), native) {
            (false, _) => Sidecar::None,
            (true, false) => Sidecar::Classic,
            (true, true) => Sidecar::Native,
        }
    }

    fn start_factors(&self, place: usize) -> StartFactors {
        let spread = self.topology.description.kubernetes.pods.start_spread;
        if spread == 0.0 {
            return StartFactors { containers: 1.0, sidecar: 1.0, application: 1.0 };
        }
        let incarnation = self.cluster.workloads.pods[place].incarnation;
        let address = self.topology.draws.of_pod(self.pod_in(place), u64::from(incarnation));
        let mut rng = draw(address, Purpose::PodStart);
        let law = LogNormal::new(1.0, spread);
        let [containers, sidecar, application] = [(); 3].map(|()| law.sample(&mut rng));
        StartFactors { containers, sidecar, application }
    }

    /// A pod's containers run, or it is ready.
    fn pod_starts(&mut self, place: usize) {
        let pod = self.cluster.workloads.pods[place];
        if pod.works && pod.runs_from == self.now {
            self.start_work_begins(place);
            // Without a probe it is known when it is ready.
            if self.now < pod.ready_from && pod.ready_from < SimTime::MAX {
                self.pod_advances_at(place, pod.ready_from);
            }
        }
        if pod.ready_from <= self.now {
            self.pod_is_ready(place);
        }
    }

    /// A pod serves, and its endpoint is announced.
    fn pod_is_ready(&mut self, place: usize) {
        let (pod, topology) = (self.pod_in(place), self.topology);
        let life = &mut self.cluster.workloads.pods[place];
        life.phase = Phase::Ready;
        let node = life.node;
        if topology.has_sidecars() {
            let site = topology.site_of_node(self.cluster.id, node);
            self.cluster.proxies[topology.sidecar_of(pod)].site = site;
        }
        self.record(place, PodStep::Ready);
        self.announce(pod, true);
        if topology.burns_after_ready(pod) {
            self.start_work_begins(place);
        }
        self.reconcile(self.cluster.workloads.deployment_of(place));
    }

    /// A pod is deleted.
    fn delete_pod(&mut self, place: usize) {
        let settings = &self.topology.description.kubernetes;
        let sidecar = self.sidecar();
        self.record(place, PodStep::Deleted);
        let pod = &mut self.cluster.workloads.pods[place];
        match pod.phase {
            Phase::Pending => self.pod_has_ended(place, 0),
            // There is nothing yet that could end in peace.
            Phase::Starting if pod.runs_from > self.now => {
                self.release_node(place);
                self.pod_has_ended(place, 0);
            }
            Phase::Starting | Phase::Ready => {
                let was_ready = pod.phase == Phase::Ready;
                let first = pod.delete(self.now, &settings.pods, sidecar);
                self.pod_advances_at(place, first);
                if was_ready {
                    self.announce(self.pod_in(place), false);
                }
            }
            Phase::Absent | Phase::Terminating => {}
        }
    }

    /// A kubelet looks whether a pod that is being deleted has ended.
    fn pod_may_end(&mut self, place: usize) {
        let pod = self.pod_in(place);
        let calls = &self.cluster.calls;
        let open = calls.handles().filter(|&call| calls[call].pod == pod).count() as u32;
        let killed_from = self.cluster.workloads.pods[place].killed_from;
        if open > 0 && self.now < killed_from {
            return self.pod_advances_at(place, killed_from.min(self.now.saturating_add(RELIST)));
        }
        self.pod_dies(pod);
        self.cluster.close_connections(pod, self.now);
        for cluster in self.others() {
            self.tell(cluster, Body::PodEnded { pod });
        }
        self.release_node(place);
        self.pod_has_ended(place, open);
        self.reconcile(self.cluster.workloads.deployment_of(place));
    }

    /// A pod has left its node: what it requested there is free for others.
    fn release_node(&mut self, place: usize) {
        self.compute.place(self.topology.pods[self.pod_in(place)].container, None);
        let workloads = &mut self.cluster.workloads;
        let deployment = workloads.deployment_of(place);
        let node = workloads.pods[place].node as usize;
        workloads.nodes[node].resources.remove(&workloads.deployments[deployment].requests);
        for other in workloads.waiting() {
            self.try_to_schedule(other);
        }
    }

    fn pod_has_ended(&mut self, place: usize, open: u32) {
        self.record(place, PodStep::Ended(open));
        let workloads = &mut self.cluster.workloads;
        let pod = &mut workloads.pods[place];
        pod.phase = Phase::Absent;
        pod.unschedulable = false;
        pod.ended = self.now;
        workloads.histories[place].clear();
    }

    /// The control plane learns that an endpoint serves, or no longer.
    fn announce(&mut self, pod: PodId, appears: bool) {
        let at = self.now.saturating_add(self.topology.description.kubernetes.pods.endpoint_delay);
        self.scheduler.schedule(at, Event::EndpointAnnounced { pod, appears });
    }

    /// The proxies of all clusters are told of an endpoint.
    pub(super) fn endpoint_announced(&mut self, pod: PodId, appears: bool) {
        let node = self.cluster.workloads.pods[self.topology.slot_of(pod)].node;
        let site = appears.then(|| self.topology.site_of_node(self.cluster.id, node));
        let news = site.map_or(EndpointNews::Leaves, EndpointNews::Appears);
        self.endpoint_news(pod, news);
        for cluster in self.others() {
            self.tell(cluster, Body::Endpoint { pod, news });
        }
    }

    /// The proxies of this cluster are told of an endpoint.
    pub(super) fn endpoint_news(&mut self, pod: PodId, news: EndpointNews) {
        self.cluster.change_endpoint(self.topology, pod, news, self.now);
        if news == EndpointNews::Leaves {
            self.cluster.pools.retire(pod);
        }
    }

    /// A pod of another cluster, so far away, has closed its connections.
    pub(super) fn remote_pod_ended(&mut self, pod: PodId) {
        let away = self.topology.path(self.topology.pods[pod].cluster, self.cluster.id).one_way;
        let closed = SimTime::from_nanos(self.now.as_nanos().saturating_sub(away.as_nanos()));
        self.cluster.close_connections(pod, closed);
    }

    fn others(&self) -> Vec<ClusterId> {
        let here = self.cluster.id;
        let all = self.topology.description.clusters.ids();
        all.filter(|&it| it != here && self.topology.route(here, it).is_some()).collect()
    }

    fn tell(&mut self, cluster: ClusterId, body: Body) {
        let address = self.next_draw();
        let message = Message { to: cluster, wire_bytes: ENDPOINT_UPDATE_BYTES, body };
        self.cluster.recorder.other_bytes_sent(ENDPOINT_UPDATE_BYTES);
        self.send(message, address, Purpose::LinkControl);
    }

    /// The pod in a place of this cluster.
    pub(super) fn pod_in(&self, place: usize) -> PodId {
        PodId(self.topology.pods_of(self.cluster.id).start + place as u32)
    }

    fn record(&mut self, place: usize, step: PodStep) {
        let workloads = &self.cluster.workloads;
        let deployment = &workloads.deployments[workloads.deployment_of(place)];
        let record = PodRecord {
            at: self.now,
            service: deployment.service,
            place: (place - deployment.places.start) as u32,
            incarnation: workloads.pods[place].incarnation,
            step,
        };
        self.cluster.recorder.pod_stepped(record);
    }
}
