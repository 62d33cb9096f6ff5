//! Pods come and go: acts on what the Deployment controller, the scheduler and the pods' lives say.
//!
//! # Models
//! A Deployment may be made and deleted during the run, with its autoscaler, which begins with an empty memory.
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
//! - The pods of a Deployment that is deleted are deleted at once, where the garbage collector takes some milliseconds.
//! - A client in another cluster finds out that a pod is gone when its request arrives, not already
//!   when it makes a connection. Effect: its failure is seen a round trip later, as a reset.
//! - The address of a pod that ended a minute ago is used again by a later pod of the same service, even if a proxy that
//!   is cut off or not pushed to yet still knows the one before.
//!
//! # Source
//! kubernetes/kubernetes `pkg/controller/deployment`, `pkg/scheduler/backend/queue/scheduling_queue.go`
//! (`MoveAllToActiveOrBackoffQueue`); Envoy `cluster_manager_impl.cc` (`drainConnections` of removed
//! hosts).

use super::state::{Control, waiting};
use crate::cluster::around::Around;
use crate::cluster::event::Event;
use crate::cluster::handed::Handed;
use crate::cluster::news::{EndpointNews, News};
use crate::cluster::pods::ADDRESS_RESTS;
use crate::draws::{Purpose, draw};
use crate::faults::pod::PodFault;
use crate::ids::{PodId, ServiceId};
use crate::kubernetes::deployment::reconcile;
use crate::kubernetes::hpa::Autoscaler;
use crate::kubernetes::hpa::pod_groups::ReadyCondition;
use crate::kubernetes::pod::{PodLife, PodStage, SIDECAR_IMAGE, Sidecar, Start, StartFactors};
use crate::kubernetes::scheduler::choice::{PodNeeds, choose};
use crate::kubernetes::settings::{ChangeKind, PodTimes, WorkloadSettings};
use crate::telemetry::control_log::{PodRecord, PodStep};
use crate::world::containers::container_of;
use crate::world::timeline::events_of_fault;
use meshsim_core::random::LogNormal;
use meshsim_core::{SimDuration, SimTime};
use std::cmp::Reverse;

/// A kubelet looks this often whether a container has ended.
const RELIST: SimDuration = SimDuration::from_secs(1);

/// The period of the startup probe of Istio's sidecar, which passes once that has a configuration.
const STARTUP_PROBE: SimDuration = SimDuration::from_secs(1);

impl Control {
    /// The first pods that found no node are made, and tried again.
    pub(in crate::cluster) fn workloads_start(&mut self, at: &mut Around<'_>) {
        self.begin_to_change(at.here, at.topology, at.pods);
        for deployment in 0..self.deployments.len() {
            self.reconcile(at, deployment);
        }
    }

    /// Somebody changes a Deployment.
    pub(in crate::cluster) fn workload_changes(&mut self, at: &mut Around<'_>, number: u32) {
        let change = at.topology.description.kubernetes.changes[number as usize];
        // Who changes it tries until it is taken.
        if at.waits_for_api_server(Event::WorkloadChanges(number)) {
            return;
        }
        self.apply_change(at, change.service, change.kind);
    }

    /// A Deployment here is changed.
    pub(super) fn apply_change(&mut self, at: &mut Around<'_>, service: ServiceId, kind: ChangeKind) {
        let Some(deployment) = self.deployment(service) else { return };
        let state = &mut self.deployments[deployment];
        match kind {
            // `resolve` refuses it: there is nothing that could be scaled.
            ChangeKind::Scale(_) | ChangeKind::Rollout if !state.exists => return,
            ChangeKind::Scale(replicas) => state.wanted = replicas,
            ChangeKind::Rollout => state.revision += 1,
            ChangeKind::Offload(replicas) => (state.exists, state.wanted) = (true, replicas),
            ChangeKind::Remove => {
                (state.exists, state.wanted) = (false, 0);
                // One that is made later remembers nothing.
                state.autoscaler = state.autoscaler.take().map(|_| Autoscaler::default());
            }
        }
        self.reconcile(at, deployment);
        if kind == ChangeKind::Remove {
            self.delete_failed(at, service);
        }
        // The status of an autoscaler that was made just now says nothing yet.
        if matches!(kind, ChangeKind::Offload(_) | ChangeKind::Remove)
            && self.deployments[deployment].autoscaler.is_some()
        {
            self.tell_offloading(at, deployment, 0);
        }
    }

