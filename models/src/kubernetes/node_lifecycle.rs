//! The node lifecycle controller: which nodes are Ready, which are tainted, whose pods are marked.
//!
//! # Models
//! - A kubelet renews a lease and posts its status. The controller looks at all nodes every `monitor_period`. What
//!   counts is when *it saw* a new lease or status: if that is longer ago than `grace` (strictly), the node becomes
//!   Ready=Unknown. One that never posted a status has `startup_grace` from its creation. Only a status makes it
//!   Ready again; a lease alone does not.
//! - When the controller itself makes a Ready node Unknown it marks the node's pods as not ready. Where the kubelet has
//!   said False before, it does not.
//! - The taint NoExecute follows one check later, since it goes by the status that the check found: `not-ready` for
//!   False, `unreachable` for Unknown. One takes the other's place at once; a new one waits in the queue of its zone,
//!   which lets nodes pass at the zone's rate (`zone_state`). A node that is Ready loses both.
//! - If all nodes of all zones are not ready, all taints are taken away and none is set, until a node is back: then
//!   the clocks of all nodes begin anew, and the rates.
//!
//! # Assumptions
//! - A node that may pass is tainted at once, where the controller looks every 100 ms. Effect: 0.1 s at most.
//! - Nodes that wait pass in the order of their table, where the controller's is by chance.
//! - Taints NoSchedule, which follow the conditions at once, are left to who schedules (`cluster/control/nodes`).
//! - When a status is posted and the lease is not renewed until the next check, the controller forgets the lease and
//!   takes the same one for a new one a check later: the node becomes Unknown one `monitor_period` later than here.
//!
//! # Source
//! kubernetes/kubernetes (1.36) `pkg/controller/nodelifecycle/node_lifecycle_controller.go` (`monitorNodeHealth`,
//! `tryUpdateNodeHealth`, `processTaintBaseEviction`, `doNoExecuteTaintingPass`, `handleDisruption`).

use super::version::KubernetesVersion;
use super::zone_state::{RateLimiter, ZoneSettings, ZoneState};
use meshsim_core::{Id, SimDuration, SimTime, Table, id_type};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

id_type!(
    /// A node that the controller watches.
    WatchedNode
);
id_type!(
    /// A zone of nodes (region and zone together).
    ZoneId
);

/// A kubelet renews its lease, and looks whether its status has to be posted, so often
/// (`nodeLeaseDurationSeconds` 40 s, a quarter of it; `nodeStatusUpdateFrequency`).
pub const LEASE_RENEWAL: SimDuration = SimDuration::from_secs(10);

/// Flags of the kube-controller-manager.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NodeLifecycleSettings {
    /// How often it looks (`--node-monitor-period`).
    pub monitor_period: SimDuration,
    /// How long a node may be silent (`--node-monitor-grace-period`).
    pub grace: SimDuration,
    /// How long a node may take for its first status (`--node-startup-grace-period`).
    pub startup_grace: SimDuration,
    /// How fast nodes are tainted.
    pub zones: ZoneSettings,
}

/// The condition Ready of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// It takes pods.
    True,
    /// It says that it does not.
    False,
    /// Nothing is heard of it.
    Unknown,
}

/// A taint NoExecute of the controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NodeTaint {
    /// Of a node with Ready=False.
    NotReady,
    /// Of a node with Ready=Unknown.
    Unreachable,
}

/// What the controller has written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeDecision {
    /// A node is not heard of: its condition is Unknown now.
    Unknown(WatchedNode),
    /// The pods of a node are not ready.
    PodsNotReady(WatchedNode),
    /// A node has this taint, and not the other.
    Taint(WatchedNode, NodeTaint),
    /// A node has neither any more.
    TaintsRemoved(WatchedNode),
    /// A zone changes; a zone that begins as Normal is not told of.
    Zone(ZoneId, ZoneState),
}

/// A node as the API server has it, and what the controller remembers of it.
#[derive(Clone, Copy, Debug)]
struct Node {
    zone: ZoneId,
    created: SimTime,
    /// Its condition, once it has posted one or was found silent.
    ready: Option<Ready>,
    /// When its kubelet last posted a status.
    heartbeat: SimTime,
    /// When its kubelet last renewed its lease.
    lease: Option<SimTime>,
    taint: Option<NodeTaint>,
    seen: Option<Seen>,
    /// Whether it waits for a taint, or has been through the queue since it was last Ready.
    is_queued: bool,
}

/// What the controller saw of a node last.
#[derive(Clone, Copy, Debug)]
struct Seen {
    /// When there was news.
    at: SimTime,
    /// Its heartbeat, if it had a condition.
    heartbeat: Option<SimTime>,
    lease: Option<SimTime>,
}

