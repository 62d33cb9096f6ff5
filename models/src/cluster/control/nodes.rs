//! Nodes that are lost or drained: acts on what `kubernetes/{node_lifecycle, taint_eviction}` decide.
//!
//! # Models
//! Only where something may happen to a node of the cluster, or to one that stands for a provider (`peer_checks`), does its
//! node lifecycle controller look at the nodes, every 5 s from a random moment on. Kubelets renew their leases every 10 s, each from a random moment on, while their node is
//! there. When the controller makes a node Unknown its pods are marked not ready, and their endpoints leave; a taint
//! NoSchedule keeps new pods away at once, NoExecute follows at the zone's rate. A pod that does not tolerate that
//! for ever is evicted when its time is over (300 s by default): it is deleted, and its Deployment makes another one.
//! What is left of it on the node ends when the node is back and its kubelet hears of it.
//!
//! A kubelet that is back posts its status at its next renewal: the node and its pods are Ready then, and at the
//! controller's next check the taints go, and with them the clocks of the evictions.
//!
//! Who drains a node cordons it and evicts its pods, which end with their grace; each is replaced at once.
//!
//! # Assumptions
//! - While the API server is down the controller looks at nothing, and leases count as renewed.
//! - PodDisruptionBudgets are left out, as is what a drain skips (DaemonSets).
//! - A pod whose node is lost before its kubelet has taken it starts when the node is back.
//!
//! # Source
//! `kubernetes/{node_lifecycle, taint_eviction}`; kubernetes/kubernetes `pkg/kubelet/kubelet_node_status.go` (a status
//! that has changed is posted at the next `nodeStatusUpdateFrequency`), `staging/src/k8s.io/kubectl/pkg/drain`.

use super::pods_come_and_go::{announce, try_to_schedule};
use super::state::{Control, waiting};
use crate::cluster::around::Around;
use crate::cluster::event::Event;
use crate::cluster::news::EndpointNews;
use crate::faults::outage::Outages;
use crate::ids::{ClusterId, PodId};
use crate::kubernetes::hpa::pod_groups::ReadyCondition;
use crate::kubernetes::node_lifecycle::{NodeDecision, Ready, WatchedNode};
use crate::kubernetes::pod::PodStage;
use crate::kubernetes::scheduler::node::{Effect, Taint};
use crate::kubernetes::taint_eviction::{Eviction, UNREACHABLE, eviction, with_defaults};
use crate::liqo::virtual_node;
use crate::telemetry::decision::What;
use crate::world::timeline::last_renewal;
use crate::world::topology::Topology;
use meshsim_core::{Id, SimDuration, SimTime};

/// The controller waits for its period when it has looked at all nodes, which takes it a moment. So a node that was
/// seen last a grace ago to the digit is found silent, and not a check later.
const CHECK_TAKES: SimDuration = SimDuration::from_millis(1);

/// Set by who cordons a node.
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

impl Control {
    /// The node lifecycle controller looks at all nodes.
    pub(in crate::cluster) fn nodes_are_checked(&mut self, at: &mut Around<'_>) {
        let Some(watch) = &mut self.watch else { return };
        let period = at.topology.description.kubernetes.node_lifecycle().monitor_period;
        at.schedule(at.now.saturating_add(period).saturating_add(CHECK_TAKES), Event::NodesChecked);
        if !at.has_api_server() {
            return;
        }
        for node in 0..at.topology.description.clusters[at.here].nodes.len() {
            if let Some(renewed) = renewed(at.topology, at.here, node as u32, at.now) {
                watch.lifecycle.renews(WatchedNode::from_index(node), renewed);
            }
        }
        let mut decisions = std::mem::take(&mut watch.decisions);
        watch.lifecycle.checks(at.now, &mut decisions);
        self.nodes_change(at, decisions);
    }

    /// Nodes that wait for a taint may get it.
    pub(in crate::cluster) fn nodes_are_tainted(&mut self, at: &mut Around<'_>) {
        let Some(watch) = self.watch.as_mut().filter(|_| at.has_api_server()) else { return };
        let mut decisions = std::mem::take(&mut watch.decisions);
        watch.lifecycle.taints(at.now, &mut decisions);
        self.nodes_change(at, decisions);
    }

    /// The kubelet of a node that was lost posts its status, and that of its pods.
    pub(in crate::cluster) fn kubelet_posts(&mut self, at: &mut Around<'_>, node: usize) {
        if at.waits_for_api_server(Event::KubeletPosts(node as u32)) {
            return;
        }
        // It may be lost again.
        if at.topology.outages.is_node_lost(at.here, node as u32, at.now) {
            return;
        }
        let Some(watch) = &mut self.watch else { return };
        if watch.lifecycle.posts(WatchedNode::from_index(node), Ready::True, at.now) {
            self.allow(node, UNREACHABLE);
            at.recorder.decided(at.now, What::NodeReady(node as u32));
            self.node_is(at, WatchedNode::from_index(node), true, What::PodMarked);
        }
    }