    /// A Deployment's controller looks at its pods until there is nothing to do.
    pub(super) fn reconcile(&mut self, at: &mut Around<'_>, deployment: usize) {
        // Nothing is known or done without the API server.
        if !at.has_api_server() {
            return;
        }
        while self.reconcile_once(at, deployment) {}
        if self.offloading.is_some() && self.deployments[deployment].autoscaler.is_none() {
            let service = self.deployments[deployment].service;
            let owned = |&&slot: &&u32| at.pods[slot as usize].stage.is_owned();
            let current = at.pods.slots_of(service).iter().filter(owned).count() as u32;
            self.tell_offloading(at, deployment, current);
        }
    }

    /// Tells whether anything was done.
    fn reconcile_once(&mut self, at: &mut Around<'_>, deployment: usize) -> bool {
        let now = at.now;
        let state = &self.deployments[deployment];
        if state.for_others {
            return false;
        }
        let (wanted, revision) = (state.wanted, state.revision);
        let rollout = at.topology.description.kubernetes.workload(state.service).rollout;
        let service = state.service;
        let owned = self.owned(at.pods, deployment, now, |slot| self.fault_seen(at, slot));
        let actions = reconcile(wanted, revision, rollout, &owned, now);
        let acts = actions.create > 0 || !actions.delete.is_empty();
        if acts {
            self.begin_to_change(at.here, at.topology, at.pods);
        }
        for &slot in &actions.delete {
            self.delete_pod(at, slot);
        }
        for _ in 0..actions.create {
            let slot = make_pod(at, service, revision);
            self.record(at, slot, PodStep::Created);
            try_to_schedule(at, slot);
        }
        acts
    }

    /// What the control plane saw last of the faults of the pod in a slot, and of its node.
    pub(super) fn fault_seen(&self, at: &Around<'_>, slot: usize) -> Option<ReadyCondition> {
        let own = at.topology.faults.last_seen(at.pods.pod_in(slot), at.now);
        let of_node = self.node_seen(at, slot).into_iter().chain(self.seen_at_provider(slot));
        // What is not ready for either reason is not; else the later change counts.
        own.into_iter().chain(of_node).min_by_key(|it| (it.ready, Reverse(it.last_transition)))
    }

    /// The controller of a Deployment learns of a fault of one of its pods or of its end: before any pod has come or
    /// gone there is nothing to do.
    pub(super) fn controller_sees_fault(&mut self, at: &mut Around<'_>, pod: PodId) {
        if !self.nodes.is_empty() {
            self.reconcile(at, self.deployment_of(at.pods, at.pods.slot_of(pod)));
        }
    }

    /// The next step in the life of a pod is due.
    /// Tells whether it is the question whether the pod has ended.
    pub(in crate::cluster) fn pod_advances(
        &mut self,
        at: &mut Around<'_>,
        slot: usize,
        generation: u32,
    ) -> bool {
        let pod = at.pods[slot];
        if pod.generation != generation {
            return false;
        }
        match pod.stage {
            PodStage::Pending => self.schedule_pod(at, slot),
            PodStage::Starting | PodStage::Terminating if pod.offloaded => self.ask_provider_again(at, slot),
            PodStage::Starting => self.pod_starts(at, slot),
            PodStage::Terminating => return pod.ends_from <= at.now,
            PodStage::Absent | PodStage::Ready => {}
        }
        false
    }