#[derive(Clone, Debug)]
struct Zone {
    state: Option<ZoneState>,
    limiter: RateLimiter,
    queue: VecDeque<WatchedNode>,
}

/// The controller, and the nodes.
#[derive(Clone, Debug)]
pub struct NodeLifecycle {
    settings: NodeLifecycleSettings,
    nodes: Table<WatchedNode, Node>,
    zones: Table<ZoneId, Zone>,
}

impl NodeLifecycleSettings {
    /// The defaults of a release.
    #[must_use]
    pub fn new(version: KubernetesVersion) -> Self {
        Self {
            monitor_period: SimDuration::from_secs(5),
            grace: version.node_monitor_grace(),
            startup_grace: SimDuration::from_secs(60),
            zones: ZoneSettings::default(),
        }
    }
}

impl NodeLifecycle {
    /// Of so many zones, without nodes.
    #[must_use]
    pub fn new(settings: NodeLifecycleSettings, zones: usize) -> Self {
        let limiter = RateLimiter::new(settings.zones.rate);
        let zone = |_| Zone { state: None, limiter, queue: VecDeque::new() };
        Self { settings, nodes: Table::new(), zones: (0..zones).map(zone).collect() }
    }

    /// A node is made; `ready` is its condition then, absent if it has posted none.
    pub fn add(&mut self, zone: ZoneId, created: SimTime, ready: Option<Ready>) -> WatchedNode {
        let node = Node {
            zone,
            created,
            ready,
            heartbeat: created,
            lease: None,
            taint: None,
            seen: None,
            is_queued: false,
        };
        self.nodes.push(node)
    }

    /// A kubelet renews its lease.
    pub fn renews(&mut self, node: WatchedNode, now: SimTime) {
        self.nodes[node].lease = Some(now);
    }

    /// A kubelet posts its status: tells whether the condition changes.
    pub fn posts(&mut self, node: WatchedNode, ready: Ready, now: SimTime) -> bool {
        let node = &mut self.nodes[node];
        node.heartbeat = now;
        node.ready.replace(ready) != Some(ready)
    }

    /// The condition of a node.
    #[must_use]
    pub fn ready(&self, node: WatchedNode) -> Option<Ready> {
        self.nodes[node].ready
    }

    /// The taint of a node.
    #[must_use]
    pub fn taint(&self, node: WatchedNode) -> Option<NodeTaint> {
        self.nodes[node].taint
    }

    /// The controller looks at all nodes, as it does every monitor period.
    pub fn checks(&mut self, now: SimTime, decisions: &mut Vec<NodeDecision>) {
        for id in self.nodes.ids() {
            if self.nodes[id].created <= now {
                self.checks_node(id, now, decisions);
            }
        }
        self.checks_zones(now, decisions);
        self.taints(now, decisions);
    }

    /// When the next node that waits may be tainted; absent: there is none, or none may.
    #[must_use]
    pub fn next_taint(&self) -> Option<SimTime> {
        let waiting = self.zones.iter().filter(|zone| !zone.queue.is_empty());
        waiting.filter_map(|zone| zone.limiter.free_at()).min()
    }

    /// Nodes that wait and may are tainted.
    pub fn taints(&mut self, now: SimTime, decisions: &mut Vec<NodeDecision>) {
        for zone in self.zones.iter_mut() {
            while !zone.queue.is_empty() && zone.limiter.passes(now) {
                let id = zone.queue.pop_front().expect("a node waits");
                let taint = match self.nodes[id].ready {
                    Some(Ready::False) => NodeTaint::NotReady,
                    Some(Ready::Unknown) => NodeTaint::Unreachable,
                    // It came back meanwhile, and has used up a token.
                    Some(Ready::True) | None => continue,
                };
                self.nodes[id].taint = Some(taint);
                decisions.push(NodeDecision::Taint(id, taint));
            }
        }
    }

    fn checks_node(&mut self, id: WatchedNode, now: SimTime, decisions: &mut Vec<NodeDecision>) {
        let node = &mut self.nodes[id];
        let observed = node.ready;
        if node.sees_news(now).saturating_add(node.grace(&self.settings)) < now {
            // What a node without a status has lacked since it was made is not known either.
            node.ready = Some(Ready::Unknown);
            if observed != Some(Ready::Unknown) {
                decisions.push(NodeDecision::Unknown(id));
            }
        }
        let Some(current) = node.ready else { return };
        let seen = node.seen.as_mut().expect("the node was just seen");
        seen.heartbeat = Some(node.heartbeat);
        match observed {
            Some(Ready::True) => self.is_reachable(id, decisions),
            Some(Ready::False) => self.is_tainted(id, NodeTaint::NotReady, decisions),
            Some(Ready::Unknown) | None => self.is_tainted(id, NodeTaint::Unreachable, decisions),
        }
        if observed == Some(Ready::True) && current != Ready::True {
            decisions.push(NodeDecision::PodsNotReady(id));
        }
    }