    /// A node is ready, or is not: so are its pods, as somebody says, and the endpoints of the provider for which it stands.
    pub(super) fn node_is(
        &mut self,
        at: &mut Around<'_>,
        node: WatchedNode,
        ready: bool,
        says: fn(PodId, bool) -> What,
    ) {
        for slot in on_node(at, node.index()) {
            self.set_condition(at, slot, ready, says);
        }
        if let Some(cluster) = self.peers.as_ref().and_then(|it| it.behind(node)) {
            self.endpoints_count(at, cluster, ready);
        }
        for deployment in 0..self.deployments.len() {
            self.reconcile(at, deployment);
        }
        if ready {
            self.wakes_waiting(at);
        }
    }

    /// A pod has tolerated the taints of its node for as long as it does.
    pub(in crate::cluster) fn pod_is_evicted(&mut self, at: &mut Around<'_>, slot: usize, generation: u32) {
        let Some(watch) = &mut self.watch else { return };
        let key = (slot, generation);
        if watch.evictions.get(&key).is_none_or(|it| it.at != at.now)
            || at.pods[slot].generation != generation
        {
            return;
        }
        let answers = at.topology.outages.api_server_answers_from(at.here, at.now);
        if answers > at.now {
            watch.evictions.insert(key, Eviction { since: at.now, at: answers });
            return evicts_at(at, slot, answers);
        }
        let since = watch.evictions.remove(&key).map_or(at.now, |it| it.since);
        let pod = at.pods.pod_in(slot);
        at.recorder.decided_since(at.now, since, What::PodEvicted(pod));
        self.evict(at, slot);
    }

    /// Somebody drains a node.
    pub(in crate::cluster) fn node_drains(&mut self, at: &mut Around<'_>, node: usize) {
        if at.waits_for_api_server(Event::NodeDrains(node as u32)) {
            return;
        }
        self.begin_to_change(at.here, at.topology, at.pods);
        at.recorder.decided(at.now, What::NodeCordoned(node as u32));
        self.forbid(node, UNSCHEDULABLE, Effect::NoSchedule);
        for slot in on_node(at, node) {
            let pod = at.pods.pod_in(slot);
            at.recorder.decided(at.now, What::PodDrained(pod));
            self.evict(at, slot);
        }
    }

    /// A node that was drained takes pods again.
    pub(in crate::cluster) fn node_is_uncordoned(&mut self, at: &mut Around<'_>, node: usize) {
        if at.waits_for_api_server(Event::NodeIsUncordoned(node as u32)) {
            return;
        }
        at.recorder.decided(at.now, What::NodeUncordoned(node as u32));
        self.allow(node, UNSCHEDULABLE);
        self.wakes_waiting(at);
    }

    /// What was seen last of the node of the pod in a slot.
    pub(super) fn node_seen(&self, at: &Around<'_>, slot: usize) -> Option<ReadyCondition> {
        self.watch.as_ref()?.condition(slot, at.pods[slot].generation)
    }

    fn evict(&mut self, at: &mut Around<'_>, slot: usize) {
        if !at.pods[slot].stage.is_bound() {
            return;
        }
        self.begin_to_change(at.here, at.topology, at.pods);
        self.delete_pod(at, slot);
        self.reconcile(at, self.deployment_of(at.pods, slot));
    }

    /// The controller has written this.
    fn nodes_change(&mut self, at: &mut Around<'_>, mut decisions: Vec<NodeDecision>) {
        for decision in decisions.drain(..) {
            match decision {
                NodeDecision::Unknown(node) => {
                    at.recorder.decided(at.now, What::NodeUnknown(node.0));
                    self.begin_to_change(at.here, at.topology, at.pods);
                    self.forbid(node.index(), UNREACHABLE, Effect::NoSchedule);
                }
                NodeDecision::PodsNotReady(node) => self.node_is(at, node, false, What::PodMarked),
                NodeDecision::Taint(node, which) => {
                    at.recorder.decided(at.now, What::NodeTainted(node.0, which));
                    self.clocks_run(at, node);
                }
                NodeDecision::TaintsRemoved(node) => {
                    at.recorder.decided(at.now, What::NodeUntainted(node.0));
                    self.clocks_run(at, node);
                }
                NodeDecision::Zone(zone, state) => {
                    at.recorder.decided(at.now, What::ZoneChanged(zone.0, state));
                }
            }
        }
        let Some(watch) = &mut self.watch else { return };
        watch.decisions = decisions;
        if let Some(due) = watch.lifecycle.next_taint() {
            at.schedule(due.max(at.now), Event::NodesTainted);
        }
    }