    /// The scheduler looks for a node.
    fn schedule_pod(&mut self, at: &mut Around<'_>, slot: usize) {
        if at.waits_for_api_server(pod_advances(at, slot)) || !self.is_let_in(at, slot) {
            return;
        }
        let settings = &at.topology.description.kubernetes;
        let deployment = self.deployment_of(at.pods, slot);
        let state = &self.deployments[deployment];
        let workload = settings.workload(state.service);
        let asks = at.topology.description.asks_of_nodes(state.service, at.here);
        let needs = PodNeeds {
            requests: &state.requests,
            node_selector: asks.node_selector.as_ref(),
            tolerations: &asks.tolerations,
        };
        let alike = self.alike(at.pods, deployment, at.pods[slot].revision);
        match choose(settings.controller.version, &self.nodes, &needs, &alike) {
            Err(unfit) => {
                let pod = at.pods.life_mut(slot);
                pod.tried = at.now;
                if !std::mem::replace(&mut pod.unschedulable, true) {
                    self.record(at, slot, PodStep::Unschedulable(unfit));
                }
            }
            Ok(node) => {
                self.nodes[node].resources.add(&state.requests);
                match self.provider(node) {
                    Some(_) => self.offload(at, slot, node),
                    None => self.start_pod(at, slot, node, &workload),
                }
            }
        }
    }

    /// A node's kubelet takes a pod.
    fn start_pod(&mut self, at: &mut Around<'_>, slot: usize, node: usize, workload: &WorkloadSettings) {
        let sidecar = sidecar_of(at, slot);
        // On a node that is lost nothing happens before it is back.
        let now = at.topology.outages.node_back_from(at.here, node as u32, at.now);
        let times = times_of(at, slot);
        let bandwidth = times.pull_bits_per_second;
        let factors = start_factors(at, slot);
        let cache = &mut self.images[node];
        let mut images = now;
        if sidecar != Sidecar::None {
            images = cache.pull(SIDECAR_IMAGE, times.sidecar_image_bytes, bandwidth, now);
        }
        images = images.max(cache.pull(workload.image, workload.image_bytes, bandwidth, now));
        let start = Start { times, factors, sidecar, work: workload.start };
        let pod = at.pods.life_mut(slot);
        pod.start(node as u32, at.now, images, &start);
        let next = if pod.works { pod.runs_from } else { pod.ready_from };
        let host = at.topology.description.clusters[at.here].nodes[node].host;
        let container = at.pods.container_of(slot);
        at.compute.put_on(container, Some(at.topology.local_hosts[host]));
        self.record(at, slot, PodStep::Scheduled(node as u32));
        if next < SimTime::MAX {
            pod_advances_at(at, slot, next);
        }
    }

    /// A pod's containers run, or it is ready.
    fn pod_starts(&mut self, at: &mut Around<'_>, slot: usize) {
        let pod = at.pods[slot];
        if pod.works && pod.runs_from == at.now {
            self.start_work_begins(at, slot);
            // Without a probe it is known when it is ready.
            if at.now < pod.ready_from && pod.ready_from < SimTime::MAX {
                pod_advances_at(at, slot, pod.ready_from);
            }
        }
        if pod.ready_from <= at.now {
            match ready_later(at, slot) {
                None => self.pod_is_ready(at, slot),
                Some(SimTime::MAX) => {}
                Some(later) => {
                    at.pods.life_mut(slot).ready_from = later;
                    pod_advances_at(at, slot, later);
                }
            }
        }
    }

    /// A pod serves, and its endpoint is announced.
    fn pod_is_ready(&mut self, at: &mut Around<'_>, slot: usize) {
        let (pod, topology) = (at.pods.pod_in(slot), at.topology);
        let life = at.pods.life_mut(slot);
        life.stage = PodStage::Ready;
        let node = life.node;
        let site = topology.site_of_node(at.here, node);
        if topology.has_sidecars() {
            let sidecar = at.proxies.sidecar(slot);
            at.proxies.stands_on(sidecar, site);
        }
        self.record(at, slot, PodStep::Ready);
        announce(at, pod, EndpointNews::Appears(node));
        if topology.burns_after_ready(pod) {
            self.start_work_begins(at, slot);
        }
        self.reconcile(at, self.deployment_of(at.pods, slot));
    }