    /// A node keeps no taint of the controller, and waits for none.
    fn is_reachable(&mut self, id: WatchedNode, decisions: &mut Vec<NodeDecision>) {
        self.leaves_queue(id);
        if self.nodes[id].taint.take().is_some() {
            decisions.push(NodeDecision::TaintsRemoved(id));
        }
    }

    /// A node has this taint, or gets it in the place of the other, or waits for it.
    fn is_tainted(&mut self, id: WatchedNode, taint: NodeTaint, decisions: &mut Vec<NodeDecision>) {
        match self.nodes[id].taint {
            Some(other) if other != taint => {
                self.nodes[id].taint = Some(taint);
                decisions.push(NodeDecision::Taint(id, taint));
            }
            Some(_) => {}
            None => {
                // It waits behind those that this check has put there before it.
                self.leaves_queue(id);
                self.nodes[id].is_queued = true;
                self.zones[self.nodes[id].zone].queue.push_back(id);
            }
        }
    }

    fn leaves_queue(&mut self, id: WatchedNode) {
        if std::mem::take(&mut self.nodes[id].is_queued) {
            self.zones[self.nodes[id].zone].queue.retain(|&other| other != id);
        }
    }

    fn checks_zones(&mut self, now: SimTime, decisions: &mut Vec<NodeDecision>) {
        let states = self.zone_states(now);
        if states.is_empty() {
            return;
        }
        let is_full = |state: Option<ZoneState>| state == Some(ZoneState::FullDisruption);
        let all_are = states.iter().all(|(_, _, state)| is_full(Some(*state)));
        let all_were = states.iter().all(|(id, _, _)| is_full(self.zones[*id].state));
        if all_are && all_were {
            return;
        }
        if all_are {
            for id in self.nodes.ids() {
                self.is_reachable(id, decisions);
            }
        } else if all_were {
            for seen in self.nodes.iter_mut().filter_map(|node| node.seen.as_mut()) {
                seen.at = now;
            }
        }
        for (id, nodes, state) in states {
            let zone = &mut self.zones[id];
            let before = zone.state.replace(state);
            if all_are {
                zone.limiter.change(0.0, now);
            } else if all_were || before != Some(state) {
                zone.limiter.change(state.rate(nodes, &self.settings.zones), now);
            }
            if before.unwrap_or(ZoneState::Normal) != state {
                decisions.push(NodeDecision::Zone(id, state));
            }
        }
    }

    /// The zones that have nodes, how many, and how they are.
    fn zone_states(&self, now: SimTime) -> Vec<(ZoneId, u32, ZoneState)> {
        let mut counts = vec![(0, 0); self.zones.len()];
        for node in self.nodes.iter().filter(|node| node.created <= now) {
            let (ready, not_ready) = &mut counts[node.zone.index()];
            *(if node.ready == Some(Ready::True) { ready } else { not_ready }) += 1;
        }
        let state = |(id, &(ready, not_ready)): (ZoneId, &(u32, u32))| {
            (id, ready + not_ready, ZoneState::of(ready, not_ready, &self.settings.zones))
        };
        self.zones.ids().zip(&counts).map(state).filter(|(_, nodes, _)| *nodes > 0).collect()
    }
}

impl Node {
    /// The controller looks for news: tells when it last saw any.
    fn sees_news(&mut self, now: SimTime) -> SimTime {
        let heartbeat = self.ready.map(|_| self.heartbeat);
        let first =
            Seen { at: if self.ready.is_some() { now } else { self.created }, heartbeat, lease: None };
        let seen = self.seen.get_or_insert(first);
        if heartbeat.is_some() && seen.heartbeat != heartbeat {
            (seen.at, seen.heartbeat) = (now, heartbeat);
        }
        if self.lease.is_some_and(|lease| seen.lease.is_none_or(|before| before < lease)) {
            (seen.at, seen.lease) = (now, self.lease);
        }
        seen.at
    }

    fn grace(&self, settings: &NodeLifecycleSettings) -> SimDuration {
        if self.ready.is_some() { settings.grace } else { settings.startup_grace }
    }
}

impl NodeTaint {
    /// Its key.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::NotReady => super::taint_eviction::NOT_READY,
            Self::Unreachable => super::taint_eviction::UNREACHABLE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::version::NEWEST;
    use proptest::prelude::*;

    fn at(seconds: f64) -> SimTime {
        SimTime::ZERO + SimDuration::from_secs_f64(seconds)
    }