    /// The taints NoExecute of a node have changed: the clocks of its pods run, or stop.
    fn clocks_run(&mut self, at: &mut Around<'_>, node: WatchedNode) {
        let Some(watch) = &mut self.watch else { return };
        let set = watch.lifecycle.taint(node).map(|it| taint(it.key(), Effect::NoExecute));
        let description = &at.topology.description;
        let own = description.clusters[at.here].nodes.get(node.index());
        let own = own.map_or_else(|| vec![virtual_node::taint()], |it| it.taints.clone());
        let taints: Vec<Taint> = own.into_iter().chain(set).collect();
        for slot in on_node(at, node.index()) {
            let key = (slot, at.pods[slot].generation);
            let asks = description.asks_of_nodes(at.pods.service_of(slot), at.here);
            let tolerations = with_defaults(asks.tolerations);
            let running = watch.evictions.remove(&key);
            if let Some(it) = eviction(&taints, &tolerations, running, at.now) {
                watch.evictions.insert(key, it);
                evicts_at(at, slot, it.at);
            }
        }
    }

    /// A pod is marked as not ready because of its node, or its kubelet says that it is.
    fn set_condition(
        &mut self,
        at: &mut Around<'_>,
        slot: usize,
        ready: bool,
        says: fn(PodId, bool) -> What,
    ) {
        let Some(watch) = &mut self.watch else { return };
        let key = (slot, at.pods[slot].generation);
        let is_marked = watch.conditions.get(&key).is_some_and(|it| !it.ready);
        if is_marked != ready || at.pods[slot].stage != PodStage::Ready {
            return;
        }
        watch.conditions.insert(key, ReadyCondition { ready, last_transition: at.now });
        let pod = at.pods.pod_in(slot);
        at.recorder.decided(at.now, says(pod, ready));
        // What runs of an offloaded one is an endpoint of its provider.
        if at.pods[slot].offloaded {
            return;
        }
        if !ready || !at.topology.faults.is_unready(pod, at.now) {
            let what = if ready { EndpointNews::Ready } else { EndpointNews::Unready };
            announce(at, pod, what);
        }
    }

    /// A taint keeps pods away from a node.
    pub(super) fn forbid(&mut self, node: usize, key: &str, effect: Effect) {
        let taints = &mut self.nodes[node].taints;
        if !taints.iter().any(|it| it.key == key && it.effect == effect) {
            taints.push(taint(key, effect));
        }
    }

    /// A node takes pods again that a taint has kept away.
    pub(super) fn allow(&mut self, node: usize, key: &str) {
        if let Some(state) = self.nodes.get_mut(node) {
            state.taints.retain(|it| it.key != key || it.effect != Effect::NoSchedule);
        }
    }

    fn wakes_waiting(&self, at: &mut Around<'_>) {
        for slot in waiting(at.pods) {
            try_to_schedule(at, slot);
        }
    }
}

/// When a kubelet has renewed its lease last.
fn renewed(topology: &Topology, cluster: ClusterId, node: u32, now: SimTime) -> Option<SimTime> {
    let mut renewed = last_renewal(topology, cluster, node, now)?;
    while topology.outages.is_node_lost(cluster, node, renewed) {
        let lost = lost_since(&topology.outages, cluster, node, renewed);
        renewed =
            last_renewal(topology, cluster, node, SimTime::from_nanos(lost.as_nanos().checked_sub(1)?))?;
    }
    Some(renewed)
}

fn lost_since(outages: &Outages, cluster: ClusterId, node: u32, now: SimTime) -> SimTime {
    let losses = outages.losses_of_node(cluster, node).take_while(|(begins, _)| *begins <= now);
    losses.last().map_or(now, |(begins, _)| begins)
}

/// The slots of the pods that are on a node and not being deleted.
fn on_node(at: &Around<'_>, node: usize) -> Vec<usize> {
    let is_there = |&slot: &usize| {
        let pod = &at.pods[slot];
        pod.node as usize == node && pod.stage.is_bound()
    };
    (0..at.pods.len())
        .filter(|slot| is_there(slot) && !at.topology.is_outside(at.pods.pod_in(*slot)))
        .collect()
}

fn taint(key: &str, effect: Effect) -> Taint {
    Taint { key: key.to_owned(), value: String::new(), effect }
}

fn evicts_at(at: &mut Around<'_>, slot: usize, due: SimTime) {
    let generation = at.pods[slot].generation;
    at.schedule(due, Event::PodIsEvicted { slot: slot as u32, generation });
}