    /// A pod is deleted.
    pub(super) fn delete_pod(&mut self, at: &mut Around<'_>, slot: usize) {
        let (times, sidecar) = (times_of(at, slot), sidecar_of(at, slot));
        self.record(at, slot, PodStep::Deleted);
        let pod = at.pods.life_mut(slot);
        if pod.offloaded && pod.stage.is_bound() {
            return self.delete_offloaded(at, slot);
        }
        self.frees_quota_of_steered(slot);
        match at.pods[slot].stage {
            PodStage::Pending => self.is_absent(at, slot, 0),
            // There is nothing yet that could end in peace.
            PodStage::Starting if at.pods[slot].runs_from > at.now => {
                self.release_node(at, slot);
                self.is_absent(at, slot, 0);
            }
            PodStage::Starting | PodStage::Ready => {
                let pod = at.pods.life_mut(slot);
                let was_ready = pod.stage == PodStage::Ready;
                let first = pod.delete(at.now, times, sidecar);
                pod_advances_at(at, slot, first);
                if was_ready {
                    announce(at, at.pods.pod_in(slot), EndpointNews::Leaves);
                }
            }
            PodStage::Absent | PodStage::Terminating => {}
        }
    }

    /// A kubelet looks whether a pod that is being deleted, and has so many calls under way, has ended. If
    /// it has, whoever owns what it has under way is to be told, and then [`Control::pod_has_ended`].
    pub(in crate::cluster) fn ends_with(&mut self, at: &mut Around<'_>, slot: usize, open: u32) -> bool {
        // What is on a node that is lost ends when its kubelet is back.
        let back = at.topology.outages.node_back_from(at.here, at.pods[slot].node, at.now);
        if back > at.now {
            if back < SimTime::MAX {
                pod_advances_at(at, slot, back.saturating_add(RELIST));
            }
            return false;
        }
        let killed_from = at.pods[slot].killed_from;
        let waits = open > 0 && at.now < killed_from;
        if waits {
            pod_advances_at(at, slot, killed_from.min(at.now.saturating_add(RELIST)));
        }
        !waits
    }

    /// A pod has ended, with so many calls under way.
    pub(in crate::cluster) fn pod_has_ended(&mut self, at: &mut Around<'_>, slot: usize, open: u32) {
        self.release_node(at, slot);
        self.is_absent(at, slot, open);
        self.reconcile(at, self.deployment_of(at.pods, slot));
    }

    /// A pod has left its node: what it requested there is free for others.
    fn release_node(&mut self, at: &mut Around<'_>, slot: usize) {
        at.compute.put_on(at.pods.container_of(slot), None);
        let requests = &self.deployments[self.deployment_of(at.pods, slot)].requests;
        self.nodes[at.pods[slot].node as usize].resources.remove(requests);
        for other in waiting(at.pods) {
            try_to_schedule(at, other);
        }
    }

    fn is_absent(&mut self, at: &mut Around<'_>, slot: usize, open: u32) {
        self.record(at, slot, PodStep::Ended(open));
        let pod = at.pods.life_mut(slot);
        pod.stage = PodStage::Absent;
        pod.unschedulable = false;
        pod.ended = at.now;
        self.pod_dies(slot);
        self.shadow_has_ended(at, slot);
    }

    pub(super) fn record(&mut self, at: &mut Around<'_>, slot: usize, step: PodStep) {
        let pod = at.pods.pod_in(slot);
        at.recorder.pod_stepped(PodRecord {
            at: at.now,
            service: at.topology.pod_ids.service_of(pod),
            ordinal: at.topology.pod_ids.ordinal_of(pod),
            generation: at.pods[slot].generation,
            step,
        });
        self.shadow_steps(at, slot, step);
    }
}

/// A pod is made, in a slot that is free or in a new one: tells which.
pub(super) fn make_pod(at: &mut Around<'_>, service: ServiceId, revision: u32) -> usize {
    // What is announced of a pod is announced before another has its number.
    let rests = ADDRESS_RESTS.max(at.topology.description.kubernetes.pods.endpoint_delay);
    if let Some(slot) = at.pods.free_slot(service, at.now, rests) {
        let life = at.pods.life_mut(slot);
        *life = PodLife::made(life.generation + 1, revision, at.now);
        return slot;
    }
    let ordinal = at.pods.slots_of(service).len() as u32;
    let pod = at.topology.pod_ids.pod(at.here, service, ordinal);
    // It has a node, and with it a host, once it is scheduled.
    let container = at.compute.add_container(&container_of(at.topology, pod, 0, 0));
    at.compute.put_on(container, None);
    if at.topology.has_sidecars() {
        let site = at.topology.site_of_node(at.here, 0);
        at.proxies.add_sidecar(&at.topology.description.mesh, pod, site);
    }
    at.recorder.pod_is_made();
    at.hand(Handed::PodMade(pod));
    for fault in at.topology.faults.of(pod).filter(|it| it.removes_endpoint()) {
        befall(at, pod, fault);
    }
    at.pods.add(at.topology, pod, container, PodLife::made(1, revision, at.now))
}