    /// What a controller decides about nodes of one zone each, whose kubelets renew every 10 s until they die.
    fn decisions(zones: &[u32], dies: &[f64], first_check: f64, until: f64) -> Vec<(f64, NodeDecision)> {
        let settings =
            NodeLifecycleSettings { grace: SimDuration::from_secs(40), ..NodeLifecycleSettings::new(NEWEST) };
        let mut controller =
            NodeLifecycle::new(settings, zones.iter().max().map_or(0, |it| *it as usize + 1));
        let nodes: Vec<_> =
            zones.iter().map(|&zone| controller.add(ZoneId(zone), at(0.0), Some(Ready::True))).collect();
        let (mut found, mut second) = (Vec::new(), first_check);
        while second <= until {
            for (&node, &dies) in nodes.iter().zip(dies) {
                controller.renews(node, at((second.min(dies) / 10.0).floor() * 10.0));
            }
            let mut decided = Vec::new();
            controller.checks(at(second), &mut decided);
            found.extend(decided.drain(..).map(|it| (second, it)));
            while let Some(next) = controller.next_taint().filter(|&next| next < at(second + 5.0)) {
                controller.taints(next, &mut decided);
                found.extend(decided.drain(..).map(|it| (next.as_secs_f64(), it)));
            }
            second += 5.0;
        }
        found
    }

    const NEVER: f64 = f64::INFINITY;

    #[test]
    fn a_silent_node_is_unknown_after_the_grace_and_tainted_one_check_later() {
        let node = WatchedNode(0);
        assert_eq!(
            decisions(&[0, 0], &[63.0, NEVER], 0.5, 150.0),
            [
                (105.5, NodeDecision::Unknown(node)),
                (105.5, NodeDecision::PodsNotReady(node)),
                (110.5, NodeDecision::Taint(node, NodeTaint::Unreachable)),
            ]
        );
    }

    #[test]
    fn a_zone_that_loses_most_of_its_nodes_taints_none_but_other_zones_do() {
        let taints = |zones: &[u32]| {
            let found = decisions(zones, &[60.0, 60.0, 60.0, NEVER], 0.0, 400.0);
            found.into_iter().filter(|(_, it)| matches!(it, NodeDecision::Taint(..))).count()
        };
        assert_eq!(taints(&[0; 4]), 0);
        assert_eq!(taints(&[0, 1, 2, 3]), 3);
    }

    #[test]
    fn if_all_are_silent_none_is_tainted_until_one_is_back() {
        let settings = NodeLifecycleSettings::new(NEWEST);
        let mut controller = NodeLifecycle::new(settings, 2);
        let [a, b] = [0, 1].map(|zone| controller.add(ZoneId(zone), at(0.0), Some(Ready::True)));
        let mut decided = Vec::new();
        for check in 0..30 {
            controller.checks(at(f64::from(check) * 5.0), &mut decided);
        }
        assert_eq!(controller.next_taint(), None);
        assert!(!decided.iter().any(|it| matches!(it, NodeDecision::Taint(..))));
        controller.posts(a, Ready::True, at(150.0));
        decided.clear();
        controller.checks(at(150.0), &mut decided);
        assert_eq!(decided, [NodeDecision::Zone(ZoneId(0), ZoneState::Normal)]);
        assert_eq!(controller.next_taint(), Some(at(160.0)));
        controller.taints(at(160.0), &mut decided);
        assert_eq!(controller.taint(b), Some(NodeTaint::Unreachable));
    }

    #[test]
    fn a_node_without_a_status_is_tainted_as_soon_as_it_is_unknown() {
        let mut controller = NodeLifecycle::new(NodeLifecycleSettings::new(NEWEST), 1);
        let [new, old] = [None, Some(Ready::True)].map(|ready| controller.add(ZoneId(0), at(0.0), ready));
        let mut decided = Vec::new();
        for second in [0.0, 60.0, 65.0] {
            controller.renews(old, at(second));
            controller.checks(at(second), &mut decided);
        }
        assert_eq!(decided, [NodeDecision::Unknown(new), NodeDecision::Taint(new, NodeTaint::Unreachable)]);
    }

    proptest! {
        /// From its failure a node is Unknown after 30 to 45 s, and whoever lives stays Ready.
        #[test]
        fn a_failure_is_noticed_in_time(dies in 60.0_f64..70.0, first_check in 0.0_f64..5.0) {
            let found = decisions(&[0, 0, 0], &[dies, NEVER, NEVER], first_check, 200.0);
            let unknown: Vec<_> = found.iter().filter(|(_, it)| matches!(it, NodeDecision::Unknown(_))).collect();
            prop_assert_eq!(unknown.len(), 1);
            prop_assert_eq!(unknown[0].1, NodeDecision::Unknown(WatchedNode(0)));
            let after = unknown[0].0 - dies;
            prop_assert!((30.0..=50.0).contains(&after), "{after}");
        }
    }
}