/// A fault will befall a pod that did not run at the start, or already does.
fn befall(at: &mut Around<'_>, pod: PodId, fault: &PodFault) {
    for (due, event) in events_of_fault(at.topology, pod, fault) {
        if due > at.now {
            at.schedule(due, event);
        }
    }
}

/// An EndpointSlice changes.
pub(super) fn announce(at: &mut Around<'_>, pod: PodId, what: EndpointNews) {
    let delay = at.topology.description.kubernetes.pods.endpoint_delay;
    at.schedule(at.now.saturating_add(delay), Event::ApiServerTells(News::Endpoint { pod, what }));
}

pub(super) fn try_to_schedule(at: &mut Around<'_>, slot: usize) {
    let delay = at.topology.description.kubernetes.pods.scheduling;
    pod_advances_at(at, slot, at.now.saturating_add(delay));
}

/// The next step in the life of a pod is due at `due`.
pub(super) fn pod_advances_at(at: &mut Around<'_>, slot: usize, due: SimTime) {
    at.schedule(due, pod_advances(at, slot));
}

/// The next step in the life of a pod.
pub(super) fn pod_advances(at: &Around<'_>, slot: usize) -> Event {
    Event::PodAdvances { slot: slot as u32, generation: at.pods[slot].generation }
}

/// When a pod that could be ready now is, if later: its sidecar must have had a configuration from istiod, which its
/// startup probe finds at most a second later, and its kubelet must be heard of.
fn ready_later(at: &Around<'_>, slot: usize) -> Option<SimTime> {
    let outages = &at.topology.outages;
    if outages.is_empty() && at.topology.links.are_always_up() {
        return None;
    }
    let life = &at.pods[slot];
    let mut ready = outages.node_back_from(at.here, life.node, at.now);
    if at.topology.has_sidecar(at.pods.pod_in(slot)) {
        let configured = at.topology.istiod_is_reached_from(at.here, life.sidecar_from);
        if configured > life.sidecar_from {
            ready = ready.max(configured.saturating_add(STARTUP_PROBE));
        }
    }
    (ready > at.now).then_some(ready)
}

/// How the pod in a slot comes and goes.
pub(super) fn times_of<'a>(at: &Around<'a>, slot: usize) -> &'a PodTimes {
    let topology = at.topology;
    topology.description.kubernetes.pods_of(topology.pod_ids.service_of(at.pods.pod_in(slot)))
}

/// What kind of sidecar the pod in a slot has.
fn sidecar_of(at: &Around<'_>, slot: usize) -> Sidecar {
    let description = &at.topology.description;
    let native = description.mesh.istio_version.has_native_sidecars()
        && description.kubernetes.controller.version.has_stable_sidecars();
    match (at.topology.has_sidecar(at.pods.pod_in(slot)), native) {
        (false, _) => Sidecar::None,
        (true, false) => Sidecar::Classic,
        (true, true) => Sidecar::Native,
    }
}

fn start_factors(at: &Around<'_>, slot: usize) -> StartFactors {
    let spread = at.topology.description.kubernetes.pods.start_spread;
    if spread == 0.0 {
        return StartFactors { containers: 1.0, sidecar: 1.0, application: 1.0 };
    }
    let address = at.topology.draws_of_pod(at.pods.pod_in(slot), at.pods[slot].generation.into());
    let mut rng = draw(address, Purpose::PodStart);
    let law = LogNormal::new(1.0, spread);
    let [containers, sidecar, application] = [(); 3].map(|()| law.sample(&mut rng));
    StartFactors { containers, sidecar, application }
}
